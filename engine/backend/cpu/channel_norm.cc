// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "engine/backend/cpu/cpu_backend.h"

namespace longtake {

void CpuBackend::ChannelNorm(const ChannelNormArgs& args) {
  LT_CHECK(args.rows >= 0 && args.width > 0);
  const float root_width = static_cast<float>(std::sqrt(static_cast<double>(args.width)));
  ParallelRows(args.rows, args.width, [&](int64_t begin, int64_t count) {
    kernels_.channel_norm({.in = args.in.address() + begin * args.width,
                           .rows = count,
                           .width = args.width,
                           .root_width = root_width,
                           .gamma = args.gamma.address(),
                           .silu = args.silu,
                           .out = args.out.address() + begin * args.width});
  });
}

}  // namespace longtake
