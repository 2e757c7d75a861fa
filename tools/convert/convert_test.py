# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Converting with published key names: what is merged, and what is refused. All of it is names and
a few products, tried on small matrices of our own; where torch and safetensors are installed, the
embedded model also goes through real files and comes back as itself.

usage: python tools/convert/convert_test.py
"""
import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import convert
import lora
import names
from names import ConvertError

try:
    import torch
    from safetensors.torch import load_file, save_file
except ImportError:  # neither comes with the product
    torch = None

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BASE = os.path.join(ROOT, "models", "shapes-small")
CONFIG = {"num_attention_heads": 1, "attention_head_dim": 2, "num_layers": 2, "ffn_dim": 3,
          "in_channels": 1, "out_channels": 1, "text_dim": 2, "freq_dim": 2}
QUERY = "blocks.1.attn1.to_q.weight"


class Matrix:
    """As much of a tensor as converting uses."""

    dtype = "small"

    def __init__(self, shape, values):
        self.shape, self.values = tuple(shape), list(values)

    def __eq__(self, other):
        return self.shape == other.shape and self.values == other.values

    def flatten(self, _):
        rows = self.shape[0]
        return Matrix((rows, len(self.values) // rows if rows else 0), self.values)

    def reshape(self, shape):
        return Matrix(shape, self.values)

    def float(self):
        return self

    def to(self, _):
        return self

    def contiguous(self):
        return self

    def __mul__(self, factor):
        return Matrix(self.shape, [value * factor for value in self.values])

    def __add__(self, other):
        return Matrix(self.shape, [a + b for a, b in zip(self.values, other.values)])

    def __matmul__(self, other):
        (rows, inner), columns = self.shape, other.shape[1]
        return Matrix((rows, columns),
                      [sum(self.values[r * inner + i] * other.values[i * columns + c]
                           for i in range(inner)) for r in range(rows) for c in range(columns)])


def filled(shape, value):
    count = 1
    for extent in shape:
        count *= extent
    return Matrix(shape, [value] * count)


def published_tensors():
    return {name: filled(shape, 1.0) for name, shape in names.expected_shapes(CONFIG).items()}


def to_original(name):
    stem, _, suffix = name.rpartition(".") if name.endswith((".weight", ".bias")) else (name, "", "")
    return names.original_stem(stem) + (f".{suffix}" if suffix else "")


DOWN, UP = Matrix((1, 2), [1.0, 2.0]), Matrix((2, 1), [10.0, 100.0])
MERGED = Matrix((2, 2), [11.0, 21.0, 101.0, 201.0])


def merge(state, alpha=None):
    tensors = published_tensors()
    with contextlib.redirect_stdout(io.StringIO()) as said:
        lora.merge_lora(tensors, state, "lora.pt", alpha)
    return tensors, said.getvalue()


class LoraTest(unittest.TestCase):
    def test_names_of_all_forms(self):
        for stem, down, up in (
                ("base_model.model.blocks.1.self_attn.q", "lora_A", "lora_B"),
                ("base_model.model.model.blocks.1.self_attn.q", "lora_A.default", "lora_B.default"),
                ("model._fsdp_wrapped_module.blocks.1._checkpoint_wrapped_module.self_attn.q",
                 "lora_A", "lora_B"),
                ("diffusion_model.blocks.1.self_attn.q", "lora_down", "lora_up"),
                ("lora_unet_blocks_1_self_attn_q", "lora_down", "lora_up"),
                ("transformer.blocks.1.attn1.to_q", "lora_A", "lora_B"),
                ("transformer.blocks.1.attn1.to_q", "lora.down", "lora.up")):
            tensors, _ = merge({f"{stem}.{down}.weight": DOWN, f"{stem}.{up}.weight": UP})
            self.assertEqual(tensors.pop(QUERY), MERGED, stem)
            self.assertEqual(tensors, {name: value for name, value in published_tensors().items()
                                       if name != QUERY}, "nothing else changes")

    def test_alpha_over_rank(self):
        pair = {"diffusion_model.blocks.1.self_attn.q.lora_down.weight": DOWN,
                "diffusion_model.blocks.1.self_attn.q.lora_up.weight": UP}
        half = Matrix((2, 2), [6.0, 11.0, 51.0, 101.0])
        tensors, said = merge({**pair, "diffusion_model.blocks.1.self_attn.q.alpha": 0.5})
        self.assertEqual(tensors[QUERY], half)
        self.assertIn("scale 0.5", said)
        self.assertEqual(merge(pair, alpha=0.5)[0][QUERY], half)
        self.assertIn("taken to be the rank", merge(pair)[1])
        with self.assertRaisesRegex(ConvertError, "alphas of its own"):
            merge({**pair, "diffusion_model.blocks.1.self_attn.q.alpha": 0.5}, alpha=1.0)
        for alpha in (0.0, -1.0, float("nan")):
            with self.assertRaisesRegex(ConvertError, "alpha is"):
                merge({**pair, "diffusion_model.blocks.1.self_attn.q.alpha": alpha})

    def test_the_patch_embedding_is_a_convolution(self):
        tensors, _ = merge({"patch_embedding.lora_A.weight": filled((1, 1, 1, 2, 2), 2.0),
                            "patch_embedding.lora_B.weight": filled((2, 1, 1, 1, 1), 3.0)})
        self.assertEqual(tensors["patch_embedding.weight"], filled((2, 1, 1, 2, 2), 7.0))

    def test_what_cannot_be_merged_is_named(self):
        stem = "base_model.model.blocks.1.self_attn.q"
        pair = {f"{stem}.lora_A.weight": DOWN, f"{stem}.lora_B.weight": UP}
        for state, words in (
                ({}, "no low-rank update"),
                ({f"{stem}.lora_A.weight": DOWN}, "no other half"),
                ({f"{stem}.alpha": 1.0}, "no other half"),
                ({**pair, f"{stem}.lora_A.default.weight": DOWN}, "second one"),
                ({**pair, "transformer.blocks.1.attn1.to_q.lora_A.weight": DOWN}, "second one"),
                ({**pair, f"{stem}.lora_magnitude_vector": UP}, "DoRA"),
                ({**pair, f"{stem}.hada_w1_a": UP}, "LoHa"),
                ({**pair, f"{stem}.lokr_w1": UP}, "LoKr"),
                ({**pair, f"{stem}.lora_B.bias": UP}, "a bias"),
                ({**pair, f"{stem}.diff_b": UP}, "a changed bias"),
                ({**pair, "step": 3}, "'step'"),
                ({"blocks.9.self_attn.q.lora_A.weight": DOWN}, "belongs to no linear"),
                ({"blocks.1.img_attn.q.lora_A.weight": DOWN}, "blocks.1.img_attn.q"),
                ({"blocks.1.norm3.lora_A.weight": DOWN}, "belongs to no linear"),
                ({f"{stem}.lora_A.weight": DOWN, f"{stem}.lora_B.weight": DOWN}, "do not make"),
                ({f"{stem}.lora_A.weight": filled((1, 3), 1.0), f"{stem}.lora_B.weight": UP},
                 "do not make")):
            with self.assertRaisesRegex(ConvertError, words):
                merge(state)


class CheckpointTest(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)
        self.base = os.path.join(self.scratch.name, "base")
        for name in ("scheduler", "text_encoder", "tokenizer", "vae", "transformer"):
            os.makedirs(os.path.join(self.base, name))
        for name, value in (("model_index.json", {}), ("transformer/config.json", CONFIG)):
            with open(os.path.join(self.base, name), "w", encoding="utf-8") as file:
                json.dump(value, file)
        self.outs = 0

    def run_convert(self, files, **more):
        """The saved tensors by file, and what was said. files: path -> what it holds."""
        self.outs += 1
        out = os.path.join(self.scratch.name, f"out{self.outs}")
        arguments = argparse.Namespace(checkpoint="base.pt", base=self.base, out=out, entry=None,
                                       lora=None, lora_alpha=None, tiny_decoder=None,
                                       recipe="longlive", copy=False)
        vars(arguments).update(more)
        saved = {}
        with mock.patch.object(convert, "read_state", lambda path: files[path]), \
                mock.patch.object(convert, "save_state", lambda tensors, path: saved.update(
                    {os.path.relpath(path, out): tensors})), \
                contextlib.redirect_stdout(io.StringIO()) as said:
            try:
                convert.convert(arguments)
            except ConvertError:
                self.assertFalse(os.path.exists(out), "nothing is written before all is checked")
                raise
        return saved, said.getvalue()

    def original(self, prefix="model."):
        return {prefix + to_original(name): value for name, value in published_tensors().items()}

    def test_published_forms(self):
        transformer = "transformer/diffusion_pytorch_model.safetensors"
        state = self.original()
        for checkpoint in ({"generator_ema": state}, {"generator": state, "step": 10}, state,
                           {"model": self.original("")}, published_tensors(),
                           {"generator": self.original("model._fsdp_wrapped_module.")}):
            saved, _ = self.run_convert({"base.pt": checkpoint})
            self.assertEqual(saved[transformer], published_tensors())
        other = {**state, "model.head.head.bias": filled((4,), 5.0)}
        saved, said = self.run_convert({"base.pt": {"generator": other, "generator_ema": state,
                                                    "critic": {}}})
        self.assertEqual(saved[transformer], published_tensors())
        self.assertIn("using entry 'generator_ema', not generator, critic", said)
        saved, _ = self.run_convert({"base.pt": {"generator": other, "generator_ema": state}},
                                    entry="generator")
        self.assertEqual(saved[transformer]["proj_out.bias"], filled((4,), 5.0))

    def test_the_wrapped_low_rank_updates_of_longlive(self):
        stem = "base_model.model.blocks.1.self_attn.q"
        pair = {f"{stem}.lora_A.weight": DOWN, f"{stem}.lora_B.weight": UP}
        files = {"base.pt": {"generator": self.original()},
                 "lora.pt": {"generator_lora": pair, "critic_lora": {"x": DOWN}, "step": 3}}
        saved, said = self.run_convert(files, lora="lora.pt")
        (tensors,) = saved.values()
        self.assertEqual(tensors[QUERY], MERGED)
        self.assertIn("merged 1 low-rank updates", said)
        self.assertIn("critic_lora", said)
        with self.assertRaisesRegex(ConvertError, "critic_lora"):
            self.run_convert({**files, "lora.pt": {"critic_lora": pair}}, lora="lora.pt")

    def test_what_is_no_whole_checkpoint_is_named(self):
        state = self.original()
        query = "model.blocks.1.self_attn.q.weight"
        for checkpoint, words in (
                ([], "holds a list"),
                ({"critic": state}, "critic; give --entry"),
                ({"generator": {**state, "model.blocks.0.mystery.weight": UP}}, "mystery"),
                ({"generator": {**state, "model.blocks.2.self_attn.q.weight": UP}}, "right base"),
                ({"generator": {**state, "model.img_emb.proj.0.weight": UP}}, "img_emb"),
                ({"generator": {**state, query: filled((4, 4), 1.0)}}, "right base"),
                ({"generator": {**state, "blocks.1.self_attn.q.weight": UP}}, "two tensors"),
                ({"generator": {**state, "note": "hello"}}, "note"),
                ({"generator": {k: v for k, v in state.items() if k != query}}, "missing")):
            with self.assertRaisesRegex(ConvertError, words):
                self.run_convert({"base.pt": checkpoint})
        with self.assertRaisesRegex(ConvertError, "no entry 'ema'; it has generator"):
            self.run_convert({"base.pt": {"generator": state}}, entry="ema")

    def test_a_base_that_is_not_whole(self):
        os.rmdir(os.path.join(self.base, "vae"))
        with self.assertRaisesRegex(ConvertError, "vae is missing"):
            self.run_convert({"base.pt": self.original()})

    def test_tiny_decoders(self):
        tiny = {"encoder.0.weight": UP, "decoder.1.weight": filled((2, 16, 3, 3), 1.0)}
        files = {"base.pt": self.original(), "taew2_1.pth": tiny}
        saved, _ = self.run_convert(files, tiny_decoder="taew2_1.pth")
        self.assertEqual(saved["tiny_decoder/model.safetensors"], tiny)
        for spoilt, words in (({"decoder.1.weight": filled((2, 48, 3, 3), 1.0)}, "16 latent"),
                              ({"x": UP}, "decoder.1.weight"),
                              ({**tiny, "y.weight": UP}, "y.weight")):
            with self.assertRaisesRegex(ConvertError, words):
                self.run_convert({**files, "taew2_1.pth": spoilt}, tiny_decoder="taew2_1.pth")

    def test_alpha_of_the_settings_beside_the_file(self):
        folder = self.scratch.name
        path = os.path.join(folder, "adapter_model.pt")

        def alpha(settings):
            with open(os.path.join(folder, "adapter_config.json"), "w", encoding="utf-8") as file:
                json.dump(settings, file)
            return convert.adapter_alpha(path)

        self.assertIsNone(convert.adapter_alpha(path))
        self.assertEqual(alpha({"r": 8, "lora_alpha": 16, "use_dora": False}), 16)
        for field in ("use_dora", "use_rslora", "alpha_pattern"):
            with self.assertRaisesRegex(ConvertError, field):
                alpha({"lora_alpha": 16, field: {"x": 1}})

    def test_a_git_lfs_pointer_is_named(self):
        path = os.path.join(self.scratch.name, "pointer.pt")
        with open(path, "w", encoding="utf-8") as file:
            file.write("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
        with self.assertRaisesRegex(ConvertError, "git-lfs"):
            convert.read_state(path)


def run(*arguments):
    return subprocess.run([sys.executable, os.path.join(ROOT, "tools/convert/convert.py"), *arguments],
                          capture_output=True, text=True, check=False)


@unittest.skipIf(torch is None, "needs torch and safetensors")
class FilesTest(unittest.TestCase):
    """The embedded model, renamed to a checkpoint's names with its prefixes."""

    def test_it_comes_back_as_itself(self):
        folder = os.path.join(BASE, "transformer")
        weights = load_file(os.path.join(folder, "diffusion_pytorch_model.safetensors"))
        state = {f"model._fsdp_wrapped_module.{to_original(name)}": tensor
                 for name, tensor in weights.items()}
        with tempfile.TemporaryDirectory() as scratch:
            checkpoint, pairs = os.path.join(scratch, "model.pt"), os.path.join(scratch, "lora.pt")
            torch.save({"generator_ema": state}, checkpoint)
            out = os.path.join(scratch, "out")
            result = run("--checkpoint", checkpoint, "--base", BASE, "--out", out)
            self.assertEqual(result.returncode, 0, result.stderr)
            back = load_file(os.path.join(out, "transformer/diffusion_pytorch_model.safetensors"))
            self.assertEqual(set(back), set(weights))
            self.assertTrue(all(torch.equal(back[name], weights[name]) for name in weights))

            stem = "blocks.0.self_attn.q"
            name = "blocks.0.attn1.to_q.weight"
            rows, columns = weights[name].shape
            torch.manual_seed(1)
            down, up = torch.randn(2, columns), torch.randn(rows, 2)
            pair = {f"base_model.model.{stem}.lora_A.weight": down,
                    f"base_model.model.{stem}.lora_B.weight": up}
            torch.save({"generator_lora": pair}, pairs)
            kohya = os.path.join(scratch, "lora.safetensors")
            flat = f"lora_unet_{stem.replace('.', '_')}"
            save_file({f"{flat}.lora_down.weight": down, f"{flat}.lora_up.weight": up,
                       f"{flat}.alpha": torch.tensor(2.0)}, kohya)
            for at, path in enumerate((pairs, kohya)):
                out = os.path.join(scratch, f"lora{at}")
                result = run("--checkpoint", checkpoint, "--base", BASE, "--out", out, "--lora", path)
                self.assertEqual(result.returncode, 0, result.stderr)
                back = load_file(os.path.join(out, "transformer/diffusion_pytorch_model.safetensors"))
                merged = (weights[name].float() + up @ down).to(weights[name].dtype)
                self.assertTrue(torch.equal(back.pop(name), merged))
                self.assertTrue(all(torch.equal(back[rest], weights[rest]) for rest in back))

            for bad, base, word in ((os.path.join(ROOT, "README.md"), BASE, "README.md"),
                                    (checkpoint, scratch, "config.json")):
                result = run("--checkpoint", bad, "--base", base, "--out", os.path.join(scratch, "no"))
                self.assertEqual(result.returncode, 1)
                self.assertIn(word, result.stderr)
                self.assertNotIn("Traceback", result.stderr)


if __name__ == "__main__":
    unittest.main()
