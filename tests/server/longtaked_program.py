# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""The real longtaked with the embedded model, for tests in Python."""
import os
import subprocess
import time
import urllib.request

import grpc

BIN = os.environ["LONGTAKE_BIN_DIR"]
MODEL = os.path.join(os.environ["LONGTAKE_SOURCE_DIR"], "models", "shapes-small")


def connect(port, *options, host="127.0.0.1"):
    """-> a channel to a server on this machine, past a proxy that the environment names."""
    return grpc.insecure_channel(f"{host}:{port}",
                                 options=[("grpc.enable_http_proxy", 0), *options])


class ProgramDied(AssertionError):
    """It ended before it was ready. With what it logged."""


class Program:
    """longtaked in a folder of its own: pack, port files, log. stderr goes to the log, or to the descriptor that is
    given, or nowhere: with "closed" longtaked starts without one. through is a command that ends by becoming the one
    that is appended to it, to set limits first; not preexec_fn, for which Python forks, and its gRPC can end or stand
    still at a fork. With a socket it listens there instead of at a port, which is a free one unless it is given. A later
    program in the same folder serves the same pack."""

    def __init__(self, folder, *flags, stderr=None, through=(), socket=None, port=0, recipe=None):
        pack = os.path.join(folder, "pack")
        port_file = os.path.join(folder, "port")
        metrics_port_file = os.path.join(folder, "metrics-port")
        if not os.path.exists(pack):
            subprocess.run([os.path.join(BIN, "longtake-pack"), "pack", MODEL, pack,
                            *(["--recipe", recipe] if recipe else [])], check=True, capture_output=True)
        for file in (port_file, metrics_port_file):  # of one that was killed
            if os.path.exists(file):
                os.remove(file)
        self.log = open(os.path.join(folder, "log"), "w+")
        if stderr == "closed":
            through = ["sh", "-c", 'exec "$@" 2>&-', "sh", *through]
        self.process = subprocess.Popen(
            [*through, os.path.join(BIN, "longtaked"), "--pack", pack,
             *(["--listen", f"unix:{socket}"] if socket else ["--listen", f"127.0.0.1:{port}", "--port-file", port_file]),
             "--metrics-listen", "127.0.0.1:0", "--metrics-port-file", metrics_port_file,
             "--kv-bytes", "64MiB", "--tokens-per-sweep", "2048", "--log-format", "json", *flags],
            stderr=None if stderr == "closed" else stderr or self.log)
        self.port = None if socket else self.read_port(port_file)
        self.metrics_port = self.read_port(metrics_port_file)

    def read_port(self, path):
        for _ in range(1200):
            if os.path.exists(path):
                with open(path, encoding="ascii") as file:
                    return int(file.read())
            if self.process.poll() is not None:
                log = self.read_log()
                self.close()
                raise ProgramDied(log)
            time.sleep(0.05)
        raise AssertionError("longtaked wrote no port file")

    def metrics_page(self):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        url = f"http://127.0.0.1:{self.metrics_port}/metrics"
        return opener.open(url, timeout=10).read().decode()

    def read_log(self):
        self.log.seek(0)
        return self.log.read()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()
