#!/usr/bin/env python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""The rules by the numbers that a program can hold (CONTRIBUTING.md lists them).

usage: tidy.py SOURCE_DIR [--self-test]

Each rule is a function from the tree to complaints, one line each. --self-test plants one violation
of every rule in memory and fails unless each is found.
"""
import os
import re
import subprocess
import sys

import references

LINES_MAX = 600
TEST_LINES_MAX = 900
LINES_MEDIAN_MAX = 150
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 100
READING_PAGE = "docs/life-of-a-session.md"  # names the files that a newcomer reads, in their order
READING_LINES_MAX = 1500  # with it
CODE_ENDINGS = (".h", ".cc", ".cu", ".cuh")
TEXT_ENDINGS = CODE_ENDINGS + (".py", ".txt", ".cmake", ".proto", ".md", ".sh")

# Who may include whom; a folder may always include itself. "storage/*" is every folder in storage.
ALLOWED = {
    "base": set(),
    "storage": {"base"},
    "storage/io": {"base"},
    "storage/safetensors": {"base", "storage"},
    "storage/pack": {"base", "storage", "storage/io"},
    "storage/scratch": {"base", "storage/io"},
    "storage/bulk": {"base", "storage", "storage/io"},
    "storage/database": {"base", "storage"},
    "storage/stream": {"base", "storage", "storage/io", "storage/pack"},
    "media": {"base"},
    "engine/backend": {"base"},
    "engine/text": {"base"},
    "engine/policy": {"base"},
    "engine/kv": {"base", "storage/io", "storage/scratch", "engine/backend"},
    "engine/model": {"base", "storage", "storage/*", "engine/backend", "engine/kv"},
    "engine/model/umt5": {"base", "storage", "storage/*", "engine/backend", "engine/kv", "engine/model"},
    "engine/model/vae": {"base", "storage", "storage/*", "engine/backend", "engine/kv", "engine/model"},
    "engine/model/wan": {"base", "storage", "storage/*", "engine/backend", "engine/kv", "engine/model"},
    "engine/take": {"base", "engine/backend", "engine/model", "engine/model/vae"},
    "engine/video": {"base", "storage", "storage/*", "engine/backend", "engine/text", "engine/policy",
                     "engine/kv", "engine/model", "engine/model/*", "engine/take"},
    "engine/session": {"base", "engine/policy"},
    "engine/store": {"base", "storage", "storage/*", "engine/backend", "engine/policy", "engine/kv",
                     "engine/model", "engine/model/*", "engine/take", "engine/video", "engine/session"},
    "engine/plan": {"base", "storage", "storage/*", "engine/backend", "engine/text", "engine/policy",
                    "engine/kv", "engine/model", "engine/model/*", "engine/take", "engine/video"},
    "engine/serve": {"base", "storage", "storage/*", "engine/backend", "engine/text", "engine/policy",
                     "engine/kv", "engine/model", "engine/model/*", "engine/take", "engine/video", "engine/session", "engine/store"},
    "pack": {"base", "storage", "storage/*", "engine/policy", "engine/backend", "engine/text", "engine/kv",
             "engine/model", "engine/model/*", "engine/take", "engine/video"},
    "server": {"base", "storage", "storage/*", "media", "engine/*", "engine/model/*"},
    "client": {"base", "storage", "storage/*", "engine/backend", "engine/text", "media"},
    "loadtest": {"base", "storage", "storage/*", "engine/*", "engine/model/*"},
}
PROTOBUF_FOLDERS = ("server", "client", "loadtest", "tests", "engine/store")
PROTOBUF_WORDS = "generated protobuf"
THREAD_FILES = {
    "base/worker_pool.h", "base/worker_pool.cc", "engine/serve/stage.h", "engine/serve/stage.cc",
    "engine/serve/decode_lane.h", "engine/serve/decode_lane.cc", "storage/io/pread_io.h",
    "storage/io/pread_io.cc", "server/connection_acceptor.h", "server/connection_acceptor.cc",
    "base/trace.h", "base/trace.cc", "engine/store/commit_queue.h", "engine/store/commit_queue.cc",
    "server/end_signals.h", "server/end_signals.cc",
    # Hears signals while the take waits for the network or a player.
    "client/interrupts.h", "client/interrupts.cc",
}
BANS = [
    # pattern, where it is allowed, what to say
    (r"\bthrow\b", (), "exceptions are not thrown; return absl::Status"),
    (r"\b(malloc|calloc|free)\s*\(", ("base/", "tests/engine/session_memory_test.cc"),
     "memory is owned by types in base"),
    (r"(?<![\w:])delete\s+(?!=)\w", ("base/",), "no naked delete"),
    (r"\bstd::j?thread\s*(\(|\w|>|\{)", tuple(THREAD_FILES) + ("tests/",),
     "threads start in base/worker_pool, engine/serve/stage, engine/serve/decode_lane, engine/store/commit_queue, "
     "the pread twin, base/trace, "
     "server/connection_acceptor, server/end_signals and client/interrupts only"),
    (r"\bstd::chrono::(system|steady|high_resolution)_clock\b", ("base/clock.h", "server/server.cc", "tests/"),
     "time comes from base/clock.h"),
    (r"\.address\(\)", ("engine/backend/", "loadtest/", "tests/"),
     "an address of a device is followed by backends only (engine/backend/device_ptr.h)"),
    (r"\bDevicePtr(<[^<>;(){}]*>)?\((?!\))|\bconst DevicePtr(<[^<>;(){}]*>)? \w+\((?!\))", ("engine/backend/", "loadtest/", "tests/"),
     "host memory becomes an address of a device in backends only (engine/backend/device_ptr.h)"),
    (r"\b(TODO|FIXME|XXX|HACK)\b", ("tests/tidy/",), "finish it or file it"),
    (r"#\s*if(def|ndef)?\b.*LONGTAKE_(CUDA|SERVER)", ("base/", "engine/backend/"),
     "features are chosen by the linker, not by #ifdef"),
]


def tracked_files(root):
    out = subprocess.run(["git", "-C", root, "ls-files", "-z", "--cached", "--others",
                          "--exclude-standard"], check=False, capture_output=True)
    if out.returncode == 0:
        names = [name for name in out.stdout.decode().split("\0") if name]
    else:  # an exported tree without git
        names = [os.path.relpath(os.path.join(folder, name), root)
                 for folder, _, files in os.walk(root) for name in files]
    return sorted(name for name in names if os.path.isfile(os.path.join(root, name)))


def load(root):
    """Name -> text of every file; an empty text where it is nothing that people read."""
    tree = {}
    for name in tracked_files(root):
        tree[name] = ""
        if name.endswith(TEXT_ENDINGS) or "." not in os.path.basename(name):
            try:
                with open(os.path.join(root, name), encoding="utf-8") as file:
                    tree[name] = file.read()
            except UnicodeDecodeError:
                pass
    return tree


def cpp(tree):
    return {name: text for name, text in tree.items() if name.endswith(CODE_ENDINGS)}


def folder_of(name):
    for folder in sorted(ALLOWED, key=len, reverse=True):
        if name.startswith(folder + "/"):
            return folder
    return name.split("/")[0]


def strip_comments(text):
    text = re.sub(r'"(\\.|[^"\\\n])*"', '""', text)
    text = re.sub(r"//[^\n]*", "", text)
    return re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group(0).count("\n"), text, flags=re.S)


def check_lengths(tree):
    counts = []
    for name, text in cpp(tree).items():
        lines = text.count("\n")
        limit = TEST_LINES_MAX if name.startswith("tests/") else LINES_MAX
        if lines > limit:
            yield f"{name}: {lines} lines; the limit is {limit}"
        if not name.startswith("tests/"):
            counts.append(lines)
        for number, line in enumerate(text.split("\n"), 1):
            if len(line) > COLUMNS_MAX and "http" not in line and "R\"" not in line:
                yield f"{name}:{number}: {len(line)} columns; the limit is {COLUMNS_MAX}"
    counts.sort()
    if counts and counts[len(counts) // 2] > LINES_MEDIAN_MAX:
        yield f"median file has {counts[len(counts) // 2]} lines; the limit is {LINES_MEDIAN_MAX}"


def functions(text):
    """(first line, lines) of what looks like a function body: a line that ends with { after ), and
    is no control statement, up to the line that closes it at the same indent."""
    lines = strip_comments(text).split("\n")
    for start, line in enumerate(lines):
        if not re.search(r"\)[\w\s:,&*<>()\->{}]*\{\s*$", line):
            continue
        if re.match(r"\s*(\}?\s*(if|for|while|switch|else|catch|do)\b|return\b|namespace\b)", line):
            continue
        indent = len(line) - len(line.lstrip())
        for end in range(start + 1, len(lines)):
            body = lines[end]
            if body.strip().startswith("}") and len(body) - len(body.lstrip()) <= indent:
                yield start + 1, end - start + 1
                break


def check_functions(tree):
    for name, text in cpp(tree).items():
        if name.startswith("tests/"):
            continue
        for line, count in functions(text):
            if count > FUNCTION_LINES_MAX:
                yield f"{name}:{line}: function of {count} lines; the limit is {FUNCTION_LINES_MAX}"


def check_headers(tree):
    for name, text in cpp(tree).items():
        if name.endswith((".h", ".cuh")) and "#pragma once" not in text:
            yield f"{name}: no #pragma once"
    for name, text in tree.items():
        if name.endswith(CODE_ENDINGS + (".py", ".cmake", "CMakeLists.txt", ".proto")):
            if "Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0" not in text[:300]:
                yield f"{name}: no copyright line"


def may_include(here, there):
    return there in ALLOWED[here] or os.path.dirname(there) + "/*" in ALLOWED[here]


def check_includes(tree):
    known = set(ALLOWED)
    for name, text in cpp(tree).items():
        here = folder_of(name)
        for include in re.findall(r'^#include "([^"]+)"', text, flags=re.M):
            if ".pb.h" in include:
                if not name.startswith(PROTOBUF_FOLDERS):
                    yield f"{name}: generated protobuf headers belong to {', '.join(PROTOBUF_FOLDERS)}"
                continue
            there = folder_of(include)
            if here not in known or there not in known or here == there:
                continue
            if not may_include(here, there):
                yield f"{name}: {here} may not include {there} ({include})"


def check_bans(tree):
    for name, text in cpp(tree).items():
        code = strip_comments(text)
        for pattern, allowed, message in BANS:
            source = text if "TODO" in pattern else code
            if name.startswith(allowed) if allowed else False:
                continue
            for match in re.finditer(pattern, source):
                line = source.count("\n", 0, match.start()) + 1
                yield f"{name}:{line}: {message}"


def check_forks(tree):
    """Python's gRPC can abort or stand still at a fork, and Python forks for no more than this."""
    for name, text in tree.items():
        if name.startswith("tests/server/") and name.endswith(".py"):
            for match in re.finditer(r"\bpreexec_fn\s*=|\bos\.fork\(", text):
                yield f"{name}:{text.count(chr(10), 0, match.start()) + 1}: a test that holds gRPC does not fork"


