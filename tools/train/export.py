# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Phase 6: writes the model directory (published Diffusers layout, bf16) and checks it.

The check loads the directory with diffusers and transformers and compares every network with ours.
"""

import argparse
import json
import os
import shutil

import torch
from safetensors.torch import save_file

import common
import dit
import text
import tokenizer
import vae

RECIPE = {
    "format": 1, "name": "shapes-small", "chunk_frames": 3, "sampler": "few_step",
    "steps": [1000, 750, 500, 250], "warp_steps": True, "shift": 5.0, "key_plan": "window",
    "window_frames": 21, "sink_frames": 0, "context_noise": 0, "fps": 16, "width": 160,
    "height": 96, "guidance": 1.0,
    "example_prompts": [
        "a blue square going up on a pink background",
        "a red circle moving to the right on a white background",
        "a yellow triangle sliding left on a black background",
        "an orange ball falling, against a gray background",
        "a green square and a purple circle rising on a white background",
        "a purple triangle standing still on a black background"],
}


def _json(path, value):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        json.dump(value, f, indent=2)
        f.write("\n")


def _weights(path, state):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    save_file({k: v.detach().to(torch.bfloat16).contiguous() for k, v in sorted(state.items())},
              path, metadata={"format": "pt"})


def load_networks(work):
    """Averaged weights of every phase that has run -> model, encoder, vae, pca."""
    pca = common.load_pca(work)
    tok = tokenizer.load(os.path.join(work, "tokenizer"))
    model, encoder, auto = dit.WanDit(), text.build(tok.get_vocab_size()), vae.Vae()
    path = lambda name: os.path.join(work, name + ".pt")
    encoder.load_state_dict(torch.load(path("text"))["encoder"])
    if os.path.exists(path("dit")):
        for module, value in zip((model, encoder), torch.load(path("dit"))["ema"]["values"]):
            module.load_state_dict(value)
    for name, parts in (("decoder", (auto.decoder, auto.post_quant_conv)),
                        ("encoder", (auto.encoder, auto.quant_conv))):
        if os.path.exists(path(name)):
            for module, value in zip(parts, torch.load(path(name))["ema"]["values"]):
                module.load_state_dict(value)
    return model.eval(), encoder.eval(), auto.eval(), pca, tok


def write(work, out, recipe):
    model, encoder, auto, pca, _ = load_networks(work)
    join = lambda *p: os.path.join(out, *p)
    _json(join("model_index.json"), {
        "_class_name": "WanPipeline", "_diffusers_version": "0.33.0.dev0",
        "scheduler": ["diffusers", "UniPCMultistepScheduler"],
        "text_encoder": ["transformers", "UMT5EncoderModel"],
        "tokenizer": ["transformers", "T5TokenizerFast"],
        "transformer": ["diffusers", "WanTransformer3DModel"],
        "vae": ["diffusers", "AutoencoderKLWan"]})
    _json(join("scheduler", "scheduler_config.json"), {
        "_class_name": "UniPCMultistepScheduler", "_diffusers_version": "0.33.0.dev0",
        "beta_end": 0.02, "beta_schedule": "linear", "beta_start": 0.0001, "disable_corrector": [],
        "final_sigmas_type": "zero", "flow_shift": 5.0, "lower_order_final": True,
        "num_train_timesteps": 1000, "predict_x0": True, "prediction_type": "flow_prediction",
        "rescale_betas_zero_snr": False, "sample_max_value": 1.0, "solver_order": 2,
        "solver_p": None, "solver_type": "bh2", "steps_offset": 0, "thresholding": False,
        "timestep_spacing": "linspace", "trained_betas": None, "use_beta_sigmas": False,
        "use_exponential_sigmas": False, "use_flow_sigmas": True, "use_karras_sigmas": False})
    c = encoder.config
    _json(join("text_encoder", "config.json"), {
        "architectures": ["UMT5EncoderModel"], "classifier_dropout": 0.0, "d_ff": c.d_ff,
        "d_kv": c.d_kv, "d_model": c.d_model, "decoder_start_token_id": 0,
        "dense_act_fn": "gelu_new", "dropout_rate": 0.0, "eos_token_id": 1,
        "feed_forward_proj": "gated-gelu", "initializer_factor": 1.0, "is_encoder_decoder": True,
        "is_gated_act": True, "layer_norm_epsilon": 1e-06, "model_type": "umt5",
        "num_decoder_layers": c.num_layers, "num_heads": c.num_heads, "num_layers": c.num_layers,
        "output_past": True, "pad_token_id": 0, "relative_attention_max_distance": 128,
        "relative_attention_num_buckets": 32, "scalable_attention": True,
        "tie_word_embeddings": False, "tokenizer_class": "T5Tokenizer", "torch_dtype": "bfloat16",
        "use_cache": True, "vocab_size": c.vocab_size})
    state = encoder.state_dict()
    state.pop("encoder.embed_tokens.weight", None)
    _weights(join("text_encoder", "model.safetensors"), state)
    _json(join("transformer", "config.json"), {
        "_class_name": "WanTransformer3DModel", "_diffusers_version": "0.33.0.dev0", **dit.CONFIG})
    _weights(join("transformer", "diffusion_pytorch_model.safetensors"), model.state_dict())
    floats = lambda name: [float(f"{v:.7g}") for v in pca[name]]
    _json(join("vae", "config.json"), {
        "_class_name": "AutoencoderKLWan", "_diffusers_version": "0.33.0.dev0", **vae.CONFIG,
        "latents_mean": floats("mean"), "latents_std": floats("std")})
    _weights(join("vae", "diffusion_pytorch_model.safetensors"), auto.state_dict())
    _json(join("longtake.json"), recipe)
    shutil.copytree(os.path.join(work, "tokenizer"), join("tokenizer"), dirs_exist_ok=True)


@torch.no_grad()
def load_directory(out):
    """Our modules with the weights of a model directory, as float32."""
    from safetensors.torch import load_file
    read = lambda *p: {k: v.float() for k, v in load_file(os.path.join(out, *p)).items()}
    tok = tokenizer.load(os.path.join(out, "tokenizer"))
    model, encoder, auto = dit.WanDit(), text.build(tok.get_vocab_size()), vae.Vae()
    model.load_state_dict(read("transformer", "diffusion_pytorch_model.safetensors"))
    state = read("text_encoder", "model.safetensors")
    encoder.load_state_dict({**state, "encoder.embed_tokens.weight": state["shared.weight"]})
    auto.load_state_dict(read("vae", "diffusion_pytorch_model.safetensors"))
    with open(os.path.join(out, "vae", "config.json")) as f:
        config = json.load(f)
    scale = {k: torch.tensor(config["latents_" + k]).view(16, 1, 1) for k in ("mean", "std")}
    with open(os.path.join(out, "longtake.json")) as f:
        recipe = json.load(f)
    return model.eval(), encoder.eval(), auto.eval(), tok, scale, recipe


@torch.no_grad()
def check(out):
    from diffusers import AutoencoderKLWan, WanTransformer3DModel
    from transformers import AutoTokenizer, UMT5EncoderModel
    torch.manual_seed(0)
    model, encoder, auto, tok, _, recipe = load_directory(out)
    there = lambda cls, part: cls.from_pretrained(os.path.join(out, part)).float().eval()
    theirs = there(UMT5EncoderModel, "text_encoder")
    slow = AutoTokenizer.from_pretrained(os.path.join(out, "tokenizer"))
    prompts = recipe["example_prompts"]
    ids, length = text.batch_ids(tok, prompts)
    for i, prompt in enumerate(prompts):
        assert slow(prompt).input_ids == ids[i, :length[i]].tolist(), prompt
    states = text.encode(encoder, ids, length)
    worst = max(float((theirs(input_ids=ids[i:i + 1, :length[i]]).last_hidden_state[0]
                       - states[i, :length[i]]).abs().max()) for i in range(len(prompts)))
    print("text encoder: max error %.2e" % worst)
    theirs = there(WanTransformer3DModel, "transformer")
    padded = torch.zeros(len(prompts), text.TEXT_ROWS, text.TEXT_DIM)
    padded[:, :ids.shape[1]] = states[:, :-1]
    x = torch.randn(len(prompts), 3, 16, 12, 20)
    flow = model.chunk_flow(x, 937.5, 0, None, model.text_kv(states),
                            text.padding_bias(length, ids.shape[1]))
    want = theirs(x.transpose(1, 2), torch.full((len(prompts),), 937.5), padded,
                  return_dict=False)[0].transpose(1, 2)
    print("transformer: max error %.2e, largest value %.2f" % ((flow - want).abs().max(), want.abs().max()))
    theirs = there(AutoencoderKLWan, "vae")
    u = torch.randn(1, 4, 16, 12, 20) * 3
    pixels = auto.decode(u)
    want = theirs.decode(u.transpose(1, 2)).sample.transpose(1, 2)
    print("decoder: max error %.2e" % (pixels.clamp(-1, 1) - want).abs().max())
    want = theirs.encode(want.transpose(1, 2)).latent_dist.mean.transpose(1, 2)
    print("encoder: max error %.2e" % (auto.encode(pixels.clamp(-1, 1)) - want).abs().max())
    size = sum(os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(out) for f in fs)
    print("size of the directory: %.3f MB" % (size / 1e6))


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--work", required=True)
    args.add_argument("--out", required=True)
    args.add_argument("--steps", type=int, nargs="+", default=RECIPE["steps"])
    args.add_argument("--sink-frames", type=int, default=RECIPE["sink_frames"])
    args = args.parse_args()
    torch.set_num_threads(1)
    write(args.work, args.out, {**RECIPE, "steps": args.steps, "sink_frames": args.sink_frames})
    check(args.out)


if __name__ == "__main__":
    main()
