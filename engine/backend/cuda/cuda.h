// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// NVIDIA GPUs. A build without CUDA has the same functions, which say so.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/status_macros.h"
#include "engine/backend/backend.h"
#include "engine/backend/device.h"

namespace longtake {

// The family of numerics profiles of a Hopper GPU. Rows and keys are rounded to bf16 where they
// meet a matrix or each other and summed in fp32; all else is fp32. A backend's own name goes on
// with a digest of what else decides its bits: "cuda-sm90-bf16-v1+1a2b3c4d".
inline constexpr std::string_view kCudaSm90Profile = "cuda-sm90-bf16-v1";

// A matrix that Linear will be given.
struct CudaWeight {
  int64_t out_features = 0;
  int64_t in_features = 0;
  DType dtype = DType::kBf16;
};

struct CudaBackendOptions {
  int device = 0;  // as CUDA counts them
  Lane lane = Lane::kSweep;
  std::span<const CudaWeight> weights = {};
  // The most rows of attention, keys of one item, and values of a row of either.
  int64_t rows_max = 0;
  int64_t keys_max = 0;
  int64_t width_max = 0;
  // Rows that meet a bf16 matrix are rounded in blocks that fit here: of one row at least.
  uint64_t narrow_bytes = kNarrowBytesMax;
};

// What CreateCudaBackend takes of the device for ops to work in.
uint64_t CudaScratchBytes(const CudaBackendOptions& options);

// The GPU of this number, as CUDA counts them. UNIMPLEMENTED in a build without CUDA, UNAVAILABLE
// with what CUDA says when there is no such GPU, or none that longtake computes on.
absl::StatusOr<std::unique_ptr<Device>> CreateCudaDevice(int index);

// The op list on a GPU, with cuBLASLt and cuDNN, which are looked for here. Errors of
// CreateCudaDevice; also UNAVAILABLE when a library is not there, UNIMPLEMENTED with the matrix
// that it cannot multiply by, FAILED_PRECONDITION for a GPU of another family than
// kCudaSm90Profile, RESOURCE_EXHAUSTED without memory. An op that it does not have yet loses the
// device: Wait answers UNIMPLEMENTED with the op from then on.
absl::StatusOr<std::unique_ptr<Backend>> CreateCudaBackend(const CudaBackendOptions& options);

}  // namespace longtake
