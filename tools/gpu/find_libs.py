#!/usr/bin/env python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Finds cuBLASLt and cuDNN on a machine with a GPU: its own first, those of the bundle where there are none that are new
enough.

usage: find_libs.py BUNDLE

Prints a line for every library that was tried, "cudnn 91900 /folder/libcudnn.so.9" or with what is wrong with it, and
last "path FOLDER:FOLDER", for LD_LIBRARY_PATH. Each is loaded in a process of its own, since one of two with the same
name would be taken for the other.
"""
import glob
import os
import subprocess
import sys
import sysconfig

LIBRARIES = (
    # name, file, function, divisor of the version that gives the major one
    ("cublas_lt", "libcublasLt.so.13", "cublasLtGetVersion", 10000),
    ("cudnn", "libcudnn.so.9", "cudnnGetVersion", 10000),
)
ASK = ("import ctypes, sys; f = getattr(ctypes.CDLL(sys.argv[1]), sys.argv[2]); "
       "f.restype = ctypes.c_size_t; print(f())")
SECONDS = 20


def folders(bundle):
    """Where such libraries lie: of this Python, of the toolkit, of the system, of the bundle."""
    site = sysconfig.get_paths()["purelib"]
    for pattern in (f"{site}/nvidia/*/lib", "/usr/local/cuda*/lib64", "/usr/lib/x86_64-linux-gnu"):
        yield from sorted(glob.glob(pattern), reverse=True)
    yield os.path.join(bundle, "cuda")


def settings(bundle):
    with open(os.path.join(bundle, "bundle.txt"), encoding="utf-8") as file:
        return dict(line.rstrip("\n").split(" ", 1) for line in file if " " in line)


def ask(path, function, search):
    """The version, or a text that says why there is none."""
    environment = dict(os.environ, LD_LIBRARY_PATH=":".join(search))
    try:
        done = subprocess.run([sys.executable, "-c", ASK, path, function], env=environment, check=False,
                              capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return f"no answer in {SECONDS} s"
    if done.returncode == 0:
        return int(done.stdout)
    return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]


def main():
    bundle = sys.argv[1]
    wanted = settings(bundle)
    search = list(dict.fromkeys(folders(bundle)))
    chosen = []
    for name, file, function, divisor in LIBRARIES:
        major = int(wanted[f"{name}_major"])
        least = int(wanted.get(f"{name}_min", 0))
        for folder in search:
            path = os.path.join(folder, file)
            if not os.path.exists(path):
                continue
            version = ask(path, function, [folder] + search)
            if not isinstance(version, int):
                print(name, "none", path, version)
            elif version // divisor != major or version < least:
                print(name, "none", path, f"is version {version}, not {max(least, major * divisor)} or later of its kind")
            else:
                print(name, version, path)
                chosen.append(folder)
                break
        else:
            print(name, "none", file, "in none of", " ".join(search))
    # What these load themselves may lie in other folders.
    print("path", ":".join(dict.fromkeys(chosen + search)))


if __name__ == "__main__":
    main()
