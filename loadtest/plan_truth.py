#!/usr/bin/env python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Does the residency plan tell the truth? Predicted seconds of a sweep against those of a running server.

usage: loadtest/plan_truth.py --pack DIR [--read-rate 800MB] [--sessions 1,3] [--size 48x32] [--server-option=...]

The server calibrates and serves in a cgroup that limits its reads (as root); goal: within 10 %.
"""
import argparse
import re
import tempfile

from cgroups import read_limit
from serving import Server
from sharing import measure


def compare(server, plan, options):
    predicted = sorted((int(m[1]), float(m[2])) for line in plan
                       if (m := re.match(r"a sweep of (\d+) tokens: (\S+) s", line)))
    print("| sessions | rows | predicted s | measured s | off by | session-steps/s | of N x one |\n|---|---|---|---|---|---|---|")
    one = None
    for count in (int(n) for n in options.sessions.split(",")):
        rate, _, tokens, _ = measure(server, count, options.size, options.chunks)
        one = one or rate / count
        below = max((p for p in predicted if p[0] <= tokens), default=predicted[0])
        above = min((p for p in predicted if p[0] >= tokens), default=predicted[-1])
        share = (tokens - below[0]) / (above[0] - below[0]) if above[0] > below[0] else 0
        expected, seconds = below[1] + share * (above[1] - below[1]), count / rate
        print(f"| {count} | {tokens:.0f} | {expected:.2f} | {seconds:.2f} | {100 * (expected / seconds - 1):+.1f} % | "
              f"{rate:.3f} | {rate / one / count:.2f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--bin", default="build/release/bin")
    parser.add_argument("--pack", required=True)
    parser.add_argument("--read-rate", default=800 * 10**6, type=lambda text: int(text.removesuffix("MB")) * 10**6)
    parser.add_argument("--size", default="48x32")
    parser.add_argument("--sessions", default="1,3")
    parser.add_argument("--chunks", type=int, default=2)
    parser.add_argument("--server-option", action="append", default=[])
    options = parser.parse_args()
    with read_limit(options.read_rate, f"{options.pack}/transformer.pack") as group, \
            tempfile.TemporaryDirectory() as scratch, \
            Server(options.bin, options.pack, "--calibration", f"{scratch}/calibration.json", *options.server_option,
                   enter=group.enter if group else None) as server:
        plan = [line.split("plan: ")[1] for line in server.log().splitlines() if "plan: " in line]
        print("\n".join(plan))
        compare(server, plan, options)


if __name__ == "__main__":
    main()
