// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a transformer lends to its sweeps; internal to engine/model.
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
  LayerRange layers;  // of this stage, within the config's
  ResidentSection resident;
  DeviceBuffer kept;  // the section on the device: what weights and time point into
  WanWeights weights;
  TimeEmbedder time;
  RotaryTables rotary;
  Backend* backend = nullptr;
  bool in_sweep = false;
  LayerSlots slots;

  // fp32 activations, rows up to tokens_max.
  DeviceBuffer residual;  // [rows, width]: the stream that attention and feed-forward add to
  DeviceBuffer normed;    // [rows, width]: the input of either, then attention's output
  // What lies between input and output, one thing after the other: patches or text states while
  // embedding; in a layer keys and values of new texts, then queries, keys and values of the rows
  // until they are attended to, a projection, the feed-forward's hidden layer.
  DeviceBuffer hidden;
  DeviceBuffer modulation;  // [timesteps, lines, width]; grows with the most timesteps of a sweep
  DeviceBuffer text;        // [prompt_rows_max, width]: projected states of new prompts
  // [rows, patch_values]: patches on their way into hidden or out of it.
  AlignedBuffer patches;
};

}  // namespace longtake
