#!/usr/bin/python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Plants bugs, one at a time, and expects a test to find each: what is not found here would not be found when somebody
makes the same mistake.

A bug is some text of a file that becomes another. It is planted in a copy of the tree, in a folder of its own that is
built once; the test that is to find it gets its usual budget and must fail, and by an expectation, not a crash of its
own. A bug whose text is not there any more is an error: plant it anew.

usage: tests/planted/planted.py [--here | --check] [NAME ...]

--here works in this very tree, which is put back afterwards; --check plants nothing and only looks for the texts.
"""
import collections
import json
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
Bug = collections.namedtuple("Bug", "name path good bad test")

SESSIONS = "session_simulation_test"
STORE = "store_simulation_test"
GAPS = "gap_test"
PAIRS = "session_pairs_test"
# What make test tries, of which kind.
CRASHES = (SESSIONS, "*Every*", 3400)
FAULTS = (SESSIONS, "*FailsNow*", 3400)
DAMAGE = (SESSIONS, "*Changed*", 3400)
STORE_CRASHES = (STORE, "*", 1000)
GAP = (GAPS, "*", 1)
RACES = (PAIRS, "*OneName*", 5)

BUGS = [
    Bug("skip a directory sync", "storage/bulk/bulk_file.cc",
        "if (failed_.ok() && sync_name_) failed_ = std::exchange(sync_name_, {})();", "", STORE_CRASHES),
    # Each piece has a checksum and all of them a hash: one of both would do.
    Bug("accept a bad checksum", "storage/bulk/extent_check.cc",
        "  if (Crc32c(piece) !=",
        "  checked_ += piece.size();\n  if (checked_ > 0) return absl::OkStatus();\n  if (Crc32c(piece) !=",
        DAMAGE),
    Bug("off by one in resume", "engine/serve/resume.cc",
        ".chunk = *event.applied_chunk, .timed", ".chunk = *event.applied_chunk + 1, .timed", CRASHES),
    Bug("leak a page on cancel", "engine/serve/scheduler.cc",
        "if (!snapshots_.Leave(*live)) return false;\n    kv_.Close(live->arrival.number);",
        "if (!snapshots_.Leave(*live)) return false;", CRASHES),
    Bug("read the machine's clock", "engine/store/session_store_forks.cc",
        "created.create_wall_nanos = clock_.WallNanos();",
        "created.create_wall_nanos = SystemClock().WallNanos();", CRASHES),
    Bug("commit before the file is durable", "engine/store/stored_snapshots.cc",
        "LT_RETURN_IF_ERROR(snapshot.file_->Sync());", "", STORE_CRASHES),
    Bug("forget what no snapshot covers", "engine/store/session_store_history.cc",
        "std::min({needed.from, point->chunk - 1, std::ssize(session.decoded)})",
        "std::min({needed.from, std::ssize(session.decoded)})", STORE_CRASHES),
    Bug("unlink what was forgotten before the commit", "engine/store/session_store_history.cc",
        "  row.bytes -= bytes;\n  if (row.parent",
        "  row.bytes -= bytes;\n  latents_.OnCommitted(database_->old_latents());\n  if (row.parent",
        STORE_CRASHES),
    Bug("forget what a fork was made of", "engine/store/old_latents.cc",
        "fork.need = {.records = forked->records,", "fork.need = {.records = 0,", STORE_CRASHES),
    Bug("apply before commit", "engine/serve/take_journal.cc",
        "store_->Put(session->key(), event, [this, session, event](bool durable) {\n"
        "    if (IsTold(*session, durable)) session->PutApplied(event.sequence, event.chunk);\n  });",
        "session->PutApplied(event.sequence, event.chunk);\n  store_->Put(session->key(), event);", CRASHES),
    Bug("send before commit", "engine/serve/take_journal.cc",
        "if (store_ == nullptr) return;\n  store_->PutChunk(",
        "if (store_ == nullptr) return;\n  session->ReleaseChunks(chunk + 1);\n  store_->PutChunk(", CRASHES),
    Bug("accept a record that is not what was written", "engine/store/session_tables.cc",
        "at.link = NextLink(number, at, records_->Int(1), body);", "at.link = ToHash(records_->Blob(3));", STORE_CRASHES),
    Bug("begin anew without saying so", "engine/store/session_gap.cc",
        "entries.push_back({.record = begun});", "", GAP),
    Bug("write past a gap", "engine/store/session_store_gaps.cc",
        "wanted = !stale && !gaps_.contains(session.id) && HasRoom(session.id, bytes);",
        "wanted = !stale && HasRoom(session.id, bytes);", GAP),
    Bug("forget where a history begins", "engine/store/snapshot_table.cc",
        "if (chunks[i] == base || (i < kKept", "if ((i < kKept", GAP),
    # Those that were there, and were found.
    Bug("make a session beside what else is done to it", "engine/serve/engine.cc",
        "LT_ASSIGN_OR_RETURN(const auto hold, HoldId(id, caller));\n  LT_ASSIGN_OR_RETURN(const auto parked",
        "LT_ASSIGN_OR_RETURN(const auto parked", RACES),
    Bug("events wait while a snapshot is shown", "engine/serve/scheduler.cc",
        "if (!live->replaying()) TakeEvents(*live);\n      ApplyEvents(*live);", "", CRASHES),
    Bug("trust what failed to be synced before a kill", "storage/database/wal_scan.cc",
        "LT_RETURN_IF_ERROR(WriteAgain(*file));", "(void)WriteAgain;", FAULTS),
    Bug("undo what a history's snapshot holds", "engine/store/session_store_forks.cc",
        "LT_RETURN_IF_ERROR(CheckBase(parent, stored, request.chunk));", "", GAP),
    Bug("trust a name whose directory failed to sync", "engine/store/bulk_directory.cc",
        "if (names_failed_ != before) {", "if (names_failed_ < before) {", STORE_CRASHES),
]


def run(command, tree, **environment):
    return subprocess.run(command, cwd=tree, env={**os.environ, "LONGTAKE_SOURCE_DIR": tree, **environment},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def build(tree, test):
    built = run(["cmake", "--build", "build/release", "--parallel", str(os.cpu_count()), "--target", test], tree)
    if built.returncode != 0:
        sys.exit(built.stdout)


def copy_tree(folder):
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        os.makedirs(os.path.join(folder, os.path.dirname(name)), exist_ok=True)
        shutil.copy2(os.path.join(ROOT, name), os.path.join(folder, name))
    configured = run(["cmake", "--preset", "release"], folder)
    if configured.returncode != 0:
        sys.exit(configured.stdout)


def read(tree, bug):
    """-> its file, which has the text to be changed once."""
    with open(os.path.join(tree, bug.path), encoding="utf-8") as file:
        source = file.read()
    if source.count(bug.good) != 1:
        sys.exit(f"{bug.name}: its text is {source.count(bug.good)} times in {bug.path}")
    return source


def is_found(tree, bug):
    """Whether its test fails, and how."""
    path = os.path.join(tree, bug.path)
    source = read(tree, bug)
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(source.replace(bug.good, bug.bad))
        test, kind, seeds = bug.test
        build(tree, test)
        done = run([f"build/release/tests/engine/{test}", f"--gtest_filter={kind}", "--gtest_brief=1"], tree,
                   LONGTAKE_SEEDS=str(seeds), LONGTAKE_EVERY_CALL="1", LONGTAKE_RESULTS="/nonexistent")
    finally:
        with open(path, "w", encoding="utf-8") as file:
            file.write(source)
    by = [line.split()[3] for line in done.stdout.splitlines() if line.startswith("[  FAILED  ]")]
    print(f"{bug.name}: " + (f"found by {', '.join(by)}" if done.returncode != 0 else "NOT FOUND"), flush=True)
    if done.returncode != 0 and not by:
        print(done.stdout[-2000:])
    return bool(by)


def main(arguments):
    bugs = [bug for bug in BUGS if not set(arguments) - {"--here", "--check"} or bug.name in arguments]
    if "--check" in arguments:
        for bug in bugs:
            read(ROOT, bug)
        return 0
    folder = ROOT if "--here" in arguments else tempfile.mkdtemp(prefix="longtake-planted-")
    try:
        if folder != ROOT:
            copy_tree(folder)
        # What the one before was planted in is built again, as it was: so bugs of a file follow one another.
        bugs.sort(key=lambda bug: (bug.test[0], bug.path))
        missed = [bug.name for bug in bugs if not is_found(folder, bug)]
    finally:
        if folder != ROOT:
            shutil.rmtree(folder)
    results = os.environ.get("LONGTAKE_RESULTS")
    if results:
        result = {"promise": "planted-bugs", "tried": len(bugs)}
        if missed:
            result["violation"] = "; ".join(missed)
        with open(os.path.join(results, "planted-bugs.jsonl"), "a", encoding="utf-8") as file:
            file.write(json.dumps(result) + "\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
