// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Attention by cuDNN. A plan takes half a second to build, so a sweep builds none: who admits a
// session reserves what it will attend with, and gives it back. Plans that nobody has reserved any
// more stay, the latest used longest, until their room is needed.
//
// Thread rule: the lane's.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/status_macros.h"
#include "engine/backend/cuda/cuda_device.h"
#include "engine/backend/cuda/cudnn_library.h"
#include "engine/backend/cuda/sdpa_plan.h"

namespace longtake {

// What plans work in; they want 256 bytes, or a hundred thousand for few rows.
inline constexpr uint64_t kSdpaWorkspaceBytes = uint64_t{1} << 20;
// A compiled kernel is some hundred KiB. A session of windows up to 21 frames has eight lengths.
inline constexpr size_t kSdpaPlansMax = 128;

struct SdpaCall {
  const void* q = nullptr;  // [rows, heads * head_dim], bf16, as all of them
  const void* k = nullptr;  // [keys, heads * head_dim]
  const void* v = nullptr;  // [keys, heads * head_dim]
  void* out = nullptr;      // [rows, heads * head_dim]
  float scale = 1.0f;
};

class Sdpa {
 public:
  // On the device's lane, both of which outlive it. UNAVAILABLE when cuDNN does not start,
  // RESOURCE_EXHAUSTED without memory for its workspace.
  static absl::StatusOr<std::unique_ptr<Sdpa>> Create(const Cudnn& library, CudaDevice& device,
                                                      Lane lane, size_t plans_max = kSdpaPlansMax);
  ~Sdpa();
  Sdpa(const Sdpa&) = delete;
  Sdpa& operator=(const Sdpa&) = delete;

  // At admission only. UNIMPLEMENTED when cuDNN has no plan of this shape, RESOURCE_EXHAUSTED when
  // plans_max others are reserved; errors of Device::Wait, as a plan that makes room must be done.
  absl::Status Reserve(const SdpaShape& shape);
  // Once for each Reserve that succeeded.
  void Release(const SdpaShape& shape);
  bool IsReady(const SdpaShape& shape) const { return plans_.contains(shape); }
  // Of a shape that is ready. What cuDNN refuses comes out of Device::Wait.
  void Run(const SdpaShape& shape, const SdpaCall& call);

  uint64_t workspace_bytes() const { return workspace_.size(); }
  size_t plan_count() const { return plans_.size(); }
  // What decides bits, but for the shapes: cuDNN chooses by them alone.
  static std::string PlanText(const Cudnn& library);

 private:
  struct Entry {
    SdpaPlan plan;
    int64_t reserved = 0;
    uint64_t used = 0;  // when, as uses_ counts
  };

  Sdpa(const Cudnn& library, CudaDevice& device, Lane lane, size_t plans_max)
      : library_(library), device_(device), lane_(lane), plans_max_(plans_max) {}
  absl::Status MakeRoom();
  absl::Status Execute(const Entry& entry, const SdpaCall& call);

  const Cudnn library_;
  CudaDevice& device_;
  const Lane lane_;
  const size_t plans_max_;
  cudnnHandle_t handle_ = nullptr;
  CudnnDescriptor card_;
  DeviceBuffer workspace_;
  std::map<SdpaShape, Entry> plans_;
  uint64_t uses_ = 0;
};

}  // namespace longtake
