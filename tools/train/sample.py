# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Rollouts as an engine serves them: chunks of 3 latent frames, few-step sampling with re-noise,
a clean pass at t=0 per chunk, a key plan over unrotated keys, a streaming VAE decode; judged.
"""

import argparse
import json
import os
import sys
import time

import numpy as np
import torch
from PIL import Image

import dit
import export
import text
import world

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "judge"))
import scoring  # noqa: E402


def warped(recipe):
    """The step list as timesteps (spec 4.2)."""
    if not recipe["warp_steps"]:
        return [float(k) for k in recipe["steps"]]
    s = recipe["shift"]
    return [1000 * s * (k / 1000) / (1 + (s - 1) * (k / 1000)) for k in recipe["steps"]]


def to_bytes(pixels):
    return ((np.clip(pixels, -1, 1) + 1) * 127.5).round().astype(np.uint8)


@torch.no_grad()
def rollout(networks, prompts, chunks, seed=0):
    """Yields (chunk number, pixels uint8 [prompts, frames, 96, 160, 3])."""
    model, encoder, auto, tok, scale, recipe = networks
    n, window, sink = recipe["chunk_frames"], recipe["window_frames"], recipe["sink_frames"]
    steps = warped(recipe)
    ids, length = text.batch_ids(tok, prompts)
    kv = model.text_kv(text.encode(encoder, ids, length))
    bias = text.padding_bias(length, ids.shape[1])
    noise = torch.Generator().manual_seed(seed)
    draw = lambda: torch.randn(len(prompts), n, 16, 12, 20, generator=noise)
    cache, decoder_state = {}, {}
    for i in range(chunks):
        c = n * i
        low = max(0, c + n - (window - sink))
        frames = list(range(c)) if c + n <= window else (
            list(range(min(sink, low))) + list(range(low, c)))
        context = dit.gather([cache[f] for f in frames], frames)
        x = draw()
        for k, t in enumerate(steps):
            flow = model.chunk_flow(x, t, c, context, kv, bias)
            if recipe["sampler"] == "euler":
                after = steps[k + 1] if k + 1 < len(steps) else 0.0
                x = x0 = x + (after - t) / 1000 * flow
                continue
            x0 = x - t / 1000 * flow
            if k + 1 < len(steps):
                sigma = steps[k + 1] / 1000
                x = (1 - sigma) * x0 + sigma * draw()
        kept = model.chunk_flow(x0, recipe["context_noise"], c, context, kv, bias, keep=True)
        cache.update(zip(range(c, c + n), kept))
        for f in [f for f in cache if sink <= f < c + 2 * n - (window - sink)]:
            del cache[f]
        pixels = auto.decode(x0 * scale["std"] + scale["mean"], decoder_state)
        yield i, to_bytes(pixels.permute(0, 1, 3, 4, 2).numpy())


def sheet(path, rows):
    """rows: list of lists of frames -> one PNG."""
    edge = np.full((world.HEIGHT, 2, 3), 255, np.uint8)
    lines = [np.concatenate([x for f in row for x in (f, edge)], 1) for row in rows]
    gap = np.full((2, lines[0].shape[1], 3), 255, np.uint8)
    Image.fromarray(np.concatenate([x for l in lines for x in (l, gap)], 0)).save(path)


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--model", required=True)
    args.add_argument("--count", type=int, default=24, help="prompts drawn from the grammar")
    args.add_argument("--chunks", type=int, default=scoring.CLIP_CHUNKS)
    args.add_argument("--split", choices=("train", "test"), default="test")
    args.add_argument("--seed", type=int, default=0)
    args.add_argument("--sheet", help="contact sheet PNG")
    args.add_argument("--sheet-rows", type=int, default=12)
    args.add_argument("--steps", type=int, nargs="+")
    args.add_argument("--sink-frames", type=int)
    args.add_argument("--sampler", choices=("few_step", "euler"))
    args = args.parse_args()
    torch.set_num_threads(1)
    networks = export.load_directory(args.model)
    recipe = networks[-1]
    for name in ("steps", "sink_frames", "sampler"):
        if getattr(args, name) is not None:
            recipe[name] = getattr(args, name)
    scenes, prompts = zip(*scoring.prompts(args.count, split=args.split, seed=args.seed + 31337))
    start, shown, opening, seconds = time.process_time(), [], [], []
    for i, pixels in rollout(networks, prompts, args.chunks, args.seed):
        opening += [pixels] if i < scoring.CLIP_CHUNKS else []
        if i < 3 or i % max(1, args.chunks // 8) == 0:
            shown.append(pixels[:, -1])
        if i >= 1:  # one frame per chunk (0.75 s)
            seconds.append([scoring.frame_right(s, p[-1]) for s, p in zip(scenes, pixels)])
    opening = np.concatenate(opening, 1)
    rows = [scoring.judge_clip(s, f) for s, f in zip(scenes, opening)]
    mean = lambda rs: {k: round(float(np.mean([r[k] for r in rs])), 3) for k in rs[0]}
    result = {"opening": mean(rows)}
    for name, test in (("one body", lambda s: len(s.bodies) == 1), ("two", lambda s: len(s.bodies) == 2)):
        part = [r for r, s in zip(rows, scenes) if test(s)]
        if part:
            result[name] = mean(part)
    if args.chunks > 8:
        cut = max(1, len(seconds) // 4)
        for q in range(4):
            result[f"quarter {q + 1}"] = mean([r for t in seconds[q * cut:(q + 1) * cut] for r in t])
    result["core_s"] = round(time.process_time() - start, 1)
    for key, value in result.items():
        print(key, json.dumps(value))
    if args.sheet:
        for prompt in prompts[:args.sheet_rows]:
            print("  " + prompt)
        sheet(args.sheet, [[s[p] for s in shown] for p in range(min(args.sheet_rows, args.count))])


if __name__ == "__main__":
    main()
