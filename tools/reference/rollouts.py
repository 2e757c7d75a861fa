# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""F6: whole rollouts of every policy, float64, written from spec 3.4, 3.7, 3.8 and 4; tiny models.

Nothing here shares code with the engine but the noise generator and the synthetic weights.
"""

import causal
import library
import philox
import samplers
import torch
import wan

SEED, SESSION_SEED = 106, 2027
CONFIG = dict(wan.CONFIG)
N = 3
SHAPE = (16, N, 4, 4)


def noise(chunk, step, frames=N):
    shape = (16, frames, 4, 4)
    return torch.from_numpy(philox.chunk_noise(SESSION_SEED, chunk, step, shape)).double()


def warped(steps, shift=5.0):
    """Spec 4.2 -> sigma, and t rounded to float32 as the engine hands it on."""
    u = torch.tensor(steps, dtype=torch.float64) / 1000
    sigma = shift * u / (1 + (shift - 1) * u)
    return sigma, (1000 * sigma).float()


class Session:
    """Frames' clean K/V, latents made so far, and what the prompt is."""

    def __init__(self, texts):
        self.model = causal.Transformer(CONFIG, SEED)
        self.texts = [t.double() for t in texts]  # one per guidance branch
        self.caches = [causal.Cache(CONFIG["num_layers"]) for _ in texts]
        self.latents = []

    def flow(self, x, t, plan, indices, guidance=1.0):
        flows = [
            self.model.forward(x, t, text, indices, cache.context(plan))[0]
            for text, cache in zip(self.texts, self.caches)
        ]
        if len(flows) == 1:
            return flows[0]
        return flows[1] + guidance * (flows[0] - flows[1])

    def clean(self, x, first, plan, indices):
        frames = x.shape[1]
        for text, cache in zip(self.texts, self.caches):
            kept = self.model.forward(x, torch.zeros(frames), text, indices, cache.context(plan))[1]
            cache.keep(first, kept)

    def frame_latents(self, first, end):
        return torch.cat(self.latents, 1)[:, first:end]


def sliding(c, window, sink, sink_start=0, slots=False):
    """Spec 3.4, window and "infinity" -> plan, indices of the chunk's frames."""
    if c + N <= window:
        return [(j, j) for j in range(c)], list(range(c, c + N))
    frames = list(range(sink_start, sink_start + sink)) + list(range(c + N - (window - sink), c))
    if slots:
        return [(f, i) for i, f in enumerate(frames)], list(range(window - N, window))
    return [(f, f) for f in frames], list(range(c, c + N))


def recache(session, c, window, sink, sink_start, keep_sink, slots):
    """Spec 3.8 -> where the sink begins from now on."""
    m = min(window, c)
    first, plan = c - m, []
    if keep_sink and c > window:
        first += sink
        plan = [(j, j) for j in range(sink_start, sink_start + sink)]
    elif c > window:
        sink_start = first
    indices = list(range(first, c))
    if slots:
        plan = [(f, i) for i, (f, _) in enumerate(plan)]
        indices = [len(plan) + i for i in range(c - first)]
    cache = session.caches[0]
    x = session.frame_latents(first, c)
    kept = session.model.forward(
        x, torch.zeros(c - first), session.texts[0], indices, cache.context(plan)
    )[1]
    cache.keep(first, kept)
    return sink_start


def few_step(session, b, plan, indices):
    sigma, t = warped([1000, 500])
    x = noise(b, 0)
    for k in range(len(t)):
        x0 = x - sigma[k] * session.flow(x, t[k].expand(N), plan, indices)
        if k + 1 < len(t):
            x = (1 - sigma[k + 1]) * x0 + sigma[k + 1] * noise(b, k + 1)
    return x0


def windowed(texts, chunks, window, sink, slots=False, switches=(), keep_sink=True):
    """Few-step chunks; at the chunks of `switches` the prompt becomes the next text."""
    session = Session(texts[:1])
    waiting, sink_start = list(texts[1:]), 0
    for b in range(chunks):
        c = b * N
        if b in switches:
            session.texts[0] = waiting.pop(0).double()
            sink_start = recache(session, c, window, sink, sink_start, keep_sink, slots)
        plan, indices = sliding(c, window, sink, sink_start, slots)
        x0 = few_step(session, b, plan, indices)
        session.clean(x0, c, plan, indices)
        session.latents.append(x0)
    return torch.stack(session.latents)


