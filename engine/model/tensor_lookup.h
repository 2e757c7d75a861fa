// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// From named bytes to what an op takes, with the shape checked once more: a pack is a file, and a
// kernel trusts its sizes.
#pragma once

#include <cstdint>
#include <string>

#include "base/status_macros.h"
#include "engine/backend/backend.h"
#include "storage/pack/pack_reader.h"

namespace longtake {

// A matrix of the resident section, to be packed.
struct ResidentMatrix {
  const std::byte* data = nullptr;
  DType dtype = DType::kF32;  // or kBf16
};

// Takes a model's tensors out of its resident section. The first problem is remembered and named,
// so that a constructor reads like a list of tensors and checks once. One thread; pointers live as
// long as the section's memory.
class ResidentLookup {
 public:
  explicit ResidentLookup(const ResidentSection& section) : section_(section) {}

  // count fp32 values, whatever their shape; null after an error.
  const float* Vector(const std::string& name, int64_t count);
  // The same, or null without an error when there is no such tensor.
  const float* OptionalVector(const std::string& name, int64_t count);
  // [out_features, in_features]; trailing dimensions are flattened into in_features.
  ResidentMatrix Matrix(const std::string& name, int64_t out_features, int64_t in_features);

  // Remembers that a tensor is not what its reader can take.
  void Refuse(const std::string& name, const std::string& expected) { Fail(name, expected); }

  // Remembers what went wrong with what it gave.
  void Fail(const absl::Status& status) {
    if (status_.ok()) status_ = status;
  }

  // FAILED_PRECONDITION naming tensor and expectation, NOT_FOUND, what Fail was told, or OK.
  const absl::Status& status() const { return status_; }

 private:
  void Fail(const std::string& name, const std::string& expected);

  const ResidentSection& section_;
  absl::Status status_;
};

// The same, as ops read them: of a section that a device keeps (Device::Keep), with which the
// addresses live.
class ParameterLookup {
 public:
  ParameterLookup(const ResidentSection& section, const DeviceBuffer& kept)
      : section_(section), kept_(kept), lookup_(section) {}

  DevicePtr<const float> Vector(const std::string& name, int64_t count);
  DevicePtr<const float> OptionalVector(const std::string& name, int64_t count);
  Weight Matrix(const std::string& name, int64_t out_features, int64_t in_features);
  const absl::Status& status() const { return lookup_.status(); }

 private:
  // Of what the section has at host; null for null.
  template <typename T>
  DevicePtr<const T> Kept(const T* host) const {
    if (host == nullptr) return {};
    return kept_.As<T>() + (host - reinterpret_cast<const T*>(section_.span().data()));
  }

  const ResidentSection& section_;
  const DeviceBuffer& kept_;
  ResidentLookup lookup_;
};

}  // namespace longtake
