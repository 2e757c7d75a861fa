// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What this processor and this kernel allow, in the steps that the kernels come in.
#pragma once

namespace longtake {

struct CpuFeatures {
  bool v3 = false;    // AVX2, FMA
  bool v4 = false;    // AVX-512 F, BW, CD, DQ, VL
  bool vnni = false;  // v4 and AVX512-VNNI
  bool amx =
      false;  // vnni, AVX512-BF16, AMX-TILE, -INT8 and -BF16, and the system lets us use them
};

// Asks the system for the tile registers on first use. Any thread.
const CpuFeatures& GetCpuFeatures();

}  // namespace longtake
