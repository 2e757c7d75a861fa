#!/usr/bin/env python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""A causal checkpoint (.pt of Self-Forcing, LongLive, Rolling Forcing, ...) and the Wan 2.1 directory
it was distilled from become a model directory that longtake-pack reads.

usage: convert.py --checkpoint self_forcing_dmd.pt --base Wan2.1-T2V-1.3B-Diffusers --out DIR
                  [--entry generator_ema] [--lora lora.pt] [--recipe self-forcing]

Text encoder, tokenizer, VAE and configs are linked from the base directory, not copied (--copy to
copy). The transformer's tensors are renamed from the original to the published names and written as
one safetensors file in their own types. Everything is checked before the first file is written: a
tensor that is missing, of another shape, or left over is an error. Needs torch and safetensors.
"""
import argparse
import json
import os
import shutil
import struct
import sys

from lora import merge_lora
from names import ConvertError, expected_shapes, published_name, strip_prefixes

ENTRIES = ("generator_ema", "generator", "model")
LORA_ENTRIES = ("generator_lora",)
LINKED = ("model_index.json", "scheduler", "text_encoder", "tokenizer", "vae",
          os.path.join("transformer", "config.json"))
TINY_DECODER_LATENTS = 16  # channels
LFS_POINTER = b"version https://git-lfs"


def read_state(path):
    """What a .pt, .pth or .safetensors file holds."""
    try:
        with open(path, "rb") as file:
            if file.read(len(LFS_POINTER)) == LFS_POINTER:
                raise ConvertError(f"{path}: is a git-lfs pointer, not the file: git lfs pull")
        if path.endswith(".safetensors"):
            from safetensors.torch import load_file
            return load_file(path)
        import torch
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except ConvertError:
        raise
    except Exception as error:  # whatever a file that is none makes the library say
        raise ConvertError(f"{path}: not a readable checkpoint: {error}".split("\n")[0]) from error


def save_state(tensors, path):
    from safetensors.torch import save_file
    save_file(tensors, path)


def load_entry(path, entry, candidates):
    """The tensors of a checkpoint: of the entry asked for, of the first candidate it has, or all."""
    state = read_state(path)
    if not isinstance(state, dict):
        raise ConvertError(f"{path}: holds a {type(state).__name__}, not a dictionary of tensors")
    nested = [name for name, value in state.items() if isinstance(value, dict)]
    if entry and entry not in nested:
        raise ConvertError(f"{path}: no entry '{entry}'; it has {', '.join(map(str, nested))}")
    chosen = entry or next((name for name in candidates if name in nested), None)
    if chosen:
        others = [str(name) for name in state if name != chosen]
        print(f"{path}: using entry '{chosen}'" + (f", not {', '.join(others)}" if others else ""))
        state = state[chosen]
    elif nested:
        raise ConvertError(f"{path}: has the entries {', '.join(map(str, nested))}; give --entry")
    return only_tensors(state, path)


def only_tensors(state, path):
    for name, value in state.items():
        if not hasattr(value, "shape") and not isinstance(value, (int, float)):
            raise ConvertError(f"{path}: '{name}' is a {type(value).__name__}, not a tensor")
    return state


def rename(state, path, shapes):
    tensors = {}
    for original, tensor in state.items():
        stripped = strip_prefixes(original)
        name = stripped if stripped in shapes else published_name(stripped)
        if name is None or not hasattr(tensor, "shape"):
            raise ConvertError(f"{path}: tensor '{original}' is not one of the Wan 2.1 transformer")
        if name in tensors:
            raise ConvertError(f"{path}: two tensors become '{name}'")
        tensors[name] = tensor.contiguous()
    return tensors


def read_config(base):
    path = os.path.join(base, "transformer", "config.json")
    try:
        with open(path, encoding="utf-8") as file:
            return expected_shapes(json.load(file))
    except (OSError, ValueError) as error:
        raise ConvertError(f"{path}: {error}") from error
    except (KeyError, TypeError) as error:
        raise ConvertError(f"{path}: not a Wan transformer's: {error} is missing") from error


def check_shapes(tensors, shapes, path, base):
    """The checkpoint is one of the base's architecture, whole, and nothing else."""
    for name, tensor in tensors.items():
        if name not in shapes:
            raise ConvertError(f"{path}: has '{name}', which {base} does not: is it the right base "
                               "model?")
        if list(tensor.shape) != shapes[name]:
            raise ConvertError(f"{path}: '{name}' is {list(tensor.shape)}, {base} asks for "
                               f"{shapes[name]}: is it the right base model?")
    missing = [name for name in shapes if name not in tensors]
    if missing:
        raise ConvertError(f"{path}: '{missing[0]}' and {len(missing) - 1} more tensors are missing")


