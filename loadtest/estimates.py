#!/usr/bin/env python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Does `longtake estimate` tell the truth? Estimates against the median of takes of several sizes in turn.

usage: loadtest/estimates.py --pack DIR | --synth LAYERS [--sizes 160x96,96x64] [--read-rate 800MB] [--takes 5]
           [--chunks 30] [--window 21] [--company 1] [--server-option=...] [--session-option=--decoder=tiny ...]

The server calibrates and serves in a cgroup that limits its reads (as root). The first estimate of each size is asked
before anything was generated; then a take of each size warms up, and in every round each size is estimated and taken.
Company are programs that keep a core busy from before the calibration until the end. Seconds per chunk are counted
from the full window on, the first frame from the open of the stream. Goal: within 15 %.

With --synth the model has random weights in the 1.3B shape, so many layers of it (94 MB each), and none is kept: all
are read from the disk in every sweep. It takes some 3 GB of the temporary folder, and small sizes:
  loadtest/estimates.py --synth 6 --sizes 48x32,80x48 --window 9 --chunks 8 --takes 3 --read-rate 400MB
"""
import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time

from cgroups import read_limit
from rounds import show
from serving import Server, duration_of

CHUNK_FRAMES = 3
POLL_SECONDS = 0.1


def take(server, size, options):
    """Seconds per chunk with a full window, and until the first frame."""
    window_full = -(-options.window // CHUNK_FRAMES) + 1
    before = server.page()
    with tempfile.TemporaryDirectory() as scratch:
        client = server.generate(f"{scratch}/take.y4m", *session_options(size, options), "--seed", "1", "--fps", "16",
                                 "--duration", duration_of(options.chunks))
        times = {}  # when a number of chunks was seen first
        while client.poll() is None:
            page = server.page()
            times.setdefault(page.value("longtake_chunks_decoded_total") - before.value("longtake_chunks_decoded_total"),
                             page.at)
            time.sleep(POLL_SECONDS)
    if client.returncode:
        raise SystemExit(f"estimates: the take failed\n{server.log()}")
    full = [(chunks, at) for chunks, at in sorted(times.items()) if window_full <= chunks < options.chunks]
    if len(full) < 2:
        raise SystemExit("estimates: too few chunks with a full window; more --chunks are needed")
    (first, began), (last, ended) = full[0], full[-1]
    name = "longtake_first_frame_seconds_sum"
    return (ended - began) / (last - first), server.page().value(name) - before.value(name)


def session_options(size, options):
    return ["--size", size, "--key-plan", f"window:{options.window}", "--prompt", "a red circle", *options.session_option]


def estimate(server, size, options):
    """What is told of both, or None."""
    told = subprocess.run([f"{options.bin}/longtake", "--server", server.address, "estimate",
                           *session_options(size, options)], capture_output=True, text=True, check=True).stdout
    found = re.search(r"(\S+) s per chunk, first frame after (\S+) s", told)
    return (float(found[1]), float(found[2])) if found else None


def off(told, measured):
    return f"{100 * (told / measured - 1):+.1f} %"


def compare(server, options):
    sizes = options.sizes.split(",")
    unseen = {size: estimate(server, size, options) for size in sizes}
    for size in sizes:
        take(server, size, options)
    told, taken = {size: [] for size in sizes}, {size: [] for size in sizes}
    for _ in range(options.takes):
        for size in sizes:
            told[size].append(estimate(server, size, options))
            taken[size].append(take(server, size, options))
    print("| size | of | takes s | told before the first take | told before each take | off by at most |")
    print("|---|---|---|---|---|---|")
    for size in sizes:
        for i, what in enumerate(("a chunk", "the first frame")):
            measured = [seconds[i] for seconds in taken[size]]
            median, each = statistics.median(measured), [seconds[i] for seconds in told[size]]
            early = unseen[size]
            worst = max(each, key=lambda seconds, median=median: abs(seconds / median - 1))
            print(f"| {size} | {what} | {show(measured, '{:.3f}')} | "
                  f"{f'{early[i]:.3f}, {off(early[i], median)}' if early else 'nothing'} | "
                  f"{show(each, '{:.3f}')}, {off(statistics.median(each), median)} | {off(worst, median)} |", flush=True)


def measure(options, pack, server_options):
    company = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(options.company)]
    try:
        with read_limit(options.read_rate, f"{pack}/transformer.pack") as group, \
                tempfile.TemporaryDirectory() as scratch, \
                Server(options.bin, pack, "--calibration", f"{scratch}/calibration.json", *server_options,
                       enter=group.enter if group else None) as server:
            compare(server, options)
    finally:
        for program in company:
            program.kill()
            program.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--bin", default="build/release/bin")
    model = parser.add_mutually_exclusive_group(required=True)
    model.add_argument("--pack")
    model.add_argument("--synth", type=int, metavar="LAYERS")
    parser.add_argument("--model-dir", default="models/shapes-small", help="whose recipe and tokenizer --synth takes")
    parser.add_argument("--sizes", default="160x96,96x64")
    parser.add_argument("--window", type=int, default=21, help="latent frames")
    parser.add_argument("--read-rate", default=800 * 10**6, type=lambda text: int(text.removesuffix("MB")) * 10**6)
    parser.add_argument("--takes", type=int, default=5)
    parser.add_argument("--chunks", type=int, default=30)
    parser.add_argument("--company", type=int, default=1)
    parser.add_argument("--server-option", action="append", default=[])
    parser.add_argument("--session-option", action="append", default=[])
    options = parser.parse_args()
    if options.pack:
        measure(options, options.pack, options.server_option)
        return
    with tempfile.TemporaryDirectory() as pack:
        subprocess.run([f"{options.bin}/longtake-pack", "synth", pack, "--shape", "wan-1.3b", "--layers",
                        str(options.synth), "--model-dir", options.model_dir, "--text-layers", "1", "--pack-only"],
                       stdout=subprocess.DEVNULL, check=True)
        measure(options, pack, ["--kept-bytes", "0", *options.server_option])


if __name__ == "__main__":
    main()
