# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""F5: chunks with a K/V cache, three passes each (two noisy, one clean); checks causal.py."""

import causal
import library
import torch
import wan
import weights

SEED = 105
CONFIG = dict(wan.CONFIG)
N = 3  # frames per chunk
TIMES = torch.tensor([1000.0, 625.0, 0.0])
CASES = {
    "global": (7, lambda c: causal.window_plan(c, N, 21, 0)),
    "window9": (8, lambda c: causal.window_plan(c, N, 9, 0)),
    "window9_sink3": (8, lambda c: causal.window_plan(c, N, 9, 3)),
    "rolling_sink": (20, lambda c: causal.rolling_sink_plan(c, N, 21)),
}


def run_chunks(model, text, x, chunks, plan_of, shift=lambda c, plan: 0):
    """Passes of x [chunks,3,16,n,h,w] -> flows, K, V. shift: what is taken off RoPE indices."""
    cache = causal.Cache(CONFIG["num_layers"])
    flows, keys, values = [], [], []
    for b in range(chunks):
        c = b * N
        plan = plan_of(c)
        start = shift(c, plan)
        context = cache.context([(j, p - start) for j, p in plan])
        indices = [c + j - start for j in range(N)]
        passes = [
            model.forward(x[b, p].double(), t.expand(N), text.double(), indices, context)
            for p, t in enumerate(TIMES)
        ]
        flows.append(torch.stack([flow for flow, _ in passes]))
        kept = passes[-1][1]
        cache.keep(c, kept)
        keys.append(torch.stack([k for k, _ in kept]))
        values.append(torch.stack([v for _, v in kept]))
    return torch.stack(flows), torch.stack(keys), torch.stack(values)


def check_first_chunk(model, text, x, flows):
    published = wan.make(CONFIG, SEED)
    for p, t in enumerate(TIMES):
        error = library.relative_error(flows[0, p], wan.run(published, x[0, p], t[None], text))
        print(f"f5: first chunk, t={float(t)}, against diffusers: {error:.1e}")
        assert error < 1e-12


def check_masks(model, text, x, case, window, sink, flows):
    """Spec 3.4: [clean | noisy] in one forward under the teacher-forcing mask."""
    chunks = flows.shape[0]
    frames = chunks * N

    def sees(b, k):
        end = (b + 1) * N
        return k < end and (end <= window or k >= end - (window - sink) or k < sink)

    clean = torch.tensor([[sees(q // N, k) for k in range(frames)] for q in range(frames)])
    same = torch.tensor([[q // N == k // N for k in range(frames)] for q in range(frames)])
    none = torch.zeros_like(same)
    mask = torch.cat([torch.cat([clean, none], 1), torch.cat([clean & ~same, same], 1)])

    def joined(p):
        return torch.cat(list(x[:chunks, p]), dim=1).double()

    for p in (0, 1):
        both = torch.cat([joined(2), joined(p)], dim=1)
        t = torch.cat([TIMES[2].expand(frames), TIMES[p].expand(frames)])
        full, _ = model.forward(both, t, text.double(), list(range(frames)) * 2, mask=mask)
        for half, q in ((full[:, :frames], 2), (full[:, frames:], p)):
            error = library.relative_error(torch.cat(list(flows[:, q]), dim=1), half)
            print(f"f5: {case}, pass {q}, chunks against full-sequence mask: {error:.1e}")
            assert error < 1e-12


def padded(plan, rows=18):
    return torch.tensor(plan + [(-1, -1)] * (rows - len(plan)))


def f5():
    model = causal.Transformer(CONFIG, SEED)
    text = wan.text_states(SEED, CONFIG["text_dim"])
    x = weights.normal(SEED, "input.passes", 20, 3, 16, N, 4, 4)
    out = dict(x=x, t=TIMES, text=text)
    for case, (chunks, plan_of) in CASES.items():
        flows, keys, values = run_chunks(model, text, x, chunks, plan_of)
        out[case + ".plan"] = torch.stack([padded(plan_of(b * N)) for b in range(chunks)])
        first = 7 if case == "rolling_sink" else 0  # before that it is the global case
        for name, t in (("flow", flows), ("k", keys), ("v", values)):
            out[f"{case}.{name}"] = t[first:]
        if case == "global":
            check_first_chunk(model, text, x, flows)
        if case == "rolling_sink":
            relative, _, _ = run_chunks(
                model, text, x, chunks, plan_of, lambda c, plan: plan[0][1] if plan else c
            )
            error = library.relative_error(relative, flows)
            print(f"f5: rolling_sink, absolute against relative indices: {error:.1e}")
            error = library.relative_error(flows[:7], out["global.flow"])
            print(f"f5: rolling_sink against global, first 7 chunks: {error:.1e}")
        else:
            window, sink = {"global": (21, 0), "window9": (9, 0), "window9_sink3": (9, 3)}[case]
            check_masks(model, text, x, case, window, sink, flows)
    library.save("f5", out, transformer=CONFIG, weight_seed=SEED, chunk_frames=N)
