#!/usr/bin/env python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Frames per second of a model through the real server and client, split by stage.

usage: loadtest/speed.py [--bin build/release/bin] [--model models/shapes-small] [--seconds 30]
                         [--runs 3] [--threads N] [--pinned-bytes SIZE]

Each run streams one take as MP4. Stage seconds come from the server's own metrics: they are seconds
of a stage's thread, and stages overlap, so they may add up to more than the wall time.
"""
import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request


def wait_for(path, process):
    for _ in range(600):
        if os.path.exists(path) and os.path.getsize(path):
            with open(path, encoding="utf-8") as file:
                return file.read().strip()
        if process.poll() is not None:
            sys.exit("longtaked ended early")
        time.sleep(0.05)
    sys.exit("longtaked did not start")


def stage_seconds(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
        text = page.read().decode()
    seconds = dict(re.findall(r'longtake_stage_seconds_total\{stage="(\w+)"\} (\S+)', text))
    encode = re.search(r"longtake_chunk_encode_seconds_sum (\S+)", text)
    seconds["encode"] = encode.group(1) if encode else "0"
    return {name: float(value) for name, value in seconds.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--bin", default="build/release/bin")
    parser.add_argument("--model", default="models/shapes-small")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads")
    parser.add_argument("--pinned-bytes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        pack = os.path.join(scratch, "pack")
        subprocess.run([f"{options.bin}/longtake-pack", "pack", options.model, pack], check=True,
                       stdout=subprocess.DEVNULL)
        command = [f"{options.bin}/longtaked", "--pack", pack, "--listen", "127.0.0.1:0",
                   "--port-file", f"{scratch}/port", "--metrics-listen", "127.0.0.1:0",
                   "--metrics-port-file", f"{scratch}/metrics-port", "--log-level", "error"]
        if options.threads:
            command += ["--threads", options.threads]
        if options.pinned_bytes:
            command += ["--pinned-bytes", options.pinned_bytes]
        with subprocess.Popen(command) as server:
            try:
                port = wait_for(f"{scratch}/port", server)
                metrics = wait_for(f"{scratch}/metrics-port", server)
                print("run   frames/s  first frame s   seconds of text, transformer, decode, encode")
                for run in range(options.runs):
                    before = stage_seconds(metrics)
                    result = subprocess.run(
                        [f"{options.bin}/longtake", "--server", f"127.0.0.1:{port}", "generate",
                         "--quiet", "--duration", f"{options.seconds}s", "--seed", str(run),
                         "--out", f"{scratch}/take.mp4"], check=True, capture_output=True, text=True)
                    after = stage_seconds(metrics)
                    rate = re.search(r"frames/s +(\S+)", result.stdout).group(1)
                    first = re.search(r"first frame +(\S+)", result.stdout).group(1)
                    spent = [after[name] - before[name]
                             for name in ("text", "transformer", "decode", "encode")]
                    print(f"{run:3}   {rate:>8}  {first:>13}   "
                          + ", ".join(f"{value:.2f}" for value in spent), flush=True)
            finally:
                server.send_signal(signal.SIGTERM)
                server.wait(30)


if __name__ == "__main__":
    main()
