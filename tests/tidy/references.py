# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""The rule that what comments and documents point to exists (tests/tidy/tidy.py runs it).

Four kinds of references are held: sections of docs/spec.md ("spec 3.6"), links of markdown pages and
their #anchors, names of pages ("docs/limits.md", "errors.md"), and paths of files and folders.
"""
import fnmatch
import itertools
import posixpath
import re

SPEC = "docs/spec.md"
# Read for references. Everything else is data, or is this rule with its planted violations.
SCANNED = (".h", ".cc", ".cu", ".cuh", ".py", ".txt", ".cmake", ".proto", ".md", ".sh")
UNSCANNED = ("tests/tidy/", "tests/fuzz/corpus/", "tests/golden/fixtures/", "tools/reference/corpus.txt")
# Not tracked by git, but in the tree where there is no git to ask.
GENERATED = ("build", "out", ".git")
# "models/NAME" is a resource of the API and no folder.
RESOURCES = re.compile(r"models/(?!shapes-small)")

NUMBER = r"\d+(?:\.\d+)*(?![\w%]|\.\d|-[A-Za-z])"
SPEC_REFERENCE = re.compile(
    rf"\b[Ss]pec(?:\.md)?\s+({NUMBER}(?:(?:\s*[,-]|\s+(?:and|or|to))\s*{NUMBER})*)"
    r"(?:,?\s+(?:step|item)\s+(\d+))?")
LINK = re.compile(r"\]\(([^()\s]+)\)")
# Without a folder: a page, and a source in a comment or in backticks.
PAGE = re.compile(r"(?<![\w./*-])([\w-]+\.md)\b")
SOURCE = re.compile(r"(?<![\w./*<\"'-])([A-Za-z]\w*\.(?:h|cc|py))\b(?![\"'])")


def is_scanned(name):
    if name.startswith(UNSCANNED):
        return False
    return name.endswith(SCANNED) or "." not in posixpath.basename(name)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def joined(text):
    """The text with line ends and comment marks as blanks, so that a reference may be cut by them.
    Offsets stay."""
    return re.sub(r"\n[ \t]*(//|#|\|)?[ \t]*", lambda match: " " * len(match.group(0)), text)


def blank_code(page):
    """A markdown page without its code blocks. Offsets stay."""
    return re.sub(r"^```.*?^```", lambda m: re.sub(r"[^\n]", " ", m.group(0)), page,
                  flags=re.M | re.S)


def headings(page):
    return re.findall(r"^#{1,6} +(.+?) *#*$", blank_code(page), flags=re.M)


def anchors(page):
    """GitHub's: lower case, no punctuation, blanks as hyphens, repeated ones numbered."""
    found = set()
    for heading in headings(page):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)  # a link counts as its words
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        unique = slug
        for count in itertools.count(1):
            if unique not in found:
                break
            unique = f"{slug}-{count}"
        found.add(unique)
    return found


