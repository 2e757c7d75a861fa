#!/usr/bin/env python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Draws tables of bench_stream.py: seconds per sweep by contender and memory.

usage: plot_stream.py OUT.png TABLES.md TITLE=N ...

TABLES.md holds such tables, docs/benchmarks.md for one; N says which of them, from 1.
"""
import re
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

COLOURS = {"fio": "0.45", "longtake": "tab:blue", "mmap": "tab:orange", "accelerate": "tab:red"}
HEADER = "| who | memory, % of the model | s per sweep |"


def read_tables(path):
    """Lists of (who, percent or "", cell with the seconds)."""
    tables, inside = [], False
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith(HEADER):
                tables.append([])
            elif inside and line.startswith("| "):
                tables[-1].append(tuple(cell.strip() for cell in line.split("|")[1:4]))
            inside = line.startswith(HEADER) or inside and line.startswith("|")
    return tables


def draw(axes, title, rows):
    labels = []
    for i, (who, share, cell) in enumerate(rows):
        labels.append(f"{who}, {share} %" if share else who)
        numbers = re.fullmatch(r"([\d.]+) \(([\d.]+)-([\d.]+)\)", cell)
        if numbers is None:
            axes.text(0, i, cell, va="center", fontsize=8)
            continue
        middle, low, high = (float(number) for number in numbers.groups())
        axes.barh(i, middle, color=COLOURS[who], xerr=[[middle - low], [high - middle]])
        axes.text(high, i, f" {middle:.2f}", va="center", fontsize=8)
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.set_xlabel("seconds per sweep: median, quartiles")
    axes.set_title(title, fontsize=10)
    axes.margins(x=0.15)


def main():
    tables = read_tables(sys.argv[2])
    plots = [argument.rsplit("=", 1) for argument in sys.argv[3:]]
    figure, axes = plt.subplots(1, len(plots), figsize=(6 * len(plots), 4.5), squeeze=False)
    for one, (title, number) in zip(axes[0], plots):
        draw(one, title, tables[int(number) - 1])
    figure.tight_layout()
    figure.savefig(sys.argv[1], dpi=80)


if __name__ == "__main__":
    main()
