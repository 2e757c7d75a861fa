# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""The VAE on fixed PCA latents: its decoder, its encoder regressed onto them, then both together.

Together they learn to give pixels back; the encoder stays close to the fixed latents, which the
transformer is trained on at the same time.
"""

import argparse
import os
import time

import numpy as np
import torch

import common
import pca as pca_lib
import vae
import world

NOISE = 0.03  # added to the latents the decoder learns from, DiT-space units


def _clip(rng, world_of, groups, split="train"):
    """Pixels of 1 + 4*groups frames that begin at any time, and their latents."""
    scene = world.draw_scene(rng, world_of.level, split)
    pixels = world.render(scene, int(rng.integers(0, 300)), 1 + 4 * groups)
    return pixels, pca_lib.encode(world_of.pca, pixels, True)


def _crop(rng, pixels, z, size):
    """A size x size window (whole blocks) near something that is not background."""
    h, w = size // 8, size // 8
    active = np.abs(z - np.median(z, axis=(2, 3), keepdims=True)).mean((0, 1))
    ys, xs = np.nonzero(active > 0.5 * active.max())
    i = rng.integers(len(ys))
    y = int(np.clip(ys[i] - rng.integers(0, h), 0, z.shape[2] - h))
    x = int(np.clip(xs[i] - rng.integers(0, w), 0, z.shape[3] - w))
    return pixels[:, 8 * y:8 * (y + h), 8 * x:8 * (x + w)], z[:, :, y:y + h, x:x + w]


def batch_at(rng, world_of, done):
    """Images, then crops of 9 frames, then 17-frame crops and whole frames."""
    if done < 0.25:
        count, groups, size = 16, 0, 64
    elif done < 0.8:
        count, groups, size = 4, 2, 64
    elif rng.random() < 0.5:
        count, groups, size = 2, 4, 64
    else:
        count, groups, size = 1, 2, 0
    pixels, z = [], []
    for _ in range(count):
        p, l = _clip(rng, world_of, groups)
        p, l = _crop(rng, p, l, size) if size else (p, l)
        pixels.append(p)
        z.append(l)
    pixels = torch.from_numpy(np.ascontiguousarray(np.stack(pixels))).permute(0, 1, 4, 2, 3)
    return pixels, torch.from_numpy(np.ascontiguousarray(np.stack(z)))


def _psnr(error):
    return float(-10 * np.log10(np.mean(error)))


@torch.no_grad()
def measure(model, world_of, mean, std, clips=6):
    """PSNR (dB) on held-out combinations -> of the decoder on fixed latents, of 48x48 windows round
    a body, of encoder and decoder; and the encoder's error in DiT-space."""
    rng = np.random.default_rng(999)
    whole, near, there_and_back, latent = [], [], [], []
    for _ in range(clips):
        pixels, z = _clip(rng, world_of, 4, "test")
        u = model.encode(torch.from_numpy(pixels).permute(0, 3, 1, 2)[None])
        given = torch.from_numpy(z)[None] * std + mean
        latent.append(((u - given) / std).square().mean().item())
        out, back = (model.decode(v)[0].permute(0, 2, 3, 1).numpy().clip(-1, 1) for v in (given, u))
        error = (out - pixels) ** 2 / 4
        whole.append(error.mean())
        there_and_back.append(((back - pixels) ** 2 / 4).mean())
        active = np.abs(pixels - np.median(pixels, axis=(1, 2), keepdims=True)).max(-1) > 0.2
        for f in range(0, len(pixels), 4):
            y, x = [int(v.mean()) for v in np.nonzero(active[f])]
            near.append(error[f, max(0, y - 24):y + 24, max(0, x - 24):x + 24].mean())
    return dict(psnr=_psnr(whole), object_psnr=_psnr(near), both_psnr=_psnr(there_and_back),
                latent_mse=float(np.mean(latent)))


def pixel_loss(out, pixels):
    error = out.float() - pixels
    return error.abs().mean() + 2 * error.square().mean()


