// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How rows x columns of Linear are cut into tasks. Bits do not depend on the outcome.
#pragma once

#include <cstdint>

#include "engine/backend/backend.h"
#include "engine/backend/cpu/kernels/linear.h"

namespace longtake {

// Costs in units of one row times one panel of 32 columns.
struct LinearCosts {
  int64_t tile_rows = 1;   // rows that are computed together
  int64_t panels_max = 1;  // of a task
  double pack = 0.0;       // to bring one panel into the kernel's form
  double copy = 0.0;       // to fetch one row for a task
};

struct LinearCut {
  int64_t panels = 1;  // of a task
  int64_t row_parts = 1;
};

// Wide groups fetch the input less often, few row parts pack the weights less often, many tasks
// keep all workers busy until the end.
LinearCut ChooseLinearCut(int64_t rows, int64_t columns, int threads, const LinearCosts& costs);

LinearActivation ToKernel(Activation activation);

}  // namespace longtake