# A frame that the store's thread reads while the stage goes on: either side may end first.
SHARED_FRAMES = ("engine/kv/kv_pieces.h", "engine/kv/kv_pieces.cc", "engine/kv/kv_table.h", "engine/kv/kv_table.cc")


def check_shared_ptr(tree):
    for name, text in cpp(tree).items():
        if name in SHARED_FRAMES:
            continue
        if name.startswith(("base/", "storage/", "media/", "engine/backend/", "engine/policy/",
                            "engine/kv/", "engine/model/", "engine/take/", "engine/video/")):
            if "shared_ptr" in strip_comments(text):
                yield f"{name}: shared_ptr only for sessions and what streams share with them"


def check_targets(tree):
    """No source outside a target, and no test that is never built."""
    tests = [name for name in tree if name.endswith("_test.py")]
    for name in [name for name in cpp(tree) if name.endswith((".cc", ".cu"))] + tests:
        folder, base = os.path.split(name)
        if name in tests:  # added by its name without the ending, in the folder of what it tests
            base = base[:-3]
            if any(re.search(rf"\b{re.escape(base)}\b", text) for path, text in tree.items()
                   if path.endswith("CMakeLists.txt")):
                continue
        listed = False
        while True:
            lists = tree.get(os.path.join(folder, "CMakeLists.txt"), "")
            relative = os.path.relpath(name, folder) if folder else name
            if re.search(rf"(^|[\s/]){re.escape(relative)}(\s|\)|$)", lists) or \
                    re.search(rf"(^|[\s/]){re.escape(base)}(\s|\)|$)", lists):
                listed = True
                break
            if not folder:
                break
            folder = os.path.dirname(folder)
        if not listed and name != "tests/fuzz/replay_main.cc":
            yield f"{name}: in no CMakeLists.txt"


