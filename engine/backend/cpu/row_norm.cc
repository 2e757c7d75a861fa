// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/cpu_backend.h"

namespace longtake {

void CpuBackend::LayerNormModulate(const LayerNormModulateArgs& args) {
  LT_CHECK(args.rows >= 0 && args.width > 0 && args.group_rows > 0);
  ParallelRows(args.rows, args.width, [&](int64_t begin, int64_t count) {
    kernels_.layer_norm({.in = args.in.address() + begin * args.width,
                         .rows = count,
                         .width = args.width,
                         .eps = args.eps,
                         .gain_offset = 1.0f,
                         .gain = args.scale.address(),
                         .bias = args.shift.address(),
                         .first_row = begin,
                         .group_rows = args.group_rows,
                         .group_stride = args.group_stride,
                         .out = args.out.address() + begin * args.width});
  });
}

void CpuBackend::LayerNorm(const LayerNormArgs& args) {
  LT_CHECK(args.rows >= 0 && args.width > 0);
  ParallelRows(args.rows, args.width, [&](int64_t begin, int64_t count) {
    kernels_.layer_norm({.in = args.in.address() + begin * args.width,
                         .rows = count,
                         .width = args.width,
                         .eps = args.eps,
                         .gain = args.gain.address(),
                         .bias = args.bias.address(),
                         .out = args.out.address() + begin * args.width});
  });
}

void CpuBackend::RmsNorm(const RmsNormArgs& args) {
  LT_CHECK(args.rows >= 0 && args.width > 0);
  ParallelRows(args.rows, args.width, [&](int64_t begin, int64_t count) {
    kernels_.rms_norm({.in = args.in.address() + begin * args.width,
                       .rows = count,
                       .width = args.width,
                       .eps = args.eps,
                       .gain = args.gain.address(),
                       .out = args.out.address() + begin * args.width});
  });
}

}  // namespace longtake
