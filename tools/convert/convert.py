#!/usr/bin/env python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""A causal checkpoint (.pt of Self-Forcing, LongLive, Rolling Forcing, ...) and the Wan 2.1 directory
it was distilled from become a model directory that longtake-pack reads.

usage: convert.py --checkpoint self_forcing_dmd.pt --base Wan2.1-T2V-1.3B-Diffusers --out DIR
                  [--entry generator_ema] [--lora lora.pt] [--recipe self-forcing]

Text encoder, tokenizer, VAE and configs are linked from the base directory, not copied (--copy to
copy). The transformer's tensors are renamed from the original to the published names and written as
one safetensors file in their own types. Needs torch and safetensors.
"""
import argparse
import json
import os
import re
import shutil
import sys

import torch
from safetensors.torch import load_file, save_file

PREFIXES = ("_fsdp_wrapped_module.", "_orig_mod.", "module.")

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
    for prefix in PREFIXES:
        name = name.replace(prefix, "")
    return name[len("model."):] if name.startswith("model.") else name


def published_name(name):
    """The published name of an original tensor; None when it is not one."""
    stem, suffix = name, ""
    for ending in (".weight", ".bias"):
        if name.endswith(ending):
            stem, suffix = name[:-len(ending)], ending
    block = re.fullmatch(r"blocks\.(\d+)\.(.+)", stem)
    if block:
        new = BLOCK_NAMES.get(block.group(2))
        return f"blocks.{block.group(1)}.{new}{suffix}" if new else None
    new = GLOBAL_NAMES.get(stem)
    return new + suffix if new else None


def load_entry(path, entry):
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # whatever a file that is none makes the library say
        raise ConvertError(f"{path}: not a readable checkpoint: {error}".split("\n")[0]) from error
    if not isinstance(state, dict):
        raise ConvertError(f"{path}: holds a {type(state).__name__}, not a dictionary of tensors")
    if entry:
        if entry not in state:
            raise ConvertError(f"{path}: no entry '{entry}'; it has {', '.join(map(str, state))}")
        return state[entry]
    for candidate in ("generator_ema", "generator", "model"):
        if isinstance(state.get(candidate), dict):
            print(f"using entry '{candidate}'")
            return state[candidate]
    return state


def rename(state, path):
    tensors = {}
    for original, tensor in state.items():
        if not isinstance(tensor, torch.Tensor):
            continue
        name = published_name(strip_prefixes(original))
        if name is None:
            raise ConvertError(f"{path}: tensor '{original}' is not one of the Wan 2.1 transformer")
        if name in tensors:
            raise ConvertError(f"{path}: two tensors become '{name}'")
        tensors[name] = tensor.contiguous()
    return tensors


def merge_lora(tensors, path):
    """W += alpha / rank * B A for every linear that has both halves."""
    state = load_entry(path, None)
    halves = {}
    for name, tensor in state.items():
        match = re.fullmatch(r"(.+)\.lora_(A|B)(?:\.default)?\.weight", strip_prefixes(name))
        if match:
            stem = strip_prefixes(re.sub(r"^base_model\.model\.", "", match.group(1)))
            halves.setdefault(stem, {})[match.group(2)] = tensor.float()
    for stem, pair in halves.items():
        target = published_name(f"{stem}.weight")
        if target not in tensors or set(pair) != {"A", "B"}:
            raise ConvertError(f"{path}: '{stem}' has no matching linear or half of it is missing")
        merged = tensors[target].float() + pair["B"] @ pair["A"]  # alpha / rank is 1 as published
        tensors[target] = merged.to(tensors[target].dtype).contiguous()
    print(f"merged {len(halves)} low-rank updates")


def check_against_config(tensors, base):
    path = os.path.join(base, "transformer", "config.json")
    try:
        with open(path, encoding="utf-8") as file:
            config = json.load(file)
    except (OSError, ValueError) as error:
        raise ConvertError(f"{path}: {error}") from error
    blocks = {int(name.split(".")[1]) for name in tensors if name.startswith("blocks.")}
    if blocks != set(range(config["num_layers"])):
        raise ConvertError(f"the checkpoint has {len(blocks)} blocks, {base} asks for "
                           f"{config['num_layers']}: is it the right base model?")
    width = config["num_attention_heads"] * config["attention_head_dim"]
    if "blocks.0.attn1.to_q.weight" not in tensors:
        raise ConvertError("the checkpoint has no tensor 'blocks.0.self_attn.q.weight'")
    have = tensors["blocks.0.attn1.to_q.weight"].shape
    if tuple(have) != (width, width):
        raise ConvertError(f"the checkpoint's width is {have[0]}, {base} asks for {width}")


def place(source, target, copy):
    if not os.path.exists(source):
        raise ConvertError(f"{source} is missing in the base directory")
    if os.path.lexists(target):
        raise ConvertError(f"{target} exists already")
    if not copy:
        os.symlink(os.path.realpath(source), target)
    elif os.path.isdir(source):
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)


def place_tiny_decoder(path, target):
    """taew2_1.pth or .safetensors of TAEHV, as the component tiny_decoder."""
    if path.endswith(".safetensors"):
        try:
            tensors = load_file(path)
        except Exception as error:  # whatever a file that is none makes the library say
            raise ConvertError(f"{path}: not readable: {error}".split("\n")[0]) from error
    else:
        tensors = load_entry(path, None)
    if "decoder.1.weight" not in tensors:
        raise ConvertError(f"{path}: no tensor 'decoder.1.weight': is it TAEHV's?")
    os.makedirs(target, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()},
              os.path.join(target, "model.safetensors"))


def convert(arguments):
    tensors = rename(load_entry(arguments.checkpoint, arguments.entry), arguments.checkpoint)
    if arguments.lora:
        merge_lora(tensors, arguments.lora)
    check_against_config(tensors, arguments.base)
    transformer = os.path.join(arguments.out, "transformer")
    os.makedirs(transformer, exist_ok=True)
    for name in ("model_index.json", "scheduler", "text_encoder", "tokenizer", "vae"):
        place(os.path.join(arguments.base, name), os.path.join(arguments.out, name), arguments.copy)
    place(os.path.join(arguments.base, "transformer", "config.json"),
          os.path.join(transformer, "config.json"), arguments.copy)
    if arguments.tiny_decoder:
        place_tiny_decoder(arguments.tiny_decoder, os.path.join(arguments.out, "tiny_decoder"))
    save_file(tensors, os.path.join(transformer, "diffusion_pytorch_model.safetensors"))
    print(f"{arguments.out}: {len(tensors)} tensors. Next:\n"
          f"  longtake-pack pack {arguments.out} PACK_DIR --recipe {arguments.recipe}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", required=True, help=".pt file")
    parser.add_argument("--base", required=True, help="published Wan 2.1 Diffusers directory")
    parser.add_argument("--out", required=True, help="model directory to make")
    parser.add_argument("--entry", help="default: generator_ema, generator or model")
    parser.add_argument("--lora", help="LongLive's low-rank weights, merged into the linears")
    parser.add_argument("--tiny-decoder", help="TAEHV's taew2_1 weights, .pth or .safetensors")
    parser.add_argument("--recipe", default="self-forcing", help="for the closing hint")
    parser.add_argument("--copy", action="store_true", help="copy the base's files, do not link")
    try:
        convert(parser.parse_args())
    except ConvertError as error:
        sys.exit(f"convert: {error}")


if __name__ == "__main__":
    main()
