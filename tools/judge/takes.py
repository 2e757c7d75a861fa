# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""A longtaked of our own, and takes of `longtake generate` as frames."""

import os
import re
import subprocess
import tempfile
import threading
import time

import numpy as np


class Server:
    """longtaked with one pack, for as long as the `with` lasts."""

    def __init__(self, bin_dir, pack, *options):
        self.bin_dir, self.scratch = bin_dir, tempfile.TemporaryDirectory()
        port_file = os.path.join(self.scratch.name, "port")
        self.process = subprocess.Popen([
            f"{bin_dir}/longtaked", "--pack", pack, "--listen", "127.0.0.1:0", "--port-file",
            port_file, "--metrics-listen", "", "--log-level", "error", *options])
        while not (os.path.exists(port_file) and os.path.getsize(port_file)):
            if self.process.poll() is not None:
                raise SystemExit("longtaked ended early")
            time.sleep(0.05)
        with open(port_file, encoding="ascii") as file:
            self.address = "127.0.0.1:" + file.read().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.scratch.cleanup()

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+) kB", file.read()).group(1)) * 1024


def pack(bin_dir, model, out):
    subprocess.run([f"{bin_dir}/longtake-pack", "pack", model, out], check=True,
                   stdout=subprocess.DEVNULL)
    return out


def _rgb(planes):
    """BT.601, limited range, as the client writes .y4m: uint8 [3, h, w] -> uint8 [h, w, 3]."""
    y, u, v = planes.astype(np.float32)
    y, u, v = (y - 16) * (255 / 219), (u - 128) * (255 / 224), (v - 128) * (255 / 224)
    rgb = np.stack([y + 1.402 * v, y - 0.344136 * u - 0.714136 * v, y + 1.772 * u], -1)
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)


class Take:
    """Frames of one take while it is made; `with Take(...) as take: for frame in take`."""

    def __init__(self, server, prompt, seconds, seed, *options):
        self.folder = tempfile.TemporaryDirectory()
        path = os.path.join(self.folder.name, "take.y4m")
        os.mkfifo(path)
        self.client = subprocess.Popen(
            [f"{server.bin_dir}/longtake", "--server", server.address, "generate", "--prompt", prompt,
             "--seed", str(seed), "--duration", f"{round(seconds * 1000)}ms", "--out", path, *options],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.told = []
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()
        self.file = open(path, "rb")

    def _listen(self):
        for line in self.client.stderr:
            self.told.append(line.decode(errors="replace"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.client.wait()
        self.listener.join()
        self.folder.cleanup()

    def __iter__(self):
        header = self.file.readline().split()
        width, height = (int(field[1:]) for field in header[1:3])
        while self.file.readline():
            planes = np.frombuffer(self.file.read(3 * width * height), np.uint8)
            if planes.size < 3 * width * height:
                raise SystemExit("the take was cut short:\n" + "".join(self.told))
            yield _rgb(planes.reshape(3, height, width))
        if self.client.wait():
            self.listener.join()
            raise SystemExit("longtake generate failed:\n" + "".join(self.told))

    def changes(self):
        """First chunk and frame of each change of prompt, as the client told."""
        found = re.findall(r'longtake: "(.*?)" from ([\d.]+) s on \(chunk (\d+)\)', "".join(self.told))
        return [(prompt, float(second), int(chunk)) for prompt, second, chunk in found]


def frames(server, prompt, count, fps, seed, *options):
    """A whole take as one array."""
    with Take(server, prompt, count / fps, seed, "--quiet", *options) as take:
        return np.stack(list(take))
