# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Stage 2: the VAE decoder learnt on fixed PCA latents; stage 5: the encoder regressed onto them."""

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


def _clip(rng, pca, groups):
    """Pixels of 1 + 4*groups frames that begin at any time, and their latents."""
    scene = world.draw_scene(rng)
    pixels = world.render(scene, int(rng.integers(0, 300)), 1 + 4 * groups)
    return scene, pixels, pca_lib.encode(pca, pixels, True)


def _crop(rng, pixels, z, size):
    """A size x size window (whole blocks) near something that is not background."""
    h, w = size // 8, size // 8
    active = np.abs(z - np.median(z, axis=(2, 3), keepdims=True)).mean((0, 1))
    ys, xs = np.nonzero(active > 0.5 * active.max())
    i = rng.integers(len(ys))
    y = int(np.clip(ys[i] - rng.integers(0, h), 0, z.shape[2] - h))
    x = int(np.clip(xs[i] - rng.integers(0, w), 0, z.shape[3] - w))
    return pixels[:, 8 * y:8 * (y + h), 8 * x:8 * (x + w)], z[:, :, y:y + h, x:x + w]


def batch_at(rng, pca, done):
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
        _, p, l = _clip(rng, pca, groups)
        p, l = _crop(rng, p, l, size) if size else (p, l)
        pixels.append(p)
        z.append(l)
    pixels = torch.from_numpy(np.ascontiguousarray(np.stack(pixels))).permute(0, 1, 4, 2, 3)
    return pixels, torch.from_numpy(np.ascontiguousarray(np.stack(z)))


@torch.no_grad()
def measure(model, pca, mean, std, clips=4):
    """PSNR (dB) of whole frames and of 48x48 windows round a body, held-out seed."""
    rng = np.random.default_rng(999)
    whole, near = [], []
    for _ in range(clips):
        scene, pixels, z = _clip(rng, pca, 4)
        out = model.decode(torch.from_numpy(z)[None] * std + mean)[0].permute(0, 2, 3, 1).numpy()
        error = (np.clip(out, -1, 1) - pixels) ** 2 / 4
        whole.append(error.mean())
        active = np.abs(pixels - np.median(pixels, axis=(1, 2), keepdims=True)).max(-1) > 0.2
        for f in range(0, len(pixels), 4):
            y, x = [int(v.mean()) for v in np.nonzero(active[f])]
            near.append(error[f, max(0, y - 24):y + 24, max(0, x - 24):x + 24].mean())
    return -10 * np.log10(np.mean(whole)), -10 * np.log10(np.mean(near))


@torch.no_grad()
def measure_encoder(model, pca, mean, std, clips=4):
    rng = np.random.default_rng(998)
    error = []
    for _ in range(clips):
        _, pixels, z = _clip(rng, pca, 2)
        u = model.encode(torch.from_numpy(pixels).permute(0, 3, 1, 2)[None])[0]
        error.append((((u - mean) / std - torch.from_numpy(z)) ** 2).mean().item())
    return float(np.mean(error))


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--work", required=True)
    args.add_argument("--part", choices=("decoder", "encoder"), required=True)
    args.add_argument("--minutes", type=float, default=15, help="wall time in all, resumes included")
    args.add_argument("--rate", type=float, default=2e-3)
    args.add_argument("--resume", action="store_true")
    args = args.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(7)
    pca = common.ensure_pca(args.work)
    mean, std = (torch.from_numpy(pca[k]).view(16, 1, 1) for k in ("mean", "std"))
    model = vae.Vae()
    encoder = args.part == "encoder"
    trained = [model.encoder, model.quant_conv] if encoder else [model.decoder, model.post_quant_conv]
    params = [p for m in trained for p in m.parameters()]
    optimiser = torch.optim.AdamW(params, args.rate, betas=(0.9, 0.95), weight_decay=0.0)
    path = os.path.join(args.work, args.part + ".pt")
    ema = common.Ema(trained, 0.998)
    step, spent, frames = 0, 0.0, 0
    if args.resume and os.path.exists(path):
        state = torch.load(path)
        for m, s in zip(trained, state["modules"]):
            m.load_state_dict(s)
        ema.load_state_dict(state["ema"])
        if "optimiser" in state:
            optimiser.load_state_dict(state["optimiser"])
        step, spent, frames = state["step"], state["spent"], state["frames"]
    rng = np.random.default_rng(1000 + step)
    log = common.Log(os.path.join(args.work, args.part + ".jsonl"))
    last, saved, losses, cpu = time.time(), time.time(), [], time.process_time()
    while spent < args.minutes * 60:
        done = spent / (args.minutes * 60)
        for group in optimiser.param_groups:
            group["lr"] = args.rate * common.rate_at(done, hold=0.4, floor=0.02)
        pixels, z = batch_at(rng, pca, done)
        with common.fast_products():
            if encoder:
                u = model.encode(pixels).float()
                loss = (((u - mean) / std - z) ** 2).mean()
            else:
                out = model.decode((z + NOISE * torch.randn_like(z)) * std + mean).float()
                loss = (out - pixels).abs().mean() + 2 * (out - pixels).square().mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        optimiser.step()
        ema.update()
        step, frames = step + 1, frames + pixels.shape[0] * pixels.shape[1]
        losses.append(loss.item())
        spent, last = spent + time.time() - last, time.time()
        if time.time() - saved > 60 or spent >= args.minutes * 60:
            live = [{k: v.clone() for k, v in m.state_dict().items()} for m in trained]
            for m, s in zip(trained, ema.values):
                m.load_state_dict(s)
            row = dict(step=step, spent=spent, core_s=time.process_time() - cpu, frames=frames,
                       loss=float(np.mean(losses)))
            if encoder:
                row["latent_mse"] = measure_encoder(model, pca, mean, std)
            else:
                row["psnr"], row["object_psnr"] = map(float, measure(model, pca, mean, std))
            log(**row)
            for m, s in zip(trained, live):
                m.load_state_dict(s)
            common.save(path, modules=live, ema=ema.state_dict(), optimiser=optimiser.state_dict(),
                        step=step, spent=spent, frames=frames)
            saved, losses = time.time(), []


if __name__ == "__main__":
    main()
