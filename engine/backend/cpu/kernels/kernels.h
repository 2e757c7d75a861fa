// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The kernels of this compilation's instruction set, one per source file of this folder.
#pragma once

#include <cstdint>

#include "engine/backend/cpu/kernel_table.h"

namespace longtake::LONGTAKE_ISA {

void LinearKernel(const LinearTask& task);
void QuantiseRowsKernel(const NarrowRowsTask& task);
void RoundRowsKernel(const NarrowRowsTask& task);
void LinearInt8Kernel(const NarrowLinearTask& task);
void LinearBf16Kernel(const NarrowLinearTask& task);
void AttentionKernel(const AttentionTask& task);
void AttentionTiledKernel(const AttentionTask& task);
void LayerNormKernel(const LayerNormTask& task);
void RmsNormKernel(const RmsNormTask& task);
void RotaryKernel(const RotaryTask& task);
void GatedAddKernel(const GatedAddTask& task);
void MultiplyKernel(float* x, const float* y, int64_t count);
void SiluKernel(float* x, int64_t count);
void ReluKernel(float* x, int64_t count);
void PackPlaneRowKernel(const PlaneRowTask& task);
void ConvRowKernel(const ConvRowTask& task);
void ConvNarrowRow(const ConvRowTask& task);  // ConvRowKernel for panels of 8 lanes
void ChannelNormKernel(const ChannelNormTask& task);

}  // namespace longtake::LONGTAKE_ISA
