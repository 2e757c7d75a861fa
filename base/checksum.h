// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The three checksums of longtake: CRC32C per chunk of a pack (cheap, finds every burst), XXH3-128
// per part and per table (finds what CRC32C can miss, and misplaced data), SHA-256 for identities
// that someone may try to forge. One thread per object; the functions are pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/status_macros.h"

namespace longtake {

// CRC-32C (Castagnoli, RFC 3720 appendix B.4): Crc32c("123456789") is 0xe3069283.
uint32_t Crc32c(std::span<const std::byte> bytes);
// The checksum of a + b from the checksum of a.
uint32_t ExtendCrc32c(uint32_t crc, std::span<const std::byte> bytes);

struct Hash128 {
  uint64_t high = 0;
  uint64_t low = 0;
  bool operator==(const Hash128&) const = default;
  // 32 lower-case hexadecimal digits, high first.
  std::string ToHex() const;
  static absl::StatusOr<Hash128> FromHex(std::string_view hex);
};

// XXH3 with 128 bits, seed 0.
Hash128 Xxh3Hash128(std::span<const std::byte> bytes);

// The same over pieces. Move only.
class Xxh3Stream {
 public:
  Xxh3Stream();
  Xxh3Stream(Xxh3Stream&&) noexcept;
  Xxh3Stream& operator=(Xxh3Stream&&) noexcept;
  ~Xxh3Stream();
  void Update(std::span<const std::byte> bytes);
  // Of everything so far; more may follow.
  Hash128 Digest() const;
  void Reset();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// SHA-256 (FIPS 180-4) over pieces. Move only.
class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();
  void Update(std::span<const std::byte> bytes);
  void Update(std::string_view text);
  // Little-endian; put the length before variable fields so that no two inputs run together.
  void UpdateU64(uint64_t value);
  // 64 lower-case hexadecimal digits. Once.
  std::string FinishHex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace longtake
