# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""F9: the text encoder (transformers UMT5EncoderModel, float64)."""

import library
import torch
from transformers import UMT5Config, UMT5EncoderModel

SEED = 109
CONFIG = dict(
    architectures=["UMT5EncoderModel"],
    model_type="umt5",
    vocab_size=300,
    d_model=32,
    d_kv=8,
    d_ff=48,
    num_layers=2,
    num_heads=4,
    relative_attention_num_buckets=32,
    relative_attention_max_distance=128,
    layer_norm_epsilon=1e-6,
    feed_forward_proj="gated-gelu",
    dense_act_fn="gelu_new",
    is_gated_act=True,
    dropout_rate=0.1,
    pad_token_id=0,
    eos_token_id=1,
    decoder_start_token_id=0,
    tie_word_embeddings=False,
)


def make(config, seed):
    return library.build(lambda: UMT5EncoderModel(UMT5Config(**config)), seed, config["d_kv"])


def encode(model, ids, mask=None):
    """ids [T] -> states [T, d_model]."""
    with library.everything_float64():
        mask = torch.ones_like(ids) if mask is None else mask
        return model(input_ids=ids[None], attention_mask=mask[None]).last_hidden_state[0]


def ids_for(count, vocab, step):
    """Spread over the vocabulary, </s> last."""
    ids = (torch.arange(count) * step + 5) % (vocab - 4) + 4
    ids[-1] = 1
    return ids


def f9():
    model = make(CONFIG, SEED)
    ids = torch.zeros(20, dtype=torch.long)
    ids[:13] = ids_for(13, CONFIG["vocab_size"], 37)
    mask = (torch.arange(20) < 13).long()
    out = dict(ids=ids, mask=mask)
    hooks = [
        block.register_forward_hook(
            lambda _m, _i, output, key=f"block.{i}": out.__setitem__(
                key, (output[0] if isinstance(output, tuple) else output[0:1])[0]
            )
        )
        for i, block in enumerate(model.encoder.block)
    ]
    out["states"] = encode(model, ids, mask)
    for hook in hooks:
        hook.remove()
    error = library.relative_error(encode(model, ids[:13]), out["states"][:13])
    print(f"f9: 13 tokens alone against 20 masked: {error:.1e}")

    # Long enough to reach every bucket of the relative bias.
    out["long.ids"] = ids_for(230, CONFIG["vocab_size"], 101)
    out["long.states"] = encode(model, out["long.ids"])
    library.save("f9", out, text_encoder=CONFIG, weight_seed=SEED)
