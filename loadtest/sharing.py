#!/usr/bin/env python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""What does another session cost? N clients at once on a streamed model, for N = 1, 2, 4, 8.

usage: loadtest/sharing.py --pack DIR [--size 48x32] [--sessions 1,2,4,8] [--chunks 2] [--server-option=...]

Prints session-steps per second, bytes read per session-step and the knee as the server knows it then. Counted
between the first sweep with everybody in it and the last, from the metrics page.
"""
import argparse
import os
import re
import subprocess
import tempfile
import time
import urllib.request


class Page:
    def __init__(self, port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as page:
            self.text, self.at = page.read().decode(), time.monotonic()

    def value(self, name, label=""):
        return sum(float(v) for v in re.findall(rf"^{name}(?:\{{[^}}]*{label}[^}}]*\}})? (\S+)$", self.text, re.M))


def wait_for(path, process):
    while not (os.path.exists(path) and os.path.getsize(path)):
        if process.poll() is not None:
            raise SystemExit(f"sharing: longtaked ended with status {process.returncode}")
        time.sleep(0.1)
    with open(path, encoding="ascii") as file:
        return int(file.read())


def measure(options, port, metrics_port, count):
    frames = 9 + 12 * (options.chunks - 1)
    with tempfile.TemporaryDirectory() as scratch:
        clients = [subprocess.Popen([
            f"{options.bin}/longtake", "--server", f"127.0.0.1:{port}", "generate", "--size", options.size, "--prompt",
            "a red circle", "--seed", str(i), "--quiet", "--fps", "16", "--duration", f"{frames / 16 * 1000:.0f}ms",
            "--out", f"{scratch}/{i}.y4m"], stdout=subprocess.DEVNULL) for i in range(count)]
        pages = []
        while any(client.poll() is None for client in clients):
            page = Page(metrics_port)
            if not pages or page.value("longtake_sweep_items_total") > pages[-1].value("longtake_sweep_items_total"):
                pages.append(page)
            time.sleep(0.02)
        if any(client.returncode for client in clients):
            raise SystemExit("sharing: a take failed")
    # Sweeps of everybody only: those before the last has arrived and after the first has left are smaller.
    full = [(a, b) for a, b in zip(pages, pages[1:])
            if b.value("longtake_sweep_items_total") - a.value("longtake_sweep_items_total")
            == count * (b.value("longtake_weight_sweeps_total", "transformer") - a.value("longtake_weight_sweeps_total", "transformer"))]
    first, last = full[0][0], full[-1][1]
    steps = last.value("longtake_sweep_items_total") - first.value("longtake_sweep_items_total")
    read = [p.value("longtake_storage_read_bytes_total", "transformer") for p in (first, last)]
    tokens = last.value("longtake_sweep_tokens_total") - first.value("longtake_sweep_tokens_total")
    sweeps = (last.value("longtake_weight_sweeps_total", "transformer")
              - first.value("longtake_weight_sweeps_total", "transformer"))
    return steps / (last.at - first.at), (read[1] - read[0]) / steps, tokens / sweeps, last.value("longtake_sweep_knee_tokens")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--bin", default="build/release/bin")
    parser.add_argument("--pack", required=True)
    parser.add_argument("--size", default="48x32")
    parser.add_argument("--sessions", default="1,2,4,8")
    parser.add_argument("--chunks", type=int, default=2)
    parser.add_argument("--server-option", action="append", default=[])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        server = subprocess.Popen([
            f"{options.bin}/longtaked", "--pack", options.pack, "--listen", "127.0.0.1:0", "--metrics-listen",
            "127.0.0.1:0", "--port-file", f"{scratch}/port", "--metrics-port-file", f"{scratch}/metrics",
            "--log-level", "warning", *options.server_option])
        try:
            port, metrics_port = wait_for(f"{scratch}/port", server), wait_for(f"{scratch}/metrics", server)
            print("| sessions | rows a sweep | session-steps/s | of N x one | GB read a session-step | of one / N | knee, rows |")
            print("|---|---|---|---|---|---|---|")
            one = None
            for count in (int(n) for n in options.sessions.split(",")):
                rate, read, tokens, knee = measure(options, port, metrics_port, count)
                one = one or (rate, read)
                print(f"| {count} | {tokens:.0f} | {rate:.3f} | {rate / one[0] / count:.2f} | {read / 1e9:.2f} | "
                      f"{read / one[1] * count:.2f} | {knee:.0f} |", flush=True)
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
