// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/wan/text_context.h"

#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/finite.h"
#include "engine/backend/upload.h"

namespace longtake {
namespace {

absl::Status CheckShape(const TextContextShape& shape) {
  if (shape.tokens < 0 || shape.tokens > shape.text_rows) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a prompt of ", shape.tokens, " tokens; the transformer takes at most ", shape.text_rows));
  }
  if (shape.layers < 1 || shape.width < 1 || shape.text_dim < 1 ||
      (shape.dtype != DType::kF32 && shape.dtype != DType::kBf16)) {
    return absl::InvalidArgumentError("text context: empty shape or a type that holds no keys");
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> KeyBytes(const TextContextShape& shape) {
  return CheckedProduct(
      {2, static_cast<uint64_t>(shape.layers), static_cast<uint64_t>(shape.rows()),
       static_cast<uint64_t>(shape.width), DTypeBytes(shape.dtype)},
      "text keys");
}

}  // namespace

absl::StatusOr<uint64_t> TextContextBytes(const TextContextShape& shape) {
  LT_RETURN_IF_ERROR(CheckShape(shape));
  LT_ASSIGN_OR_RETURN(const uint64_t keys, KeyBytes(shape));
  LT_ASSIGN_OR_RETURN(const uint64_t states,
                      CheckedProduct({static_cast<uint64_t>(shape.rows()),
                                      static_cast<uint64_t>(shape.text_dim), sizeof(float)},
                                     "text states"));
  const std::optional<uint64_t> total = CheckedAdd(keys, states);
  if (!total) return absl::InvalidArgumentError("text context: size overflows 64 bits");
  return *total;
}

absl::StatusOr<std::unique_ptr<TextContext>> TextContext::Create(Backend& backend,
                                                                 const TextContextShape& shape,
                                                                 std::span<const float> states) {
  LT_RETURN_IF_ERROR(TextContextBytes(shape));
  if (states.size() != static_cast<uint64_t>(shape.tokens * shape.text_dim)) {
    return absl::InvalidArgumentError(absl::StrCat("text states: ", states.size(), " values for ",
                                                   shape.tokens, " tokens of ", shape.text_dim));
  }
  LT_RETURN_IF_ERROR(CheckFinite(states, "text states"));
  auto context = std::unique_ptr<TextContext>(new TextContext);
  context->shape_ = shape;
  LT_ASSIGN_OR_RETURN(const uint64_t key_bytes, KeyBytes(shape));
  LT_ASSIGN_OR_RETURN(context->memory_, backend.device().Allocate(key_bytes, nullptr));
  std::vector<float> rows(states.begin(), states.end());
  rows.resize(static_cast<size_t>(shape.rows() * shape.text_dim));
  LT_ASSIGN_OR_RETURN(context->states_, Upload(backend, std::as_bytes(std::span(rows))));
  return context;
}

float TextContext::last_key_bias() const {
  const int64_t padding = shape_.text_rows - shape_.tokens;
  return padding > 0 ? static_cast<float>(std::log(static_cast<double>(padding))) : 0.0f;
}

uint64_t TextContext::side_bytes() const {
  return static_cast<uint64_t>(rows() * shape_.width) * DTypeBytes(shape_.dtype);
}

void TextContext::Write(Backend& backend, int64_t layer, DevicePtr<const float> k,
                        DevicePtr<const float> v) {
  LT_CHECK(layer >= 0 && layer < shape_.layers);
  DevicePtr<std::byte> out =
      memory_.As<std::byte>() + layer * 2 * static_cast<int64_t>(side_bytes());
  for (const DevicePtr<const float> side : {k, v}) {
    const RowPiece all = {.out = out, .rows = rows()};
    backend.StoreRows({.in = side, .width = shape_.width, .dtype = shape_.dtype, .out = {&all, 1}});
    out += static_cast<int64_t>(side_bytes());
  }
}

void TextContext::MarkReady() {
  ready_ = true;
  states_ = {};
}

KeySegment TextContext::Segment(int64_t layer) const {
  LT_CHECK(layer >= 0 && layer < shape_.layers);
  const DevicePtr<std::byte> keys =
      memory_.As<std::byte>() + layer * 2 * static_cast<int64_t>(side_bytes());
  return {.k = keys,
          .v = keys + static_cast<int64_t>(side_bytes()),
          .dtype = shape_.dtype,
          .rows = rows()};
}

}  // namespace longtake
