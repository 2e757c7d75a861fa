# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Makes a work folder out of a model directory, so that training can go on from what was published.

The optimisers start afresh; weights and averages start from the published bf16 values. The fixed
latents are fitted again: they are the same but for the signs of their components, which another
linear algebra library may choose otherwise. The directory's own VAE encoder tells the signs.
"""

import argparse
import os
import shutil

import numpy as np
import torch

import common
import export
import pca as pca_lib
import train_vae
import world

AGREEMENT_MIN = 0.3  # correlation of a component with what the VAE encoder makes of the same clips
PSNR_MIN = 30.0  # dB, of the VAE decoder on the latents found; a wrong sign costs far more


@torch.no_grad()
def aligned_pca(auto, scale, clips=6):
    """The fitted latents with the signs that the VAE was trained on."""
    pca = pca_lib.fit()
    for name in ("mean", "std"):
        wanted = scale[name].flatten().numpy()
        if not np.allclose(pca[name], wanted, rtol=1e-3, atol=1e-3):
            raise SystemExit(f"latents_{name} of the model is not of this world: {wanted}")
    rng = np.random.default_rng(12)
    ours, theirs = [], []
    for _ in range(clips):
        pixels = world.render(world.draw_scene(rng), 0, 9)
        u = auto.encode(torch.from_numpy(pixels).permute(0, 3, 1, 2)[None])[0]
        theirs.append(((u - scale["mean"]) / scale["std"]).numpy())
        ours.append(pca_lib.encode(pca, pixels, True))
    ours, theirs = (np.concatenate(x).transpose(1, 0, 2, 3).reshape(16, -1) for x in (ours, theirs))
    agreement = np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(ours, theirs)])
    print("agreement per component:", np.round(agreement, 2).tolist())
    if np.abs(agreement).min() < AGREEMENT_MIN:
        raise SystemExit("the VAE encoder does not know these latents")
    pca["basis"] = (pca["basis"] * np.sign(agreement)).astype(np.float32)
    psnr = train_vae.measure(auto, common.World("plain", pca), scale["mean"], scale["std"])["psnr"]
    print("VAE decoder on them: %.1f dB" % psnr)
    if psnr < PSNR_MIN:
        raise SystemExit("the VAE decoder does not know these latents")
    return pca


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--model", required=True)
    args.add_argument("--work", required=True)
    args = args.parse_args()
    torch.set_num_threads(1)
    model, encoder, auto, _, scale, _ = export.load_directory(args.model)
    os.makedirs(args.work, exist_ok=True)
    path = lambda name: os.path.join(args.work, name)
    shutil.copytree(os.path.join(args.model, "tokenizer"), path("tokenizer"), dirs_exist_ok=True)
    np.savez(path("pca.npz"), **aligned_pca(auto, scale))
    averaged = lambda *modules: {"values": [m.state_dict() for m in modules], "steps": 1000}
    common.save(path("text.pt"), encoder=encoder.state_dict())
    common.save(path("dit.pt"), model=model.state_dict(), encoder=encoder.state_dict(),
                ema=averaged(model, encoder), step=0, spent=0.0, chunks=0)
    for name, parts in (("decoder", (auto.decoder, auto.post_quant_conv)),
                        ("encoder", (auto.encoder, auto.quant_conv))):
        common.save(path(name + ".pt"), modules=[m.state_dict() for m in parts],
                    ema=averaged(*parts), step=0, spent=0.0, frames=0)


if __name__ == "__main__":
    main()
