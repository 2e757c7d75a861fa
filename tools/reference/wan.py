# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""F1, F2, F3: the transformer without a cache (diffusers WanTransformer3DModel, float64)."""

import causal
import library
import torch
import weights
from diffusers import WanTransformer3DModel

SEED = 101
CONFIG = dict(
    _class_name="WanTransformer3DModel",
    patch_size=[1, 2, 2],
    num_attention_heads=2,
    attention_head_dim=24,
    ffn_dim=64,
    num_layers=2,
    in_channels=16,
    out_channels=16,
    text_dim=24,
    freq_dim=256,
    cross_attn_norm=True,
    qk_norm="rms_norm_across_heads",
    eps=1e-6,
    rope_max_seq_len=1024,
)


def make(config, seed):
    return library.build(lambda: WanTransformer3DModel.from_config(config), seed)


def text_states(seed, text_dim, rows=12, real=7):
    """Rows after the prompt are zero, as the pipelines pass them; they are attended to."""
    states = weights.normal(seed, "input.text", rows, text_dim)
    states[real:] = 0
    return states


def run(model, latent, t, text):
    """latent [16,F,h,w], t [1] or [1,N], text [rows,text_dim] -> flow [16,F,h,w]."""
    with library.everything_float64():
        return model(latent.double()[None], t.double(), text.double()[None], return_dict=False)[0][
            0
        ]


def record(module, into, name):
    """Keeps what a submodule returns, without the batch dimension."""
    return module.register_forward_hook(lambda _m, _i, output: into.__setitem__(name, output[0]))


def check(name, config, seed, latent, t, text, flow):
    """Holds our own float64 reference against the library."""
    frames = latent.shape[1]
    ours, _ = causal.Transformer(config, seed).forward(
        latent.double(), t.expand(frames), text.double(), list(range(frames))
    )
    error = library.relative_error(ours, flow)
    print(f"{name}: causal.py against diffusers: {error:.1e}")
    assert error < 1e-12


def f1():
    model = make(CONFIG, SEED)
    latent = weights.normal(SEED, "input.latent", 16, 3, 8, 8)
    text = text_states(SEED, CONFIG["text_dim"])
    out = dict(latent=latent, t=torch.tensor([937.5]), text=text)
    record(model.patch_embedding, out, "patch_embedding")
    record(model.condition_embedder.timesteps_proj, out, "sinusoid")
    record(model.condition_embedder.time_embedder, out, "e")
    record(model.condition_embedder.time_proj, out, "E")
    record(model.condition_embedder.text_embedder, out, "T")
    for i, block in enumerate(model.blocks):
        record(block.attn1, out, f"block.{i}.attn1")
        record(block.attn2, out, f"block.{i}.attn2")
        record(block.ffn, out, f"block.{i}.ffn")
        record(block, out, f"block.{i}")
    out["flow"] = run(model, latent, out["t"], text)
    patches = out["patch_embedding"]
    out["patch_embedding"] = patches.flatten(1).T  # [tokens, d], as the blocks see them
    out["E"] = out["E"].unflatten(0, (6, -1))
    check("f1", CONFIG, SEED, latent, out["t"], text, out["flow"])
    library.save("f1", out, transformer=CONFIG, weight_seed=SEED)


def f2():
    config = dict(CONFIG, attention_head_dim=128, num_layers=1)
    model = make(config, SEED + 1)
    latent = weights.normal(SEED + 1, "input.latent", 16, 2, 12, 20)
    text = text_states(SEED + 1, config["text_dim"])
    out = dict(latent=latent, t=torch.tensor([625.0]), text=text)

    import diffusers.models.transformers.transformer_wan as library_module

    dispatch = library_module.dispatch_attention_fn

    def spy(query, key, value, **kwargs):
        if "q" not in out:  # self-attention comes first
            out["q"], out["k"] = query[0], key[0]  # [tokens, heads, head_dim]
        return dispatch(query, key, value, **kwargs)

    library_module.dispatch_attention_fn = spy
    out["flow"] = run(model, latent, out["t"], text)
    library_module.dispatch_attention_fn = dispatch
    check("f2", config, SEED + 1, latent, out["t"], text, out["flow"])
    library.save("f2", out, transformer=config, weight_seed=SEED + 1)


def f3():
    model = make(CONFIG, SEED)
    latent = weights.normal(SEED + 2, "input.latent", 16, 3, 8, 8)
    text = text_states(SEED + 2, CONFIG["text_dim"])
    t = torch.tensor([1000.0, 937.5, 0.0])  # per frame
    flow = run(model, latent, t.repeat_interleave(16)[None], text)  # 16 tokens per frame
    check("f3", CONFIG, SEED, latent, t, text, flow)
    library.save(
        "f3", dict(latent=latent, t=t, text=text, flow=flow), transformer=CONFIG, weight_seed=SEED
    )


def f7():
    """Depth: rounding over 30 layers."""
    config = dict(CONFIG, num_attention_heads=2, attention_head_dim=128, ffn_dim=512, num_layers=30)
    model = make(config, SEED + 7)
    latent = weights.normal(SEED + 7, "input.latent", 16, 3, 4, 4)
    text = text_states(SEED + 7, config["text_dim"])
    t = torch.tensor([833.3333])
    flow = run(model, latent, t, text)
    check("f7", config, SEED + 7, latent, t, text, flow)
    library.save(
        "f7", dict(latent=latent, t=t, text=text, flow=flow), transformer=config, weight_seed=SEED + 7
    )
