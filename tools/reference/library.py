# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""The published models in float64, and how a fixture file is written."""

import contextlib
import importlib.metadata
import json
import os

import torch
import weights
from safetensors.torch import save_file

FIXTURES = os.path.join(os.path.dirname(__file__), "..", "..", "tests", "golden", "fixtures")
PACKAGES = [
    "torch",
    "diffusers",
    "transformers",
    "tokenizers",
    "sentencepiece",
    "safetensors",
    "numpy",
]


@contextlib.contextmanager
def everything_float64():
    """Inside, the libraries' own requests for float32 (norms, softmax, the timestep sinusoid) get
    float64, so that a model with float64 weights is a float64 reference from end to end."""
    single, to_single = torch.float32, torch.Tensor.float
    torch.float32, torch.Tensor.float = torch.float64, torch.Tensor.double
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad():
            yield
    finally:
        torch.float32, torch.Tensor.float = single, to_single
        torch.set_default_dtype(single)


def build(make, seed, d_kv=64):
    """A model with synthetic weights, float64, ready to run inside everything_float64()."""
    with everything_float64():
        return weights.fill(make(), seed, d_kv).double().eval()


def versions():
    return {name: importlib.metadata.version(name) for name in PACKAGES}


def save(name, tensors, **metadata):
    """Writes fixtures/<name>.safetensors. Floating tensors become float32, integers int32, bytes
    stay; a leading batch of one is the caller's to remove. metadata values are stored as JSON."""

    def narrow(t):
        kind = torch.float32 if t.is_floating_point() else torch.int32
        return t.to(torch.uint8 if t.dtype == torch.uint8 else kind).contiguous()

    path = os.path.join(FIXTURES, name + ".safetensors")
    metadata["versions"] = versions()
    save_file(
        {key: narrow(t).clone() for key, t in tensors.items()},
        path,
        {key: json.dumps(value, sort_keys=True) for key, value in metadata.items()},
    )
    _sort_metadata(path)
    os.chmod(path, 0o644)
    print(f"{name}: {os.path.getsize(path)} bytes, {len(tensors)} tensors")


def _sort_metadata(path):
    """save_file writes metadata in random order; sorted, the same run gives the same bytes."""
    with open(path, "r+b") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        assert len(text) <= size
        file.seek(8)
        file.write(text.ljust(size))


def relative_error(a, b):
    return float((a.double() - b.double()).norm() / b.double().norm())
