// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The matrices of one layer as the ops of a sweep read them. Where they come from is not the
// model's: a sweep asks for them in use order and puts ops into its lane that read them.
//
// One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/status_macros.h"
#include "engine/backend/backend.h"
#include "engine/model/matrix_shape.h"
#include "storage/stream/layer_stream.h"

namespace longtake {

class LayerWeights {
 public:
  virtual ~LayerWeights() = default;
  // The matrix at index in use order, of that shape, fp32, bf16, or with scales int8. Ops that are
  // put into the lane before the next call may read it. FAILED_PRECONDITION naming the tensor when
  // it is another; errors of reading it, and of the device.
  virtual absl::StatusOr<Weight> Matrix(size_t index, const MatrixShape& shape,
                                        DevicePtr<const float> scales) = 0;
};

// A matrix of the pack as ops read it, at an address of the device. Errors of LayerWeights::Matrix;
// layer and name say which it is.
struct PackedMatrix {
  size_t layer = 0;
  std::string_view name;
  DType dtype = DType::kF32;
  std::span<const int64_t> shape;
};
absl::StatusOr<Weight> AsWeight(const PackedMatrix& packed, DevicePtr<const void> data,
                                const MatrixShape& shape, DevicePtr<const float> scales);

// Of a lease of the layer stream, whose memory the backend's ops reach (Device::Mapped). A part
// goes back to the stream when the ops before it are done; so does the layer, when this goes before
// the lease.
class LeasedWeights final : public LayerWeights {
 public:
  LeasedWeights(Backend& backend, LayerLease& lease) : backend_(backend), lease_(lease) {}
  // An error of the device will be told by whoever waits next.
  ~LeasedWeights() override { backend_.Await().IgnoreError(); }
  LeasedWeights(const LeasedWeights&) = delete;
  LeasedWeights& operator=(const LeasedWeights&) = delete;

  absl::StatusOr<Weight> Matrix(size_t index, const MatrixShape& shape,
                                DevicePtr<const float> scales) override;

 private:
  Backend& backend_;
  LayerLease& lease_;
};

}  // namespace longtake
