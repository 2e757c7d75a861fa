#!/usr/bin/env python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""A picture of a stretch of a trace (longtaked --trace), for those who do not open Perfetto.

usage: plot_trace.py TRACE.json OUT.png [--from SECONDS] [--seconds N]

Needs python3-matplotlib. Times count from the first span.
"""
import argparse
import json

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

COLOURS = ("read", "#4878a8"), ("wait", "#c04040"), ("verify", "#b09030"), ("layers", "#50985a"), (
    "sweeps", "#888888"), ("decode", "#8060a8")


def colour(track):
    return next((c for word, c in COLOURS if word in track), "#606060")


def load(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if not text.rstrip().endswith("]"):  # of a program that was killed
        text = text[:text.rindex("},") + 1] + "]"
    return json.loads(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("trace")
    parser.add_argument("out")
    parser.add_argument("--from", dest="first", type=float, default=0.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    events = load(options.trace)
    names = {e["tid"]: e["args"]["name"] for e in events if e.get("ph") == "M"}
    spans = [e for e in events if e.get("ph") == "X"]
    zero = min(e["ts"] for e in spans)
    shown = {e["tid"] for e in spans if options.first <= (e["ts"] - zero) / 1e6 <= options.first + options.seconds}
    order = sorted((names[tid] for tid in shown), key=lambda n: ([i for i, (w, _) in enumerate(COLOURS) if w in n] or [9], n))
    figure, axis = plt.subplots(figsize=(13, 0.42 * len(order) + 1))
    for index, track in enumerate(order):
        bars = [((e["ts"] - zero) / 1e6, e["dur"] / 1e6) for e in spans if names[e["tid"]] == track]
        bars = [(max(0.0, t - options.first), min(options.seconds, t + d - options.first)) for t, d in bars]
        bars = [(start, end - start) for start, end in bars if end > start]
        axis.broken_barh(bars, (index - 0.4, 0.8), facecolors=colour(track))
        if "layers" in track or "sweeps" in track:  # where one ends and the next begins
            axis.vlines([start for start, _ in bars], index - 0.4, index + 0.4, "white", linewidth=0.8)
        busy = sum(d for _, d in bars)
        axis.text(options.seconds * 1.005, index, f"{100 * busy / options.seconds:.0f} %", va="center", fontsize=8)
    axis.set(yticks=range(len(order)), yticklabels=order, xlim=(0, options.seconds), xlabel="seconds")
    axis.invert_yaxis()
    figure.tight_layout()
    figure.savefig(options.out, dpi=75)


if __name__ == "__main__":
    main()
