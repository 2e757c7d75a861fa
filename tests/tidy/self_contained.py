#!/usr/bin/env python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Every header compiles alone, in a tree that holds only what its folder may include (tidy.py).

A header that its own source includes before all others was compiled alone there, and is left out. Flags come from the compile database, from a source of its folder.

usage: self_contained.py SOURCE_DIR BUILD_DIR
"""
import concurrent.futures
import json
import os
import shlex
import shutil
import subprocess
import sys

import tidy


def flags_by_folder(source_dir, build_dir):
    with open(os.path.join(build_dir, "compile_commands.json"), encoding="utf-8") as file:
        database = json.load(file)
    flags = {}
    for entry in database:
        folder = os.path.dirname(os.path.relpath(entry["file"], source_dir))
        words = shlex.split(entry["command"])
        if os.path.basename(words[0]) == "ccache":
            words = words[1:]
        units = flags.setdefault(folder, [(words[0],)])
        words = iter(words[1:])
        for word in words:
            if word in ("-o", "-MF", "-MT", "-include"):
                next(words)
            elif word not in ("-c", "-MD", "-Winvalid-pch", entry["file"]):
                unit = (word, next(words)) if word == "-isystem" else (word,)
                # A folder may hold several targets; its headers may use what any of them sees, and
                # of two values of one setting the first.
                if all(unit[-1].split("=")[0] != known[-1].split("=")[0] for known in units):
                    units.append(unit)
    return {folder: [word for unit in units for word in unit] for folder, units in flags.items()}


def allowed_tree(source_dir, build_dir, folder):
    """A tree of links to the headers that the folder may include; all of them where no rule is."""
    here = tidy.folder_of(folder + "/")
    if here not in tidy.ALLOWED:
        return source_dir
    tree = os.path.join(build_dir, "headers", here.replace("/", "_"))
    if os.path.isdir(tree):
        return tree
    for name in tidy.tracked_files(source_dir):
        there = tidy.folder_of(name)
        if name.endswith((".h", ".inc")) and (there == here or tidy.may_include(here, there)):
            os.makedirs(os.path.dirname(os.path.join(tree, name)), exist_ok=True)
            os.symlink(os.path.join(source_dir, name), os.path.join(tree, name))
    return tree


def is_first_of_its_source(path):
    """The header's: name.cc begins with name.h."""
    try:
        with open(path.removesuffix(".h") + ".cc", encoding="utf-8") as file:
            first = next((line for line in file if line.startswith("#include")), "")
    except FileNotFoundError:
        return False
    return os.path.basename(path) in first


def main():
    source_dir, build_dir = (os.path.realpath(path) for path in sys.argv[1:3])
    flags = flags_by_folder(source_dir, build_dir)
    shutil.rmtree(os.path.join(build_dir, "headers"), ignore_errors=True)
    jobs = []
    for folder, own in sorted(flags.items()):
        if folder.startswith((".", "build")):
            continue
        directory = os.path.join(source_dir, folder)
        tree = allowed_tree(source_dir, build_dir, folder)
        for name in sorted(os.listdir(directory)):
            if name.endswith(".h") and not is_first_of_its_source(os.path.join(directory, name)):
                with open(os.path.join(directory, name), encoding="utf-8") as file:
                    # Headers of kernels are compiled as kernels are.
                    for_kernels = "LONGTAKE_ISA" in file.read()
                command = flags.get(folder + "/kernels", own) if for_kernels else own
                command = ["-I" + tree if word == "-I" + source_dir else word for word in command]
                jobs.append((os.path.join(folder, name), f'#include "{folder}/{name}"\n',
                             command + ["-fsyntax-only", "-x", "c++", "-"]))

    def compile_alone(job):
        return job[0], subprocess.run(job[2], input=job[1], capture_output=True, text=True,
                                      check=False)

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, result in pool.map(compile_alone, jobs):
            if result.returncode != 0:
                errors = [line for line in result.stderr.split("\n") if "error" in line]
                print(f"{name} does not compile alone:\n  {errors[0] if errors else result.stderr}")
                failed += 1
    print(f"{len(jobs)} headers, {failed} do not compile alone")
    sys.exit(1 if failed or not jobs else 0)


if __name__ == "__main__":
    main()
