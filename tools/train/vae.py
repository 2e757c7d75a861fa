# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""AutoencoderKLWan (Wan 2.1 causal video VAE) in a layout that is fast on CPU.

Parameter names and shapes are those of diffusers' class. Activations are [time * batch, C, H, W],
time-major and channels-last; a causal 3x3x3 convolution is one 2-D convolution over three
time-shifted copies. With a `cache` (a dict) the modules stream: each call continues the last one.
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

BASE, MULT, Z = 8, (1, 2, 4, 8), 16
CONFIG = dict(base_dim=BASE, dim_mult=list(MULT), z_dim=Z, num_res_blocks=1, attn_scales=[],
              temperal_downsample=[False, True, True], dropout=0.0)


class CausalConv(nn.Module):
    """kernel (3, k, k), zero padding in space, the past only in time."""

    def __init__(self, ci, co, kernel=(3, 3, 3)):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(co, ci, *kernel))
        self.bias = nn.Parameter(torch.zeros(co))
        nn.init.normal_(self.weight[:, :, -1], std=1 / math.sqrt(ci * kernel[1] * kernel[2]))

    def forward(self, x, batch, cache=None):
        w = self.weight
        pad = w.shape[-1] // 2
        if w.shape[2] == 1:
            return F.conv2d(x, w[:, :, 0], self.bias)
        if cache is None and x.shape[0] == batch:
            return F.conv2d(x, w[:, :, 2], self.bias, padding=pad)
        past = None if cache is None else cache.get(self)
        if past is None:
            past = x.new_zeros(2 * batch, *x.shape[1:])
        full = torch.cat([past, x])
        if cache is not None:
            cache[self] = full[-2 * batch:]
        stacked = torch.cat([full[:-2 * batch], full[batch:-batch], x], 1)
        w = w.permute(0, 2, 1, 3, 4).reshape(w.shape[0], -1, *w.shape[3:])
        return F.conv2d(stacked, w, self.bias, padding=pad)


class RmsNorm(nn.Module):
    def __init__(self, dim, extra):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(dim, *([1] * extra)))

    def forward(self, x):
        norm = torch.linalg.vector_norm(x, dim=1, keepdim=True, dtype=torch.float32)
        scale = (math.sqrt(x.shape[1]) / norm.clamp_min(1e-12)).to(x.dtype)
        return x * scale * self.gamma.view(1, -1, 1, 1).to(x.dtype)


class ResBlock(nn.Module):
    def __init__(self, ci, co):
        super().__init__()
        self.norm1, self.conv1 = RmsNorm(ci, 3), CausalConv(ci, co)
        self.norm2, self.conv2 = RmsNorm(co, 3), CausalConv(co, co)
        self.conv_shortcut = CausalConv(ci, co, (1, 1, 1)) if ci != co else None
        with torch.no_grad():
            self.conv2.weight *= 0.3

    def forward(self, x, batch, cache):
        h = self.conv1(F.silu(self.norm1(x)), batch, cache)
        h = self.conv2(F.silu(self.norm2(h)), batch, cache)
        return h + (x if self.conv_shortcut is None else self.conv_shortcut(x, batch))


