# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""The causal transformer in float64, written from spec 2 and 3 alone (no library model).

Keys are kept unrotated per (layer, frame); a plan, a list of (source frame, RoPE index), says what
a forward attends to. wan.py and causal_fixtures.py hold it against diffusers and against the
full-sequence masks of spec 3.4.
"""

import math

import torch
import torch.nn.functional as F
import weights

F64 = torch.float64


def window_plan(c, n, window, sink):
    """Spec 3.4: keys (source frame, RoPE index) of the chunk at frame c; queries use c..c+n-1."""
    if c + n <= window:
        return [(j, j) for j in range(c)]
    recent = c + n - (window - sink)
    return [(j, j) for j in range(c) if j < sink or j >= recent]


def ping_pong(p, period):
    return p % period if (p // period) % 2 == 0 else period - 1 - p % period


def rolling_sink_plan(c, n, window):
    """Spec 3.6."""
    if c + n <= window:
        return [(j, j) for j in range(c)]
    history = window - n
    scrolled = [(ping_pong(p, history), p) for p in range(c - history, c - n)]
    return scrolled + [(j, j) for j in range(c - n, c)]


def sinusoid(t, size):
    half = size // 2
    angle = t[:, None] * 10000.0 ** (-torch.arange(half, dtype=F64) / half)
    return torch.cat([torch.cos(angle), torch.sin(angle)], dim=1)


def rope_angles(frames, height, width, head_dim):
    """[len(frames) * height * width, head_dim / 2]; frames are RoPE indices, any integers."""
    spatial = 2 * (head_dim // 6)
    sizes = [head_dim - 2 * spatial, spatial, spatial]
    grid = torch.meshgrid(
        torch.as_tensor(frames, dtype=F64),
        torch.arange(height, dtype=F64),
        torch.arange(width, dtype=F64),
        indexing="ij",
    )
    parts = [
        p.reshape(-1, 1) * 10000.0 ** (-2.0 * torch.arange(size // 2, dtype=F64) / size)
        for p, size in zip(grid, sizes)
    ]
    return torch.cat(parts, dim=1)


def rotate(x, angles):
    """x [tokens, heads, D], pairs are adjacent channels."""
    a, b = x[..., 0::2], x[..., 1::2]
    cos, sin = torch.cos(angles)[:, None], torch.sin(angles)[:, None]
    return torch.stack([a * cos - b * sin, a * sin + b * cos], dim=-1).flatten(-2)


def rms(x, gain, eps):
    return x / torch.sqrt(x.pow(2).mean(-1, keepdim=True) + eps) * gain


def attend(q, k, v, mask=None):
    """[tokens, heads, D]; mask [queries, keys], true = visible."""
    scores = torch.einsum("qhd,khd->hqk", q, k) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return torch.einsum("hqk,khd->qhd", scores.softmax(-1), v)


class Transformer:
    def __init__(self, config, seed, dtype=F64):
        self.c, self.seed, self.dtype = config, seed, dtype
        self.heads, self.head_dim = config["num_attention_heads"], config["attention_head_dim"]
        self.d = self.heads * self.head_dim
        self.drawn = {}

    def w(self, name, *shape):
        if name not in self.drawn:
            self.drawn[name] = weights.tensor(self.seed, name, shape).to(self.dtype)
        return self.drawn[name]

    def linear(self, name, x, out):
        return x @ self.w(name + ".weight", out, x.shape[-1]).T + self.w(name + ".bias", out)

    def norm(self, x):
        return F.layer_norm(x, (self.d,), eps=self.c["eps"])

    def projections(self, name, x, source):
        """q, k (RMS over all d, unrotated) and v, each [tokens, heads, D]."""
        q, k, v = (
            self.linear(f"{name}.to_{r}", s, self.d)
            for r, s in (("q", x), ("k", source), ("v", source))
        )
        q = rms(q, self.w(name + ".norm_q.weight", self.d), self.c["eps"])
        k = rms(k, self.w(name + ".norm_k.weight", self.d), self.c["eps"])
        return [y.unflatten(1, (self.heads, self.head_dim)) for y in (q, k, v)]

    def forward(self, x, t, text, indices, context=None, mask=None):
        """x [C,F,h,w]; t [F]; text [rows, text_dim]; indices: the F RoPE indices.

        context: per layer (keys unrotated [K,S,heads,D], values, K RoPE indices).
        mask [F,F]: which frame sees which, without context; default all.
        Returns flow [C,F,h,w] and per layer (k unrotated, v), each [F,S,heads,D].
        """
        c, d = self.c, self.d
        channels, frames, h, w = x.shape
        gh, gw = h // 2, w // 2
        S = gh * gw
        patches = (
            x.reshape(channels, frames, gh, 2, gw, 2)
            .permute(1, 2, 4, 0, 3, 5)
            .reshape(frames * S, -1)
        )
        X = patches @ self.w("patch_embedding.weight", d, channels, 1, 2, 2).reshape(d, -1).T
        X = X + self.w("patch_embedding.bias", d)

        embed = "condition_embedder."
        s = sinusoid(t.to(F64), c["freq_dim"]).to(self.dtype)
        e = self.linear(embed + "time_embedder.linear_1", s, d)
        e = self.linear(embed + "time_embedder.linear_2", F.silu(e), d)
        E = self.linear(embed + "time_proj", F.silu(e), 6 * d).unflatten(1, (6, d))
        T = F.gelu(self.linear(embed + "text_embedder.linear_1", text, d), approximate="tanh")
        T = self.linear(embed + "text_embedder.linear_2", T, d)

        angles = rope_angles(indices, gh, gw, self.head_dim).to(self.dtype)
        token_mask = None if mask is None else mask.repeat_interleave(S, 0).repeat_interleave(S, 1)
        kept = []
        for i in range(c["num_layers"]):
            b = f"blocks.{i}."
            m = (self.w(b + "scale_shift_table", 1, 6, d) + E).repeat_interleave(S, 0).unbind(1)
            a = self.norm(X) * (1 + m[1]) + m[0]
            q, k, v = self.projections(b + "attn1", a, a)
            kept.append((k.unflatten(0, (frames, S)), v.unflatten(0, (frames, S))))
            keys, values = rotate(k, angles), v
            if context is not None and len(context[i][2]):
                ck, cv, cp = context[i]
                ck = rotate(ck.flatten(0, 1), rope_angles(cp, gh, gw, self.head_dim).to(self.dtype))
                keys, values = torch.cat([ck, keys]), torch.cat([cv.flatten(0, 1), values])
            o = attend(rotate(q, angles), keys, values, token_mask).flatten(1)
            X = X + self.linear(b + "attn1.to_out.0", o, d) * m[2]
            y = self.norm(X) * self.w(b + "norm2.weight", d) + self.w(b + "norm2.bias", d)
            X = X + self.linear(
                b + "attn2.to_out.0", attend(*self.projections(b + "attn2", y, T)).flatten(1), d
            )
            y = self.norm(X) * (1 + m[4]) + m[3]
            y = F.gelu(self.linear(b + "ffn.net.0.proj", y, c["ffn_dim"]), approximate="tanh")
            X = X + self.linear(b + "ffn.net.2", y, d) * m[5]

        u = (self.w("scale_shift_table", 1, 2, d) + e[:, None]).repeat_interleave(S, 0).unbind(1)
        out = self.linear("proj_out", self.norm(X) * (1 + u[1]) + u[0], 4 * c["out_channels"])
        flow = (
            out.reshape(frames, gh, gw, 2, 2, -1)
            .permute(5, 0, 1, 3, 2, 4)
            .reshape(-1, frames, h, w)
        )
        return flow, kept


class Cache:
    """Clean K and V per layer and frame."""

    def __init__(self, layers):
        self.k = [{} for _ in range(layers)]
        self.v = [{} for _ in range(layers)]

    def keep(self, first, kept):
        for layer, (k, v) in enumerate(kept):
            for j in range(k.shape[0]):
                self.k[layer][first + j], self.v[layer][first + j] = k[j], v[j]

    def context(self, plan):
        if not plan:
            return None
        sources, indices = [p[0] for p in plan], [p[1] for p in plan]
        return [
            (torch.stack([k[j] for j in sources]), torch.stack([v[j] for j in sources]), indices)
            for k, v in zip(self.k, self.v)
        ]
