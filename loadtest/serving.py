# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""A longtaked of our own for as long as the `with` lasts, its metrics page, and takes from it."""

import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request


class Server:
    """longtaked on free ports; enter is called in the child, to put it into a cgroup. Ends the program when the
    server ends before it serves."""

    def __init__(self, bin_dir, pack, *options, enter=None):
        self.bin, self.scratch = bin_dir, tempfile.TemporaryDirectory()
        self.log_path = f"{self.scratch.name}/log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [f"{bin_dir}/longtaked", "--pack", pack, "--listen", "127.0.0.1:0", "--port-file",
                 f"{self.scratch.name}/port", "--metrics-listen", "127.0.0.1:0", "--metrics-port-file",
                 f"{self.scratch.name}/metrics-port", *options], stdout=log, stderr=log, preexec_fn=enter)
        self.address = "127.0.0.1:" + self._wait_for("port")
        self.metrics_url = "http://127.0.0.1:" + self._wait_for("metrics-port") + "/metrics"

    def _wait_for(self, name):
        path = f"{self.scratch.name}/{name}"
        while not (os.path.exists(path) and os.path.getsize(path)):
            if self.process.poll() is not None:
                sys.exit(f"longtaked ended with status {self.process.returncode}:\n{self.log()}")
            time.sleep(0.05)
        with open(path, encoding="ascii") as file:
            return file.read().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.scratch.cleanup()

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def page(self):
        return Page(self.metrics_url)

    def generate(self, out, *options, stdout=subprocess.DEVNULL):
        """A client that makes a take; to be waited for."""
        return subprocess.Popen([f"{self.bin}/longtake", "--server", self.address, "generate", "--quiet", "--out", out,
                                 *options], stdout=stdout, text=True)


class Page:
    """The metrics page at one moment."""

    def __init__(self, url):
        # Past a proxy that the environment names: the server is on this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=60) as page:
            self.text, self.at = page.read().decode(), time.monotonic()

    def value(self, name, label=""):
        """The sum over the samples of a family that carry a label."""
        return sum(float(v) for v in re.findall(rf"^{name}(?:\{{[^}}]*{label}[^}}]*\}})? (\S+)$", self.text, re.M))


def duration_of(chunks):
    """So many chunks at 16 frames a second: the first has 9 frames, the others 12."""
    return f"{(9 + 12 * (chunks - 1)) / 16 * 1000:.0f}ms"
