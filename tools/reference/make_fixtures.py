# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Writes every file of tests/golden/fixtures. Fixtures named on the command line only, if any."""

import json
import os
import sys

import library
import weights


def write_json(name, value):
    with open(os.path.join(library.FIXTURES, name), "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=True, indent=1)
        file.write("\n")


def f0():
    write_json("weights.json", list(weights.examples()))


def wan():
    import wan

    wan.f1()
    wan.f2()
    wan.f3()
    wan.f7()


def vae():
    import wan_vae

    wan_vae.f8("f8_base8", wan_vae.CONFIG, wan_vae.SEED, 7)
    wan_vae.f8("f8_tiny", wan_vae.TINY, wan_vae.SEED + 50, 4)
    wan_vae.tiled()


def text():
    import umt5

    umt5.f9()


def causal():
    import causal_fixtures

    causal_fixtures.f5()


def pipeline():
    import pipeline

    pipeline.f13()


def samplers():
    import samplers

    samplers.f11()


def rollouts():
    import rollouts

    rollouts.f6()


def tiny():
    import taehv

    taehv.f12()


def tokenizers():
    import tokenizers_fixture

    tokenizers_fixture.f10()


ALL = dict(
    weights=f0,
    wan=wan,
    vae=vae,
    text=text,
    causal=causal,
    pipeline=pipeline,
    samplers=samplers,
    rollouts=rollouts,
    tiny=tiny,
    tokenizers=tokenizers,
)

if __name__ == "__main__":
    os.makedirs(library.FIXTURES, exist_ok=True)
    for name in sys.argv[1:] or ALL:
        ALL[name]()
