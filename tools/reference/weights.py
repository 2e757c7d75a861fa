# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Synthetic weights as functions of (seed, name, shape); contract in tests/golden/README.md."""

import math

import torch
from philox import fnv1a64, philox_normal


def mean_and_scale(name, shape, d_kv=64):
    """First rule that matches wins. d_kv matters only to UMT5, whose scores are not scaled."""
    if name.endswith("scale_shift_table"):
        return 0.0, 0.3
    if name.endswith("gamma") or ("norm" in name and name.endswith(".weight") and len(shape) == 1):
        return 1.0, 0.05
    if name.endswith(".bias"):
        return 0.0, 0.05
    if name.endswith("relative_attention_bias.weight"):
        return 0.0, 0.5
    if name.endswith("shared.weight"):
        return 0.0, 1.0
    fan_in = math.prod(shape[1:])
    if name.endswith("SelfAttention.q.weight"):
        return 0.0, 1.0 / math.sqrt(fan_in * d_kv)
    return 0.0, 1.0 / math.sqrt(fan_in)


def tensor(seed, name, shape, d_kv=64):
    mean, scale = mean_and_scale(name, shape, d_kv)
    z = philox_normal(seed, fnv1a64(name), math.prod(shape)).astype("float64")
    return torch.from_numpy((mean + scale * z).astype("float32")).reshape(shape)


def fill(model, seed, d_kv=64):
    """Sets every parameter of a torch module; a tied alias gets the first name, never a second."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(tensor(seed, name, tuple(parameter.shape), d_kv))
    return model


def normal(seed, name, *shape):
    """A named float32 input tensor, N(0, 1)."""
    return torch.from_numpy(philox_normal(seed, fnv1a64(name), math.prod(shape))).reshape(shape)


def examples():
    """weights.json: one tensor per rule, so that a twin in C++ can be checked alone."""
    cases = [
        (101, "blocks.0.scale_shift_table", (1, 6, 48)),
        (101, "blocks.0.attn1.norm_q.weight", (48,)),
        (101, "blocks.0.norm2.bias", (48,)),
        (101, "patch_embedding.weight", (48, 16, 1, 2, 2)),
        (108, "decoder.norm_out.gamma", (8, 1, 1, 1)),
        (109, "shared.weight", (300, 32)),
        (109, "encoder.block.0.layer.0.SelfAttention.q.weight", (32, 32)),
        (109, "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", (32, 4)),
        (109, "encoder.final_layer_norm.weight", (32,)),
    ]
    for seed, name, shape in cases:
        values = tensor(seed, name, shape, d_kv=8).flatten()
        bits = values.numpy().view("uint32")
        yield dict(
            seed=seed,
            name=name,
            shape=shape,
            d_kv=8,
            stream=f"{fnv1a64(name):#018x}",
            first_bits=[f"{b:#010x}" for b in bits[:5]],
            last_bits=f"{bits[-1]:#010x}",
        )
