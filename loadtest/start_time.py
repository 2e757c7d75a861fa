#!/usr/bin/python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""How long longtaked takes from exec until its port serves, medians of so many starts: as deploy/demo starts it, and with
1 and 8 GiB of keys and values, taken by all workers and by one.

usage: start_time.py BIN_DIR PACK [STARTS]
"""
import os
import statistics
import subprocess
import sys
import tempfile
import time

DEMO = ["--metrics-listen", "", "--kv-bytes", "64MiB"]


def start_seconds(bin_dir, pack, options):
    with tempfile.TemporaryDirectory() as scratch:
        port_file = f"{scratch}/port"
        begin = time.monotonic()
        process = subprocess.Popen([f"{bin_dir}/longtaked", "--pack", pack, "--listen", "127.0.0.1:0", "--port-file",
                                    port_file, *options], stderr=subprocess.DEVNULL)
        try:
            # Written once the port serves.
            while not os.path.exists(port_file):
                if process.poll() is not None:
                    sys.exit(f"longtaked ended with status {process.returncode}")
                time.sleep(0.001)
            return time.monotonic() - begin
        finally:
            process.terminate()
            process.wait()


def main():
    bin_dir, pack = sys.argv[1:3]
    starts = int(sys.argv[3]) if len(sys.argv) > 3 else 10
    demo = statistics.median(start_seconds(bin_dir, pack, DEMO) for _ in range(starts))
    print(f"as the demo starts it: {demo:.3f} s")
    for size in ("1GiB", "8GiB"):
        options = ["--metrics-listen", "", "--kv-bytes", size]
        # In turn, so that what else the machine does weighs on both.
        pairs = [(start_seconds(bin_dir, pack, options), start_seconds(bin_dir, pack, [*options, "--threads", "1"]))
                 for _ in range(starts)]
        every, one = (statistics.median(times) for times in zip(*pairs))
        print(f"{size} of keys and values: {every:.3f} s with {os.cpu_count()} workers, {one:.3f} s with one: "
              f"{every / one:.2f} times as long")


if __name__ == "__main__":
    main()