def adapter_alpha(path):
    """lora_alpha, where the LoRA file or adapter_config.json beside it says one."""
    config = {}
    beside = os.path.join(os.path.dirname(path), "adapter_config.json")
    if path.endswith(".safetensors"):
        with open(path, "rb") as file:
            header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        config = json.loads(header.get("__metadata__", {}).get("lora_adapter_metadata", "{}"))
        config = {name.removeprefix("transformer."): value for name, value in config.items()}
    if not config and os.path.exists(beside):
        with open(beside, encoding="utf-8") as file:
            config = json.load(file)
    for field in ("use_dora", "use_rslora", "alpha_pattern", "rank_pattern"):
        if config.get(field):
            raise ConvertError(f"{path}: its adapter settings have {field}, which is not supported")
    return config.get("lora_alpha")


def apply_lora(tensors, path, alpha):
    state = load_entry(path, None, LORA_ENTRIES)
    if alpha is None and not any(name.endswith(".alpha") for name in state):
        alpha = adapter_alpha(path)
    merge_lora(tensors, state, path, alpha)


def check_places(base, out):
    for name in LINKED:
        if not os.path.exists(os.path.join(base, name)):
            raise ConvertError(f"{os.path.join(base, name)} is missing in the base directory")
        if os.path.lexists(os.path.join(out, name)):
            raise ConvertError(f"{os.path.join(out, name)} exists already")


def place(source, target, copy):
    if not copy:
        os.symlink(os.path.realpath(source), target)
    elif os.path.isdir(source):
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)


def load_tiny_decoder(path):
    """taew2_1.pth or .safetensors of TAEHV."""
    tensors = load_entry(path, None, ())
    first = tensors.get("decoder.1.weight")
    if first is None or list(first.shape)[1:] != [TINY_DECODER_LATENTS, 3, 3]:
        raise ConvertError(f"{path}: no tensor 'decoder.1.weight' for {TINY_DECODER_LATENTS} latent "
                           "channels: is it TAEHV's taew2_1?")
    for name in tensors:
        if not name.startswith(("decoder.", "encoder.")):
            raise ConvertError(f"{path}: tensor '{name}' is not one of TAEHV's")
    return {name: tensor.contiguous() for name, tensor in tensors.items()}


def convert(arguments):
    shapes = read_config(arguments.base)
    tensors = rename(load_entry(arguments.checkpoint, arguments.entry, ENTRIES),
                     arguments.checkpoint, shapes)
    check_shapes(tensors, shapes, arguments.checkpoint, arguments.base)
    if arguments.lora:
        apply_lora(tensors, arguments.lora, arguments.lora_alpha)
    tiny = load_tiny_decoder(arguments.tiny_decoder) if arguments.tiny_decoder else None
    check_places(arguments.base, arguments.out)
    transformer = os.path.join(arguments.out, "transformer")
    os.makedirs(transformer, exist_ok=True)
    for name in LINKED:
        place(os.path.join(arguments.base, name), os.path.join(arguments.out, name), arguments.copy)
    if tiny:
        folder = os.path.join(arguments.out, "tiny_decoder")
        os.makedirs(folder, exist_ok=True)
        save_state(tiny, os.path.join(folder, "model.safetensors"))
    save_state(tensors, os.path.join(transformer, "diffusion_pytorch_model.safetensors"))
    print(f"{arguments.out}: {len(tensors)} tensors. Next:\n"
          f"  longtake-pack pack {arguments.out} PACK_DIR --recipe {arguments.recipe}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", required=True, help=".pt or .safetensors file")
    parser.add_argument("--base", required=True, help="published Wan 2.1 Diffusers directory")
    parser.add_argument("--out", required=True, help="model directory to make")
    parser.add_argument("--entry", help="default: generator_ema, generator or model")
    parser.add_argument("--lora", help="LongLive's low-rank weights, merged into the linears")
    parser.add_argument("--lora-alpha", type=float,
                        help="of a file that does not say it; default: the rank")
    parser.add_argument("--tiny-decoder", help="TAEHV's taew2_1 weights, .pth or .safetensors")
    parser.add_argument("--recipe", default="self-forcing", help="for the closing hint")
    parser.add_argument("--copy", action="store_true", help="copy the base's files, do not link")
    try:
        convert(parser.parse_args())
    except ConvertError as error:
        sys.exit(f"convert: {error}")


if __name__ == "__main__":
    main()
