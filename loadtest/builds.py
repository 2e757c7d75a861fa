#!/usr/bin/env python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Is a change as fast as before? The benchmarks of two builds in turn, and ratios of their least times.

usage: loadtest/builds.py --old DIR --new DIR [--rounds 3] [--kernels '/(180|1560)x']

Both folders hold the programs of `make bench` and longtake-pack. Kernels and convolutions, layers of the embedded
model (bf16 and int8) and of Wan 1.3B, and one chunk of the Wan VAE; ratios are old over new, so more than 1 is faster
now. A round takes some five minutes on two cores.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import tempfile

SIZES = ((48, 32), (160, 96), (480, 272))


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def kernels(folder, _, options):
    told = output(f"{folder}/longtake_kernel_bench", "--benchmark_min_time=0.05", "--benchmark_format=json",
                  f"--benchmark_filter={options.kernels}")
    return {line["name"]: line["real_time"] for line in json.loads(told)["benchmarks"]}


def convolutions(folder, *_):
    lines = re.findall(r"^(.*?)\s{2,}([\d.]+) ms", output(f"{folder}/longtake_conv_bench"), re.MULTILINE)
    return {f"conv/{name}": float(milliseconds) for name, milliseconds in lines}


def layers(folder, packs, _):
    times = {}
    for pack in ("shapes", "shapes-int8", "wan-1.3b"):
        for threads in ("1", "2"):
            for width, height in SIZES:
                told = output(f"{folder}/longtake_layer_bench", f"{packs}/{pack}/transformer.pack", "--threads", threads,
                              "--rounds", "3", "--width", str(width), "--height", str(height), "--text-tokens", "64")
                times[f"layer/{pack} {threads}t {width}x{height}"] = float(re.search(r"layer ([\d.]+) s", told)[1])
    return {name: seconds for name, seconds in times.items() if seconds >= 0.001}  # else too few digits


def vae(folder, packs, _):
    told = output(f"{folder}/longtake_vae_bench", f"{packs}/vae/vae.pack", "--width", "208", "--height", "112",
                  "--rounds", "1")
    return {"vae/208x112": float(re.search(r"([\d.]+) s", told)[1])}


def make_packs(folder, packs):
    pack = f"{folder}/longtake-pack"
    output(pack, "pack", "models/shapes-small", f"{packs}/shapes")
    output(pack, "pack", "models/shapes-small", f"{packs}/shapes-int8", "--quantize", "int8")
    output(pack, "synth", f"{packs}/wan-1.3b", "--shape", "wan-1.3b", "--layers", "2", "--dtype", "bf16", "--pack-only")
    output(pack, "synth", f"{packs}/vae", "--shape", "wan-vae", "--pack-only")


def show(old, new):
    print("| | lines | median | least | most |\n|---|---|---|---|---|")
    groups = {}
    for name in old:
        if name in new:
            groups.setdefault(name.split("/")[0], []).append((min(old[name]) / min(new[name]), name))
    for group, ratios in sorted(groups.items()):
        least, most = min(ratios), max(ratios)
        print(f"| {group} | {len(ratios)} | {statistics.median(ratio for ratio, _ in ratios):.3f} | "
              f"{least[0]:.2f} ({least[1]}) | {most[0]:.2f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--old", required=True)
    parser.add_argument("--new", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kernels", default="/(180|1560)x")
    options = parser.parse_args()
    times = {options.old: {}, options.new: {}}
    with tempfile.TemporaryDirectory(prefix="longtake-builds-", dir=os.environ.get("TMPDIR", ".")) as packs:
        make_packs(options.new, packs)
        for turn in range(options.rounds):
            for folder in (options.old, options.new)[:: 1 if turn % 2 == 0 else -1]:
                for bench in (kernels, convolutions, layers, vae):
                    for name, time in bench(folder, packs, options).items():
                        times[folder].setdefault(name, []).append(time)
    show(times[options.old], times[options.new])


if __name__ == "__main__":
    main()
