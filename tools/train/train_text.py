# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Phase 1: teaches every row of the text encoder's output to tell what the caption says.

Linear probes read the background, the light and each body from each row, so the
DiT's cross-attention finds the whole scene in any of them. The phase of the DiT trains the encoder on.
"""

import argparse
import os

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

import captions
import common
import text
import tokenizer
import world


BODY_CLASSES = (("colour", list(world.COLOURS)), ("shape", world.SHAPES), ("size", world.SIZES),
                ("motion", world.MOTIONS))
BODIES_MAX = 3


def class_counts():
    return [len(world.BACKGROUNDS), len(world.LIGHTS)] + [
        1 + len(names) for _, names in BODY_CLASSES] * BODIES_MAX


def labels(scene):
    """Class numbers: background, light; colour, shape, size, motion of each body (0 = no body)."""
    row = [world.BACKGROUNDS.index(scene.background), world.LIGHTS.index(scene.light)]
    for i in range(BODIES_MAX):
        body = scene.bodies[i] if i < len(scene.bodies) else None
        row += [1 + names.index(getattr(body, part)) if body else 0 for part, names in BODY_CLASSES]
    return row


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--work", required=True)
    args.add_argument("--steps", type=int, default=1500)
    args.add_argument("--level", choices=("plain", "rich"), default="plain")
    args.add_argument("--resume", action="store_true")
    args = args.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(3)
    rng = np.random.default_rng(3)
    tok_dir = os.path.join(args.work, "tokenizer")
    if not os.path.exists(tok_dir):
        tokenizer.train(tok_dir)
    tok = tokenizer.load(tok_dir)
    encoder = text.build(tok.get_vocab_size())
    probes = nn.ModuleList(nn.Linear(text.TEXT_DIM, s) for s in class_counts())
    params = list(encoder.parameters()) + list(probes.parameters())
    optimiser = torch.optim.AdamW(params, 3e-3, betas=(0.9, 0.98), weight_decay=0.0)
    path = os.path.join(args.work, "text.pt")
    first = 0
    if args.resume and os.path.exists(path):
        state = torch.load(path)
        encoder.load_state_dict(state["encoder"])
        probes.load_state_dict(state["probes"])
        optimiser.load_state_dict(state["optimiser"])
        first = state["step"]
    log = common.Log(os.path.join(args.work, "text.jsonl"))
    for step in range(first, args.steps):
        for group in optimiser.param_groups:
            group["lr"] = 3e-3 * common.rate_at(step / args.steps)
        scenes = [world.draw_scene(rng, args.level, "train", 0.4) for _ in range(64)]
        ids, length = text.batch_ids(tok, [captions.caption(rng, s, args.level) for s in scenes])
        states = text.encode(encoder, ids, length)[:, :-1]
        real = torch.arange(ids.shape[1])[None] < length[:, None]
        want = torch.tensor([labels(s) for s in scenes])
        rows = states[real]
        owner = torch.arange(len(scenes))[:, None].expand_as(real)[real]
        loss, right = 0, torch.ones(len(rows), dtype=torch.bool)
        for i, probe in enumerate(probes):
            out = probe(rows)
            loss = loss + F.cross_entropy(out, want[owner, i])
            right &= out.argmax(-1) == want[owner, i]
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        optimiser.step()
        if step % 100 == 0 or step + 1 == args.steps:
            log(step=step, loss=float(loss), rows_right=float(right.float().mean()))
            common.save(path, encoder=encoder.state_dict(), probes=probes.state_dict(),
                        optimiser=optimiser.state_dict(), step=step + 1)


if __name__ == "__main__":
    main()
