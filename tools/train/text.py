# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""The tiny UMT5 encoder (transformers' own module) and batching of captions."""

import torch
from transformers import UMT5Config, UMT5EncoderModel

TEXT_DIM, TEXT_ROWS = 64, 512


def build(vocab_size):
    config = UMT5Config(
        vocab_size=vocab_size, d_model=TEXT_DIM, d_kv=16, d_ff=128, num_layers=2, num_heads=4,
        feed_forward_proj="gated-gelu", dropout_rate=0.0, tie_word_embeddings=False,
        pad_token_id=0, eos_token_id=1, decoder_start_token_id=0)
    return UMT5EncoderModel(config)


def batch_ids(tokenizer, texts):
    """-> ids [batch, longest] (0 = pad) and lengths [batch]."""
    rows = [tokenizer.encode(" ".join(t.split())).ids[:TEXT_ROWS] for t in texts]
    length = torch.tensor([len(r) for r in rows])
    ids = torch.zeros(len(rows), int(length.max()), dtype=torch.long)
    for i, r in enumerate(rows):
        ids[i, :len(r)] = torch.tensor(r)
    return ids, length


def encode(encoder, ids, length):
    """Text states with one zero row after the longest prompt: [batch, longest + 1, 64].

    The DiT attends 512 rows, those after the prompt being zero; `padding_bias` gives the logits by
    which the one zero row stands for all of them.
    """
    mask = torch.arange(ids.shape[1])[None] < length[:, None]
    states = encoder(input_ids=ids, attention_mask=mask.long()).last_hidden_state
    states = states * mask[..., None]
    return torch.cat([states, torch.zeros_like(states[:, :1])], 1)


def padding_bias(length, longest):
    """Additive attention logits [batch, 1, 1, longest + 1]."""
    bias = torch.zeros(len(length), longest + 1)
    bias[:, :-1][torch.arange(longest)[None] >= length[:, None]] = float("-inf")
    bias[:, -1] = torch.log(TEXT_ROWS - length.float())
    return bias[:, None, None]
