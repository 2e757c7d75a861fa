# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Phase 3: the causal transformer, trained at the levels of the few-step sampler only.

The world is almost determined by the caption, so predicting x0 at each of the four levels with a
squared error is nearly unimodal and no teacher has to be distilled. Context chunks are the true
ones plus a little noise (teacher forcing), or chunks which the network itself made (self forcing),
freshly or in a rollout that lives on through many steps; the target stays the true chunk.

The processes run on their own and average their weights every SYNC_SECONDS, weighted by the steps
each has done, so neither waits for the other on a busy machine. The text encoder stays as it is.
"""

import argparse
import os
import signal
import sys
import time

import numpy as np
import torch
import torch.multiprocessing as mp

import captions
import common
import dit
import pca as pca_lib
import text
import tokenizer
import world

LEVELS = (1000.0, 937.5, 2500.0 / 3, 625.0)
LEVEL_SHARE = (0.5, 0.2, 0.15, 0.15)
ANYWHERE, SHIFT = 0.15, 5.0  # share of levels drawn from all over
WINDOW = 7  # chunks
PAIR_SHARE = 0.1
LIVE_CLIPS, LIVE_CONTEXT = 10, WINDOW - 1
LIVE_CHUNKS = 30  # a live clip's mean life
SWITCH_CHUNKS = 40  # chunks between its changes of prompt, on average
LOST = 0.2  # error of a live clip that has lost its way: what comes next is anybody's guess
MUON_RATE, ADAM_RATE = 0.012, 1.5e-3
SYNC_SECONDS, REPORT_SECONDS = 20, 150


def plan_batch(rng, done):
    """-> clips, context chunks m, kind of context ("true", "own" or "live")."""
    if rng.random() < (0.12 if done < 0.3 else 0.25 if done < 0.6 else 0.35):
        return LIVE_CLIPS, LIVE_CONTEXT, "live"
    draw = rng.random()
    if done < 0.6:
        return (16, 0, "true") if draw < 0.65 else (8, 1, "true") if draw < 0.92 else (4, 3, "true")
    if draw < 0.15:
        return 8, 2, "own"
    return (16, 0, "true") if draw < 0.5 else (8, 1, "true") if draw < 0.75 else (3, 6, "true")


def draw_batch(rng, world_of, clips, m, split="train"):
    """-> captions, latents [clips, m + 1 chunks, 3, 16, 12, 20], first chunk number."""
    first = 0 if m == 0 or rng.random() < 0.5 else int(rng.integers(1, 13))
    texts, z = [], []
    for _ in range(clips):
        scene = world.draw_scene(rng, world_of.level, split, PAIR_SHARE)
        if first and scene.bodies[0].motion == "still":  # later chunks of it teach little
            scene = world.draw_scene(rng, world_of.level, split, PAIR_SHARE)
        texts.append(captions.caption(rng, scene, world_of.level))
        z.append(pca_lib.scene_latents(world_of.pca, scene, first, m + 1))
    z = torch.from_numpy(np.stack(z).astype(np.float32))
    return texts, z.unflatten(1, (m + 1, dit.CHUNK)), first


def draw_levels(rng, shape):
    """Timesteps: mostly the sampler's own, a few from all over so that more steps work, too."""
    t = np.asarray(LEVELS)[rng.choice(len(LEVELS), shape, p=LEVEL_SHARE)]
    u = rng.uniform(0.02, 1, shape)
    anywhere = 1000 * SHIFT * u / (1 + (SHIFT - 1) * u)
    return torch.from_numpy(np.where(rng.random(shape) < ANYWHERE, anywhere, t).astype(np.float32))


def noised(x0, t):
    """x0 with noise of timestep t in every leading dimension -> x, sigma."""
    sigma = (t / 1000).view(*t.shape, *[1] * (x0.ndim - t.ndim))
    return (1 - sigma) * x0 + sigma * torch.randn_like(x0), sigma


def x0_loss(model, clean, target, t, kv, bias, weight):
    x, sigma = noised(target, t)
    with common.fast_products():
        flow = model.teacher_forced(clean, x, t, kv, bias, WINDOW)
    return ((x - sigma * flow.float() - target).square() * weight).mean((2, 3, 4, 5))


