// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/text/wire_reader.h"

#include <bit>
#include <utility>

namespace longtake {

namespace {

constexpr int kVarintBytesMax = 10;
constexpr uint64_t kFieldNumberMax = (1u << 29) - 1;

}  // namespace

float WireField::AsFloat() const { return std::bit_cast<float>(static_cast<uint32_t>(bits)); }

int32_t WireField::AsInt32() const { return static_cast<int32_t>(static_cast<uint32_t>(bits)); }

WireReader::WireReader(std::string_view bytes, std::string where)
    : bytes_(bytes), where_(std::move(where)) {}

absl::Status WireReader::Broken(const std::string& what) const {
  return absl::InvalidArgumentError(where_ + ": " + what + " at byte " + std::to_string(at_) +
                                    " of " + std::to_string(bytes_.size()));
}

absl::StatusOr<uint64_t> WireReader::Varint() {
  uint64_t value = 0;
  for (int i = 0; i < kVarintBytesMax; ++i) {
    if (at_ == bytes_.size()) return Broken("truncated varint");
    const auto byte = static_cast<uint8_t>(bytes_[at_++]);
    if (i == kVarintBytesMax - 1 && byte > 1) return Broken("varint exceeds 64 bits");
    value |= static_cast<uint64_t>(byte & 0x7F) << (7 * i);
    if (byte < 0x80) return value;
  }
  return Broken("varint exceeds 64 bits");
}

absl::StatusOr<uint64_t> WireReader::Fixed(size_t bytes) {
  if (bytes > bytes_.size() - at_) return Broken("truncated fixed-size field");
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; ++i) {
    value |= static_cast<uint64_t>(static_cast<uint8_t>(bytes_[at_ + i])) << (8 * i);
  }
  at_ += bytes;
  return value;
}

absl::StatusOr<std::optional<WireField>> WireReader::Next() {
  if (at_ == bytes_.size()) return std::nullopt;
  LT_ASSIGN_OR_RETURN(const uint64_t tag, Varint());
  WireField field;
  if (tag >> 3 == 0 || tag >> 3 > kFieldNumberMax) return Broken("impossible field number");
  field.number = static_cast<uint32_t>(tag >> 3);
  field.type = static_cast<WireType>(tag & 7);
  switch (field.type) {
    case WireType::kVarint: {
      LT_ASSIGN_OR_RETURN(field.bits, Varint());
      return field;
    }
    case WireType::kFixed64: {
      LT_ASSIGN_OR_RETURN(field.bits, Fixed(8));
      return field;
    }
    case WireType::kFixed32: {
      LT_ASSIGN_OR_RETURN(field.bits, Fixed(4));
      return field;
    }
    case WireType::kBytes: {
      LT_ASSIGN_OR_RETURN(const uint64_t length, Varint());
      if (length > bytes_.size() - at_) {
        return Broken("field " + std::to_string(field.number) + " claims " +
                      std::to_string(length) + " bytes, more than are left,");
      }
      field.bytes = bytes_.substr(at_, length);
      at_ += length;
      return field;
    }
  }
  return Broken("field " + std::to_string(field.number) + " has unsupported wire type " +
                std::to_string(tag & 7));
}

absl::Status WireReader::Expect(const WireField& field, WireType type) const {
  if (field.type == type) return absl::OkStatus();
  return Broken("field " + std::to_string(field.number) + " has wire type " +
                std::to_string(static_cast<int>(field.type)) + ", not " +
                std::to_string(static_cast<int>(type)) + ",");
}

}  // namespace longtake
