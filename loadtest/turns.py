#!/usr/bin/env python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""What a small session notices of a large one: seconds between its chunks, alone and beside it.

usage: loadtest/turns.py --pack DIR [--bin build/release/bin ...] [--small 160x96] [--large 1024x1024]
                         [--alone 10] [--beside 120] [--rounds 1] [--unread] [--server-option=...]

Each program of --bin takes its turn in every round, so that old and new are compared under the same noise. The
large session starts first; the small one joins once the first sweep is done. Rows are those of all sweeps while both
were there. With --unread the large session's client takes nothing, so that its outbox fills.
"""
import argparse
import os
import statistics
import tempfile
import threading
import time

from serving import Server

FRAMES = 12  # of a chunk; the first has 9


class Take:
    """A client whose raw frames come through a named pipe, and the moment at which each chunk was whole."""

    def __init__(self, server, scratch, name, size, read=True):
        self.at, self.frames = [], 0
        self.path = f"{scratch}/{name}.y4m"
        os.mkfifo(self.path)
        self.client = server.generate(self.path, "--size", size, "--prompt", "a red circle", "--ttl", "1s")
        self.thread = threading.Thread(target=self._read if read else self._open, daemon=True)
        self.thread.start()

    def _open(self):
        self.pipe = open(self.path, "rb")

    def _read(self):
        with open(self.path, "rb") as pipe:
            fields = dict((field[0], field[1:]) for field in pipe.readline().decode().split()[1:])
            pixels = int(fields["W"]) * int(fields["H"])
            frame_bytes = len("FRAME\n") + (pixels * 3 if fields["C"].startswith("444") else pixels * 3 // 2)
            while len(pipe.read(frame_bytes)) == frame_bytes:
                self.frames += 1
                if self.frames % FRAMES == 9:
                    self.at.append(time.monotonic())

    def end(self):
        self.client.kill()
        self.client.wait()

    def gaps(self, first, last):
        """Seconds between chunks from one moment to another; one that is still open counts as well."""
        at = [first] + [moment for moment in self.at if first < moment < last] + [last]
        return [after - before for before, after in zip(at, at[1:])]


def sweeps(page):
    return page.value("longtake_weight_sweeps_total", "transformer")


def rows_per_second(first, last):
    rows = [page.value("longtake_sweep_tokens_total") for page in (first, last)]
    return (rows[1] - rows[0]) / (last.at - first.at)


def describe(gaps):
    gaps = sorted(gaps)
    return {"median": statistics.median(gaps), "p99": gaps[min(len(gaps) - 1, int(0.99 * len(gaps)))], "max": gaps[-1]}


def wait_for_sweeps(server, count):
    while sweeps(page := server.page()) < count:
        time.sleep(0.05)
    return page


def watch(server, seconds):
    """The last page, and the longest time in which no sweep was finished: the longest sweep, or a little more."""
    end, longest, page = time.monotonic() + seconds, 0.0, server.page()
    since = page
    while page.at < end:
        time.sleep(0.05)
        page = server.page()
        if sweeps(page) > sweeps(since):
            longest, since = max(longest, page.at - since.at), page
    return page, longest


def measure(server, scratch, options):
    small = Take(server, scratch, "alone", options.small)
    while not small.at:
        time.sleep(0.02)
    first = server.page()
    time.sleep(options.alone)
    last = server.page()
    small.end()
    row = {"alone": describe(small.gaps(small.at[0], last.at)), "alone rows/s": rows_per_second(first, last)}
    time.sleep(2)  # beyond its ttl
    done = sweeps(server.page())
    large = Take(server, scratch, "large", options.large, read=not options.unread)
    begin = wait_for_sweeps(server, done + 1)
    end = wait_for_sweeps(server, done + 3)
    row |= {"sweep": (end.at - begin.at) / 2, "large rows/s": rows_per_second(begin, end)}
    small = Take(server, scratch, "beside", options.small)
    joined = time.monotonic()
    while not small.at:
        time.sleep(0.05)
    row["first"] = small.at[0] - joined
    first, large_before = server.page(), len(large.at)
    last, row["longest"] = watch(server, options.beside)
    row |= {"beside": describe(small.gaps(small.at[0], last.at)), "rows/s": rows_per_second(first, last),
            "chunks": len([at for at in small.at if at < last.at]), "large chunks": len(large.at) - large_before,
            "knee": last.value("longtake_sweep_knee_tokens")}
    for take in (small, large):
        take.end()
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--bin", action="append")
    parser.add_argument("--pack", required=True)
    parser.add_argument("--small", default="160x96")
    parser.add_argument("--large", default="1024x1024")
    parser.add_argument("--alone", type=float, default=10)
    parser.add_argument("--beside", type=float, default=120)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--unread", action="store_true")
    parser.add_argument("--server-option", action="append", default=[])
    options = parser.parse_args()
    print("| program | alone: median, p99, max s | rows/s | large: s a sweep, rows/s | first chunk s "
          "| beside: median, p99, max s | median, of alone | longest sweep s | rows/s | chunks of both | knee |\n"
          + "|---" * 11 + "|")
    for _ in range(options.rounds):
        for program in options.bin or ["build/release/bin"]:
            with tempfile.TemporaryDirectory() as scratch, \
                    Server(program, options.pack, "--log-level", "warning", *options.server_option) as server:
                row = measure(server, scratch, options)
            alone, beside = row["alone"], row["beside"]
            print(f"| {program} | {alone['median']:.2f}, {alone['p99']:.2f}, {alone['max']:.2f} "
                  f"| {row['alone rows/s']:.0f} | {row['sweep']:.1f}, {row['large rows/s']:.0f} | {row['first']:.1f} "
                  f"| {beside['median']:.2f}, {beside['p99']:.2f}, {beside['max']:.2f} | {beside['median'] / alone['median']:.1f} | "
                  f"{row['longest']:.1f} | {row['rows/s']:.0f} | {row['chunks']}, {row['large chunks']} "
                  f"| {row['knee']:.0f} |", flush=True)


if __name__ == "__main__":
    main()
