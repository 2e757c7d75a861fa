#!/usr/bin/env python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""What sessions on disk cost, and how quickly they come back.

usage: loadtest/durable.py [--bin build/release/bin] [--pack DIR] [--size 160x96] [--seconds 20] [--rounds 5]
                           [--chunks 10,40,160] [--server-option=...]

First takes of one server with a state-dir and of one without, in turn: frames per second of each, the ratio of the
medians, and what the store wrote. Then takes of so many chunks whose server is killed (SIGKILL): how long the next
one takes to be ready, and from attaching at the last chunk to having it. A pack of the embedded model is made
unless one is named.
"""
import argparse
import re
import signal
import statistics
import subprocess
import tempfile
import time

from serving import Server, duration_of


def take(server, scratch, seconds, seed, size):
    client = server.generate(f"{scratch}/take.mp4", "--duration", seconds, "--seed", str(seed), "--size", size,
                             "--prompt", "a red circle", stdout=subprocess.PIPE)
    told, _ = client.communicate()
    assert client.returncode == 0, told
    return float(re.search(r"frames/s +(\S+)", told)[1])


def written(server):
    with open(f"/proc/{server.process.pid}/io", encoding="ascii") as file:
        return int(re.search(r"^write_bytes: (\d+)$", file.read(), re.M)[1])


def compare(options, pack, scratch):
    common = ["--log-level", "error", *options.server_option]
    with Server(options.bin, pack, *common) as plain, \
            Server(options.bin, pack, "--state-dir", f"{scratch}/state", *common) as durable:
        rates = {"without": [], "with": []}
        for seed in range(options.rounds + 1):
            for name, server in (("without", plain), ("with", durable)):
                rate = take(server, scratch, f"{options.seconds}s", seed, options.size)
                if seed > 0:  # the first knows no prompt
                    rates[name].append(rate)
        page = durable.page()
        print("| state-dir | frames/s | least | most |\n|---|---|---|---|")
        for name, values in rates.items():
            print(f"| {name} | {statistics.median(values):.1f} | {min(values):.1f} | {max(values):.1f} |")
        ratio = statistics.median(rates["with"]) / statistics.median(rates["without"])
        kept, commits = page.value("longtake_store_bytes"), page.value("longtake_store_commits_total")
        print(f"\nwith over without {ratio:.3f}; {kept / 1e6:.1f} MB kept, {written(durable) / max(kept, 1):.2f} bytes "
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
    parser.add_argument("--server-option", action="append", default=[])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        pack = options.pack or f"{scratch}/pack"
        if options.pack is None:
            subprocess.run([f"{options.bin}/longtake-pack", "pack", "models/shapes-small", pack], check=True,
                           stdout=subprocess.DEVNULL)
        compare(options, pack, scratch)
        print("| chunks before the kill | server ready s | chunk after attach s | transformer sweeps |\n"
              "|---|---|---|---|")
        for chunks in map(int, options.chunks.split(",")):
            come_back(options, pack, scratch, chunks)


if __name__ == "__main__":
    main()
