// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a transformer lends to its passes; internal to engine/model.
#pragma once

#include "base/aligned_buffer.h"
#include "engine/model/wan/rotary_table.h"
#include "engine/model/wan/time_embedding.h"
#include "engine/model/wan/transformer.h"
#include "engine/model/wan/weights.h"

namespace longtake {

struct WanCore {
  WanConfig config;
  WanTransformerOptions options;
  LayerRange layers;         // of this stage, within the config's
  ResidentSection resident;  // what weights and time point into
  WanWeights weights;
  TimeEmbedder time;
  RotaryTables rotary;
  Backend* backend = nullptr;
  bool in_pass = false;

  // fp32 activations, rows up to tokens_max.
  AlignedBuffer residual;  // [rows, width]: the stream every branch adds to
  AlignedBuffer normed;    // [rows, width]: a branch's input, then attention's output
  // A branch's inside: q, k and v, the feed-forward's hidden layer, a projection, patches.
  AlignedBuffer branch;
  AlignedBuffer text;  // [prompt_rows_max, width]: projected states of new prompts
};

}  // namespace longtake
