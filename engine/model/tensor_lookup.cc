// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/tensor_lookup.h"

#include "absl/strings/str_cat.h"
#include "base/checked.h"

namespace longtake {
namespace {

bool IsFloatingWeight(DType dtype) { return dtype == DType::kF32 || dtype == DType::kBf16; }

bool HasElements(const TensorView& view, int64_t count) {
  const auto elements = ElementCount(view.shape, "tensor");
  return elements.ok() && *elements == static_cast<uint64_t>(count) &&
         view.bytes == *elements * DTypeBytes(view.dtype);
}

}  // namespace

void ResidentLookup::Fail(const std::string& name, const std::string& expected) {
  if (status_.ok()) {
    status_ = absl::FailedPreconditionError(absl::StrCat("tensor ", name, ": expected ", expected));
  }
}

const float* ResidentLookup::Vector(const std::string& name, int64_t count) {
  const absl::StatusOr<TensorView> view = section_.Find(name);
  if (!view.ok()) {
    if (status_.ok()) status_ = view.status();
    return nullptr;
  }
  if (view->dtype != DType::kF32 || !HasElements(*view, count)) {
    Fail(name, absl::StrCat(count, " values of F32"));
    return nullptr;
  }
  return reinterpret_cast<const float*>(view->data);
}

const float* ResidentLookup::OptionalVector(const std::string& name, int64_t count) {
  return absl::IsNotFound(section_.Find(name).status()) ? nullptr : Vector(name, count);
}

ResidentMatrix ResidentLookup::Matrix(const std::string& name, int64_t out_features,
                                      int64_t in_features) {
  const absl::StatusOr<TensorView> view = section_.Find(name);
  if (!view.ok()) {
    if (status_.ok()) status_ = view.status();
    return {};
  }
  if (!IsFloatingWeight(view->dtype) || view->shape.empty() || view->shape[0] != out_features ||
      !HasElements(*view, out_features * in_features)) {
    Fail(name, absl::StrCat("[", out_features, ", ", in_features, "] of F32 or BF16"));
    return {};
  }
  return {view->data, view->dtype};
}

DevicePtr<const float> ParameterLookup::Vector(const std::string& name, int64_t count) {
  return Kept(lookup_.Vector(name, count));
}

DevicePtr<const float> ParameterLookup::OptionalVector(const std::string& name, int64_t count) {
  return Kept(lookup_.OptionalVector(name, count));
}

Weight ParameterLookup::Matrix(const std::string& name, int64_t out_features, int64_t in_features) {
  const ResidentMatrix matrix = lookup_.Matrix(name, out_features, in_features);
  return {.data = Kept(matrix.data),
          .dtype = matrix.dtype,
          .out_features = out_features,
          .in_features = in_features};
}

}  // namespace longtake
