// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Attention of one item after the other: keys and values of all segments are gathered into one
// range, as cuDNN wants them.
#include <cmath>

#include "absl/strings/str_cat.h"
#include "engine/backend/cuda/cuda_backend.h"

namespace longtake {
namespace {

// How many equal keys the last one stands for; 0 when it is no whole number.
int64_t LastKeyCount(float bias) {
  const int64_t count = std::lround(std::exp(static_cast<double>(bias)));
  const auto exact = static_cast<float>(std::log(static_cast<double>(count)));
  return count >= 1 && exact == bias ? count : 0;
}

}  // namespace

absl::StatusOr<SdpaShape> CudaBackend::AttentionShape(const AttentionArgs& item) {
  if (item.bias) return absl::UnimplementedError("Attention with a bias");
  const int64_t last = LastKeyCount(item.last_key_bias);
  if (last == 0) {
    return absl::UnimplementedError(absl::StrCat("Attention whose last key has a bias of ",
                                                 item.last_key_bias,
                                                 ", which is no logarithm of a whole number"));
  }
  SdpaShape shape = {
      .heads = item.heads, .rows = item.rows, .keys = last - 1, .head_dim = item.head_dim};
  for (const KeySegment& segment : item.keys) shape.keys += segment.rows;
  return shape;
}

void CudaBackend::GatherSegments(const AttentionArgs& item, const SdpaShape& shape) {
  const int64_t width = shape.heads * shape.head_dim;
  int64_t row = 0;
  for (size_t i = 0; i < item.keys.size(); ++i) {
    const KeySegment& segment = item.keys[i];
    LT_CHECK(segment.dtype == DType::kF32 || segment.dtype == DType::kBf16);
    const bool is_last = i + 1 == item.keys.size();
    cuda::GatherKeysTask task = {.in = segment.k.address(),
                                 .bf16 = segment.dtype == DType::kBf16,
                                 .rows = segment.rows,
                                 .heads = shape.heads,
                                 .head_dim = shape.head_dim,
                                 .table = segment.rotary.address(),
                                 .out_rows = is_last ? shape.keys - row : segment.rows,
                                 .out = k_.As<uint16_t>().address() + row * width};
    Put<cuda::GatherKeysTask>(cuda::GatherKeys, task, "Attention");
    task.in = segment.v.address();
    task.table = nullptr;
    task.out = v_.As<uint16_t>().address() + row * width;
    Put<cuda::GatherKeysTask>(cuda::GatherKeys, task, "Attention");
    row += segment.rows;
  }
}

void CudaBackend::Attend(const AttentionArgs& item) {
  const absl::StatusOr<SdpaShape> shape = AttentionShape(item);
  if (!shape.ok()) return Refuse(std::string(shape.status().message()));
  if (!sdpa_->IsReady(*shape)) {
    return Refuse(absl::StrCat("Attention of ", SdpaShapeName(*shape), ", which nobody reserved,"));
  }
  const int64_t width = shape->heads * shape->head_dim;
  LT_CHECK(shape->rows <= rows_max_ && shape->keys <= keys_max_ && width <= width_max_);
  Put<cuda::StoreRowsTask>(cuda::StoreRows,
                           {.in = item.q.address(),
                            .rows = shape->rows,
                            .width = width,
                            .bf16 = true,
                            .out = q_.As<std::byte>().address()},
                           "Attention");
  GatherSegments(item, *shape);
  sdpa_->Run(*shape, {.q = q_.As<std::byte>().address(),
                      .k = k_.As<std::byte>().address(),
                      .v = v_.As<std::byte>().address(),
                      .out = attended_.As<std::byte>().address(),
                      .scale = item.scale});
  Put<cuda::WidenTask>(cuda::Widen,
                       {.in = attended_.As<uint16_t>().address(),
                        .count = shape->rows * width,
                        .out = item.out.address()},
                       "Attention");
}

void CudaBackend::Attention(std::span<const AttentionArgs> items) {
  for (const AttentionArgs& item : items) {
    if (item.rows > 0) Attend(item);
  }
}

}  // namespace longtake
