#!/usr/bin/python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""docs/reliability.md: what is promised of sessions on disk, how often it was tried to break that, and what came of it.

Tests that try something many times append lines of JSON to the folder that LONGTAKE_RESULTS names (tests/base/tried.h):
{"promise": NAME, "tried": COUNT, "violation": "seed 7"}, the violation only if there was one, and what else was counted.
Totals are kept in docs/reliability.json; the page is made of them alone.

usage: tools/reliability.py [--add FOLDER | --check]
"""
import datetime
import json
import os
import sys

DOCS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "docs")
DATA = os.path.join(DOCS, "reliability.json")
PAGE = os.path.join(DOCS, "reliability.md")

SESSIONS = "build/release/tests/engine/session_simulation_test --gtest_filter="
STORE = "build/release/tests/engine/store_simulation_test --gtest_filter="

# name: (what is promised, how it is tried, the goal of a night, the command).
PROMISES = {
    "simulated-crashes": (
        "What a client was told holds after every crash: each frame is the model's for the session's spec and the "
        "chunks that receipts named, an accepted event is there once, `durable_through` never goes back.",
        "a server in one thread, killed or without power at any call to the disk", 333334,
        f"LONGTAKE_SEEDS=333334 {SESSIONS}'*Every*'"),
    "simulated-disk-faults": (
        "The same where the disk fails now and then, is full or writes less: what was called durable holds.",
        "the same with EIO, ENOSPC and short writes", 333334, f"LONGTAKE_SEEDS=333334 {SESSIONS}'*FailsNow*'"),
    "simulated-damage": (
        "What the disk lost, changed or misplaced after it was synced is named and never computed on.",
        "the same, then one bit or block of a file is another", 333334, f"LONGTAKE_SEEDS=333334 {SESSIONS}'*Changed*'"),
    "store-crashes": (
        "Every committed record, latent and snapshot is there after every crash.",
        "the store alone, random records", 50000, f"LONGTAKE_SEEDS=50000 {STORE}'*WhatWas*'"),
    "store-disk-faults": (
        "The same where the disk fails now and then.",
        "the store alone, random records", 50000, f"LONGTAKE_SEEDS=50000 {STORE}'*AlsoWhen*'"),
    "crash-at-every-call": (
        "A crash at any call to the disk loses nothing: of creating, appending, a snapshot, a fork, a rewind, a delete, "
        "collecting, opening and recovering.",
        "every single call, one after the other", 2000, f"{STORE}'*AtAnyCall*'"),
    "failure-of-every-call": (
        "A call to the disk that fails, any one, once or from then on, loses nothing that was durable, and what waits is "
        "written when the disk is back.",
        "every single call, one after the other", 2000, f"LONGTAKE_EVERY_CALL=1 {STORE}'*AnyCallThat*'"),
    "flipped-bytes": (
        "A byte that changed in a state directory ends at most the sessions that it belongs to, by name, or is named "
        "before any is served; others are what they were.",
        "bytes of a small store that ended, and of one that was killed", 2,
        f"LONGTAKE_EVERY_BYTE=1 {STORE}'*Flipped*'"),
    "kill-9": (
        "The same as the first, of the real program: kill -9 at any moment.",
        "receipts, and every frame beside what a program without any server computes", 2000,
        "LONGTAKE_KILLS=2000 ctest --preset release -R durable_program_test"),
    "planted-bugs": (
        "These tests find what they are for: each of some bugs, planted one at a time, makes one of them fail.",
        "`tests/planted/planted.py`", 16, "tests/planted/planted.py"),
}

HEAD = """# Reliability

Made by `tools/reliability.py` from what tests noted; `make night` ends with it. A count is of all runs that were added
so far, not of one; 0 means that nothing was. Seeds repeat a run exactly, from the repository's root, with
`LONGTAKE_FIRST_SEED=SEED LONGTAKE_SEEDS=1` before the command instead of its number of seeds.

What the simulations leave out: threads (everything takes turns in one), K/V in a file, sessions that wait for memory,
and what a device's cache does beyond losing, tearing at 512 or 4,096 bytes and reordering what was not synced. Only
kill-9 is of real processes on a real disk.
"""


def read_totals():
    if not os.path.exists(DATA):
        return {}
    with open(DATA, encoding="utf-8") as file:
        return json.load(file)


def add(totals, folder):
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            for line in file:
                result = json.loads(line)
                total = totals.setdefault(result.pop("promise"), {"tried": 0})
                if "violation" in result:
                    total["violation"] = f"{today}, {result.pop('violation')}"
                for key, count in result.items():
                    # A median is of its run.
                    total[key] = round(count, 3) if key.startswith("median") else total.get(key, 0) + count


def counted(total):
    names = [key for key in total if key not in ("tried", "violation") and not key.startswith("median")]
    return ", ".join(f"{total[key]:,} {key.replace('_', ' ')}" for key in sorted(names)) or "nothing counted"


def page(totals):
    lines = [HEAD, "| promise | how it is tried | goal of a night | tried so far | last violation | command |",
             "|---|---|---|---|---|---|"]
    for name, (promise, way, goal, command) in PROMISES.items():
        total = totals.get(name, {"tried": 0})
        lines.append(f"| **{name}**: {promise} | {way}; with {counted(total)} so far | {goal:,} | {total['tried']:,} | "
                     f"{total.get('violation', 'none')} | `{command}` |")
    return "\n".join(lines) + "\n"


def main():
    totals = read_totals()
    if sys.argv[1:2] == ["--add"] and len(sys.argv) == 3:
        add(totals, sys.argv[2])
        with open(DATA, "w", encoding="utf-8") as file:
            json.dump(totals, file, indent=1, sort_keys=True)
            file.write("\n")
    elif sys.argv[1:] == ["--check"]:
        unknown = set(totals) - set(PROMISES)
        with open(PAGE, encoding="utf-8") as file:
            if file.read() == page(totals) and not unknown:
                return 0
        print(f"docs/reliability.md is not what tools/reliability.py makes {sorted(unknown)}")
        return 1
    elif len(sys.argv) != 1:
        print(__doc__)
        return 2
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(page(totals))
    return 0


if __name__ == "__main__":
    sys.exit(main())
