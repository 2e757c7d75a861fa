# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Trains the Unigram tokenizer on the caption grammar and writes the published tokenizer files.

ids 0 <pad>, 1 </s>, 2 <s>, 3 <unk>. The normaliser is a SentencePiece charsmap of our own rules
(upper case to lower case), stored in spiece.model and, as Precompiled, in tokenizer.json.
"""

import base64
import collections
import io
import json
import math
import os
import re
import tempfile

import numpy as np
import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as spm_proto

import captions
import world

PIECES = 256


def _corpus(count=20000, seed=11):
    rng = np.random.default_rng(seed)
    lines = [captions.caption(rng, world.draw_scene(rng)) for _ in range(count)]
    # Characters a user may type although no caption holds them.
    lines += ["the quick brown fox jumps over the lazy dog 0 1 2 3 4 5 6 7 8 9 ! ? : ; ' \" ( ) -"] * 50
    return lines


def train(out_dir):
    """Writes spiece.model, tokenizer.json, tokenizer_config.json, special_tokens_map.json."""
    os.makedirs(out_dir, exist_ok=True)
    model = io.BytesIO()
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        for upper in range(ord("A"), ord("Z") + 1):
            rules.write(f"{upper:X}\t{upper + 32:X}\n")
        rules.flush()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(_corpus()), model_writer=model, model_type="unigram",
            vocab_size=PIECES, pad_id=0, eos_id=1, bos_id=2, unk_id=3, pad_piece="<pad>",
            character_coverage=1.0, normalization_rule_tsv=rules.name, hard_vocab_limit=False,
            num_threads=1, minloglevel=2)
    blob = _with_whole_words(model.getvalue())
    with open(os.path.join(out_dir, "spiece.model"), "wb") as f:
        f.write(blob)
    proto = spm_proto.ModelProto.FromString(blob)
    charsmap = base64.b64encode(proto.normalizer_spec.precompiled_charsmap).decode()
    special = [{"id": i, "content": p, "single_word": False, "lstrip": False, "rstrip": False,
                "normalized": False, "special": True}
               for i, p in ((0, "<pad>"), (1, "</s>"), (2, "<s>"), (3, "<unk>"))]
    metaspace = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always",
                 "split": True}
    eos = [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}]
    fast = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": special,
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Precompiled", "precompiled_charsmap": charsmap},
            {"type": "Strip", "strip_left": False, "strip_right": True},
            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "\u2581"}]},
        "pre_tokenizer": metaspace,
        "post_processor": {
            "type": "TemplateProcessing", "single": eos,
            "pair": eos + [{"Sequence": {"id": "B", "type_id": 0}},
                           {"SpecialToken": {"id": "</s>", "type_id": 0}}],
            "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}},
        "decoder": metaspace,
        "model": {"type": "Unigram", "unk_id": 3,
                  "vocab": [[p.piece, p.score] for p in proto.pieces], "byte_fallback": False},
    }
    _write(out_dir, "tokenizer.json", fast)
    _write(out_dir, "tokenizer_config.json", {
        "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>",
        "extra_ids": 0, "model_max_length": 512, "tokenizer_class": "T5Tokenizer",
        "clean_up_tokenization_spaces": False, "sp_model_kwargs": {}})
    _write(out_dir, "special_tokens_map.json", {
        "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"})
    return len(proto.pieces)


def _with_whole_words(blob):
    """Adds every word of the grammar as one piece, scored by its frequency.

    The trainer splits frequent words that share a stem; whole words make the encoder's work easier.
    """
    proto = spm_proto.ModelProto.FromString(blob)
    known = {p.piece for p in proto.pieces}
    counts = collections.Counter(
        word for line in _corpus() for word in re.findall("[a-z]+", line.lower()))
    total = sum(counts.values())
    for word, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if "\u2581" + word not in known and count > 60:
            piece = proto.pieces.add()
            piece.piece, piece.score = "\u2581" + word, math.log(count / total)
    proto.trainer_spec.vocab_size = len(proto.pieces)
    return proto.SerializeToString()


def _write(out_dir, name, value):
    with open(os.path.join(out_dir, name), "w") as f:
        json.dump(value, f, indent=1, ensure_ascii=False)
        f.write("\n")


def load(tokenizer_dir):
    """The fast tokenizer as served: text -> ids with </s> appended."""
    from tokenizers import Tokenizer
    return Tokenizer.from_file(os.path.join(tokenizer_dir, "tokenizer.json"))


if __name__ == "__main__":
    import sys
    print("pieces:", train(sys.argv[1]))
