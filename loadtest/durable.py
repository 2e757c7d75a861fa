#!/usr/bin/env python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""What sessions on disk cost, and how quickly they come back.

usage: loadtest/durable.py [--bin build/release/bin] [--pack DIR] [--size 160x96] [--seconds 20] [--rounds 5]
                           [--chunks 10,40,160] [--state DIR] [--read-rate 200MB] [--server-option=...]

First takes of one server with a state-dir and of one without, in turn: frames per second and seconds per sweep of each,
the ratios of the medians, and what the store wrote. With a read rate no layer is kept in memory, and all are read from
the pack's disk at that rate; with --state sessions lie in that directory, of the same disk for instance. Then takes of so many chunks whose server is killed (SIGKILL): how long the next
one takes to be ready, and from attaching at the last chunk to having it. A pack of the embedded model is made
unless one is named.
"""
import argparse
import os
import re
import signal
import statistics
import subprocess
import tempfile
import time

from cgroups import read_limit
from serving import Server, duration_of


SWEEPS = ("longtake_component_seconds_total", "longtake_weight_sweeps_total")


def take(server, scratch, seconds, seed, size):
    client = server.generate(f"{scratch}/take.mp4", "--duration", seconds, "--seed", str(seed), "--size", size,
                             "--prompt", "a red circle", stdout=subprocess.PIPE)
    before = server.page()
    told, _ = client.communicate()
    assert client.returncode == 0, told
    after = server.page()
    seconds, sweeps = (after.value(name, "transformer") - before.value(name, "transformer") for name in SWEEPS)
    return float(re.search(r"frames/s +(\S+)", told)[1]), seconds / sweeps


def written(server):
    with open(f"/proc/{server.process.pid}/io", encoding="ascii") as file:
        return int(re.search(r"^write_bytes: (\d+)$", file.read(), re.M)[1])


def compare(options, pack, scratch, state, enter):
    common = ["--log-level", "error", *options.server_option]
    with Server(options.bin, pack, *common, enter=enter) as plain, \
            Server(options.bin, pack, "--state-dir", f"{state}/state", *common, enter=enter) as durable:
        takes = {"without": [], "with": []}
        servers = [("without", plain), ("with", durable)]
        for seed in range(options.rounds + 1):
            for name, server in servers[::1 - seed % 2 * 2]:
                measured = take(server, scratch, f"{options.seconds}s", seed, options.size)
                if seed > 0:  # the first knows no prompt
                    takes[name].append(measured)
        page = durable.page()
        print("| state-dir | frames/s | least | most | s/sweep | least | most |\n|---|---|---|---|---|---|---|")
        for name, values in takes.items():
            rates, sweeps = zip(*values)
            print(f"| {name} | {statistics.median(rates):.1f} | {min(rates):.1f} | {max(rates):.1f} "
                  f"| {statistics.median(sweeps):.4f} | {min(sweeps):.4f} | {max(sweeps):.4f} |")
        rate, sweep = (statistics.median(value[i] for value in takes["with"]) /
                       statistics.median(value[i] for value in takes["without"]) for i in range(2))
        kept, commits = page.value("longtake_store_bytes"), page.value("longtake_store_commits_total")
        print(f"\nwith over without: frames/s {rate:.3f}, s/sweep {sweep:.3f}; {kept / 1e6:.1f} MB kept, {written(durable) / max(kept, 1):.2f} bytes "
              f"written for each; {commits:.0f} commits of "
              f"{1000 * page.value('longtake_store_commit_seconds_total') / commits:.2f} ms\n")


def come_back(options, pack, scratch, chunks):
    state = f"{scratch}/state-{chunks}"
    common = ["--log-level", "error", "--state-dir", state, "--default-ttl", "10m", *options.server_option]
    first = Server(options.bin, pack, *common)
    client = first.generate(f"{scratch}/take.mp4", "--duration", duration_of(chunks + 2), "--seed", "1", "--size",
                            options.size, "--prompt", "a red circle", "--keep", stdout=subprocess.PIPE)
    client.communicate()
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()
    begin = time.monotonic()
    with Server(options.bin, pack, *common) as second:
        ready = time.monotonic() - begin
        listed = subprocess.run([f"{options.bin}/longtake", "--server", second.address, "list"], check=True,
                                stdout=subprocess.PIPE, text=True).stdout
        name = re.search(r"sessions/\S+", listed)[0]
        told = subprocess.run([f"{options.bin}/longtake", "--server", second.address, "attach", name, "--quiet",
                               "--keep", "--from-chunk", str(chunks), "--out", f"{scratch}/back.mp4"], check=True,
                              stdout=subprocess.PIPE, text=True).stdout
        first_frame = float(re.search(r"first frame +(\S+)", told)[1])
        sweeps = second.page().value("longtake_weight_sweeps_total", 'stack="transformer"')
    print(f"| {chunks} | {ready:.2f} | {first_frame:.2f} | {sweeps:.0f} |",
          flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--bin", default="build/release/bin")
    parser.add_argument("--pack")
    parser.add_argument("--size", default="160x96")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--chunks", default="10,40,160")
    parser.add_argument("--state")
    parser.add_argument("--read-rate", type=lambda text: int(text.removesuffix("MB")) * 10**6)
    parser.add_argument("--server-option", action="append", default=[])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        pack = options.pack or f"{scratch}/pack"
        if options.pack is None:
            subprocess.run([f"{options.bin}/longtake-pack", "pack", "models/shapes-small", pack], check=True,
                           stdout=subprocess.DEVNULL)
        if options.read_rate:
            os.environ["LONGTAKE_KEPT_BYTES"] = "0"
        with read_limit(options.read_rate, f"{pack}/transformer.pack") as group:
            compare(options, pack, scratch, options.state or scratch, group.enter if group else None)
        print("| chunks before the kill | server ready s | chunk after attach s | transformer sweeps |\n"
              "|---|---|---|---|")
        for chunks in map(int, options.chunks.split(",")):
            come_back(options, pack, scratch, chunks)


if __name__ == "__main__":
    main()
