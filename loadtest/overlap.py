#!/usr/bin/env python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Do reading and computing overlap? Sweeps against their halves alone, in turn, at several sizes.

usage: loadtest/overlap.py --pack transformer.pack [--size 48x48 ...] [--rounds 5] [--read-rate 1000MB]

Goal: a sweep takes at most 1.05 x max(reading alone, computing alone with verifying). With --read-rate
(as root) everything runs under a limit on the disk, so that the disk is alike for all rounds.
"""
import argparse

from cgroups import read_limit
from rounds import Asked, show, spread


def take_turns(bench, rounds):
    seconds = {"io": [], "compute": [], "verify": [], "sweep": []}
    ratios, shares = [], []
    for kind in seconds:
        tokens = bench.ask(kind)["tokens"]
    for _ in range(rounds):
        for kind, list_ in seconds.items():
            if kind in ("io", "sweep"):
                bench.ask(kind)  # uses up what was read ahead, while nobody else reads
            list_.append(bench.ask(kind)["seconds"])
        last = {kind: list_[-1] for kind, list_ in seconds.items()}
        work = last["compute"] + last["verify"]
        ratios.append(work / last["io"])
        shares.append(last["sweep"] / max(last["io"], work))
    return seconds, ratios, shares, tokens


def measure(options, group):
    print("| size | rows | reading s | computing s | verifying s | ratio | sweep s | of the larger half |")
    print("|---|---|---|---|---|---|---|---|")
    for size in options.size or ["48x48", "160x96", "320x240"]:
        width, height = size.split("x")
        bench = Asked([f"{options.bin}/longtake_stream_bench", options.pack, "--ask", "--width", width, "--height",
                       height, "--context", "9", "--text-tokens", "32", *options.option], group)
        try:
            seconds, ratios, shares, tokens = take_turns(bench, options.rounds)
        finally:
            bench.end()
        print(f"| {size} | {tokens} | {show(seconds['io'])} | {show(seconds['compute'])} | {show(seconds['verify'])} | "
              f"{spread(ratios)[0]:.2f} | {show(seconds['sweep'])} | {show(shares, '{:.3f}')} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--bin", default="build/dev/bin")
    parser.add_argument("--pack", required=True)
    parser.add_argument("--size", action="append")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--read-rate", type=lambda text: int(text.removesuffix("MB")) * 10**6)
    parser.add_argument("--option", action="append", default=[], help="of longtake_stream_bench")
    options = parser.parse_args()
    with read_limit(options.read_rate, options.pack) as group:
        measure(options, group)


if __name__ == "__main__":
    main()
