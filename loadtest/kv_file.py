#!/usr/bin/env python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""What do keys and values in a file cost? The same take with K/V in memory and in a file, in turn.

usage: loadtest/kv_file.py --pack DIR --kv-file DIR [--size 160x96] [--chunks 9] [--rounds 3]
           [--read-rate 400MB] [--memory-option=--kv-bytes=2GiB] [--file-option=--memory-budget=3GiB]
           [--server-option=...] [--session-option=--decoder=tiny ...]

Compares seconds per sweep once the window is full, and the slowdown with the one that `longtake
estimate` predicted from a calibration. Fails when the frames differ. With --read-rate (as root) both
servers run under one limit on the disk, which pack and file share.
"""
import argparse
import hashlib
import re
import subprocess
import tempfile
import time

from cgroups import disk_of, read_limit
from rounds import show, spread
from serving import Server, duration_of

CHUNK_FRAMES = 3
SWEEPS_MIN = 4


def session_options(options):
    return ["--size", options.size, "--key-plan", options.key_plan, "--prompt", "a red circle", *options.session_option]


def sweeps_of(page):
    return page.value("longtake_weight_sweeps_total", "transformer")


class Take:
    """One take from a server: its frames' digest, and per sweep of a full window its seconds, K/V bytes read and
    seconds waited for them."""

    def __init__(self, server, options, scratch):
        out = f"{scratch}/take.y4m"
        client = server.generate(out, *session_options(options), "--seed", "1", "--fps", "16", "--duration",
                                 duration_of(options.chunks))
        pages = [server.page()]
        while client.poll() is None:
            page = server.page()
            if sweeps_of(page) > sweeps_of(pages[-1]):
                pages.append(page)
            time.sleep(0.02)
        if client.returncode:
            raise SystemExit(f"kv_file: the take failed\n{server.log()}")
        window = int(options.key_plan.split(":")[1])
        full_after = -(-window // CHUNK_FRAMES) / options.chunks * sweeps_of(pages[-1])
        full = [page for page in pages if sweeps_of(page) >= full_after]
        self.sweeps = sweeps_of(full[-1]) - sweeps_of(full[0]) if full else 0
        if self.sweeps < SWEEPS_MIN:
            raise SystemExit(f"kv_file: {self.sweeps:.0f} sweeps with a full window; more --chunks are needed")

        def per_sweep(name, label=""):
            return (full[-1].value(name, label) - full[0].value(name, label)) / self.sweeps

        self.seconds = (full[-1].at - full[0].at) / self.sweeps
        self.read = per_sweep("longtake_kv_file_bytes_total", "read")
        self.stalled = per_sweep("longtake_kv_file_stall_seconds_total")
        self.resident = max(page.value("longtake_process_resident_bytes") for page in pages)
        with open(out, "rb") as file:
            self.digest = hashlib.file_digest(file, "sha256").hexdigest()


def estimate(server, options):
    return subprocess.run([f"{options.bin}/longtake", "--server", server.address, "estimate", *session_options(options)],
                          capture_output=True, text=True, check=True).stdout


def serve(options, group, scratch, *extra):
    """What the server predicts, and a take."""
    with Server(options.bin, options.pack, "--calibration", f"{scratch}/calibration.json", *options.server_option, *extra,
                enter=group.enter if group else None) as server:
        return estimate(server, options), Take(server, options, scratch)


def compare(options, group):
    memory, filed = [], []
    with tempfile.TemporaryDirectory() as scratch:
        for _ in range(options.rounds):
            memory.append(serve(options, group, scratch, *options.memory_option)[1])
            told, take = serve(options, group, scratch, "--kv-bytes=64KiB", f"--kv-file={options.kv_file}",
                               *options.file_option)
            filed.append(take)
    print(told, end="")
    print("| K/V in | s per sweep | K/V read a sweep, MB | waited for it, s a sweep | in RAM at most, MiB |")
    print("|---|---|---|---|---|")
    for name, takes in (("memory", memory), ("file", filed)):
        print(f"| {name} | {show([t.seconds for t in takes], '{:.3f}')} | {takes[-1].read / 1e6:.1f} | "
              f"{show([t.stalled for t in takes], '{:.3f}')} | {max(t.resident for t in takes) / 2**20:.0f} |")
    ratios = [b.seconds / a.seconds for a, b in zip(memory, filed)]
    predicted = re.search(r"take (\S+) times as long", told)
    print(f"{show(ratios, '{:.3f}')} times as long", end="")
    if predicted:
        print(f"; predicted {predicted[1]}, {100 * (float(predicted[1]) / spread(ratios)[0] - 1):+.1f} %", end="")
    print()
    if len({take.digest for take in memory + filed}) > 1:
        raise SystemExit("kv_file: the frames DIFFER")
    print("the frames are the same")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--bin", default="build/release/bin")
    parser.add_argument("--pack", required=True)
    parser.add_argument("--kv-file", required=True, help="directory for the file")
    parser.add_argument("--size", default="160x96")
    parser.add_argument("--key-plan", default="window:21")
    parser.add_argument("--chunks", type=int, default=9)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--read-rate", type=lambda text: int(text.removesuffix("MB")) * 10**6)
    parser.add_argument("--server-option", action="append", default=[])
    parser.add_argument("--session-option", action="append", default=[])
    parser.add_argument("--memory-option", action="append", default=[], help="of the server with K/V in memory")
    parser.add_argument("--file-option", action="append", default=[], help="of the server with K/V in the file")
    options = parser.parse_args()
    pack = f"{options.pack}/transformer.pack"
    if options.read_rate and disk_of(pack) != disk_of(options.kv_file):
        raise SystemExit("kv_file: pack and K/V file are on different disks, --read-rate limits one")
    with read_limit(options.read_rate, pack) as group:
        compare(options, group)


if __name__ == "__main__":
    main()
