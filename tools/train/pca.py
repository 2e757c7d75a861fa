# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Fixed causal latents: 16 principal components of 4-frame 8x8 pixel blocks.

Pixel frame 0 alone is latent 0 (repeated four times through the same projection); latent i > 0
holds pixel frames 4i-3 .. 4i. VAE-space u = block . basis; DiT-space z = (u - mean) / std, where std
is a compromise between whitening and keeping the variances (power 1/4 of the variance).
"""

import numpy as np

import world

CHANNELS, PATCH, GROUP = 16, 8, 4


def blocks(pixels):
    """[frames, height, width, 3] with frames a multiple of 4 -> [latents, h / 8, w / 8, 768]."""
    n, h, w = (s // p for s, p in zip(pixels.shape, (GROUP, PATCH, PATCH)))
    x = pixels.reshape(n, GROUP, h, PATCH, w, PATCH, 3)
    return x.transpose(0, 2, 4, 1, 3, 5, 6).reshape(n, h, w, GROUP * PATCH * PATCH * 3)


def fit(level="plain", seed=5, scenes=400):
    """-> {basis [768,16], offset [768], mean [16], std [16]} (float32 numpy)."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(scenes):
        scene = world.draw_scene(rng, level, jitter=2.0)  # wider than what is trained on: a fixed basis
        x = blocks(world.render(scene, int(rng.integers(0, 200)), 8)).reshape(-1, 768)
        edge = x.std(axis=1) > 0.05
        flat = np.flatnonzero(~edge)
        rows.append(x[edge])
        rows.append(x[rng.choice(flat, min(len(flat), 40), replace=False)])
    rows = np.concatenate(rows).astype(np.float64)
    offset = rows.mean(0)
    value, vector = np.linalg.eigh(np.cov((rows - offset).T))
    order = np.argsort(value)[::-1][:CHANNELS]
    basis, variance = vector[:, order], value[order]
    print("kept variance: %.4f" % (variance.sum() / value.sum()))
    u = (rows - offset) @ basis
    std = variance ** 0.25
    std *= np.sqrt(np.mean(variance / std ** 2))  # unit mean variance of z
    return {k: v.astype(np.float32) for k, v in dict(
        basis=basis, offset=offset, mean=u.mean(0), std=std).items()}


def encode(pca, pixels, first_is_start):
    """Pixels -> DiT-space latents [latents, 16, height / 8, width / 8].

    With first_is_start the first pixel frame is frame 0 of the video and becomes latent 0 alone.
    """
    if first_is_start:
        pixels = np.concatenate([np.repeat(pixels[:1], GROUP - 1, axis=0), pixels])
    u = (blocks(pixels) - pca["offset"]) @ pca["basis"]
    return ((u - pca["mean"]) / pca["std"]).transpose(0, 3, 1, 2)


def decode(pca, z):
    """The linear decoder, for reference: latents -> pixels of whole groups."""
    x = (z.transpose(0, 2, 3, 1) * pca["std"] + pca["mean"]) @ pca["basis"].T + pca["offset"]
    n = x.shape[0]
    x = x.reshape(n, world.HEIGHT // PATCH, world.WIDTH // PATCH, GROUP, PATCH, PATCH, 3)
    return x.transpose(0, 3, 1, 4, 2, 5, 6).reshape(n * GROUP, world.HEIGHT, world.WIDTH, 3)


def scene_latents(pca, scene, first_chunk, chunks):
    """DiT-space latents of whole chunks (3 latents each) of a scene."""
    start = first_chunk == 0
    when = (0, 12 * chunks - 3) if start else (12 * first_chunk - 3, 12 * chunks)
    if scene.background not in world.FLAT:
        return encode(pca, world.render(scene, *when), start)
    # On flat ground only the window that the bodies touch is drawn: three times faster.
    box = world.touched(scene, *when, PATCH)
    ground = encode(pca, world.render(world.Scene(scene.background, []), 0, 4, (0, 8, 0, 8)), False)
    z = np.tile(ground, (3 * chunks, 1, world.HEIGHT // PATCH, world.WIDTH // PATCH))
    y0, y1, x0, x1 = (v // PATCH for v in box)
    z[:, :, y0:y1, x0:x1] = encode(pca, world.render(scene, *when, box), start)
    return z


if __name__ == "__main__":
    import sys
    np.savez(sys.argv[1], **fit(*sys.argv[2:]))
