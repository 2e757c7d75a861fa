#!/usr/bin/env python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""longtake's layers and VAE beside PyTorch's, on the same weights, shapes and threads, in turns.

usage: side_by_side.py [--bin build/dev/bin] [--work DIR] [--rounds 5] [--threads 2] [--only layers|vae]

Needs torch, diffusers and safetensors (tools/reference/requirements.txt); weights are written once
by `longtake-pack synth` into DIR. Each contender computes one layer of Wan 1.3B on a chunk of 4680
tokens with 21 frames of keys (32760) and 512 rows of text, and decodes one chunk of 416x240 pixels.
A round is one turn of each; what is compared are medians of the rounds, and each round's ratio.

PyTorch gets what favours it: keys of the context rotated once beforehand, no gradients, its own
best attention (scaled_dot_product_attention), weights converted once.
"""
import argparse
import os
import re
import statistics
import subprocess
import time

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLWan, WanTransformer3DModel

FRAMES, CONTEXT, GRID = 3, 18, (30, 52)
ROWS = FRAMES * GRID[0] * GRID[1]
TEXT_ROWS = 512
VAE_SIZE = (416, 240)


class Asked:
    """A benchmark program that does one round for each line it is sent."""

    def __init__(self, name, pattern, *command):
        self.name = name
        self.pattern = pattern
        self.process = subprocess.Popen([*command, "--ask"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def round(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        return {key: float(value) for key, value in re.findall(self.pattern, line)}

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def rotate(x, cos, sin):
    even, odd = x.float()[..., 0::2], x.float()[..., 1::2]
    out = torch.empty_like(x, dtype=torch.float32)
    out[..., 0::2] = even * cos - odd * sin
    out[..., 1::2] = even * sin + odd * cos
    return out.to(x.dtype)


class TorchLayer:
    """One block of the published model with keys and values of earlier frames before its own."""

    def __init__(self, name, directory, dtype):
        self.name = name
        model = WanTransformer3DModel.from_pretrained(directory, torch_dtype=torch.float32)
        self.block = model.blocks[1].to(dtype)
        self.heads = model.config.num_attention_heads
        width = self.heads * model.config.attention_head_dim
        # As published: modulation and the affine norm in fp32 (here: of the block's type, faster).
        generator = torch.Generator().manual_seed(1)
        make = lambda *shape: torch.randn(*shape, generator=generator).to(dtype)
        self.x = make(1, ROWS, width)
        self.text = make(1, TEXT_ROWS, width)
        self.time = make(1, 6, width) * 0.1
        self.context_k = make(1, self.heads, CONTEXT * ROWS // FRAMES, width // self.heads)
        self.context_v = make(1, self.heads, CONTEXT * ROWS // FRAMES, width // self.heads)
        angles = torch.rand(ROWS, 1, width // self.heads // 2, generator=generator)
        self.cos, self.sin = angles.cos(), angles.sin()
        with torch.no_grad():
            self.text_k, self.text_v = self.text_keys()
        self.seconds = {}

    def split(self, x):
        return x.unflatten(2, (self.heads, -1))

    def text_keys(self):
        attention = self.block.attn2
        k = self.split(attention.norm_k(attention.to_k(self.text))).transpose(1, 2)
        return k, self.split(attention.to_v(self.text)).transpose(1, 2)

    def linear(self, layer, x):
        start = time.perf_counter()
        out = layer(x)
        self.seconds["linear"] += time.perf_counter() - start
        return out

    def attend(self, q, k, v):
        start = time.perf_counter()
        out = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        self.seconds["attention"] += time.perf_counter() - start
        return out

    @torch.no_grad()
    def round(self):
        self.seconds = {"linear": 0.0, "attention": 0.0}
        start = time.perf_counter()
        block, x = self.block, self.x
        shift, scale, gate, ffn_shift, ffn_scale, ffn_gate = (
            block.scale_shift_table + self.time).chunk(6, dim=1)
        a = block.attn1
        h = F.layer_norm(x, x.shape[-1:]) * (1 + scale) + shift
        q = rotate(self.split(a.norm_q(self.linear(a.to_q, h))), self.cos, self.sin).transpose(1, 2)
        k = rotate(self.split(a.norm_k(self.linear(a.to_k, h))), self.cos, self.sin).transpose(1, 2)
        v = self.split(self.linear(a.to_v, h)).transpose(1, 2)
        k = torch.cat([self.context_k, k], dim=2)
        v = torch.cat([self.context_v, v], dim=2)
        x = x + self.linear(a.to_out[0], self.attend(q, k, v)) * gate
        a = block.attn2
        h = F.layer_norm(x, x.shape[-1:], block.norm2.weight, block.norm2.bias)
        q = self.split(a.norm_q(self.linear(a.to_q, h))).transpose(1, 2)
        x = x + self.linear(a.to_out[0], self.attend(q, self.text_k, self.text_v))
        h = F.layer_norm(x, x.shape[-1:]) * (1 + ffn_scale) + ffn_shift
        up, down = block.ffn.net[0], block.ffn.net[2]
        h = F.gelu(self.linear(up.proj, h), approximate="tanh")
        x = x + self.linear(down, h) * ffn_gate
        self.seconds["layer"] = time.perf_counter() - start
        return self.seconds

    def close(self):
        pass


class TorchVae:
    """One chunk of three latents in the middle of a stream, by the published decoder's own cache."""

    def __init__(self, name, directory, dtype):
        self.name = name
        self.model = AutoencoderKLWan.from_pretrained(directory, torch_dtype=dtype).eval()
        width, height = VAE_SIZE
        self.z = torch.randn(1, 16, 3, height // 8, width // 8,
                             generator=torch.Generator().manual_seed(1)).to(dtype)
        with torch.no_grad():
            self.model.clear_cache()
            self.decode(0, first=True)
            self.decode(1)

    def decode(self, frame, first=False):
        model = self.model
        model._conv_idx = [0]
        x = model.post_quant_conv(self.z[:, :, frame:frame + 1])
        return model.decoder(x, feat_cache=model._feat_map, feat_idx=model._conv_idx,
                             first_chunk=first)

    @torch.no_grad()
    def round(self):
        start = time.perf_counter()
        for frame in range(3):
            self.decode(frame)
        return {"decode": time.perf_counter() - start}

    def close(self):
        pass


