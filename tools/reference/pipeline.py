# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""F13: prompt ids to frames, five chunks: F9's encoder, a causal transformer, F8's decoder."""

import causal
import library
import philox
import torch
import umt5
import wan
import wan_vae

SEED = 113  # transformer weights; encoder and VAE keep those of F9 and F8
SESSION_SEED = 2026
CHUNKS, N, TEXT_ROWS = 5, 3, 512
CONFIG = dict(wan.CONFIG, text_dim=umt5.CONFIG["d_model"])
STEPS, SHIFT = [1000, 750, 500, 250], 5.0


def schedule():
    """Spec 4.2, warped: sigma and t = 1000 sigma, each rounded from double to float32."""
    u = torch.tensor(STEPS, dtype=torch.float64) / 1000
    sigma = SHIFT * u / (1 + (SHIFT - 1) * u)
    return sigma.float(), (1000 * sigma).float()


def generate(model, text, plan_of, same_noise):
    """Latents [CHUNKS,16,N,4,4]. same_noise (Rolling Sink): all chunks start from chunk 0's."""
    sigma, t = schedule()
    sigma = sigma.to(model.dtype)
    cache = causal.Cache(CONFIG["num_layers"])

    def noise(chunk, step):
        return torch.from_numpy(philox.chunk_noise(SESSION_SEED, chunk, step, (16, N, 4, 4))).to(
            model.dtype
        )

    latents = []
    for b in range(CHUNKS):
        indices = list(range(b * N, b * N + N))
        context = cache.context(plan_of(b * N))
        x = noise(0 if same_noise else b, 0)
        for k in range(len(STEPS)):
            flow, _ = model.forward(x, t[k].expand(N), text, indices, context)
            x0 = x - sigma[k] * flow
            if k + 1 < len(STEPS):
                x = (1 - sigma[k + 1]) * x0 + sigma[k + 1] * noise(b, k + 1)
        _, kept = model.forward(x0, torch.zeros(N), text, indices, context)
        cache.keep(b * N, kept)
        latents.append(x0)
    return torch.stack(latents)


def f13():
    ids = umt5.ids_for(9, umt5.CONFIG["vocab_size"], 53)
    states = umt5.encode(umt5.make(umt5.CONFIG, umt5.SEED), ids)
    text = torch.zeros(TEXT_ROWS, CONFIG["text_dim"], dtype=torch.float64)
    text[: len(ids)] = states
    sigma, t = schedule()
    out = dict(ids=ids, states=states, sigma=sigma, t=t)

    plans = {
        "window": (lambda c: causal.window_plan(c, N, 9, 3), False),
        "rolling_sink": (lambda c: causal.rolling_sink_plan(c, N, 9), True),
    }
    single = causal.Transformer(CONFIG, SEED, torch.float32)
    for name, (plan_of, same_noise) in plans.items():
        latents = generate(causal.Transformer(CONFIG, SEED), text, plan_of, same_noise)
        error = library.relative_error(generate(single, text.float(), plan_of, same_noise), latents)
        print(f"f13: {name}, latents in float32 against float64: {error:.1e}")
        out[name + ".latents"] = latents

    decoder = wan_vae.Decoder(wan_vae.make(wan_vae.CONFIG, wan_vae.SEED))
    video = torch.cat(list(out["window.latents"]), dim=1)
    frames = torch.cat([decoder(video[:, i : i + 1]) for i in range(video.shape[1])], dim=1)
    out["frames"] = frames[:, :21]
    out["pixels"] = ((frames.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 3, 0)
    library.save(
        "f13",
        out,
        transformer=CONFIG,
        text_encoder=umt5.CONFIG,
        vae=wan_vae.CONFIG,
        transformer_seed=SEED,
        text_encoder_seed=umt5.SEED,
        vae_seed=wan_vae.SEED,
        session_seed=SESSION_SEED,
        step_list=STEPS,
        shift=SHIFT,
        chunk_frames=N,
        window=9,
        window_sink=3,
        text_rows=TEXT_ROWS,
    )
