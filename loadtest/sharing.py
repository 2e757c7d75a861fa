#!/usr/bin/env python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""What does another session cost? N clients at once on a streamed model, for N = 1, 2, 4, 8.

usage: loadtest/sharing.py --pack DIR [--size 48x32] [--sessions 1,2,4,8] [--chunks 2] [--server-option=...]

Prints session-steps per second, bytes read per session-step and the knee as the server knows it then. Counted
between the first sweep with everybody in it and the last, from the metrics page.
"""
import argparse
import tempfile
import time

from serving import Server, duration_of


def measure(server, count, size, chunks):
    """Session-steps per second, bytes read per session-step, rows a sweep and the knee."""
    with tempfile.TemporaryDirectory() as scratch:
        clients = [server.generate(f"{scratch}/{i}.y4m", "--size", size, "--prompt", "a red circle", "--seed", str(i),
                                   "--fps", "16", "--duration", duration_of(chunks)) for i in range(count)]
        pages = []
        while any(client.poll() is None for client in clients):
            page = server.page()
            if not pages or page.value("longtake_sweep_items_total") > pages[-1].value("longtake_sweep_items_total"):
                pages.append(page)
            time.sleep(0.02)
        if any(client.returncode for client in clients):
            raise SystemExit("sharing: a take failed")
    # Sweeps of everybody only: those before the last has arrived and after the first has left are smaller.
    full = [(a, b) for a, b in zip(pages, pages[1:])
            if b.value("longtake_sweep_items_total") - a.value("longtake_sweep_items_total")
            >= count * (b.value("longtake_weight_sweeps_total", "transformer") - a.value("longtake_weight_sweeps_total", "transformer"))]
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
    with Server(options.bin, options.pack, "--log-level", "warning", *options.server_option) as server:
        print("| sessions | rows a sweep | session-steps/s | of N x one | GB read a session-step | of one / N | knee, rows |")
        print("|---|---|---|---|---|---|---|")
        one = None
        for count in (int(n) for n in options.sessions.split(",")):
            rate, read, tokens, knee = measure(server, count, options.size, options.chunks)
            one = one or (rate / count, read * count)
            print(f"| {count} | {tokens:.0f} | {rate:.3f} | {rate / one[0] / count:.2f} | {read / 1e9:.2f} | "
                  f"{read / one[1] * count:.2f} | {knee:.0f} |", flush=True)


if __name__ == "__main__":
    main()
