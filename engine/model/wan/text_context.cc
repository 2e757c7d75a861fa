// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/wan/text_context.h"

#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/finite.h"

namespace longtake {
namespace {

constexpr uint64_t kAlignment = 64;

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

void Round(const float* in, uint64_t count, DType dtype, std::byte* out) {
  if (dtype == DType::kF32) {
    std::memcpy(out, in, count * sizeof(float));
    return;
  }
  auto* half = reinterpret_cast<uint16_t*>(out);
  for (uint64_t i = 0; i < count; ++i) half[i] = FloatToBf16(in[i]);
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

absl::StatusOr<std::unique_ptr<TextContext>> TextContext::Create(const TextContextShape& shape,
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
  LT_ASSIGN_OR_RETURN(context->memory_, AlignedBuffer::Allocate(key_bytes, kAlignment));
  context->states_.assign(states.begin(), states.end());
  context->states_.resize(static_cast<size_t>(shape.rows() * shape.text_dim));
  return context;
}

float TextContext::last_key_bias() const {
  const int64_t padding = shape_.text_rows - shape_.tokens;
  return padding > 0 ? static_cast<float>(std::log(static_cast<double>(padding))) : 0.0f;
}

uint64_t TextContext::side_bytes() const {
  return static_cast<uint64_t>(rows() * shape_.width) * DTypeBytes(shape_.dtype);
}

void TextContext::Write(int64_t layer, const float* k, const float* v) {
  LT_CHECK(layer >= 0 && layer < shape_.layers);
  std::byte* keys = memory_.data() + static_cast<uint64_t>(layer) * 2 * side_bytes();
  const auto count = static_cast<uint64_t>(rows() * shape_.width);
  Round(k, count, shape_.dtype, keys);
  Round(v, count, shape_.dtype, keys + side_bytes());
}

void TextContext::MarkReady() {
  ready_ = true;
  states_ = {};
}

KeySegment TextContext::Segment(int64_t layer) const {
  LT_CHECK(layer >= 0 && layer < shape_.layers);
  const std::byte* keys = memory_.data() + static_cast<uint64_t>(layer) * 2 * side_bytes();
  return {.k = keys, .v = keys + side_bytes(), .dtype = shape_.dtype, .rows = rows()};
}

}  // namespace longtake
