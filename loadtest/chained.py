#!/usr/bin/env python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""What do chained clean passes save? Takes of two builds in turn, where reading layers binds.

usage: loadtest/chained.py --old DIR --new DIR --pack DIR [--pack DIR ...] [--read-rate 400MB] [--rounds 5]
                           [--chunks 6] [--size 48x32] [--server-option=...]

Both folders hold longtaked and longtake; of each pack a take a round and build. Seconds a chunk are those from one
chunk to the next, without the last; sweeps and bytes are counted on the metrics page. Packs without a disk to read from show nothing.
"""
import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

from cgroups import read_limit
from rounds import show
from serving import Server, duration_of


CHUNKS = "longtake_chunks_delivered_total"


def take(server, options, seed):
    """Seconds to the first frame and from one chunk to the next; sweeps and gigabytes a chunk."""
    before, came = server.page(), []
    with tempfile.TemporaryDirectory() as scratch:
        client = server.generate(f"{scratch}/take.y4m", "--size", options.size, "--seed", str(seed), "--prompt", "a red circle",
                                 "--fps", "16", "--duration", duration_of(options.chunks), stdout=subprocess.PIPE)
        while client.poll() is None:
            page = server.page()
            new = page.value(CHUNKS) - before.value(CHUNKS) - len(came)
            came += [page.at] * int(new)
            time.sleep(0.01)
        told = client.stdout.read()
    if client.returncode:
        sys.exit("the take failed")
    after = server.page()
    first = float(re.search(r"first frame +(\S+)", told).group(1))
    sweeps = [page.value("longtake_weight_sweeps_total", "transformer") for page in (before, after)]
    read = [page.value("longtake_storage_read_bytes_total", "transformer") for page in (before, after)]
    # The last chunk takes no clean pass in either build.
    return {"first": first, "chunk": (came[options.chunks - 2] - came[0]) / (options.chunks - 2),
            "sweeps": (sweeps[1] - sweeps[0]) / options.chunks, "read": (read[1] - read[0]) / options.chunks / 1e9}


def measure(options, pack, group):
    builds = {"old": options.old, "new": options.new}
    enter = group.enter if group else None
    servers = {name: Server(bin_dir, pack, "--log-level", "warning", *options.server_option, enter=enter)
               for name, bin_dir in builds.items()}
    takes = {name: [] for name in builds}
    try:
        for seed in range(options.rounds + 1):
            for name in (list(builds), list(builds)[::-1])[seed % 2]:
                takes[name].append(take(servers[name], options, 1))
    finally:
        for server in servers.values():
            server.__exit__()
    for name, all_ in takes.items():
        kept = all_[1:]  # the first round warms up
        print(f"| {pack} | {name} | {statistics.mean(t['sweeps'] for t in kept):.2f} | "
              f"{statistics.mean(t['read'] for t in kept):.3f} | {show([t['chunk'] for t in kept], '{:.3f}')} | "
              f"{show([t['first'] for t in kept], '{:.2f}')} |", flush=True)
    pairs = list(zip(takes["old"][1:], takes["new"][1:]))
    for what in ("chunk", "first"):
        print(f"  {what}: old/new {show([old[what] / new[what] for old, new in pairs], '{:.3f}')}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--old", required=True)
    parser.add_argument("--new", required=True)
    parser.add_argument("--pack", action="append", required=True)
    parser.add_argument("--read-rate", type=lambda text: int(text.removesuffix("MB")) * 10**6)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--chunks", type=int, default=6)
    parser.add_argument("--size", default="48x32")
    parser.add_argument("--server-option", action="append", default=[])
    options = parser.parse_args()
    # Nothing is kept, whatever a build calls that.
    os.environ.update({"LONGTAKE_KEPT_BYTES": "0", "LONGTAKE_PINNED_BYTES": "0"})
    print("| pack | build | sweeps a chunk | GB a chunk | s a chunk | first frame s |")
    print("|---|---|---|---|---|---|")
    with read_limit(options.read_rate, f"{options.pack[0]}/transformer.pack") as group:
        for pack in options.pack:
            measure(options, pack, group)


if __name__ == "__main__":
    main()
