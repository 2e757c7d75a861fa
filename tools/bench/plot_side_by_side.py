#!/usr/bin/env python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Draws what side_by_side.py printed.

usage: side_by_side.py ... | tee report.txt; plot_side_by_side.py report.txt docs/side-by-side.png

Bars are medians over the rounds of time divided by PyTorch's best in the same round; lines reach from
the smallest to the largest round. Needs matplotlib.
"""
import re
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ROW = re.compile(r"  (.+?) {2,}([0-9.]+) s +x *([0-9.]+) \(([0-9.]+) to ([0-9.]+)\)")


def read(path):
    """{title: [(contender, ratio, smallest, largest)]}, ratios to the best of PyTorch."""
    panels, title = {}, None
    with open(path, encoding="utf-8") as file:
        for line in file:
            row = ROW.match(line)
            if row and title:
                panels[title].append((row[1], *(float(row[i]) for i in (3, 4, 5))))
            elif ": " in line and not line.startswith(" "):
                title = line.strip()
                panels[title] = []  # the later of two reports of a part is against both types
    return {title: rows for title, rows in panels.items() if rows}


def main():
    panels = read(sys.argv[1])
    figure, axes = plt.subplots(len(panels), 1, figsize=(8, 1.2 + 1.5 * len(panels)), sharex=True)
    for axis, (title, rows) in zip(axes, panels.items()):
        rows = rows[::-1]
        names = [row[0] for row in rows]
        colours = ["#b0b0b0" if name.startswith("torch") else "#2a6fbb" for name in names]
        ratios = [row[1] for row in rows]
        spread = [[row[1] - row[2] for row in rows], [row[3] - row[1] for row in rows]]
        axis.barh(names, ratios, color=colours, xerr=spread, ecolor="#404040", capsize=2)
        axis.axvline(1, color="#a03030", linewidth=1)
        axis.set_title(title, fontsize=9, loc="left")
        axis.tick_params(labelsize=8)
    axes[-1].set_xlabel("time / best of PyTorch in the same round (less is better)", fontsize=8)
    figure.tight_layout()
    figure.savefig(sys.argv[2], dpi=110)


if __name__ == "__main__":
    main()
