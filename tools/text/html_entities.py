#!/usr/bin/env python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Writes engine/text/html_entities.inc from the HTML 5 table of Python's standard library.

Usage: tools/text/html_entities.py > engine/text/html_entities.inc
"""
import html.entities
import textwrap


def records():
    table = html.entities.html5
    for name in sorted(n[:-1] for n in table if n.endswith(";")):
        codes = "+".join(f"{ord(c):X}" for c in table[name + ";"])
        yield f"{name}{',' if name in table else '='}{codes}"


def main():
    print("// Made by tools/text/html_entities.py; do not edit.")
    for line in textwrap.wrap(" ".join(records()), 96, break_on_hyphens=False):
        print(f'"{line} "')


if __name__ == "__main__":
    main()
