# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Names and shapes of the Wan 2.1 transformer: original, as checkpoints have them, and published, as
the Diffusers directory does. Needs nothing beyond Python."""
import re

# What wrappers of training put between the parts of a name, and what savers put before it.
WRAPPERS = {"_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_orig_mod", "module"}
PREFIXES = {"base_model", "model", "generator", "transformer", "diffusion_model"}

# Original name -> published name; {i} is the block. Note that the original norm3 is the published
# norm2: both exist in both layouts, and swapping them would run.
BLOCK_NAMES = {
    "modulation": "scale_shift_table",
    "norm3": "norm2",
    "ffn.0": "ffn.net.0.proj",
    "ffn.2": "ffn.net.2",
}
ATTENTION_NAMES = {"q": "to_q", "k": "to_k", "v": "to_v", "o": "to_out.0",
                   "norm_q": "norm_q", "norm_k": "norm_k"}
GLOBAL_NAMES = {
    "patch_embedding": "patch_embedding",
    "time_embedding.0": "condition_embedder.time_embedder.linear_1",
    "time_embedding.2": "condition_embedder.time_embedder.linear_2",
    "time_projection.1": "condition_embedder.time_proj",
    "text_embedding.0": "condition_embedder.text_embedder.linear_1",
    "text_embedding.2": "condition_embedder.text_embedder.linear_2",
    "head.modulation": "scale_shift_table",
    "head.head": "proj_out",
}
for attention, published in (("self_attn", "attn1"), ("cross_attn", "attn2")):
    for name, new in ATTENTION_NAMES.items():
        BLOCK_NAMES[f"{attention}.{name}"] = f"{published}.{new}"


class ConvertError(Exception):
    """One clear sentence for the user."""


def strip_prefixes(name):
    parts = [part for part in name.split(".") if part not in WRAPPERS]
    while len(parts) > 1 and parts[0] in PREFIXES:
        parts.pop(0)
    return ".".join(parts)


def translate(stem, block_names, global_names):
    """The other layout's name of a module or of a tensor without suffix; None when there is none."""
    block = re.fullmatch(r"blocks\.(\d+)\.(.+)", stem)
    if not block:
        return global_names.get(stem)
    new = block_names.get(block.group(2))
    return f"blocks.{block.group(1)}.{new}" if new else None


def published_name(name):
    """The published name of an original tensor; None when it is not one."""
    stem, suffix = re.fullmatch(r"(.+?)(\.weight|\.bias)?", name).groups()
    new = translate(stem, BLOCK_NAMES, GLOBAL_NAMES)
    return new + (suffix or "") if new else None


def original_stem(stem):
    """The original name of a published module; None when it is not one."""
    return translate(stem, {new: old for old, new in BLOCK_NAMES.items()},
                     {new: old for old, new in GLOBAL_NAMES.items()})


def expected_shapes(config):
    """Published name -> shape of every tensor that a transformer of this config.json has."""
    width = config["num_attention_heads"] * config["attention_head_dim"]
    patch = list(config.get("patch_size", [1, 2, 2]))
    patch_values = patch[0] * patch[1] * patch[2] * config["out_channels"]
    shapes = {"patch_embedding.weight": [width, config["in_channels"], *patch],
              "patch_embedding.bias": [width], "scale_shift_table": [1, 2, width]}

    def linear(name, rows, columns):
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = [rows, columns], [rows]

    linear("condition_embedder.time_embedder.linear_1", width, config["freq_dim"])
    linear("condition_embedder.time_embedder.linear_2", width, width)
    linear("condition_embedder.time_proj", 6 * width, width)
    linear("condition_embedder.text_embedder.linear_1", width, config["text_dim"])
    linear("condition_embedder.text_embedder.linear_2", width, width)
    linear("proj_out", patch_values, width)
    for i in range(config["num_layers"]):
        block = f"blocks.{i}"
        shapes[f"{block}.scale_shift_table"] = [1, 6, width]
        for attention in ("attn1", "attn2"):
            for name in ("to_q", "to_k", "to_v", "to_out.0"):
                linear(f"{block}.{attention}.{name}", width, width)
            for name in ("norm_q", "norm_k"):
                shapes[f"{block}.{attention}.{name}.weight"] = [width]
        if config.get("cross_attn_norm", True):
            shapes[f"{block}.norm2.weight"] = shapes[f"{block}.norm2.bias"] = [width]
        linear(f"{block}.ffn.net.0.proj", config["ffn_dim"], width)
        linear(f"{block}.ffn.net.2", width, config["ffn_dim"])
    return shapes