def loss_of(part, model, pixels, z, mean, std):
    loss = 0
    if part != "encoder":
        loss = pixel_loss(model.decode((z + NOISE * torch.randn_like(z)) * std + mean), pixels)
    if part != "decoder":
        u = model.encode(pixels).float()
        latent = (((u - mean) / std - z) ** 2).mean()
        loss = latent if part == "encoder" else loss + pixel_loss(model.decode(u), pixels) + 0.2 * latent
    return loss


class Half:
    """Encoder or decoder with its running average and its file."""

    def __init__(self, work, name, modules, resume):
        self.modules, self.path = modules, os.path.join(work, name + ".pt")
        self.ema, self.state = common.Ema(modules, 0.998), {}
        if resume and os.path.exists(self.path):
            self.state = torch.load(self.path)
            for module, value in zip(modules, self.state["modules"]):
                module.load_state_dict(value)
            self.ema.load_state_dict(self.state["ema"])

    def swap(self):
        """Exchanges the trained and the averaged weights."""
        for i, module in enumerate(self.modules):
            live = {k: v.clone() for k, v in module.state_dict().items()}
            module.load_state_dict(self.ema.values[i])
            self.ema.values[i] = live

    def save(self, **progress):
        common.save(self.path, modules=[m.state_dict() for m in self.modules],
                    ema=self.ema.state_dict(), **progress)


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--work", required=True)
    args.add_argument("--part", choices=("decoder", "encoder", "both"), required=True)
    args.add_argument("--level", choices=("plain", "rich"), default="plain")
    args.add_argument("--minutes", type=float, default=15, help="wall time in all, resumes included")
    args.add_argument("--rate", type=float, default=2e-3)
    args.add_argument("--resume", action="store_true")
    args = args.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(7)
    world_of = common.World(args.level, common.ensure_pca(args.work, args.level))
    mean, std = (torch.from_numpy(world_of.pca[k]).view(16, 1, 1) for k in ("mean", "std"))
    model = vae.Vae()
    parts = dict(decoder=[model.decoder, model.post_quant_conv], encoder=[model.encoder, model.quant_conv])
    names = list(parts) if args.part == "both" else [args.part]
    halves = [Half(args.work, n, parts[n], args.resume or args.part == "both") for n in names]
    params = [p for h in halves for m in h.modules for p in m.parameters()]
    optimiser = torch.optim.AdamW(params, args.rate, betas=(0.9, 0.95), weight_decay=0.0)
    step, spent, frames = 0, 0.0, 0
    state = halves[0].state
    if args.resume and state.get("part") == args.part:
        optimiser.load_state_dict(state["optimiser"])
        step, spent, frames = state["step"], state["spent"], state["frames"]
    rng = np.random.default_rng(1000 + step)
    log = common.Log(os.path.join(args.work, args.part + ".jsonl"))
    last, saved, losses, cpu = time.time(), time.time(), [], time.process_time()
    while spent < args.minutes * 60:
        done = spent / (args.minutes * 60)
        for group in optimiser.param_groups:
            group["lr"] = args.rate * common.rate_at(done, hold=0.4, floor=0.02)
        # Together, both begin where their own phases ended: with windows of several frames.
        pixels, z = batch_at(rng, world_of, max(done, 0.25) if args.part == "both" else done)
        with common.fast_products():
            loss = loss_of(args.part, model, pixels, z, mean, std)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        optimiser.step()
        step, frames = step + 1, frames + pixels.shape[0] * pixels.shape[1]
        losses.append(loss.item())
        for half in halves:
            half.ema.update()
        spent, last = spent + time.time() - last, time.time()
        if time.time() - saved > 60 or spent >= args.minutes * 60:
            for half in halves:
                half.swap()
            log(step=step, spent=spent, core_s=time.process_time() - cpu, frames=frames,
                loss=float(np.mean(losses)), **measure(model, world_of, mean, std))
            for half in halves:
                half.swap()
                half.save(part=args.part, optimiser=optimiser.state_dict(), step=step, spent=spent,
                          frames=frames)
            saved, losses = time.time(), []


if __name__ == "__main__":
    main()