@torch.no_grad()
def few_steps(model, clips, first_frame, context, kv, bias, levels):
    """A chunk as the sampler makes it."""
    x = torch.randn(clips, dit.CHUNK, 16, 12, 20)
    for i, t in enumerate(levels):
        x0 = x - t / 1000 * model.chunk_flow(x, t, first_frame, context, kv, bias).float()
        if i + 1 < len(levels):
            s = levels[i + 1] / 1000
            x = (1 - s) * x0 + s * torch.randn_like(x0)
    return x0


@torch.no_grad()
def own_chunks(model, first_true, count, kv, bias, levels):
    """Context made by the network: `count` chunks, the first given or also made (None)."""
    made, cache = [], []
    with common.fast_products():
        for c in range(count):
            context = dit.gather(cache, range(len(cache)))
            at = dit.CHUNK * c
            x0 = first_true if c == 0 and first_true is not None else few_steps(
                model, bias.shape[0], at, context, kv, bias, levels)
            made.append(x0)
            if c + 1 < count:
                cache += model.chunk_flow(x0, 0, at, context, kv, bias, keep=True)
    return torch.stack(made, 1)


class LiveRollouts:
    """Clips that the network goes on making while it learns, so that it meets its own late errors.

    Each holds a full window of context. A clip begins with true chunks anywhere on its path; every
    step trains the next chunk towards the true one, then replaces it by the network's own. Keys and
    values stay as they were when their chunk was made, and carry no gradient. Now and then a clip's
    prompt changes: the new bodies go on where the old ones are if they move alike, else at the
    start of their path.
    """

    def __init__(self, rng, model, world_of, encode):
        self.rng, self.model, self.world_of, self.encode = rng, model, world_of, encode
        self.scenes, self.texts, self.at = [None] * LIVE_CLIPS, [""] * LIVE_CLIPS, [0] * LIVE_CLIPS
        self.error = np.zeros(LIVE_CLIPS)  # of the latest chunk
        self.frames = None  # cache entries of the window, oldest first
        self.context = None

    @torch.no_grad()
    def _begin(self, i):
        """Clip i anew: true context, its keys and values computed afresh."""
        level = self.world_of.level
        scene = world.draw_scene(self.rng, level, "train", PAIR_SHARE)
        self.scenes[i], self.texts[i] = scene, captions.caption(self.rng, scene, level)
        first = int(self.rng.integers(0, 13))
        z = torch.from_numpy(pca_lib.scene_latents(
            self.world_of.pca, scene, first, LIVE_CONTEXT).astype(np.float32)).view(
                1, LIVE_CONTEXT, dit.CHUNK, 16, 12, 20)
        self.at[i] = first + LIVE_CONTEXT
        kv, bias = self.encode([self.texts[i]])
        frames = []
        with common.fast_products():
            for c in range(LIVE_CONTEXT):
                frames += self.model.chunk_flow(
                    z[:, c], 0, dit.CHUNK * c, dit.gather(frames, range(len(frames))), kv, bias,
                    keep=True)
        if self.frames is None:
            self.frames = [[tuple(t.repeat(LIVE_CLIPS, 1, 1, 1) for t in layer) for layer in frame]
                           for frame in frames]
        for mine, new in zip(self.frames, frames):
            for (k, v), (new_k, new_v) in zip(mine, new):
                k[i], v[i] = new_k[0], new_v[0]

    def _switch(self, i):
        """Another prompt for clip i; its memory stays."""
        level, old = self.world_of.level, self.scenes[i]
        new = world.draw_scene(self.rng, level, "train", PAIR_SHARE)
        if [b.motion for b in new.bodies] == [b.motion for b in old.bodies]:
            for mine, before in zip(new.bodies, old.bodies):
                mine.x, mine.y = before.x, before.y
        else:
            self.at[i] = 1
        self.scenes[i], self.texts[i] = new, captions.caption(self.rng, new, level)

    def prepare(self):
        """Begins clips that are new or have lived long enough -> text keys, bias, true next chunk."""
        for i in range(LIVE_CLIPS):
            lost = self.error[i] > LOST
            if self.scenes[i] is None or lost or self.rng.random() < 1 / LIVE_CHUNKS:
                self._begin(i)
            elif self.rng.random() < 1 / SWITCH_CHUNKS:
                self._switch(i)
        with torch.no_grad(), common.fast_products():
            self.context = dit.gather(self.frames, range(len(self.frames)))
        target = np.concatenate([pca_lib.scene_latents(self.world_of.pca, s, at, 1)[None]
                                 for s, at in zip(self.scenes, self.at)])
        kv, bias = self.encode(self.texts)
        return kv, bias, torch.from_numpy(target.astype(np.float32))

    @torch.no_grad()
    def advance(self, kv, bias):
        """The network makes the next chunk; the window moves on by it."""
        first = dit.CHUNK * LIVE_CONTEXT
        kv = [(k.detach(), v.detach()) for k, v in kv]
        levels = LEVELS if self.rng.random() < 0.3 else LEVELS[::2]
        with common.fast_products():
            x0 = few_steps(self.model, LIVE_CLIPS, first, self.context, kv, bias, levels)
            made = self.model.chunk_flow(x0, 0, first, self.context, kv, bias, keep=True)
        self.frames = self.frames[dit.CHUNK:] + [
            [tuple(t.clone() for t in layer) for layer in frame] for frame in made]
        self.at = [at + 1 for at in self.at]