def synthesise(options, shape, dtype):
    directory = os.path.join(options.work, f"{shape}-{dtype}")
    if not os.path.exists(directory):
        layers = [] if shape == "wan-vae" else ["--layers", "2"]
        subprocess.run([f"{options.bin}/longtake-pack", "synth", directory + ".part", "--shape",
                        shape, "--dtype", dtype, *layers], check=True, stdout=subprocess.DEVNULL)
        os.rename(directory + ".part", directory)
    return directory


def take_turns(contenders, rounds):
    times = {c.name: [] for c in contenders}
    for contender in contenders:
        contender.round()  # warms up
    for _ in range(rounds):
        for contender in contenders:
            times[contender.name].append(contender.round())
    for contender in contenders:
        contender.close()
    return times


def report(title, times, part, best_of):
    """Medians, and each contender's ratio to the fastest of best_of in the same round."""
    print(f"\n{title}: {part}")
    for name, rounds in times.items():
        ratios = [mine[part] / min(times[other][i][part] for other in best_of)
                  for i, mine in enumerate(rounds)]
        values = [mine[part] for mine in rounds]
        print(f"  {name:34s} {statistics.median(values):9.4f} s   x{statistics.median(ratios):5.2f} "
              f"({min(ratios):.2f} to {max(ratios):.2f})")


def layers(options):
    bf16 = synthesise(options, "wan-1.3b", "bf16")
    int8 = synthesise(options, "wan-1.3b", "int8")
    amx = ["--numerics-profile", "cpu-amx-bf16-v1"]
    pattern = r"(layer|linear|attention|other) ([0-9.]+) s"

    def ours(name, directory, *flags):
        return Asked(name, pattern, f"{options.bin}/longtake_layer_bench",
                     f"{directory}/transformer.pack", "--threads", str(options.threads), *flags)

    contenders = [ours("longtake bf16 weights, fp32", bf16), ours("longtake int8 weights", int8)]
    if "amx_bf16" in open("/proc/cpuinfo", encoding="ascii").read():
        contenders += [ours("longtake bf16 (AMX profile)", bf16, *amx),
                       ours("longtake int8 (AMX profile)", int8, *amx)]
    directory = os.path.join(bf16, "transformer")
    contenders += [TorchLayer("torch fp32", directory, torch.float32),
                   TorchLayer("torch bf16", directory, torch.bfloat16)]
    times = take_turns(contenders, options.rounds)
    for part in ("layer", "linear", "attention"):
        report("a layer of Wan 1.3B, 4680 x 32760 tokens", times, part, ["torch fp32"])
        report("a layer of Wan 1.3B, 4680 x 32760 tokens", times, part, ["torch fp32", "torch bf16"])


def vae(options):
    directory = synthesise(options, "wan-vae", "bf16")
    contenders = [
        Asked("longtake fp32", r"(decode) ([0-9.]+) s", f"{options.bin}/longtake_vae_bench",
              f"{directory}/vae.pack", "--threads", str(options.threads),
              "--width", str(VAE_SIZE[0]), "--height", str(VAE_SIZE[1])),
        TorchVae("torch fp32", os.path.join(directory, "vae"), torch.float32),
        TorchVae("torch bf16", os.path.join(directory, "vae"), torch.bfloat16)]
    times = take_turns(contenders, max(3, options.rounds // 2))
    report("a chunk of the Wan VAE, 416x240", times, "decode", ["torch fp32"])
    report("a chunk of the Wan VAE, 416x240", times, "decode", ["torch fp32", "torch bf16"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--bin", default="build/dev/bin")
    parser.add_argument("--work", default="out/side-by-side")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", choices=["layers", "vae"])
    options = parser.parse_args()
    os.makedirs(options.work, exist_ok=True)
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {options.threads} threads, "
          f"bf16 by {torch.backends.cpu.get_cpu_capability()}")
    if options.only != "vae":
        layers(options)
    if options.only != "layers":
        vae(options)


if __name__ == "__main__":
    main()
