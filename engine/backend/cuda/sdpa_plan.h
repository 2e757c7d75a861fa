// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How cuDNN attends: softmax(scale q k^T) v per head, as one operation whose kernel is compiled for
// its shape, which takes half a second. A plan is built for a card, which need not be there.
//
// All matrices are bf16, [rows, heads * head_dim] in row-major order: nothing is transposed.
#pragma once

#include <cstdint>
#include <string>

#include "base/status_macros.h"
#include "engine/backend/cuda/cudnn_descriptor.h"
#include "engine/backend/cuda/cudnn_library.h"

namespace longtake {

struct SdpaShape {
  int64_t heads = 0;
  int64_t rows = 0;  // of q and out
  int64_t keys = 0;
  int64_t head_dim = 0;
  friend auto operator<=>(const SdpaShape&, const SdpaShape&) = default;
};
// "12 heads of 128, 4680 rows, 18720 keys"
std::string SdpaShapeName(const SdpaShape& shape);

// What a plan's addresses are told by.
enum class SdpaTensor : int64_t { kQ = 1, kK = 2, kV = 3, kOut = 4, kScale = 5 };
inline constexpr uint64_t kSdpaAlignment = 16;  // of every address

struct SdpaPlan {
  CudnnDescriptor config;  // of the plan, which may look at it
  CudnnDescriptor plan;
  uint64_t workspace_bytes = 0;
  // The engine and its settings, which decide bits: "engine 9, knob 41 is 7".
  std::string name;
};

// The GPU of this number.
absl::StatusOr<CudnnDescriptor> CudnnCard(const Cudnn& library, int index);
// One that is described in cuDNN's own words.
absl::StatusOr<CudnnDescriptor> CudnnCardOf(const Cudnn& library, const std::string& json);

// The first that cuDNN proposes and whose sums are in a fixed order and in full precision.
// UNIMPLEMENTED, with the shape, when there is none.
absl::StatusOr<SdpaPlan> BuildSdpaPlan(const Cudnn& library, const CudnnDescriptor& card,
                                       const SdpaShape& shape);

}  // namespace longtake
