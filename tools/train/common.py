# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Shared by all training phases: Muon + AdamW, EMA, schedules, checkpoints, two-process training."""

import json
import os
import time
from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed as dist

import pca as pca_lib


# bf16 matrix products are 2-3 times faster than float32 where the processor has them, and many
# times slower where it has not.
FAST_BF16 = torch.cpu._is_avx512_bf16_supported()


def fast_products():
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=FAST_BF16)


def load_pca(work):
    with np.load(os.path.join(work, "pca.npz")) as f:
        return {k: f[k] for k in f.files}


@dataclass
class World:
    """What is trained on: a level of world.draw_scene and its fixed latents."""
    level: str
    pca: dict


def ensure_pca(work, level):
    os.makedirs(work, exist_ok=True)
    if not os.path.exists(os.path.join(work, "pca.npz")):
        np.savez(os.path.join(work, "pca.npz"), **pca_lib.fit(level))
    return load_pca(work)


def _orthogonalise(g, steps=5):
    """Newton-Schulz iteration towards the nearest orthogonal matrix; g [batch, rows, cols]."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = g.bfloat16() if FAST_BF16 else g
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        s = x @ x.mT
        x = a * x + (b * s + c * s @ s) @ x
    return (x.mT if tall else x).float()


class Muon:
    """Momentum, orthogonalised updates for hidden matrices; matrices of one shape go together."""

    def __init__(self, params, lr=0.012, momentum=0.95, weight_decay=0.01):
        self.lr, self.momentum, self.weight_decay = lr, momentum, weight_decay
        self.groups = {}
        for p in params:
            self.groups.setdefault(tuple(p.shape), []).append(p)
        self.buffers = {s: [torch.zeros_like(p) for p in g] for s, g in self.groups.items()}

    @torch.no_grad()
    def step(self, scale):
        for shape, params in self.groups.items():
            nesterov = []
            for p, m in zip(params, self.buffers[shape]):
                m.mul_(self.momentum).add_(p.grad)
                nesterov.append(p.grad + self.momentum * m)
            update = _orthogonalise(torch.stack(nesterov))
            rate = self.lr * scale * max(1.0, shape[0] / shape[1]) ** 0.5
            for p, u in zip(params, update):
                p.mul_(1 - self.lr * scale * self.weight_decay).add_(u, alpha=-rate)

    def state_dict(self):
        return self.buffers

    def load_state_dict(self, state):
        self.buffers = state


class Ema:
    def __init__(self, modules, decay):
        self.decay = decay
        self.modules = modules
        self.steps = 0
        self.values = [{k: v.detach().clone() for k, v in m.state_dict().items()} for m in modules]

    @torch.no_grad()
    def update(self):
        self.steps += 1
        d = min(self.decay, (1 + self.steps) / (10 + self.steps))
        for value, module in zip(self.values, self.modules):
            for k, v in module.state_dict().items():
                value[k].lerp_(v, 1 - d)

    def state_dict(self):
        return {"values": self.values, "steps": self.steps}

    def load_state_dict(self, state):
        self.values, self.steps = state["values"], state["steps"]


def rate_at(done, hold=0.5, floor=0.03, warmup=0.01):
    """Learning-rate factor at a share of the budget: warm up, hold, then linear down."""
    if done < warmup:
        return max(0.02, done / warmup)
    if done < hold:
        return 1.0
    return max(floor, 1 - (1 - floor) * (done - hold) / max(1e-9, 1 - hold))


def save(path, **state):
    torch.save(state, path + ".tmp")
    os.replace(path + ".tmp", path)


class Log:
    """Appends one JSON object per line to a file and prints it."""

    def __init__(self, path):
        self.path, self.start = path, time.time()

    def __call__(self, **row):
        line = json.dumps({k: round(v, 5) if isinstance(v, float) else v for k, v in row.items()})
        with open(self.path, "a") as f:
            f.write(line + "\n")
        print(line, flush=True)


def setup_process(rank, world_size, port=29511):
    torch.set_num_threads(1)
    if world_size > 1:
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
        dist.init_process_group("gloo", rank=rank, world_size=world_size)


@torch.no_grad()
def average_parameters(params, steps, done, meeting, world_size):
    """Averages over processes, weighted by steps done since the last time.

    -> (share of the budget done and time of the next meeting as process 0 sees them, steps of all
    processes).
    """
    if world_size == 1:
        return done, meeting, steps
    first = dist.get_rank() == 0
    head = torch.tensor([float(steps), done * first, meeting * first], dtype=torch.float64)
    dist.all_reduce(head)
    total, done, meeting = head.tolist()
    flat = torch.cat([p.reshape(-1) for p in params])
    flat *= steps / total if total else 1 / world_size
    dist.all_reduce(flat)
    at = 0
    for p in params:
        p.copy_(flat[at:at + p.numel()].view_as(p))
        at += p.numel()
    return done, meeting, int(total)