class Attention(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.norm = RmsNorm(dim, 2)
        self.to_qkv, self.proj = nn.Conv2d(dim, 3 * dim, 1), nn.Conv2d(dim, dim, 1)
        nn.init.zeros_(self.proj.weight)
        nn.init.zeros_(self.proj.bias)

    def forward(self, x):
        n, c, h, w = x.shape
        q, k, v = self.to_qkv(self.norm(x)).permute(0, 2, 3, 1).reshape(n, h * w, 3 * c).chunk(3, -1)
        y = F.scaled_dot_product_attention(q[:, None], k[:, None], v[:, None])[:, 0]
        return x + self.proj(y.reshape(n, h, w, c).permute(0, 3, 1, 2))


class Mid(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.attentions = nn.ModuleList([Attention(dim)])
        self.resnets = nn.ModuleList([ResBlock(dim, dim), ResBlock(dim, dim)])

    def forward(self, x, batch, cache):
        x = self.attentions[0](self.resnets[0](x, batch, cache))
        return self.resnets[1](x, batch, cache)


class Upsample(nn.Module):
    def __init__(self, dim, in_time):
        super().__init__()
        self.resample = nn.Sequential(nn.Identity(), nn.Conv2d(dim, dim // 2, 3, padding=1))
        self.time_conv = CausalConv(dim, 2 * dim, (3, 1, 1)) if in_time else None
        if in_time:  # both sub-frames start as copies of the frame
            with torch.no_grad():
                self.time_conv.weight.zero_()
                self.time_conv.weight[:, :, 2, 0, 0] = torch.eye(dim).repeat(2, 1)

    def forward(self, x, batch, cache):
        if self.time_conv is not None:
            start = cache is None or self not in cache
            if cache is not None:
                cache[self] = True
            head, rest = (x[:batch], x[batch:]) if start else (None, x)
            if len(rest):
                y = self.time_conv(rest, batch, cache)
                y = y.view(-1, batch, 2, x.shape[1], *x.shape[2:]).transpose(1, 2)
                rest = y.reshape(-1, *x.shape[1:])
            x = rest if head is None else torch.cat([head, rest]) if len(rest) else head
        x = F.interpolate(x.contiguous(memory_format=torch.channels_last), scale_factor=2)
        return self.resample(x)


class UpBlock(nn.Module):
    def __init__(self, ci, co, up, in_time):
        super().__init__()
        self.resnets = nn.ModuleList([ResBlock(ci, co), ResBlock(co, co)])
        self.upsamplers = nn.ModuleList([Upsample(co, in_time)]) if up else None

    def forward(self, x, batch, cache):
        for block in self.resnets:
            x = block(x, batch, cache)
        return x if self.upsamplers is None else self.upsamplers[0](x, batch, cache)


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        dims = [BASE * m for m in (MULT[-1], *MULT[::-1])]
        self.conv_in = CausalConv(Z, dims[0])
        self.mid_block = Mid(dims[0])
        self.up_blocks = nn.ModuleList(
            UpBlock(dims[i] // (2 if i else 1), dims[i + 1], i < 3, i < 2) for i in range(4))
        self.norm_out, self.conv_out = RmsNorm(dims[-1], 3), CausalConv(dims[-1], 3)

    def forward(self, x, batch, cache):
        x = self.mid_block(self.conv_in(x, batch, cache), batch, cache)
        for block in self.up_blocks:
            x = block(x, batch, cache)
        return self.conv_out(F.silu(self.norm_out(x)), batch, cache)


class Downsample(nn.Module):
    """Whole sequences only (no streaming): the first frame passes, later ones pair up in time."""

    def __init__(self, dim, in_time):
        super().__init__()
        self.resample = nn.Sequential(nn.Identity(), nn.Conv2d(dim, dim, 3, stride=2))
        self.time_conv = CausalConv(dim, dim, (3, 1, 1)) if in_time else None
        if in_time:
            with torch.no_grad():
                self.time_conv.weight.zero_()
                for tap in (1, 2):
                    self.time_conv.weight[:, :, tap, 0, 0] = 0.5 * torch.eye(dim)

    def forward(self, x, batch):
        x = self.resample(F.pad(x, (0, 1, 0, 1)))
        if self.time_conv is None or x.shape[0] == batch:
            return x
        t = x.view(-1, batch, *x.shape[1:])
        stacked = torch.cat([t[:-2:2], t[1:-1:2], t[2::2]], 2).flatten(0, 1)
        w = self.time_conv.weight.permute(0, 2, 1, 3, 4).reshape(x.shape[1], -1, 1, 1)
        return torch.cat([x[:batch], F.conv2d(stacked, w, self.time_conv.bias)])


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        dims = [BASE * m for m in (1, *MULT)]
        self.conv_in = CausalConv(3, dims[0])
        self.down_blocks = nn.ModuleList()
        for i in range(4):
            self.down_blocks.append(ResBlock(dims[i], dims[i + 1]))
            if i < 3:
                self.down_blocks.append(Downsample(dims[i + 1], i > 0))
        self.mid_block = Mid(dims[-1])
        self.norm_out, self.conv_out = RmsNorm(dims[-1], 3), CausalConv(dims[-1], 2 * Z)

    def forward(self, x, batch):
        x = self.conv_in(x, batch)
        for block in self.down_blocks:
            x = block(x, batch) if isinstance(block, Downsample) else block(x, batch, None)
        x = self.mid_block(x, batch, None)
        return self.conv_out(F.silu(self.norm_out(x)), batch)


class Vae(nn.Module):
    """encode / decode work on VAE-space latents u = z * std + mean."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = Encoder(), Decoder()
        self.quant_conv = CausalConv(2 * Z, 2 * Z, (1, 1, 1))
        self.post_quant_conv = CausalConv(Z, Z, (1, 1, 1))
        with torch.no_grad():
            for conv in (self.quant_conv, self.post_quant_conv):
                conv.weight[:, :, 0, 0, 0] = torch.eye(conv.weight.shape[0])

    def decode(self, u, cache=None):
        """u [batch, latents, 16, h, w] -> pixels [batch, frames, 3, 8h, 8w]."""
        batch = u.shape[0]
        x = u.transpose(0, 1).flatten(0, 1).contiguous(memory_format=torch.channels_last)
        y = self.decoder(self.post_quant_conv(x, batch), batch, cache)
        return y.view(-1, batch, *y.shape[1:]).transpose(0, 1)

    def encode(self, pixels):
        """pixels [batch, 4k+1, 3, H, W] -> mean [batch, k+1, 16, h, w]."""
        batch = pixels.shape[0]
        x = pixels.transpose(0, 1).flatten(0, 1).contiguous(memory_format=torch.channels_last)
        y = self.quant_conv(self.encoder(x, batch), batch)
        return y.view(-1, batch, *y.shape[1:]).transpose(0, 1)[:, :, :Z]