def clip_loss(rng, model, encode, world_of, clips, m, own, weight):
    """-> x0 error of a fresh batch, chunks of each clip that it covers."""
    texts, z, first = draw_batch(rng, world_of, clips, m)
    kv, bias = encode(texts)
    if own:
        detached = [(k.detach(), v.detach()) for k, v in kv]
        clean = own_chunks(model, z[:, 0] if first else None, m, detached, bias, LEVELS[::2])
        target = z[:, -1:]
    else:
        clean = z[:, :-1]
        clean = clean + torch.randn_like(clean) * (
            torch.rand(clips, m, 1, 1, 1, 1).square() * 0.3)
        target = z if first == 0 else z[:, 1:]
    k = target.shape[1]
    return x0_loss(model, clean, target, draw_levels(rng, (clips, k)), kv, bias, weight).mean(), k


def live_loss(rng, model, live, kv, bias, target, weight):
    """x0 error of one more chunk of every live clip."""
    t = draw_levels(rng, len(target))
    x, sigma = noised(target, t)
    with common.fast_products():
        flow = model.chunk_flow(x, t, dit.CHUNK * LIVE_CONTEXT, live.context, kv, bias)
    error = ((x - sigma * flow.float() - target).square() * weight).mean((1, 2, 3, 4))
    live.error = error.detach().numpy()
    return error.mean()


@torch.no_grad()
def validate(model, encoder, tok, world_of, weight):
    """Mean x0 error per level on held-out combinations: first chunk, and later chunk with context."""
    rng = np.random.default_rng(4242)
    state = torch.get_rng_state()
    torch.manual_seed(1)
    row = {}
    for name, clips, m in (("start", 16, 0), ("next", 12, 1)):
        texts, z, _ = draw_batch(rng, world_of, clips, m, "test")
        ids, length = text.batch_ids(tok, texts)
        kv = model.text_kv(text.encode(encoder, ids, length))
        bias = text.padding_bias(length, ids.shape[1])
        for t in LEVELS:
            error = x0_loss(model, z[:, :-1], z[:, -1:], torch.full((clips, 1), t), kv, bias, weight)
            row[f"{name}_{t:.0f}"] = float(error.mean())
    torch.set_rng_state(state)
    return row


