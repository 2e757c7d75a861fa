#!/usr/bin/env python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Judges the embedded model by the frames of `longtake generate` alone.

usage: judge.py [--out rows] STAGE ...

  truth    the judge judged: clips drawn by the world itself, both levels
  vae      clips through the VAE and back (needs PyTorch)
  prompts  200 held-out prompts
  steps    the recipe's 4 steps against 16, on 50 of them
  change   another prompt every 20 s, swap against re-cache
  long     5 prompts for 30 or 10 minutes per key plan; hours
  report   docs/model-quality.md and its pictures, out of what has been judged

Each row that has been judged is kept in OUT and not judged again, so a run may be cut off. Needs
python3-numpy, python3-scipy, python3-pil, for the report python3-matplotlib.
"""

import argparse
import json
import os
import shutil
import sys

import numpy as np
from PIL import Image

import scoring
import takes
import vision
from scoring import world

HERE = os.path.dirname(os.path.abspath(__file__))
FPS, SEED = world.FPS, 2026
MANY_STEPS = [round(1000 * (16 - i) / 16, 1) for i in range(16)]
LONG = {  # name: (key plan, minutes)
    "window": ("window:21", 30),
    "rolling_sink": ("rolling_sink:21", 30),
    "window_sink": ("window:21:3", 10),
    "longlive": ("slot_window:21:3", 10),
}
CHANGE_EVERY, CHANGES, CHANGE_RUNS = 20, 9, 2  # seconds, per run, runs
CHANGE_CHUNKS = 2  # within so many chunks the new prompt has to show


class Rows:
    """Judged rows of a stage, one JSON object per line."""

    def __init__(self, out, stage):
        os.makedirs(out, exist_ok=True)
        self.path, self.rows = os.path.join(out, stage + ".jsonl"), []
        if os.path.exists(self.path):
            with open(self.path, encoding="utf-8") as file:
                self.rows = [json.loads(line) for line in file]

    def has(self, **key):
        return any(all(row.get(k) == v for k, v in key.items()) for row in self.rows)

    def add(self, **row):
        self.rows.append(row)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def to_bytes(pixels):
    return ((np.clip(pixels, -1, 1) + 1) * 127.5).round().astype(np.uint8)


def truth(options):
    rows = Rows(options.out, "truth")
    for level, count in (("plain", 200), ("rich", 100)):
        for i, (scene, prompt) in enumerate(scoring.prompts(count, level, seed=9)):
            if rows.has(level=level, number=i):
                continue
            clip = to_bytes(world.render(scene, 0, scoring.CLIP_FRAMES))
            rows.add(level=level, number=i, prompt=prompt, **scoring.judge_clip(scene, clip, level))


def vae(options):
    import torch
    import export  # of tools/train
    torch.set_num_threads(os.cpu_count())
    rows = Rows(options.out, "vae")
    auto = export.load_directory(options.model)[2]
    rng = np.random.default_rng(SEED)
    for i, (scene, prompt) in enumerate(scoring.prompts(40, seed=SEED)):
        pixels = world.render(scene, int(rng.integers(0, 200)), 33)
        if rows.has(number=i):
            continue
        given = torch.from_numpy(pixels).permute(0, 3, 1, 2)[None]
        with torch.no_grad():
            out = auto.decode(auto.encode(given)).clamp(-1, 1)
        error = ((out - given) / 2).square().mean((0, 2, 3, 4)).numpy()
        rows.add(number=i, prompt=prompt, psnr=round(float(-10 * np.log10(error.mean())), 2),
                 worst_frame=round(float(-10 * np.log10(error.max())), 2))


def prompts(options):
    rows = Rows(options.out, "prompts")
    os.makedirs(options.frames, exist_ok=True)
    with takes.Server(options.bin, options.pack) as server:
        for i, (scene, prompt) in enumerate(scoring.prompts(options.count)):
            if rows.has(number=i):
                continue
            clip = takes.frames(server, prompt, scoring.CLIP_FRAMES, FPS, SEED + i)
            rows.add(number=i, prompt=prompt, bodies=len(scene.bodies),
                     **scoring.judge_clip(scene, clip))
            keep = clip[np.linspace(0, len(clip) - 1, 8).astype(int)]
            Image.fromarray(np.concatenate(keep, 1)).save(
                os.path.join(options.frames, f"{i:03d}.png"))


def steps(options):
    """Many steps; the few are the first 50 of `prompts`, same seeds."""
    rows = Rows(options.out, "steps")
    many = ",".join(str(t) for t in MANY_STEPS)
    with takes.Server(options.bin, options.pack) as server:
        for i, (scene, prompt) in enumerate(scoring.prompts(50)):
            if not rows.has(number=i):
                clip = takes.frames(server, prompt, scoring.CLIP_FRAMES, FPS, SEED + i, "--steps", many)
                rows.add(number=i, prompt=prompt, **scoring.judge_clip(scene, clip))


def counted_and_coloured(scene, frame):
    row = scoring.frame_right(scene, frame, shapes=False)
    return row["count"] and row["colour"]


def change(options):
    """A run of CHANGES changes: does the new prompt show within CHANGE_CHUNKS chunks?"""
    rows = Rows(options.out, "change")
    with takes.Server(options.bin, options.pack) as server:
        for run in range(CHANGE_RUNS):
            scenes = scoring.prompts(CHANGES + 1, seed=SEED + run)
            for switch in ("swap", "recache"):
                if not rows.has(run=run, switch=switch):
                    change_run(rows, server, run, switch, scenes)


def change_run(rows, server, run, switch, scenes):
    extra = ["--prompt-switch", switch]
    for i, (_, prompt) in enumerate(scenes[1:]):
        extra += ["--prompt-at", f"{CHANGE_EVERY * (i + 1)}s={prompt}"]
    seconds = CHANGE_EVERY * (CHANGES + 1)
    with takes.Take(server, scenes[0][1], seconds, SEED + run, *extra) as take:
        frames = list(take)
    changes = take.changes()
    if len(changes) != CHANGES:
        raise SystemExit(f"{len(changes)} of {CHANGES} changes were told:\n" + "".join(take.told[-5:]))
    for i, (prompt, second, chunk) in enumerate(changes):
        scene = scenes[i + 1][0]
        first = round(second * FPS)
        # The last frame of each chunk from the change on.
        right = [counted_and_coloured(scene, frames[f])
                 for f in range(first + 11, min(first + 12 * 20, len(frames)), 12)]
        rows.add(run=run, switch=switch, number=i, prompt=prompt, chunk=chunk, asked=CHANGE_EVERY * (i + 1),
                 shown=second, right_by_chunk=right, in_time=any(right[:CHANGE_CHUNKS]),
                 held=float(np.mean(right[CHANGE_CHUNKS - 1:])))


def window_row(scene, clip):
    """One second: right if 3 of 4 frames show the count and the colours asked for."""
    sampled = clip[np.linspace(1, len(clip) - 1, 4).astype(int)]
    right = [counted_and_coloured(scene, f) for f in sampled]
    return (sum(right) >= 3, vision.sharpness(clip[-1]), vision.saturation(clip[-1]),
            vision.motion_energy(clip))


def long(options):
    rows = Rows(options.out, "long")
    for i in range(5):
        scene, prompt = scoring.prompts(5, seed=SEED + 50)[i]
        for name, (plan, minutes) in LONG.items():
            if not rows.has(plan=name, number=i):
                long_run(options, rows, name, plan, minutes, i, scene, prompt)


def long_run(options, rows, name, plan, minutes, number, scene, prompt):
    made, second = [], []
    with takes.Server(options.bin, options.pack) as server:
        with takes.Take(server, prompt, 60 * minutes, SEED + number, "--quiet", "--key-plan", plan) as take:
            memory = []
            for frame in take:
                second.append(frame)
                if len(second) < FPS:
                    continue
                made.append(window_row(scene, np.stack(second)))
                second = []
                if len(made) % 60 == 0:
                    memory.append(server.resident_bytes())
    per_minute = np.array(made, float)[:60 * minutes].reshape(minutes, 60, 4).mean(1)
    rows.add(plan=name, key_plan=plan, number=number, prompt=prompt, minutes=minutes,
             bodies=len(scene.bodies), resident_mib=[m >> 20 for m in memory],
             **{key: [round(v, 4) for v in per_minute[:, i]] for i, key in
                enumerate(("score", "sharpness", "saturation", "energy"))})
    print(name, number, prompt, "score by minute:", rows.rows[-1]["score"], flush=True)


def report(options):
    import write_report
    write_report.write(options)


STAGES = dict(truth=truth, vae=vae, prompts=prompts, steps=steps, change=change, long=long,
              report=report)


def main():
    root = os.path.join(HERE, "..", "..")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=os.path.join(root, "build/release/bin"))
    parser.add_argument("--model", default=os.path.join(root, "models/shapes-small"))
    parser.add_argument("--out", default=os.path.join(HERE, "rows"), help="judged rows, kept in the repository")
    parser.add_argument("--docs", default=os.path.join(root, "docs"))
    parser.add_argument("--count", type=int, default=200, help="held-out prompts")
    parser.add_argument("stages", nargs="+", choices=STAGES, metavar="STAGE")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    scratch = os.path.join(root, "out/judge")
    os.makedirs(scratch, exist_ok=True)
    options.pack, options.frames = os.path.join(scratch, "pack"), os.path.join(scratch, "frames")
    if set(options.stages) & {"prompts", "steps", "change", "long"}:
        shutil.rmtree(options.pack, ignore_errors=True)
        takes.pack(options.bin, options.model, options.pack)
    for stage in options.stages:
        STAGES[stage](options)


if __name__ == "__main__":
    sys.exit(main())