def check_foreign(tree):
    """Nothing of the machine it was written on."""
    for name, text in tree.items():
        if name.startswith("tests/tidy/"):
            continue
        for pattern in (r"(^|[\s\"'=(])/(home|root)/",):
            for match in re.finditer(pattern, text):
                line = text.count("\n", 0, match.start()) + 1
                yield f"{name}:{line}: path of a machine"


def include_table():
    """What CONTRIBUTING.md should say: folder -> what it may include."""
    table = {folder: set(allowed) for folder, allowed in ALLOWED.items()}
    for folder in PROTOBUF_FOLDERS:
        table.setdefault(folder, {"everything"}).add(PROTOBUF_WORDS)
    return table


def check_include_table(tree):
    """CONTRIBUTING.md tells people what ALLOWED tells this program."""
    page = tree.get("CONTRIBUTING.md", "")
    rows = re.search(r"^\| folder \| may include \|\n\|[-|]+\n((?:\|.*\n)*)", page, flags=re.M)
    if not rows:
        yield "CONTRIBUTING.md: no table '| folder | may include |'"
        return
    told = {}
    for folders, allowed in re.findall(r"^\| *(.*?) *\|(.*)\|$", rows.group(1), flags=re.M):
        for folder in folders.split(", "):
            told[folder] = {word.strip() for word in allowed.split(",")} - {""}
    known = include_table()
    for folder in sorted(set(known) | set(told)):
        if told.get(folder) != known.get(folder):
            yield (f"CONTRIBUTING.md: the table says '{', '.join(sorted(told.get(folder, ['nothing'])))}' of "
                   f"{folder}, ALLOWED '{', '.join(sorted(known.get(folder, ['nothing'])))}'")


