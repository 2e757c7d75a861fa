#!/usr/bin/env python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""What do keys and values in a file cost? The same take with K/V in memory and in a file, in turn.

usage: loadtest/kv_file.py --pack DIR --kv-file DIR [--size 160x96] [--chunks 9] [--read-rate 400MB]
           [--memory-option=--kv-bytes=2GiB] [--file-option=--memory-budget=3GiB] [--server-option=...]

Compares seconds per sweep once the window is full, and the slowdown with the one that `longtake
estimate` predicted from a calibration. Fails when the frames differ. With --read-rate (as root) both
servers run under one limit on the disk.
"""
import argparse
import hashlib
import re
import subprocess
import tempfile
import time

from cgroups import Cgroup
from serving import Server, duration_of

TRANSFORMER = "transformer"


class Take:
    """One take from a server: its frames' digest and seconds, K/V bytes per sweep of a full window."""

    def __init__(self, server, options, scratch):
        out = f"{scratch}/take.y4m"
        client = server.generate(out, "--size", options.size, "--prompt", "a red circle", "--seed", "1", "--fps", "16",
                                 "--duration", duration_of(options.chunks), "--key-plan", options.key_plan)
        pages = [server.page()]
        while client.poll() is None:
            page = server.page()
            if self.sweeps(page) > self.sweeps(pages[-1]):
                pages.append(page)
            time.sleep(0.02)
        if client.returncode:
            raise SystemExit(f"kv_file: the take failed\n{server.log()}")
        per_chunk = self.sweeps(pages[-1]) / options.chunks
        full = [page for page in pages if self.sweeps(page) >= options.full_after * per_chunk]
        sweeps = self.sweeps(full[-1]) - self.sweeps(full[0])
        self.seconds = (full[-1].at - full[0].at) / sweeps
        self.read = (full[-1].value("longtake_kv_file_bytes_total", "read")
                     - full[0].value("longtake_kv_file_bytes_total", "read")) / sweeps
        self.stalled = (full[-1].value("longtake_kv_file_stall_seconds_total")
                        - full[0].value("longtake_kv_file_stall_seconds_total")) / sweeps
        self.resident = max(page.value("longtake_process_resident_bytes") for page in pages)
        with open(out, "rb") as file:
            self.digest = hashlib.file_digest(file, "sha256").hexdigest()

    @staticmethod
    def sweeps(page):
        return page.value("longtake_weight_sweeps_total", TRANSFORMER)


def estimate(server, options):
    return subprocess.run([f"{options.bin}/longtake", "--server", server.address, "estimate", "--size", options.size,
                           "--key-plan", options.key_plan], capture_output=True, text=True, check=True).stdout


def run(options, group, scratch, *extra):
    with Server(options.bin, options.pack, "--calibration", f"{scratch}/calibration.json", *options.server_option, *extra,
                enter=group.enter if group else None) as server:
        told = estimate(server, options)
        return told, Take(server, options, scratch)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--bin", default="build/release/bin")
    parser.add_argument("--pack", required=True)
    parser.add_argument("--kv-file", required=True, help="directory for the file")
    parser.add_argument("--size", default="160x96")
    parser.add_argument("--key-plan", default="window:21")
    parser.add_argument("--chunks", type=int, default=9)
    parser.add_argument("--full-after", type=int, default=7, help="chunks until the window is full")
    parser.add_argument("--read-rate", type=lambda text: int(text.removesuffix("MB")) * 10**6)
    parser.add_argument("--server-option", action="append", default=[])
    parser.add_argument("--memory-option", action="append", default=[], help="of the server with K/V in memory")
    parser.add_argument("--file-option", action="append", default=[], help="of the server with K/V in the file")
    options = parser.parse_args()
    group = None
    if options.read_rate:
        group = Cgroup(read_rate=options.read_rate, disk_file=f"{options.pack}/transformer.pack")
    with tempfile.TemporaryDirectory() as scratch:
        _, memory = run(options, group, scratch, *options.memory_option)
        told, filed = run(options, group, scratch, "--kv-bytes=64KiB", f"--kv-file={options.kv_file}", *options.file_option)
    if group:
        group.remove()
    print(told, end="")
    predicted = re.search(r"take (\S+) times as long", told)
    predicted = float(predicted[1]) if predicted else float("nan")
    print("| K/V in | s per sweep | K/V read a sweep, MB | waited for it, s a sweep | in RAM at most, MiB |\n|---|---|---|---|---|")
    for name, take in (("memory", memory), ("file", filed)):
        print(f"| {name} | {take.seconds:.3f} | {take.read / 1e6:.1f} | {take.stalled:.3f} | {take.resident / 2**20:.0f} |")
    measured = filed.seconds / memory.seconds
    print(f"{measured:.3f} times as long; predicted {predicted:.2f}, {100 * (predicted / measured - 1):+.1f} %")
    if memory.digest != filed.digest:
        raise SystemExit("kv_file: the frames DIFFER")
    print("the frames are the same")


if __name__ == "__main__":
    main()
