# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Control groups for the tests and benchmarks that limit memory or a disk's rate; v1 and v2."""

import contextlib
import os
import signal
import sys


def _write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def exit_on_sigterm():
    """So that `finally` and `with` clean up."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended early"))


def disk_of(path):
    """major:minor of the whole disk that holds a file."""
    device = os.stat(path).st_dev
    link = f"/sys/dev/block/{os.major(device)}:{os.minor(device)}"
    if os.path.exists(f"{link}/partition"):
        link = os.path.dirname(os.path.realpath(link))
    return _read(f"{link}/dev").strip()


class Cgroup:
    """A cgroup of our own; memory in bytes, without swap; reads in bytes per second from the disk of each
    file. Ends the program loudly when it cannot be made."""

    def __init__(self, name="", memory=None, read_rate=None, disk_files=()):
        self.paths, self.v1 = [], os.path.exists("/sys/fs/cgroup/memory/cgroup.procs")
        leaf = f"longtake-{os.getpid()}{name}"
        try:
            if self.v1:
                self._make_v1(leaf, memory, read_rate, disk_files)
            else:
                self._make_v2(leaf, memory, read_rate, disk_files)
        except OSError as error:
            sys.exit(f"{error}: no cgroup for memory and disk rate can be made here, neither v1 nor v2; run this as root")

    def _make(self, root, leaf):
        self.paths.append(os.path.join(root, leaf))
        os.makedirs(self.paths[-1], exist_ok=True)
        return self.paths[-1]

    def _make_v1(self, leaf, memory, read_rate, disk_files):
        if memory is not None:
            path = self._make("/sys/fs/cgroup/memory", leaf)
            _write(f"{path}/memory.limit_in_bytes", str(memory))
            _write(f"{path}/memory.swappiness", "0")
        if read_rate is not None:
            path = self._make("/sys/fs/cgroup/blkio", leaf)
            for disk_file in disk_files:
                _write(f"{path}/blkio.throttle.read_bps_device", f"{disk_of(disk_file)} {read_rate}")

    def _make_v2(self, leaf, memory, read_rate, disk_files):
        root = "/sys/fs/cgroup"
        _write(f"{root}/cgroup.subtree_control", "+memory" + (" +io" if read_rate is not None else ""))
        path = self._make(root, leaf)
        if memory is not None:
            _write(f"{path}/memory.max", str(memory))
            if os.path.exists(f"{path}/memory.swap.max"):
                _write(f"{path}/memory.swap.max", "0")
        for disk_file in disk_files if read_rate is not None else ():
            _write(f"{path}/io.max", f"{disk_of(disk_file)} rbps={read_rate}")

    def enter(self):
        """For preexec_fn."""
        for path in self.paths:
            _write(f"{path}/cgroup.procs", str(os.getpid()))

    def _find(self, *names):
        for path in self.paths:
            for name in names:
                if os.path.exists(f"{path}/{name}"):
                    return f"{path}/{name}"
        return None

    def peak(self):
        found = self._find("memory.max_usage_in_bytes", "memory.peak")
        return int(_read(found)) if found else 0

    def kills(self):
        found = self._find("memory.oom_control", "memory.events")
        for line in _read(found).splitlines() if found else ():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
        return 0

    def remove(self):
        for path in self.paths:
            os.rmdir(path)


@contextlib.contextmanager
def read_limit(rate, *disk_files):
    """A group whose reads are limited, for as long as the `with` lasts; None when there is no rate."""
    exit_on_sigterm()
    group = Cgroup(read_rate=rate, disk_files=disk_files) if rate else None
    try:
        yield group
    finally:
        if group:
            group.remove()
