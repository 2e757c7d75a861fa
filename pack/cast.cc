// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "pack/cast.h"

#include <cstdint>
#include <cstring>

#include "base/finite.h"
#include "base/status_macros.h"

namespace longtake {
namespace {

template <typename T>
T LoadElement(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

float LoadAsFloat(DType from, const std::byte* bytes) {
  switch (from) {
    case DType::kBf16:
      return Bf16ToFloat(LoadElement<uint16_t>(bytes));
    case DType::kF16:
      return F16ToFloat(LoadElement<uint16_t>(bytes));
    default:
      return LoadElement<float>(bytes);
  }
}

void Convert(DType from, std::span<const std::byte> in, DType to, std::span<std::byte> out) {
  if (from == to) {
    if (in.data() != out.data()) std::memcpy(out.data(), in.data(), in.size());
    return;
  }
  for (size_t i = 0; i < out.size() / DTypeBytes(to); ++i) {
    const float value = LoadAsFloat(from, in.data() + i * DTypeBytes(from));
    if (to == DType::kF32) {
      std::memcpy(out.data() + i * sizeof(float), &value, sizeof(float));
    } else {
      const uint16_t half = FloatToBf16(value);
      std::memcpy(out.data() + i * sizeof(half), &half, sizeof(half));
    }
  }
}

}  // namespace

std::optional<UnfitElement> CastElements(DType from, std::span<const std::byte> in, DType to,
                                         std::span<std::byte> out) {
  LT_CHECK(from != DType::kI8 && (to == DType::kF32 || to == DType::kBf16));
  const size_t count = in.size() / DTypeBytes(from);
  LT_CHECK(out.size() == count * DTypeBytes(to));
  Convert(from, in, to, out);
  const std::optional<size_t> first =
      to == DType::kF32
          ? FirstNotFinite({reinterpret_cast<const float*>(out.data()), count})
          : FirstNotFiniteBf16({reinterpret_cast<const uint16_t*>(out.data()), count});
  if (!first.has_value()) return std::nullopt;
  return UnfitElement{.index = *first,
                      .value = LoadAsFloat(from, in.data() + *first * DTypeBytes(from))};
}

}  // namespace longtake
