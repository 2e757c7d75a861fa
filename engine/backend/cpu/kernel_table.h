// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The kernels of one instruction set. Each kernel is a plain function over plain structs, compiled
// once per instruction set from one source in kernels/; all give the same bits whichever is chosen,
// but for the three at the end, which are another numerics profile. A kernel computes one task on
// one thread; the files of engine/backend/cpu cut an op into tasks.
#pragma once

#include <cstdint>

#include "engine/backend/cpu/kernels/attention.h"
#include "engine/backend/cpu/kernels/channel_norm.h"
#include "engine/backend/cpu/kernels/conv.h"
#include "engine/backend/cpu/kernels/elementwise.h"
#include "engine/backend/cpu/kernels/linear.h"
#include "engine/backend/cpu/kernels/narrow_linear.h"
#include "engine/backend/cpu/kernels/row_norm.h"

namespace longtake {

struct KernelTable {
  const char* instruction_set = nullptr;  // "x86-64-v3"

  void (*linear)(const LinearTask& task) = nullptr;
  void (*quantise_rows)(const NarrowRowsTask& task) = nullptr;
  void (*linear_int8)(const NarrowLinearTask& task) = nullptr;
  bool int8_in_tiles = false;  // how linear_int8 wants its rows
  void (*attention)(const AttentionTask& task) = nullptr;
  void (*layer_norm)(const LayerNormTask& task) = nullptr;
  void (*rms_norm)(const RmsNormTask& task) = nullptr;
  void (*rotary)(const RotaryTask& task) = nullptr;
  void (*gated_add)(const GatedAddTask& task) = nullptr;
  void (*multiply)(float* x, const float* y, int64_t count) = nullptr;
  void (*silu)(float* x, int64_t count) = nullptr;
  void (*relu)(float* x, int64_t count) = nullptr;
  void (*pack_plane_row)(const PlaneRowTask& task) = nullptr;
  void (*conv_row)(const ConvRowTask& task) = nullptr;
  void (*channel_norm)(const ChannelNormTask& task) = nullptr;

  // Only of isa_amx.
  void (*round_rows)(const NarrowRowsTask& task) = nullptr;
  void (*linear_bf16)(const NarrowLinearTask& task) = nullptr;
  void (*attention_tiled)(const AttentionTask& task) = nullptr;
};

namespace isa_v3 {
const KernelTable& Kernels();
}
namespace isa_v4 {
const KernelTable& Kernels();
}
// What is faster with VNNI, with the same bits.
namespace isa_vnni {
void AddKernels(KernelTable* table);
}
// What is faster with AMX, with the same bits, and the kernels of the profile kAmxBf16Profile.
namespace isa_amx {
void AddKernels(KernelTable* table);
}

}  // namespace longtake