def guided(texts, chunks, guidance, count, spacing):
    """UniPC with guidance: two caches, the solver starts anew for each chunk (spec 4.3)."""
    session = Session(texts)
    for b in range(chunks):
        plan, indices = sliding(b * N, 9, 0)
        solver = samplers.UniPc(*samplers.levels(spacing, count, 5.0))
        x = noise(b, 0)
        for i in range(count):
            t = torch.tensor(solver.t[i], dtype=torch.float32).expand(N)
            x = solver.step(i, x, session.flow(x, t, plan, indices, guidance))
        session.clean(x, b * N, plan, indices)
        session.latents.append(x)
    return torch.stack(session.latents)


def bidirectional(texts, frames, guidance, count):
    """The base model: one chunk of all frames (spec 4.3)."""
    session = Session(texts)
    solver = samplers.UniPc(*samplers.levels("wan", count, 5.0))
    x = noise(0, 0, frames)
    for i in range(count):
        t = torch.tensor(solver.t[i], dtype=torch.float32).expand(frames)
        x = solver.step(i, x, session.flow(x, t, [], list(range(frames)), guidance))
    return x


def rolling(text, chunks, window=21, anchor=3):
    """Spec 3.7."""
    sigma, t = warped([1000, 800, 600, 400, 200])
    levels = len(t)
    session = Session([text])
    x, done = {}, 0
    for advance in range(chunks + levels - 1):
        work = [j for j in range(advance - levels + 1, advance + 1) if 0 <= j < chunks]
        if advance < chunks:
            x[advance] = noise(advance, 0)
        start, frames = work[0] * N, len(work) * N
        plan = []
        if start > 0:
            latest = max(anchor, start - (window - frames - anchor))
            plan = [(i, latest - anchor + i) for i in range(anchor)]
            plan += [(j, j) for j in range(latest, start)]
        times = torch.cat([t[advance - j].expand(N) for j in work])
        joined = torch.cat([x[j] for j in work], 1)
        flow = session.flow(joined, times, plan, list(range(start, start + frames)))
        for i, j in enumerate(work):
            level = advance - j
            x0 = x[j] - sigma[level] * flow[:, i * N : (i + 1) * N]
            if level + 1 < levels:
                x[j] = (1 - sigma[level + 1]) * x0 + sigma[level + 1] * noise(j, level + 1)
            else:
                x[j] = x0
        if advance >= levels - 1:
            c = done * N
            first = max(0, c + N - window)
            session.clean(x[done], c, [(j, j) for j in range(first, c)], list(range(c, c + N)))
            session.latents.append(x[done])
            done += 1
    return torch.stack(session.latents)


def f6():
    texts = [wan.text_states(SEED + i, CONFIG["text_dim"]) for i in range(3)]
    out = {f"text.{i}": t for i, t in enumerate(texts)}
    out["slot_window"] = windowed(texts[:1], 6, 9, 3, slots=True)[2:]
    for keep in (True, False):
        name = "recache" if keep else "recache_and_sink"
        for b in (2, 4, 6):  # c = 6, 12, 18 with a window of 9
            out[f"{name}.{b}"] = windowed(texts[:2], b + 4, 9, 3, switches=(b,), keep_sink=keep)[b:]
        out[f"{name}.slots"] = windowed(
            texts[:2], 8, 9, 3, slots=True, switches=(4,), keep_sink=keep
        )[4:]
        # The second switch comes before the first one's sink has left the window.
        out[f"{name}.twice"] = windowed(texts, 9, 9, 3, switches=(4, 5), keep_sink=keep)[4:]
    swapped = windowed(texts[:1], 6, 9, 3)
    print("f6: re-cache matters:", library.relative_error(out["recache.4"][:2], swapped[4:]))
    for spacing in ("wan", "diffusers"):
        out[f"guided.{spacing}"] = guided(texts[:2], 3, 3.0, 4, spacing)
    out["bidirectional"] = bidirectional(texts[:2], 9, 5.0, 5)
    out["rolling"] = rolling(texts[0], 12)
    out["rolling.short"] = rolling(texts[0], 3)
    library.save(
        "f6", out, transformer=CONFIG, weight_seed=SEED, session_seed=SESSION_SEED, chunk_frames=N
    )
