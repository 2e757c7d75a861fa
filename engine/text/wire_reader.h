// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Reads the protobuf wire format field by field, without generated code and without recursion: an
// embedded message is a byte range that the caller opens with a second reader.
// Source: the published encoding of protocol buffers. Groups are refused; nobody writes them today.
// Hostile bytes: every length is checked against what is left; nothing is allocated.
// Ownership: views into the caller's bytes. Thread rule: one reader, one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status_macros.h"

namespace longtake {

enum class WireType : uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct WireField {
  uint32_t number = 0;
  WireType type = WireType::kVarint;
  uint64_t bits = 0;       // the value of kVarint, kFixed64 and kFixed32
  std::string_view bytes;  // the value of kBytes

  float AsFloat() const;    // kFixed32
  int32_t AsInt32() const;  // kVarint; negative numbers are sign-extended to 64 bits on the wire
};

class WireReader {
 public:
  // where names the message in errors, for example "piece 17".
  WireReader(std::string_view bytes, std::string where);

  // The next field; nullopt at the end; InvalidArgument naming the message and the byte offset.
  absl::StatusOr<std::optional<WireField>> Next();

  // InvalidArgument when a known field does not have the type it must have.
  absl::Status Expect(const WireField& field, WireType type) const;

 private:
  absl::Status Broken(const std::string& what) const;
  absl::StatusOr<uint64_t> Varint();
  absl::StatusOr<uint64_t> Fixed(size_t bytes);

  std::string_view bytes_;
  size_t at_ = 0;
  std::string where_;
};

}  // namespace longtake
