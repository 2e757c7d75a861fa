# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""The embedded model, renamed to a checkpoint's names with its prefixes, converts back to itself.

usage: python tools/convert/convert_test.py   (needs torch and safetensors)
"""
import os
import re
import subprocess
import sys
import tempfile

try:
    import torch
    from safetensors.torch import load_file
except ImportError:  # neither comes with the product
    sys.exit(77)

import convert

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BASE = os.path.join(ROOT, "models", "shapes-small")


def original_names():
    names = {new: old for old, new in convert.GLOBAL_NAMES.items()}
    blocks = {new: old for old, new in convert.BLOCK_NAMES.items()}
    return names, blocks


def to_original(name):
    names, blocks = original_names()
    stem, suffix = re.fullmatch(r"(.+?)(\.weight|\.bias)?", name).groups()
    match = re.fullmatch(r"blocks\.(\d+)\.(.+)", stem)
    if match:
        return f"model.blocks.{match.group(1)}._fsdp_wrapped_module.{blocks[match.group(2)]}{suffix or ''}"
    return f"model.{names[stem]}{suffix or ''}"


def run(*arguments):
    return subprocess.run([sys.executable, os.path.join(ROOT, "tools/convert/convert.py"), *arguments],
                          capture_output=True, text=True, check=False)


def main():
    folder = os.path.join(BASE, "transformer")
    weights = load_file(os.path.join(folder, "diffusion_pytorch_model.safetensors"))
    with tempfile.TemporaryDirectory() as scratch:
        checkpoint = os.path.join(scratch, "model.pt")
        state = {to_original(name): tensor for name, tensor in weights.items()}
        torch.save({"generator_ema": state}, checkpoint)
        out = os.path.join(scratch, "out")
        result = run("--checkpoint", checkpoint, "--base", BASE, "--out", out)
        assert result.returncode == 0, result.stderr
        back = load_file(os.path.join(out, "transformer/diffusion_pytorch_model.safetensors"))
        assert set(back) == set(weights)
        assert all(torch.equal(back[name], weights[name]) for name in weights)

        state["model.blocks.0.mystery.weight"] = torch.zeros(1)
        torch.save({"generator": state}, checkpoint)
        result = run("--checkpoint", checkpoint, "--base", BASE, "--out", os.path.join(scratch, "no"))
        assert result.returncode != 0 and "mystery" in result.stderr, result.stderr
        del state["model.blocks.0.mystery.weight"]
        torch.save({"generator": state}, checkpoint)
        for bad, base, word in ((os.path.join(ROOT, "README.md"), BASE, "README.md"),
                                (checkpoint, scratch, "config.json")):
            result = run("--checkpoint", bad, "--base", base, "--out", os.path.join(scratch, "no"))
            assert result.returncode == 1 and word in result.stderr, result.stderr
            assert "Traceback" not in result.stderr, result.stderr
    print("convert: ok")


if __name__ == "__main__":
    main()
