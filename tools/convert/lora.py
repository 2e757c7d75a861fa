# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Low-rank updates merged into the linears they were trained beside: W += alpha / rank * B A.

Takes the forms of PEFT (lora_A, lora_B) and of kohya (lora_down, lora_up, alpha), under original,
published or flattened names. A key that is not understood is refused by name: an update that is
left out gives a video that looks fine and is another model's. Tensors are used through the few
operations that any array library has, so this needs no library itself."""
import math
import re

from names import ConvertError, original_stem, strip_prefixes

HALF = re.compile(r"(.+)\.(lora_A|lora_down|lora\.down|lora_B|lora_up|lora\.up)"
                  r"(?:\.default)?\.weight")
ALPHA = re.compile(r"(.+)\.alpha")
DOWN = ("lora_A", "lora_down", "lora.down")
OTHER_FORMS = {"lora_magnitude_vector": "DoRA", "dora_scale": "DoRA", "hada_": "LoHa",
               "lokr_": "LoKr", "oft_": "OFT", "lora_mid": "a Tucker core",
               "lora_embedding_": "an update of an embedding", "diff_b": "a changed bias",
               "bias": "a bias", "diff": "a changed weight"}


def targets(tensors):
    """Every name a linear goes by in such files -> its published tensor."""
    out = {}
    for name, tensor in tensors.items():
        if not name.endswith(".weight") or len(tensor.shape) < 2:
            continue
        stem = name[:-len(".weight")]
        for alias in filter(None, (stem, original_stem(stem))):
            out[alias] = out["lora_unet_" + alias.replace(".", "_")] = name
    return out


def put_once(part, key, value, path, original):
    if key in part:
        raise ConvertError(f"{path}: '{original}' is a second one for the same linear")
    part[key] = value


def refuse_key(path, key):
    form = next((what for mark, what in OTHER_FORMS.items() if mark in key), None)
    raise ConvertError(f"{path}: '{key}' is {form or 'no half of a low-rank update'}; only lora_A "
                       "and lora_B, or lora_down, lora_up and alpha, can be merged")


def collect(state, names, path):
    """Published tensor -> its down, up and alpha. Every key of the file is used or refused."""
    updates = {}
    for key, value in state.items():
        half, alpha = HALF.fullmatch(key), ALPHA.fullmatch(key)
        if not half and not alpha:
            refuse_key(path, key)
        target = names.get(strip_prefixes((half or alpha).group(1)))
        if target is None:
            raise ConvertError(f"{path}: '{key}' belongs to no linear of the checkpoint")
        part = updates.setdefault(target, {"key": key})
        if alpha:
            put_once(part, "alpha", float(value), path, key)
        else:
            put_once(part, "down" if half.group(2) in DOWN else "up", value, path, key)
    return updates


def scale_of(part, alpha_given, path):
    rank = part["down"].shape[0]
    alpha = part.get("alpha", alpha_given)
    if alpha is None:
        return 1.0
    if not math.isfinite(alpha) or alpha <= 0:
        raise ConvertError(f"{path}: '{part['key']}': alpha is {alpha}, not a number above 0")
    return alpha / rank


def merge_one(tensor, part, alpha_given, path):
    for half in ("down", "up"):
        if half not in part:
            raise ConvertError(f"{path}: '{part['key']}' has no other half")
    down, up = part["down"].float().flatten(1), part["up"].float().flatten(1)
    weight = tensor.float().flatten(1)
    if (tuple(up.shape) != (weight.shape[0], down.shape[0]) or
            down.shape[1] != weight.shape[1] or down.shape[0] == 0):
        raise ConvertError(f"{path}: '{part['key']}': halves of {list(part['down'].shape)} and "
                           f"{list(part['up'].shape)} do not make {list(tensor.shape)}")
    merged = weight + (up @ down) * scale_of(part, alpha_given, path)
    return merged.reshape(tensor.shape).to(tensor.dtype).contiguous()


def merge_lora(tensors, state, path, alpha=None):
    """Merges a file's updates into tensors. alpha: of all that bring none; None: their rank."""
    updates = collect(state, targets(tensors), path)
    if not updates:
        raise ConvertError(f"{path}: no low-rank update in it")
    if alpha is not None and any("alpha" in part for part in updates.values()):
        raise ConvertError(f"{path}: has alphas of its own; leave --lora-alpha away")
    for target, part in updates.items():
        tensors[target] = merge_one(tensors[target], part, alpha, path)
    ranks = sorted({part["down"].shape[0] for part in updates.values()})
    scales = sorted({scale_of(part, alpha, path) for part in updates.values()})
    print(f"merged {len(updates)} low-rank updates, rank {', '.join(map(str, ranks))}, "
          f"scale {', '.join(f'{scale:g}' for scale in scales)}")
    if alpha is None and not all("alpha" in part for part in updates.values()):
        print("the file does not say alpha, which was taken to be the rank; else give --lora-alpha")
