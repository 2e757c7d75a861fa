# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""F10: two small Unigram models by sentencepiece, their tokenizer.json, and ids of 200 strings."""

import io
import json
import os
from types import SimpleNamespace

import library
import sentencepiece
import tokenizer_texts
from tokenizers import pre_tokenizers
from transformers.convert_slow_tokenizer import T5Converter

EXTRA_IDS = 10
MODELS = {
    "nmt_nfkc": dict(normalization_rule_name="nmt_nfkc", byte_fallback=True),
    "identity": dict(normalization_rule_name="identity", byte_fallback=False),
}
# How often the corpus lines in European scripts, which come first, are repeated: the 256 byte
# pieces leave room for about 140 others, so rare characters must fall under the coverage.
EUROPEAN_LINES = 54
REPEAT = {"nmt_nfkc": 20, "identity": 2}


def train(name):
    """Writes <name>.spiece.model with the special ids of the published vocabulary."""
    corpus = os.path.join(os.path.dirname(__file__), "corpus.txt")
    model = io.BytesIO()
    with open(corpus, encoding="utf-8") as file:
        lines = file.read().splitlines()
    lines = lines[:EUROPEAN_LINES] * REPEAT[name] + lines[EUROPEAN_LINES:]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        model_type="unigram",
        vocab_size=400,
        character_coverage=0.98,
        pad_id=0, eos_id=1, bos_id=2, unk_id=3,
        num_threads=1,
        minloglevel=2,
        **MODELS[name],
    )  # fmt: skip
    path = os.path.join(library.FIXTURES, f"f10_{name}.spiece.model")
    with open(path, "wb") as file:
        file.write(model.getvalue())
    return path


def fast_tokenizer(path, byte_fallback, legacy):
    """The library's conversion of a T5 spiece.model, which it drives with a tokenizer object."""

    class Converter(T5Converter):
        handle_byte_fallback = byte_fallback

    slow = SimpleNamespace(
        vocab_file=path, _extra_ids=EXTRA_IDS, legacy=legacy, convert_tokens_to_ids={"</s>": 1}.get
    )
    tokenizer = Converter(slow).converted()
    tokenizer.add_special_tokens(["<unk>"] + [f"<extra_id_{i}>" for i in range(EXTRA_IDS)])
    assert tokenizer.token_to_id("<extra_id_0>") == 400 + EXTRA_IDS - 1
    return tokenizer


def f10():
    texts = tokenizer_texts.all_texts()
    ids = {}
    spiece = {}
    for name in MODELS:
        spiece[name] = train(name)
        processor = sentencepiece.SentencePieceProcessor(model_file=spiece[name])
        ids[f"{name}.spiece.model"] = [
            processor.encode(text) + [processor.eos_id()] for text in texts
        ]

    words = fast_tokenizer(spiece["identity"], byte_fallback=False, legacy=True)
    words.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace("▁", prepend_scheme="always")]
    )
    fast = {
        "nmt_nfkc.tokenizer.json": fast_tokenizer(
            spiece["nmt_nfkc"], byte_fallback=True, legacy=True
        ),
        "identity.tokenizer.json": fast_tokenizer(
            spiece["identity"], byte_fallback=False, legacy=False
        ),
        "identity_words.tokenizer.json": words,
    }
    for name, tokenizer in fast.items():
        with open(os.path.join(library.FIXTURES, "f10_" + name), "w", encoding="utf-8") as file:
            json.dump(
                json.loads(tokenizer.to_str()), file, ensure_ascii=True, separators=(",", ":")
            )
        ids[name] = [tokenizer.encode(text).ids for text in texts]

    for fast_name, spiece_name in [
        ("nmt_nfkc", "nmt_nfkc"),
        ("identity", "identity"),
        ("identity_words", "identity"),
    ]:
        pairs = zip(texts, ids[fast_name + ".tokenizer.json"], ids[spiece_name + ".spiece.model"])
        differ = [text for text, a, b in pairs if a != b]
        print(f"f10: {fast_name}.tokenizer.json, {len(differ)} texts not as {spiece_name}.spiece:")
        print("  " + ", ".join(ascii(text[:24]) for text in differ))
    longest_prose = texts.index(tokenizer_texts.long_text())
    for name, lists in ids.items():
        assert len(lists[longest_prose]) > 600
        longest, unknowns = max(map(len, lists)), sum(i.count(3) for i in lists)
        print(f"f10: {name}: longest {longest}, {unknowns} unknowns")

    with open(os.path.join(library.FIXTURES, "f10.json"), "w", encoding="utf-8") as file:
        file.write('{"versions":' + json.dumps(library.versions()) + ',\n"cases":[\n')
        rows = [
            json.dumps(
                {"text": text, **{name: lists[i] for name, lists in ids.items()}},
                separators=(",", ":"),
            )
            for i, text in enumerate(texts)
        ]
        file.write(",\n".join(rows) + "\n]}\n")