def run(rank, args):
    common.setup_process(rank, args.processes)
    torch.manual_seed(17)
    world_of = common.World(args.level, common.load_pca(args.work))
    pca = world_of.pca
    if args.compile:
        dit.compile_blocks()
    tok = tokenizer.load(os.path.join(args.work, "tokenizer"))
    model, encoder = dit.WanDit(), text.build(tok.get_vocab_size())
    encoder.load_state_dict(torch.load(os.path.join(args.work, "text.pt"))["encoder"])
    weight = torch.from_numpy(pca["std"] / pca["std"].mean()).view(16, 1, 1)
    fixed = model.fixed()
    named = [(n, p) for n, p in model.named_parameters() if n not in fixed]
    hidden = [p for n, p in named if n.startswith("blocks.") and p.ndim == 2]
    slow = [p for n, p in named if ".time_" in n]  # one modulation rules all blocks
    others = [p for n, p in named if not any(p is h for h in hidden + slow)] + slow
    params = hidden + others
    muon = common.Muon(hidden, MUON_RATE)
    adam = torch.optim.AdamW(
        [dict(params=others[:-len(slow)], rate=ADAM_RATE), dict(params=slow, rate=0.1 * ADAM_RATE)],
        betas=(0.9, 0.98), weight_decay=0.0)
    for n, p in model.named_parameters():
        p.requires_grad_(n not in fixed)
    ema = common.Ema([model, encoder], 0.998)
    path = os.path.join(args.work, "dit.pt")
    step, spent, chunks = 0, 0.0, 0
    if args.resume and os.path.exists(path):
        state = torch.load(path)
        model.load_state_dict(state["model"])
        encoder.load_state_dict(state["encoder"])
        if "muon" in state:  # not when the weights come from a model directory (restore.py)
            muon.load_state_dict(state["muon"])
            adam.load_state_dict(state["adam"])
        ema.load_state_dict(state["ema"])
        step, spent, chunks = state["step"], state["spent"], state["chunks"]
    kept = [(p, part, p[part].detach().clone()) for p, part in model.fixed_parts()]
    log = common.Log(os.path.join(args.work, "dit.jsonl"))
    torch.manual_seed(100 + 7 * step + rank)
    rng = np.random.default_rng((step, rank))
    def encode(texts):
        ids, length = text.batch_ids(tok, texts)
        with torch.no_grad():
            states = text.encode(encoder, ids, length)
        return model.text_kv(states), text.padding_bias(length, ids.shape[1])

    live = LiveRollouts(rng, model, world_of, encode)
    saved, cpu, losses = time.time(), time.process_time(), []
    meeting, local_steps, local_chunks = time.time() + SYNC_SECONDS, 0, 0
    base = spent
    while True:
        spent = base + time.process_time() - cpu
        done = spent / (args.minutes * 60)
        if time.time() >= meeting or done >= 1:
            done, meeting, total = common.average_parameters(
                params, local_steps, done, time.time() + SYNC_SECONDS, args.processes)
            step, chunks, local_steps = step + total, chunks + local_chunks * args.processes, 0
            local_chunks = 0
            if rank == 0 and (time.time() - saved > REPORT_SECONDS or done >= 1):
                _report(args, log, path, model, encoder, muon, adam, ema, tok, world_of, weight, dict(
                    step=step, spent=spent, core_s=time.process_time() - cpu, chunks=chunks,
                    loss=float(np.mean(losses or [0]))))
                saved, losses = time.time(), []
            if done >= 1:
                break
        clips, m, kind = plan_batch(rng, done)
        if kind == "live":
            kv, bias, target = live.prepare()
            loss = live_loss(rng, model, live, kv, bias, target, weight)
            k = 1
        else:
            loss, k = clip_loss(
                rng, model, encode, world_of, clips, m, kind == "own", weight)
        for p in params:
            p.grad = None
        loss.backward()
        for p in params:
            p.grad = torch.zeros_like(p) if p.grad is None else p.grad
        torch.nn.utils.clip_grad_norm_(others, 1.0)
        factor = common.rate_at(done, hold=0.55, floor=0.04)
        for group in adam.param_groups:
            group["lr"] = group["rate"] * factor
        muon.step(factor)
        adam.step()
        with torch.no_grad():
            for p, part, value in kept:
                p[part] = value
        ema.update()
        if kind == "live":
            live.advance(kv, bias)
        local_steps, local_chunks = local_steps + 1, local_chunks + clips * k
        losses.append(float(loss.detach()))


def _report(args, log, path, model, encoder, muon, adam, ema, tok, world_of, weight, row):
    """Validates the averaged weights, logs and saves."""
    live = [{k: v.clone() for k, v in m.state_dict().items()} for m in (model, encoder)]
    for module, value in zip((model, encoder), ema.values):
        module.load_state_dict(value)
    row.update(validate(model, encoder, tok, world_of, weight))
    log(**row)
    for module, value in zip((model, encoder), live):
        module.load_state_dict(value)
    common.save(path, model=live[0], encoder=live[1], muon=muon.state_dict(),
                adam=adam.state_dict(), ema=ema.state_dict(), step=row["step"],
                spent=row["spent"], chunks=row["chunks"])


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--work", required=True)
    args.add_argument("--minutes", type=float, default=85,
                      help="processor time of one process, resumes included")
    args.add_argument("--processes", type=int, default=2)
    args.add_argument("--level", choices=("plain", "rich"), default="plain")
    args.add_argument("--compile", action="store_true",
                      help="fuse the blocks with torch.compile: 1.7 times faster, needs a C++ compiler")
    args.add_argument("--resume", action="store_true")
    args = args.parse_args()
    if args.processes == 1:
        run(0, args)
    else:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # takes the children along
        mp.spawn(run, (args,), nprocs=args.processes, daemon=True)


if __name__ == "__main__":
    main()