def spec_sections(page):
    """Number of each section -> its text."""
    parts = re.split(r"^#{2,4} (\d+(?:\.\d+)*)\.? .*$", page, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


class Places:
    """The files of the tree and the ways in which they are named."""

    def __init__(self, tree):
        self.names = set(tree)
        self.folders = {folder for name in tree for folder in self.parents(name)}
        self.stems = {posixpath.splitext(name)[0] for name in tree}
        self.bases = {posixpath.basename(name) for name in tree}
        tops = sorted(folder for folder in self.folders
                      if "/" not in folder and folder not in GENERATED)
        self.path = re.compile(r"(?<![\w./$*<>@}{-])((?:\./)?(?:" + "|".join(map(re.escape, tops)) +
                               r")/[\w./*{},-]*)(#[\w-]+)?")

    @staticmethod
    def parents(name):
        while name := posixpath.dirname(name):
            yield name

    def has(self, path):
        """A file, with or without its ending, a folder, or a pattern of them."""
        path = posixpath.normpath(path)
        if path in self.names or path in self.folders or path in self.stems:
            return True
        # An upper-case word stands for any name: docs/NAME.
        pattern = re.sub(r"(?<=/)[A-Z_]+(?=[./]|$)", "*", path)
        return "*" in pattern and any(fnmatch.fnmatchcase(known, pattern)
                                      for known in self.names | self.folders | self.stems)


def alternatives(path):
    """engine/sweep.{h,cc} -> both."""
    match = re.search(r"\{([^{}]*)\}", path)
    if not match:
        return [path]
    return [whole for part in match.group(1).split(",")
            for whole in alternatives(path[:match.start()] + part + path[match.end():])]


def check_spec(name, text, sections):
    for match in SPEC_REFERENCE.finditer(joined(text)):
        where = f"{name}:{line_of(text, match.start())}"
        numbers = re.findall(r"\d+(?:\.\d+)*", match.group(1))
        for number in numbers:
            if number not in sections:
                yield f"{where}: {SPEC} has no section {number}"
        item = match.group(2)
        if item and not re.search(rf"^{item}\. ", sections.get(numbers[-1], ""), flags=re.M):
            yield f"{where}: section {numbers[-1]} of {SPEC} has no item {item}"


def check_own_numbers(text, sections):
    """In the specification itself: (3.4), (2.1, 2.5), section 3."""
    for match in re.finditer(r"\((\d\.\d+(?:,\s\d\.\d+)*)\)|\bsection (\d+(?:\.\d+)*)", text):
        for number in re.split(r",\s", match.group(1) or match.group(2)):
            if number not in sections:
                yield f"{SPEC}:{line_of(text, match.start())}: there is no section {number}"


def check_anchor(where, tree, page, anchor):
    if anchor and page.endswith(".md") and anchor not in anchors(tree[page]):
        yield f"{where}: {page} has no heading for #{anchor}"


def check_links(name, text, tree, places):
    for match in LINK.finditer(blank_code(text)):
        target, _, anchor = match.group(1).partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        where = f"{name}:{line_of(text, match.start())}"
        page = name
        if target:
            page = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
        if page not in places.names and page not in places.folders:
            yield f"{where}: link to {target}, which does not exist"
        else:
            yield from check_anchor(where, tree, page, anchor)


def check_bare_names(name, text, places):
    """Pages and sources by their name alone; an upper-case word stands for any."""
    found = list(PAGE.finditer(text))
    if name.endswith((".h", ".cc", ".py")):
        found += SOURCE.finditer(text)
    elif name.endswith(".md"):
        for code in re.finditer(r"`[^`\n]+`", blank_code(text)):
            found += SOURCE.finditer(text, code.start() + 1, code.end() - 1)
    for match in found:
        base = match.group(1)
        if base not in places.bases and not posixpath.splitext(base)[0].isupper():
            yield f"{name}:{line_of(text, match.start())}: no file is named {base}"


def check_paths(name, text, tree, places):
    here = posixpath.dirname(name)
    for match in places.path.finditer(text):
        path = re.sub(r"[.,]+$", "", match.group(1))
        if RESOURCES.match(path):
            continue
        where = f"{name}:{line_of(text, match.start())}"
        for one in alternatives(path):
            if not places.has(one) and not places.has(posixpath.join(here, one)):
                yield f"{where}: {one} does not exist"
        if match.group(2) and path in tree:
            yield from check_anchor(where, tree, path, match.group(2)[1:])


def check_references(tree):
    """What is pointed to exists."""
    places = Places(tree)
    sections = spec_sections(tree.get(SPEC, ""))
    yield from check_own_numbers(tree.get(SPEC, ""), sections)
    for name in filter(is_scanned, tree):
        text = tree[name]
        yield from check_spec(name, text, sections)
        yield from check_bare_names(name, text, places)
        yield from check_paths(name, text, tree, places)
        if name.endswith(".md"):
            yield from check_links(name, text, tree, places)


SPEC_PAGE = "## 3. Causal\n### 3.6 Rolling\n1. x\n"
PAGES = {SPEC: SPEC_PAGE, "docs/limits.md": "# Limits\n## A `table`, and\n## A table and\n", "docs/a.png": "",
         "engine/sweep.h": "", "engine/kv/pool.cc": "", "models/shapes-small/longtake.json": ""}
# What the self-test plants: files beside PAGES, each with one reference that does not resolve ...
PLANTED = [
    {"engine/x.h": "// docs/absent.md\n"},
    {"engine/x.h": "// as absent.md says\n"},
    {"engine/x.h": "// (spec 3.7)\n"},
    {"engine/x.h": "// spec 3.6 and 3.9\n"},
    {"engine/x.h": "// spec 3.6-3.9\n"},
    {"engine/x.h": "// a line (docs/spec\n// 4)\n"},
    {"engine/x.h": "// spec 3.6 item 2\n"},
    {"engine/x.h": "// docs/limits.md#absent\n"},
    {"engine/x.h": "// engine/absent.cc\n"},
    {"engine/x.h": "// engine/sweep.{h,cc}\n"},
    {"engine/x.h": "// engine/kv/*_pool.cc\n"},
    {"engine/x.h": "// engine/absent/\n"},
    {"engine/x.h": "// models/shapes-small/absent.json\n"},
    {"engine/x.h": "// see absent.cc\n"},
    {"tools/x.py": "# docs/none.png\n"},
    {"docs/x.md": "`absent.h`\n"},
    {"docs/x.md": "[words](kv/limits.md)\n"},
    {"docs/x.md": "[words](../engine/absent)\n"},
    {"docs/x.md": "[words](limits.md#absent)\n"},
    {"docs/x.md": "# A heading\n[words](#a-headin)\n"},
    {"docs/x.md": "![picture](b.png)\n"},
    {SPEC: SPEC_PAGE + "as in (3.6, 3.8)\n"},
]
# ... and references that do, or are none.
RESOLVED = [
    {"engine/x.h": "// spec 3.6, 3 and 3.6 item 1; the spec 2-D, spec 2x, spec 3.6.\n// docs/spec\n// 3.6\n"},
    {"engine/x.h": "// engine/sweep, engine/kv/, engine/kv/*.cc, engine/{sweep,x}.h:12\n"},
    {"engine/x.h": "// docs/limits.md#a-table-and-1, docs/NAME.md, NAME.md, models/tiny\n"
                   '#include "longtake/v1/longtake.pb.h"\n#include <sys/mman.h>\n'},
    {"tests/engine/x_test.cc": "", "tests/CMakeLists.txt": "engine/x_test.cc\n"},
    {"build/other.h": "", "engine/x.h": "// build/release/bin/longtaked\n"},
    {"docs/x.md": "# On, *two*\n[a](limits.md#a-table-and) [b](../engine/sweep.h) [c](#on-two)\n"
                  "![d](a.png) [e](https://example.org/x.md)\n```\n[f](none/absent)\n```\n"},
]


def self_test():
    """Complaints about the rule itself."""
    for files in PLANTED:
        found = list(check_references({**PAGES, **files}))
        if len(found) != 1:
            yield f"check_references sees {found} in {files}"
    for files in RESOLVED:
        for text in check_references({**PAGES, **files}):
            yield f"check_references complains about what resolves: {text}"
