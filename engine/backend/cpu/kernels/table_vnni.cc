// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/kernels/kernels.h"

namespace longtake::LONGTAKE_ISA {

void AddKernels(KernelTable* table) {
  table->instruction_set = LONGTAKE_ISA_NAME;
  table->linear_int8 = LinearInt8Kernel;
}

}  // namespace longtake::LONGTAKE_ISA
