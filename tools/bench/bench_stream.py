#!/usr/bin/env python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Models larger than memory, side by side: fio, longtake, Accelerate, mmap; under one disk limit.

usage: bench_stream.py --dir DIR [--read-rate 600MB] [--slices 20] [--caps 0,25,50,75] [--python venv/bin/python]

DIR holds transformer.pack and, for the peers, transformer/ as longtake-pack synth writes them, the same
weights. Every contender runs in a cgroup of its own (as root): memory limited to a share of the model's size
plus, alike for all, --beside (what PyTorch takes before it has loaded anything); reads limited to --read-rate,
0 for no limit. They take turns in a new order each time; a turn is one sweep of the whole model (fio: as many bytes); Accelerate sits
three of four out. Peers read a copy of the safetensors each, or the page cache that one paid for would serve
the others. Copies and caps are there all at once: where disk or memory lack the room, caps and peers take
several runs with one --out. Rows are added there as JSON lines; the table of medians, on standard output, is of
all of them. A cap of 0 is longtake with nothing kept and no limit.
"""
import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../loadtest"))
from cgroups import Cgroup, exit_on_sigterm  # noqa: E402
from rounds import Asked, spread  # noqa: E402

SIZE = ["--width", "48", "--height", "48", "--text-tokens", "32"]
MARGIN = 24 << 20
ACCELERATE_EVERY = 4  # it takes several times as long as all others together


def copy_uncached(source, target):
    for name in ("config.json", *(n for n in os.listdir(source) if n.endswith(".safetensors"))):
        shutil.copyfile(f"{source}/{name}", f"{target}/{name}")
        for path in (f"{source}/{name}", f"{target}/{name}"):
            with open(path, "rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


class Fio:
    """The disk itself: as many bytes as a sweep reads, large requests, fixed buffers."""

    def __init__(self, options, group):
        self.file, self.bytes, self.cgroup = f"{options.dir}/transformer.pack", options.layer_bytes, group

    def round(self):
        out = subprocess.run(
            ["fio", "--name=r", f"--filename={self.file}", "--rw=read", "--bs=1M", "--iodepth=32", "--ioengine=io_uring",
             "--direct=1", "--fixedbufs", "--registerfiles", f"--size={self.bytes >> 20 << 20}", "--readonly",
             "--output-format=json"],
            capture_output=True, text=True, check=True, preexec_fn=self.cgroup.enter).stdout
        job = json.loads(out)["jobs"][0]
        seconds = job["read"]["runtime"] / 1000
        return {"seconds": seconds, "bytes_read": job["read"]["io_bytes"],
                "cpu_seconds": (job["usr_cpu"] + job["sys_cpu"]) / 100 * seconds}

    def end(self):
        pass


class Longtake:
    def __init__(self, options, group, cap):
        command = [f"{options.bin}/longtake_stream_bench", f"{options.dir}/transformer.pack", "--ask", "--context", "0",
                   "--numerics-profile", options.profile, *SIZE]
        self.asked, self.cgroup = Asked(command, group), group
        if cap is None:
            return
        # What it takes with nothing resident is known now; the rest of the cap keeps layers.
        spare = cap - group.peak() - MARGIN
        self.asked.end()
        self.asked = Asked([*command, "--kept-bytes", str(max(spare, 0))], group)

    def round(self):
        self.asked.ask("sweep")  # what was read ahead between turns is used up
        return self.asked.ask("sweep")

    def end(self):
        self.asked.end()


class Peer:
    def __init__(self, options, group, kind, cap):
        self.copy = tempfile.TemporaryDirectory(dir=options.dir)
        copy_uncached(f"{options.dir}/transformer", self.copy.name)
        command = [options.python, os.path.join(HERE, "stream_peers.py"), kind, self.copy.name, *SIZE]
        if kind == "accelerate":
            # One block is in memory while it is used, with its page cache.
            with open(f"{self.copy.name}/config.json", encoding="utf-8") as file:
                block_bytes = options.layer_bytes // json.load(file)["num_layers"]
            command += ["--resident-bytes", str(max(cap - options.beside - 3 * block_bytes, 0))]
        self.asked, self.cgroup = Asked(command, group, dict(os.environ, MALLOC_TRIM_THRESHOLD_="65536")), group

    def round(self):
        return self.asked.ask("forward")

    def end(self):
        self.asked.end()
        self.copy.cleanup()


def contenders(options, caps, groups):
    def group(memory):
        groups.append(Cgroup(f"-{len(groups)}", memory=memory, read_rate=options.read_rate or None,
                             disk_file=f"{options.dir}/transformer.pack"))
        return groups[-1]

    yield "fio", None, lambda: Fio(options, group(None))
    for share in caps:
        if share == 0:
            yield "longtake", 0, lambda: Longtake(options, group(None), None)
            continue
        cap = options.beside + options.model_bytes * share // 100
        yield "longtake", share, lambda cap=cap: Longtake(options, group(cap), cap)
        for kind in options.peers:
            yield kind, share, lambda kind=kind, cap=cap: Peer(options, group(cap), kind, cap)


def by_memory(rows):
    """Who took part, with how much memory, least first."""
    return sorted({(r["who"], r["share"]): None for r in rows}, key=lambda entry: -1 if entry[1] is None else entry[1])


def table(rows, options):
    disk = spread([r["bytes_read"] / r["seconds"] for r in rows if r["who"] == "fio"])[0]
    print("| who | memory, % of the model | s per sweep | model GB/s | of fio | GB read | kept | share of fio / (1 - kept) | "
          "CPU s per GB of model | peak MiB |\n|---|---|---|---|---|---|---|---|---|---|")
    for who, share in by_memory(rows):
        mine = [r for r in rows if (r["who"], r["share"]) == (who, share)]
        failed = [r for r in mine if "error" in r]
        mine = [r for r in mine if "error" not in r]
        if not mine:
            print(f"| {who} | {share} | failed: {failed[0]['error'][-80:]} | | | | | | | |")
            continue
        seconds, low, high = spread([r["seconds"] for r in mine])
        read = spread([r["bytes_read"] for r in mine])[0]
        rate = options.layer_bytes / seconds
        kept = max(0.0, 1 - read / options.layer_bytes)
        cpu = spread([r["cpu_seconds"] for r in mine])[0] / options.layer_bytes * 1e9
        bound = "" if who == "fio" else f"{rate / disk * (1 - kept):.2f}"
        print(f"| {who} | {'' if share is None else share} | {seconds:.2f} ({low:.2f}-{high:.2f}) | {rate / 1e9:.2f} | "
              f"{rate / disk:.2f} | {read / 1e9:.2f} | {kept:.2f} | {bound} | {cpu:.2f} | {max(r['peak'] for r in mine) >> 20} |")
    killed = sorted({r["who"] for r in rows if r.get("killed")})
    print(f"\nkilled for its memory: {', '.join(killed) or 'nobody'}")


def run(options, running, groups, out):
    caps = [int(cap) for cap in options.caps.split(",") if cap]

    def add(who, share, row, group):
        row |= {"who": who, "share": share, "peak": group.peak() if group else 0, "killed": group.kills() if group else 0}
        out.write(json.dumps(row) + "\n")
        out.flush()

    for who, share, start in contenders(options, caps, groups):
        try:
            running.append((who, share, start()))
        except RuntimeError as error:
            add(who, share, {"error": str(error)[-400:]}, None)
    for slice_ in range(options.slices):
        # Who comes after the fastest reader would pay for it where the disk has a budget per second.
        for entry in random.Random(slice_).sample(running, len(running)):
            who, share, contender = entry
            if who == "accelerate" and slice_ % ACCELERATE_EVERY != 0:
                continue
            try:
                add(who, share, contender.round(), contender.cgroup)
            except RuntimeError as error:
                add(who, share, {"error": str(error)[-400:]}, contender.cgroup)
                running.remove(entry)
                contender.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--bin", default="build/dev/bin")
    parser.add_argument("--dir", required=True)
    parser.add_argument("--read-rate", default=600 * 10**6, type=lambda text: int(text.removesuffix("MB")) * 10**6)
    parser.add_argument("--slices", type=int, default=20)
    parser.add_argument("--caps", default="0,25,50,75")
    parser.add_argument("--peers", default="accelerate,mmap", type=lambda text: [p for p in text.split(",") if p])
    parser.add_argument("--beside", type=int, default=640 << 20)
    parser.add_argument("--profile", default="cpu-amx-bf16-v1")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--out")
    options = parser.parse_args()
    options.model_bytes = os.path.getsize(f"{options.dir}/transformer.pack")
    shown = subprocess.run([f"{options.bin}/longtake_stream_bench", f"{options.dir}/transformer.pack", "--context", "0",
                            "--text-tokens", "1", "--width", "16", "--height", "16"],
                           capture_output=True, text=True, check=True)
    options.layer_bytes = int(shown.stderr.split(" MiB read")[0].split()[-1]) << 20
    exit_on_sigterm()
    running, groups = [], []
    try:
        with open(options.out, "a+", encoding="utf-8") if options.out else tempfile.TemporaryFile("w+") as out:
            run(options, running, groups, out)
            out.seek(0)
            rows = [json.loads(line) for line in out]
    finally:
        for _, _, contender in running:
            contender.end()
        for group in groups:
            group.remove()
    table(rows, options)


if __name__ == "__main__":
    main()
