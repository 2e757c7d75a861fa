// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include <new>

#include "tests/cuda/cuda_host.h"
#include "tests/cuda/kernel_runner.h"
//
#include "engine/backend/cuda/kernels/add_table.cu"
#include "engine/backend/cuda/kernels/channel_norm.cu"
#include "engine/backend/cuda/kernels/distance_bias.cu"
#include "engine/backend/cuda/kernels/gated_add.cu"
#include "engine/backend/cuda/kernels/gather_keys.cu"
#include "engine/backend/cuda/kernels/layer_norm.cu"
#include "engine/backend/cuda/kernels/pointwise.cu"
#include "engine/backend/cuda/kernels/rms_norm.cu"
#include "engine/backend/cuda/kernels/rotary.cu"
#include "engine/backend/cuda/kernels/store_rows.cu"
#include "engine/backend/cuda/kernels/widen.cu"

namespace longtake {

std::string WhyNoKernelsRun() { return ""; }

void RunKernels(uint64_t order, const std::function<void()>& put) {
  cuda_host::UseOrder(order);
  put();
}

void* AllocateForKernels(size_t bytes) { return ::operator new(bytes); }
void FreeForKernels(void* memory) { ::operator delete(memory); }

}  // namespace longtake
