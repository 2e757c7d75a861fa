# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""F8: the VAE, streamed one latent frame per call (diffusers AutoencoderKLWan, float64)."""

import library
import torch
import weights
from diffusers import AutoencoderKLWan

SEED = 108
_MEAN = [-0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508,
         0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921]  # fmt: skip
_STD = [2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743,
        3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160]  # fmt: skip
CONFIG = dict(
    _class_name="AutoencoderKLWan",
    base_dim=8,
    dim_mult=[1, 2, 4, 4],
    z_dim=16,
    num_res_blocks=2,
    attn_scales=[],
    temperal_downsample=[False, True, True],
    dropout=0.0,
    latents_mean=_MEAN,
    latents_std=_STD,
)
TINY = dict(CONFIG, base_dim=3, dim_mult=[1, 1, 1, 1], num_res_blocks=1)


def make(config, seed):
    return library.build(lambda: AutoencoderKLWan.from_config(config), seed)


class Decoder:
    """Streams DiT-space latents; keeps the cache between calls."""

    def __init__(self, model):
        self.model = model
        model.clear_cache()
        self.cache = model._feat_map
        self.mean = torch.tensor(model.config.latents_mean, dtype=torch.float64).view(-1, 1, 1, 1)
        self.std = torch.tensor(model.config.latents_std, dtype=torch.float64).view(-1, 1, 1, 1)
        self.first = True

    def __call__(self, z):
        """z [16,1,h,w] -> unclamped frames [3, 1 or 4, 8h, 8w]."""
        with library.everything_float64():
            x = self.model.post_quant_conv((z.double() * self.std + self.mean)[None])
            out = self.model.decoder(x, feat_cache=self.cache, feat_idx=[0], first_chunk=self.first)
        self.first = False
        return out[0]


def sample(slot):
    """Large cache slots are stored at every 4th row and column."""
    return slot if slot.numel() <= 8192 else slot[..., ::4, ::4]


def tiled():
    """Spatial tiles (spec 6.5) of 32 pixels with stride 24; the library clamps."""
    model = make(TINY, SEED + 60)
    z = weights.normal(SEED + 60, "input.latent", 16, 2, 9, 11)
    mean = torch.tensor(TINY["latents_mean"], dtype=torch.float64).view(-1, 1, 1, 1)
    std = torch.tensor(TINY["latents_std"], dtype=torch.float64).view(-1, 1, 1, 1)
    model.enable_tiling(32, 32, 24, 24)
    with library.everything_float64():
        frames = model.tiled_decode((z.double() * std + mean)[None]).sample[0]
    library.save("f8_tiled", dict(z=z, frames=frames), vae=TINY, weight_seed=SEED + 60)


def f8(name, config, seed, calls):
    model = make(config, seed)
    z = weights.normal(seed, "input.latent", 16, calls, 4, 6)
    out = dict(z=z)
    decoder = Decoder(model)
    frames = []
    for i in range(calls):  # 1, 4, 4, ... frames
        frames.append(decoder(z[:, i : i + 1]))
        if i == 2:
            for j, slot in enumerate(decoder.cache):
                if not torch.is_tensor(slot):
                    continue  # counts convolutions that own no slot (1x1x1)
                key = f"cache.{j:02d}" + ("" if slot.numel() <= 8192 else ".sub4")
                out[key] = sample(slot[0])
    out["frames"] = torch.cat(frames, 1)

    with library.everything_float64():
        mean = torch.tensor(config["latents_mean"]).view(1, -1, 1, 1, 1)
        std = torch.tensor(config["latents_std"]).view(1, -1, 1, 1, 1)
        whole = model.decode(z.double()[None] * std + mean).sample[0]
    error = library.relative_error(out["frames"].clamp(-1, 1), whole)
    clipped = float((out["frames"].abs() > 1).double().mean())
    print(f"{name}: streamed against decode(): {error:.1e}; {clipped:.0%} of pixels outside [-1,1]")

    pixels = weights.normal(SEED, "input.pixels", 3, 9, 32, 48).mul(0.5).clamp(-1, 1)
    with library.everything_float64():
        moments = model._encode(pixels.double()[None])
    if seed == SEED:  # the second configuration encodes the same pixels
        out["pixels"] = pixels
    out["moments"] = moments[0]
    out["encoded"] = (moments[0, :16] - mean[0]) / std[0]
    library.save(name, out, vae=config, weight_seed=seed)
