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

PIECES = 512
# Words that a user may type although no caption holds them: they come apart into fewer pieces.
COMMON = """the of to in is it you that he was for are with as his they be at one have this from or
had by hot word but what some we can out other were all there when up use your how said an each she
which do their time if will way about many then them write would like so these her long make thing
see him two has look more day could go come did number sound no most people my over know water than
call first who may down side been now find any new work part take get place made live where after
back little only round man year came show every good me give our under name very through just form
sentence great think say help low line differ turn cause much mean before move right boy old too same
tell does set three want air well also play small end put home read hand port large spell add even
land here must big high such follow act why ask men change went light kind off need house picture try
us again animal point mother world near build self earth father head stand own page should country
found answer school grow study still learn plant cover food sun four between state keep eye never
last let thought city tree cross farm hard start might story saw far sea draw left late run while
press close night real life few north open seem together next white children begin got walk example
ease paper group always music those both mark often letter until mile river car feet care second
enough plain girl usual young ready above ever red list though feel talk bird soon body dog family
direct pose leave song measure door product black short numeral class wind question happen complete
ship area half rock order fire south problem piece told knew pass since top whole king space heard
best hour better true during hundred five remember step early hold west ground interest reach fast
verb sing listen six table travel less morning ten simple several vowel toward war lay against pattern
slow center love person money serve appear road map rain rule govern pull cold notice voice unit power
town fine certain fly fall lead cry dark machine note wait plan figure star box noun field rest
correct able pound done beauty drive stood contain front teach week final gave green oh quick develop
ocean warm free minute strong special mind behind clear tail produce fact street inch multiply nothing
course stay wheel full force blue object decide surface deep moon island foot system busy test record
boat common gold possible plane age dry wonder laugh thousand ago ran check game shape equate miss
brought heat snow tire bring yes distant fill east paint language among""".split()


def _corpus(count=20000, seed=11):
    rng = np.random.default_rng(seed)
    lines = [captions.caption(rng, world.draw_scene(rng, level), level)
             for level in ("plain", "rich") for _ in range(count // 2)]
    lines += [" ".join(rng.permutation(COMMON)[:12]) for _ in range(count // 10)]
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