def check_reading_order(tree):
    """What a newcomer reads first stays short."""
    page = tree.get(READING_PAGE)
    if page is None:
        return
    named = [name for name in re.findall(r"`([\w/]+\.(?:h|cc))`", page.split("## Ten files")[-1]) if name in tree]
    lines = sum(tree[name].count("\n") for name in [READING_PAGE] + named)
    if not named:
        yield f"{READING_PAGE}: no files under 'Ten files'"
    if lines > READING_LINES_MAX:
        yield f"{READING_PAGE}: with the {len(named)} files it names {lines} lines; the limit is {READING_LINES_MAX}"


# What self_test plants violations of; references.py has its own.
LOCAL_RULES = [check_lengths, check_functions, check_headers, check_includes, check_bans,
               check_forks, check_shared_ptr, check_targets, check_foreign, check_include_table,
               check_reading_order]
RULES = LOCAL_RULES + [references.check_references]


def complaints(tree):
    return [(rule.__name__, text) for rule in RULES for text in rule(tree)]


def include_rows(table):
    rows = "".join(f"| {folder} | {', '.join(sorted(allowed))} |\n" for folder, allowed in table.items())
    return "| folder | may include |\n|---|---|\n" + rows


def planted_tables():
    """One folder too many, too few, and one that is told more or less than it may."""
    right = include_table()
    yield ""
    yield include_rows({**right, "attic": {"base"}})
    yield include_rows({folder: allowed for folder, allowed in right.items() if folder != "media"})
    yield include_rows({**right, "media": {"base", "storage"}})
    yield include_rows({**right, "server": right["server"] - {PROTOBUF_WORDS}})


def self_test():
    good = ("// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0\n"
            "#pragma once\n")
    lists = {"base/CMakeLists.txt": "# " + good.split("\n")[0][3:] + "\nx.cc\n",
             "CONTRIBUTING.md": include_rows(include_table())}
    planted = {
        "check_lengths": [{"base/x.cc": good + "int a;\n" * 700}],
        "check_functions": [{"base/x.cc": good + "int F(int a) {\n" + "  ++a;\n" * 80 + "}\n"}],
        "check_headers": [{"base/x.h": good.split("\n")[0] + "\n"}],
        "check_includes": [{"base/x.cc": good + '#include "storage/tensor.h"\n'},
                           {"engine/plan/x.cc": good + '#include "engine/serve/engine.h"\n'},
                           {"engine/model/vae/x.cc": good + '#include "engine/model/wan/sweep.h"\n'}],
        "check_bans": [{"storage/x.cc": good + "std::thread worker(Run);\n"},
                       {"engine/model/x.cc": good + "float x = *activations.address();\n"},
                       {"engine/model/x.cc": good + "Run({.in = DevicePtr<const float>(host.data())});\n"},
                       {"engine/model/x.cc": good + "const DevicePtr in(host.data());\n"}],
        "check_forks": [{"tests/server/x_test.py": "subprocess.run([], preexec_fn=enter)\n"}],
        "check_shared_ptr": [{"storage/x.h": good + "std::shared_ptr<int> p;\n"}],
        "check_targets": [{"base/y.cc": good}, {"base/y.cu": good}, {"tools/y_test.py": good}],
        "check_foreign": [{"base/x.cc": good + 'const char* p = "/home/x";\n'}],
        "check_include_table": [{"CONTRIBUTING.md": table} for table in planted_tables()],
        "check_reading_order": [{READING_PAGE: "## Ten files\n\n`base/x.cc`\n", "base/x.cc": "\n" * 1500},
                                {READING_PAGE: "# Elsewhere\n"}],
    }
    clean = {"base/x.cc": good + "int F(int a) {\n  return a;\n}\n"}
    failed = 0
    for rule in LOCAL_RULES:
        for files in planted[rule.__name__]:
            if not list(rule({**lists, **files})):
                print(f"self-test: {rule.__name__} does not see its planted violation {files}")
                failed += 1
        for text in rule({**lists, **clean}):
            print(f"self-test: a clean file is complained about: {text}")
            failed += 1
    for text in references.self_test():
        print(f"self-test: {text}")
        failed += 1
    return failed


def main():
    if "--self-test" in sys.argv:
        failed = self_test()
    else:
        found = complaints(load(sys.argv[1]))
        for rule, text in found:
            print(f"{text}  [{rule[6:]}]")
        failed = len(found)
    print(f"{failed} complaints" if failed else "tidy")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
