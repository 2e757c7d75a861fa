#!/usr/bin/env python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Does the memory promise hold? A server in a cgroup of its budget + 256 MiB, without swap.

usage: loadtest/memory_promise.py --pack DIR --budget 3GiB [--sessions 2] [--size 48x32]
           [--key-plan window:12] [--chunks 2] [--server-option=--tokens-per-sweep=64 ...]

Starts longtaked with --memory-budget inside the cgroup (v1 or v2; needs the right to make one), lets
the sessions make their chunks at the same time, and looks at what the process has in RAM all the
while. Fails when the kernel killed the server, when a take failed, when the cgroup's peak exceeds the
limit or when pages of the pack lie in the page cache.
"""
import argparse
import ctypes
import glob
import mmap
import os
import re
import sys
import tempfile
import threading
import time

from cgroups import Cgroup, exit_on_sigterm
from serving import Server, duration_of

BESIDE = 256 << 20  # what the cgroup allows beside the budget
PROGRAM = 128 << 20  # of that, code and stacks in RAM


def parse_bytes(text):
    number, unit = re.fullmatch(r"(\d+)(MiB|GiB)", text).groups()
    return int(number) << {"MiB": 20, "GiB": 30}[unit]


def cached_bytes(path):
    """Of a file, in the page cache, as mincore(2) sees it."""
    libc = ctypes.CDLL(None, use_errno=True)
    size, page = os.path.getsize(path), mmap.PAGESIZE
    vector = (ctypes.c_ubyte * ((size + page - 1) // page))()
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    with open(path, "rb") as file:
        address = libc.mmap(None, size, 1, 1, file.fileno(), 0)
        if libc.mincore(ctypes.c_void_p(address), ctypes.c_size_t(size), vector) != 0:
            raise OSError(ctypes.get_errno(), "mincore")
        libc.munmap(ctypes.c_void_p(address), ctypes.c_size_t(size))
    return page * sum(v & 1 for v in bytes(vector))


def drop_cached(path):
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


class Watch(threading.Thread):
    """The largest resident size that the metrics page tells, and the latest page."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.resident, self.page, self.ended = server, 0, None, False

    def look(self):
        self.page = self.server.page()
        self.resident = max(self.resident, int(self.page.value("longtake_process_resident_bytes")))

    def run(self):
        while not self.ended:
            self.look()
            time.sleep(0.2)


def takes(options, server, scratch):
    clients = [server.generate(f"{scratch}/{i}.y4m", "--size", options.size, "--prompt", f"a red circle {i}", "--seed",
                               str(i), "--fps", "16", "--duration", duration_of(options.chunks), "--key-plan",
                               options.key_plan) for i in range(options.sessions)]
    return sum(client.wait() != 0 for client in clients)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--bin", default="build/release/bin")
    parser.add_argument("--pack", required=True)
    parser.add_argument("--budget", required=True)
    parser.add_argument("--sessions", type=int, default=2)
    parser.add_argument("--size", default="48x32")
    parser.add_argument("--key-plan", default="window:12")
    parser.add_argument("--chunks", type=int, default=2)
    parser.add_argument("--server-option", action="append", default=[])
    options = parser.parse_args()
    exit_on_sigterm()
    budget = parse_bytes(options.budget)
    packs = glob.glob(os.path.join(options.pack, "*.pack"))
    os.sync()  # what was just written cannot be dropped
    for path in packs:
        drop_cached(path)
    group = Cgroup(memory=budget + BESIDE)
    try:
        with Server(options.bin, options.pack, "--memory-budget", options.budget, *options.server_option,
                    enter=group.enter) as server, tempfile.TemporaryDirectory() as scratch:
            watch = Watch(server)
            watch.start()
            start = time.monotonic()
            failed = takes(options, server, scratch)
            seconds = time.monotonic() - start
            watch.ended = True
            watch.join()
            alive = server.process.poll() is None
            if alive:
                watch.look()
    finally:
        peak, kills = group.peak(), group.kills()
        group.remove()
    cached = sum(cached_bytes(path) for path in packs)
    if watch.page is None:
        sys.exit(f"memory_promise: BROKEN, the server ended before its first page (killed {kills})")
    sweeps = watch.page.value("longtake_weight_sweeps_total")
    read = watch.page.value("longtake_storage_read_bytes_total")
    print(f"budget {options.budget}, {options.sessions} x {options.size}, {options.chunks} chunks each: {seconds:.0f} s, "
          f"{sweeps:.0f} sweeps, {read / 1e9:.1f} GB read, {read / 1e9 / seconds:.2f} GB/s; pack {sum(map(os.path.getsize, packs)) / 1e9:.1f} GB")
    print(f"in RAM at most {watch.resident >> 20} MiB (budget {budget >> 20}), cgroup peak {peak >> 20} MiB of "
          f"{(budget + BESIDE) >> 20}, killed {kills}, takes failed {failed}, pack in page cache {cached >> 20} MiB")
    # The program itself (code, gRPC, stacks) is beside the budget; the pools must not be.
    kept = 0 < watch.resident <= budget + PROGRAM and 0 < peak <= budget + BESIDE
    if not alive or kills or failed or cached > 64 << 20 or not kept:
        sys.exit("memory_promise: BROKEN")


if __name__ == "__main__":
    main()
