# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""F12: the tiny decoder, written from spec 6.6, float64, all latents at once."""

import library
import torch
import torch.nn.functional as F
import weights
from torch import nn

SEED = 112


class Memory(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(2 * c, c, 3, padding=1), nn.ReLU(),
                                  nn.Conv2d(c, c, 3, padding=1), nn.ReLU(),
                                  nn.Conv2d(c, c, 3, padding=1))

    def forward(self, x):
        """x [frames, c, h, w]: each frame sees the one before it, the first sees zeros."""
        past = F.pad(x, (0, 0, 0, 0, 0, 0, 1, 0))[:-1]
        return F.relu(self.conv(torch.cat([x, past], 1)) + x)


class Grow(nn.Module):
    def __init__(self, c, growth):
        super().__init__()
        self.conv = nn.Conv2d(c, growth * c, 1, bias=False)

    def forward(self, x):
        return self.conv(x).reshape(-1, *x.shape[1:])


class Bend(nn.Module):
    def forward(self, x):
        return 3 * torch.tanh(x / 3)


class Taehv(nn.Module):
    def __init__(self):
        super().__init__()
        up, conv = (lambda: nn.Upsample(scale_factor=2)), nn.Conv2d
        self.decoder = nn.Sequential(
            Bend(), conv(16, 256, 3, padding=1), nn.ReLU(),
            Memory(256), Memory(256), Memory(256), up(), Grow(256, 1),
            conv(256, 128, 3, padding=1, bias=False),
            Memory(128), Memory(128), Memory(128), up(), Grow(128, 2),
            conv(128, 64, 3, padding=1, bias=False),
            Memory(64), Memory(64), Memory(64), up(), Grow(64, 2),
            conv(64, 64, 3, padding=1, bias=False), nn.ReLU(), conv(64, 3, 3, padding=1))


def f12():
    model = library.build(Taehv, SEED)
    assert sum(p.numel() for p in model.parameters()) == 9_844_611
    z = 2 * weights.normal(SEED, "input.latent", 16, 4, 6, 8)
    with library.everything_float64():
        frames = model.decoder(z.double().transpose(0, 1))[3:]
    library.save("f12", dict(z=z, frames=frames), weight_seed=SEED)
