# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""F11: the UniPC sampler of spec 4.4 in float64, held against diffusers' scheduler."""

import math

import library
import numpy as np
import torch

COUNTS, SHIFTS = (1, 2, 3, 8, 20, 50), (3.0, 5.0, 8.0)


def levels(spacing, count, shift):
    """-> sigmas (float32 values as doubles) and whole timesteps."""
    i = np.arange(count, dtype=np.float64)
    u = 0.999 * (1 - i / count) if spacing == "wan" else 1 - 0.999 * i / count
    sigma = (shift * u / (1 + (shift - 1) * u)).astype(np.float32)
    if spacing == "diffusers":
        sigma[0] -= np.float32(1e-6)
    return sigma.astype(np.float64), np.trunc(1000 * sigma.astype(np.float64))


def _lambda(s):
    return math.log(1 - s) - math.log(s)


class UniPc:
    """One chunk's sampling: step(i, x, v) for i = 0.. gives the next sample."""

    def __init__(self, sigma, t):
        self.sigma, self.t, self.n = list(sigma), list(t), len(sigma)
        self.m, self.y, self.order = [], None, 0

    def step(self, i, x, v):
        s = self.sigma[i]
        m = x - s * v
        if i > 0:
            x = self._correct(i, m)
        self.m, self.y = [m] + self.m, x
        self.order = min(2, self.n - i, len(self.m))
        if i + 1 == self.n:
            return m
        s1 = self.sigma[i + 1]
        h = _lambda(s1) - _lambda(s)
        b = math.exp(-h) - 1
        out = (s1 / s) * x - (1 - s1) * b * m
        if self.order == 2:
            r = (_lambda(self.sigma[i - 1]) - _lambda(s)) / h
            out = out - (1 - s1) * b * 0.5 * (self.m[1] - m) / r
        return out

    def _correct(self, i, m):
        s0, s = self.sigma[i - 1], self.sigma[i]
        h = _lambda(s) - _lambda(s0)
        b = math.exp(-h) - 1
        z = (s / s0) * self.y - (1 - s) * b * self.m[0]
        if self.order == 1:
            return z - (1 - s) * b * 0.5 * (m - self.m[0])
        r = (_lambda(self.sigma[i - 2]) - _lambda(s0)) / h
        phi = b / -h - 1
        want = np.array([phi / b, 2 * (phi / -h - 0.5) / b])
        rho = np.linalg.solve(np.array([[1.0, 1.0], [r, 1.0]]), want)
        return z - (1 - s) * b * (rho[0] * (self.m[1] - self.m[0]) / r + rho[1] * (m - self.m[0]))


def velocity(x, sigma):
    """An analytic flow that is far from straight."""
    return torch.tanh(1.5 * x) + 0.4 * math.sin(5 * sigma)


def start():
    return torch.linspace(-2, 2, 8, dtype=torch.float64)


def check_against_diffusers(spacing, count, shift, trajectory):
    """The library's own spacing, or ours put into it."""
    from diffusers import UniPCMultistepScheduler

    scheduler = UniPCMultistepScheduler(
        prediction_type="flow_prediction",
        use_flow_sigmas=True,
        flow_shift=shift,
        num_train_timesteps=1000,
    )
    scheduler.set_timesteps(count)
    sigma, t = levels(spacing, count, shift)
    if spacing == "wan":
        scheduler.sigmas = torch.tensor(list(sigma) + [0.0], dtype=torch.float32)
        scheduler.timesteps = torch.tensor(t, dtype=torch.int64)
    assert np.abs(scheduler.sigmas.numpy()[:-1] - sigma).max() < 1e-7, (count, shift)
    assert (scheduler.timesteps.numpy() == t).all(), (scheduler.timesteps, t)
    x = start()[None, :, None]  # the library wants a batch and channels
    for i, step in enumerate(scheduler.timesteps):
        x = scheduler.step(velocity(x, sigma[i]), step, x, return_dict=False)[0]
        error = library.relative_error(x.flatten(), trajectory[i])
        assert error < 2e-6, (spacing, count, shift, i, error)


def f11():
    out = {}
    for spacing in ("wan", "diffusers"):
        for count in COUNTS:
            for shift in SHIFTS:
                solver = UniPc(*levels(spacing, count, shift))
                x, rows = start(), []
                for i in range(count):
                    x = solver.step(i, x, velocity(x, solver.sigma[i]))
                    rows.append(x)
                rows = torch.stack(rows)
                check_against_diffusers(spacing, count, shift, rows)
                name = f"{spacing}.n{count}.s{shift:.0f}"
                out[name + ".sigma"] = torch.tensor(solver.sigma)
                out[name + ".t"] = torch.tensor(solver.t)
                out[name + ".x"] = rows
    out["start"] = start()
    library.save("f11", out)
