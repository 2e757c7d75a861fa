// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A descriptor of cuDNN's graph interface: a bag of attributes that is finalised once. The first
// call that fails is kept, and what comes after it is not done, so that a descriptor is filled
// without asking after each attribute.
//
// Thread rule: one thread at a time. The library's functions outlive it.
#pragma once

#include <cudnn_graph.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/status_macros.h"
#include "engine/backend/cuda/cudnn_library.h"

namespace longtake {

// UNIMPLEMENTED for what cuDNN does not support, else INTERNAL, with what it says.
absl::Status CudnnStatus(const Cudnn& library, cudnnStatus_t status, const std::string& what);

class CudnnDescriptor {
 public:
  CudnnDescriptor() = default;
  // `what` names it in errors: "the keys".
  CudnnDescriptor(const Cudnn& library, cudnnBackendDescriptorType_t type, std::string what);
  CudnnDescriptor(CudnnDescriptor&& other) noexcept { *this = std::move(other); }
  CudnnDescriptor& operator=(CudnnDescriptor&& other) noexcept;
  ~CudnnDescriptor();

  template <typename T>
  void Set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
           std::span<const T> values) {
    SetRaw(name, type, static_cast<int64_t>(values.size()), values.data());
  }
  void SetInt(cudnnBackendAttributeName_t name, int64_t value) {
    SetRaw(name, CUDNN_TYPE_INT64, 1, &value);
  }
  void SetDescriptor(cudnnBackendAttributeName_t name, const CudnnDescriptor& value) {
    SetRaw(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value.descriptor_);
  }
  void SetRaw(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t count,
              const void* values);
  absl::Status Finalize();

  // Of a finalised one. Of a list at most so many.
  template <typename T>
  std::vector<T> Get(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                     int64_t count_max) {
    std::vector<T> values(static_cast<size_t>(count_max));
    values.resize(static_cast<size_t>(GetRaw(name, type, count_max, values.data())));
    return values;
  }
  int64_t GetInt(cudnnBackendAttributeName_t name);
  // Of this type, which they get whole.
  std::vector<CudnnDescriptor> GetDescriptors(cudnnBackendAttributeName_t name,
                                              cudnnBackendDescriptorType_t type, int64_t count_max);
  // What failed first.
  const absl::Status& status() const { return status_; }
  cudnnBackendDescriptor_t get() const { return descriptor_; }

 private:
  int64_t GetRaw(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                 int64_t count_max, void* values);
  void Keep(cudnnStatus_t status);

  const Cudnn* library_ = nullptr;
  cudnnBackendDescriptor_t descriptor_ = nullptr;
  std::string what_;
  absl::Status status_;
};

}  // namespace longtake
