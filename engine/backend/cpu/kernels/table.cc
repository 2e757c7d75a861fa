// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/kernels/kernels.h"

namespace longtake::LONGTAKE_ISA {

const KernelTable& Kernels() {
  static constexpr KernelTable kTable = {
      .instruction_set = LONGTAKE_ISA_NAME,
      .linear = LinearKernel,
      .quantise_rows = QuantiseRowsKernel,
      .linear_int8 = LinearInt8Kernel,
      .attention = AttentionKernel,
      .layer_norm = LayerNormKernel,
      .rms_norm = RmsNormKernel,
      .rotary = RotaryKernel,
      .gated_add = GatedAddKernel,
      .multiply = MultiplyKernel,
      .silu = SiluKernel,
      .relu = ReluKernel,
      .pack_plane_row = PackPlaneRowKernel,
      .conv_row = ConvRowKernel,
      .channel_norm = ChannelNormKernel,
  };
  return kTable;
}

}  // namespace longtake::LONGTAKE_ISA
