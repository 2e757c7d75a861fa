#!/usr/bin/env python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Frames per second of a model through the real server and client, split by component.

usage: loadtest/speed.py [--bin build/release/bin] [--model models/shapes-small] [--seconds 30]
                         [--runs 3] [--threads N] [--kept-bytes SIZE]

Each run streams one take as MP4. Seconds come from the server's own metrics: they are seconds
of a component's thread, and components overlap, so they may add up to more than the wall time.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile

from serving import Server


def component_seconds(page):
    seconds = {component: page.value("longtake_component_seconds_total", f'component="{component}"')
               for component in ("text", "transformer", "decode")}
    return seconds | {"encode": page.value("longtake_chunk_encode_seconds_sum")}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--bin", default="build/release/bin")
    parser.add_argument("--model", default="models/shapes-small")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads")
    parser.add_argument("--kept-bytes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        pack = os.path.join(scratch, "pack")
        subprocess.run([f"{options.bin}/longtake-pack", "pack", options.model, pack], check=True,
                       stdout=subprocess.DEVNULL)
        extra = ["--threads", options.threads] if options.threads else []
        extra += ["--kept-bytes", options.kept_bytes] if options.kept_bytes else []
        with Server(options.bin, pack, "--log-level", "error", *extra) as server:
            print("run   frames/s  first frame s   seconds of text, transformer, decode, encode")
            for run in range(options.runs):
                before = component_seconds(server.page())
                client = server.generate(f"{scratch}/take.mp4", "--duration", f"{options.seconds}s", "--seed", str(run),
                                         stdout=subprocess.PIPE)
                told, _ = client.communicate()
                if client.returncode != 0:
                    sys.exit("the take failed")
                after = component_seconds(server.page())
                rate = re.search(r"frames/s +(\S+)", told).group(1)
                first = re.search(r"first frame +(\S+)", told).group(1)
                spent = ", ".join(f"{after[name] - before[name]:.2f}" for name in after)
                print(f"{run:3}   {rate:>8}  {first:>13}   {spent}", flush=True)


if __name__ == "__main__":
    main()
