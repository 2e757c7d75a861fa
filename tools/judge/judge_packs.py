# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""What the judge sees of takes of real servers: one pack or numerics profile against another.

usage: judge_packs.py --bin ../../build/release/bin --count 40 PACK[:NUMERICS_PROFILE] ...
"""

import argparse
import json

import numpy as np

import scoring
import takes


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", default="../../build/release/bin")
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("packs", nargs="+")
    options = parser.parse_args()
    for name in options.packs:
        pack, _, profile = name.partition(":")
        extra = ["--numerics-profile", profile] if profile else []
        with takes.Server(options.bin, pack, *extra) as server:
            rows = [scoring.judge_clip(scene, takes.frames(
                        server, prompt, scoring.CLIP_FRAMES, scoring.world.FPS, i))
                    for i, (scene, prompt) in enumerate(scoring.prompts(options.count))]
        print(name, json.dumps({key: round(float(np.mean([r[key] for r in rows])), 3)
                                for key in rows[0]}), flush=True)


if __name__ == "__main__":
    main()
