// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A convolution's weights as the kernel reads them: panels of 16 output channels (8 for a small
// rest), in each one row of lanes per tap and input channel, in summing order: taps oldest frame
// first, then rows, then columns, then input channels. Widened to fp32. Immutable.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/aligned_buffer.h"
#include "engine/backend/backend.h"

namespace longtake {

struct ConvPanel {
  int64_t first_channel = 0;
  int64_t lanes = 0;               // 8 or 16
  int64_t lanes_used = 0;          // the others have zero weights
  const float* weights = nullptr;  // [taps_t, taps_h, taps_w, in_channels, lanes]
  const float* bias = nullptr;     // [lanes]
};

class PackedConv final : public ConvWeights {
 public:
  // Arguments as of Backend::PackConv. RESOURCE_EXHAUSTED.
  static absl::StatusOr<std::unique_ptr<PackedConv>> Create(const ConvShape& shape,
                                                            const void* weights, DType dtype,
                                                            const float* bias);

  const ConvShape& shape() const { return shape_; }
  const std::vector<ConvPanel>& panels() const { return panels_; }
  int64_t taps() const { return shape_.taps_t * shape_.taps_h * shape_.taps_w; }
  int64_t lanes() const { return lanes_; }  // of all panels

 private:
  explicit PackedConv(const ConvShape& shape);
  void FillPanel(const ConvPanel& panel, const void* weights, DType dtype, float* out) const;

  ConvShape shape_;
  int64_t lanes_ = 0;
  std::vector<ConvPanel> panels_;
  AlignedBuffer buffer_;
};

}  // namespace longtake
