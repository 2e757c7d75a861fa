#!/usr/bin/env python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Layers read from one disk, and spread over two and three (longtaked --layer-path): seconds per sweep, in turns.

usage: loadtest/paths.py [--read-rate 300MB] [--layers 40] [--rounds 3] [--size 48x32] [--bin build/release/bin]

As root. The disks are loop devices over files of the temporary folder, each limited to the rate, so the disk under them
has to read as fast as all of them. Layers are those of the 1.3B shape (94 MB each) with random weights; for 40 the
temporary folder needs 16 GB. A sweep computes a small chunk beside reading; "io" is reading alone.
"""
import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile

from cgroups import read_limit
from rounds import Asked, show

MOST = 3
LAYER_BYTES = 95 << 20
TEXT_BYTES = 3 << 30  # most of it an embedding
KINDS = ("io", "sweep")


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def disk(folder, name, size):
    """A file system of its own, in a file."""
    image, at = f"{folder}/{name}.image", f"{folder}/{name}"
    os.mkdir(at)
    with open(image, "wb") as file:
        file.truncate(size)
    run("mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-E", "lazy_itable_init=1", image)
    loop = subprocess.run(["losetup", "--find", "--show", "--direct-io=on", image], check=True, capture_output=True,
                          text=True).stdout.strip()
    try:
        run("mount", loop, at)
        try:
            yield at
        finally:
            run("umount", "--lazy", at)  # of a program that has not ended yet
    finally:
        run("losetup", "--detach", loop)


def spread(options, disks):
    """The pack on the first disk, twins of its layers on as many as a case needs; the folders by their number."""
    tool = f"{options.bin}/longtake-pack"
    pack = f"{disks[0]}/pack"
    # Layers are spread from a whole model only.
    run(tool, "synth", pack, "--shape", "wan-1.3b", "--layers", str(options.layers), "--model-dir", "models/shapes-small",
        "--text-layers", "1", "--pack-only")
    folders = {1: []}
    for count in range(2, MOST + 1):
        folders[count] = [f"{disks[i]}/of-{count}" for i in range(count)]
        run(tool, "spread", pack, *(f"--layer-path={folder}" for folder in folders[count]))
    return f"{pack}/transformer.pack", folders


def measure(options, pack, folders, group):
    width, height = options.size.split("x")
    command = [f"{options.bin}/longtake_stream_bench", pack, "--ask", "--width", width, "--height", height,
               "--context", "6", "--text-tokens", "64"]
    programs = {}
    seconds = {(count, kind): [] for count in folders for kind in KINDS}
    try:
        for count, paths in folders.items():
            programs[count] = Asked([*command, *(f"--layer-path={path}" for path in paths)], group)
        for _ in range(options.rounds):
            for kind in KINDS:
                for count, program in programs.items():
                    seconds[count, kind].append(program.ask(kind)["seconds"])
    finally:
        for program in programs.values():
            program.end()
    print("| disks | reading alone, s | of one disk's | a sweep, s | of one disk's |")
    print("|---|---|---|---|---|")
    for count in folders:
        cells = []
        for kind in KINDS:
            ratio = statistics.median(one / many for one, many in zip(seconds[1, kind], seconds[count, kind]))
            cells += [show(seconds[count, kind], "{:.2f}"), f"{ratio:.2f} times as fast"]
        print("|", count, "|", " | ".join(cells), "|", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--bin", default="build/release/bin")
    parser.add_argument("--read-rate", default=300 * 10**6, type=lambda text: int(text.removesuffix("MB")) * 10**6)
    parser.add_argument("--layers", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", default="48x32")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("paths: loop devices and limits need root")
    size = options.layers * LAYER_BYTES + TEXT_BYTES
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        # The first also has the whole pack.
        disks = [stack.enter_context(disk(folder, f"disk{i}", size * (2 if i == 0 else 1))) for i in range(MOST)]
        pack, folders = spread(options, disks)
        os.sync()
        group = stack.enter_context(read_limit(options.read_rate, *disks))
        measure(options, pack, folders, group)


if __name__ == "__main__":
    main()
