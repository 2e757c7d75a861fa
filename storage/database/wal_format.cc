// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/database/wal_format.h"

#include <bit>
#include <cstring>

namespace longtake {
namespace {

static_assert(std::endian::native == std::endian::little);

uint32_t Swapped(uint32_t word) {
  return (word >> 24) | ((word >> 8) & 0xff00) | ((word << 8) & 0xff0000) | (word << 24);
}

uint32_t Word(std::span<const std::byte> bytes, size_t at, bool big_endian) {
  uint32_t word = 0;
  std::memcpy(&word, bytes.subspan(at, sizeof(word)).data(), sizeof(word));
  return big_endian ? Swapped(word) : word;
}

uint32_t Number(std::span<const std::byte> bytes, size_t at) { return Word(bytes, at, true); }

// Each order has a loop of its own: a log is summed up whenever its store opens.
template <bool kBigEndian>
WalSum SumOf(WalSum sum, std::span<const std::byte> bytes) {
  for (size_t at = 0; at < bytes.size(); at += 8) {
    sum.first += Word(bytes, at, kBigEndian) + sum.second;
    sum.second += Word(bytes, at + 4, kBigEndian) + sum.first;
  }
  return sum;
}

WalSum SumAfter(WalSum sum, std::span<const std::byte> bytes, bool big_endian) {
  return big_endian ? SumOf<true>(sum, bytes) : SumOf<false>(sum, bytes);
}

// The other way: the sum from which these bytes lead to this one.
WalSum SumBefore(WalSum sum, std::span<const std::byte> bytes, bool big_endian) {
  for (size_t at = bytes.size(); at > 0; at -= 8) {
    sum.second -= Word(bytes, at - 4, big_endian) + sum.first;
    sum.first -= Word(bytes, at - 8, big_endian) + sum.second;
  }
  return sum;
}

}  // namespace

bool WalHeader::valid() const {
  return sum == computed_sum && page_bytes >= kWalPageBytesMin && page_bytes <= kWalPageBytesMax &&
         std::has_single_bit(page_bytes);
}

WalHeader ReadWalHeader(std::span<const std::byte> bytes) {
  // The magic number's last bit.
  return ReadWalHeader(bytes, (Number(bytes, 0) & 1) != 0);
}

WalHeader ReadWalHeader(std::span<const std::byte> bytes, bool big_endian) {
  return {.big_endian = big_endian,
          .page_bytes = Number(bytes, 8),
          .salts = {.first = Number(bytes, 16), .second = Number(bytes, 20)},
          .sum = {.first = Number(bytes, 24), .second = Number(bytes, 28)},
          .computed_sum = SumAfter({}, bytes.first(24), big_endian)};
}

WalFrame ReadWalFrame(std::span<const std::byte> bytes) {
  return {.page = Number(bytes, 0),
          .mark = Number(bytes, 4),
          .salts = {.first = Number(bytes, 8), .second = Number(bytes, 12)},
          .sum = {.first = Number(bytes, 16), .second = Number(bytes, 20)}};
}

WalSum SumAfterFrame(WalSum before, std::span<const std::byte> frame, bool big_endian) {
  const WalSum words = SumAfter(before, frame.first(8), big_endian);
  return SumAfter(words, frame.subspan(kWalFrameHeaderBytes), big_endian);
}

WalWords WordsBetween(WalSum before, WalSum after, std::span<const std::byte> page,
                      bool big_endian) {
  const WalSum words = SumBefore(after, page, big_endian);
  const uint32_t first = words.first - before.first - before.second;
  const uint32_t second = words.second - before.second - words.first;
  if (big_endian) return {.page = first, .mark = second};
  return {.page = Swapped(first), .mark = Swapped(second)};
}

}  // namespace longtake
