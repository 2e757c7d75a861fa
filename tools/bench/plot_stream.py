#!/usr/bin/env python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Draws rows of bench_stream.py: seconds per sweep by contender and memory.

usage: plot_stream.py OUT.png TITLE=ROWS.jsonl ...
"""
import json
import os
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../loadtest"))
from bench_stream import by_memory  # noqa: E402
from rounds import spread  # noqa: E402

COLOURS = {"fio": "0.45", "longtake": "tab:blue", "mmap": "tab:orange", "accelerate": "tab:red"}


def draw(axes, title, path):
    with open(path, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    labels = []
    for i, (who, share) in enumerate(by_memory(rows)):
        seconds = [r["seconds"] for r in rows if (r["who"], r["share"]) == (who, share) and "seconds" in r]
        labels.append(who if share is None else f"{who}, {share} %")
        if not seconds:
            axes.text(0, i, "failed", va="center")
            continue
        middle, low, high = spread(seconds)
        axes.barh(i, middle, color=COLOURS[who], xerr=[[middle - low], [high - middle]])
        axes.text(high, i, f" {middle:.2f}", va="center", fontsize=8)
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.set_xlabel("seconds per sweep: median, quartiles")
    axes.set_title(title, fontsize=10)
    axes.margins(x=0.15)


def main():
    plots = [argument.split("=", 1) for argument in sys.argv[2:]]
    figure, axes = plt.subplots(1, len(plots), figsize=(6 * len(plots), 4.5), squeeze=False)
    for one, (title, path) in zip(axes[0], plots):
        draw(one, title, path)
    figure.tight_layout()
    figure.savefig(sys.argv[1], dpi=80)


if __name__ == "__main__":
    main()
