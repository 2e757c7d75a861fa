// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The bytes of SQLite's log, from its documentation ("Database File Format", 4.1 WAL File Format):
// a header, then frames of one page each. Numbers are big-endian. A running checksum goes from the
// header through every frame, and each frame holds its value there, so that a frame can be checked
// from the one before it wherever that comes from. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace longtake {

constexpr size_t kWalHeaderBytes = 32;
constexpr size_t kWalFrameHeaderBytes = 24;
constexpr uint32_t kWalPageBytesMin = 512;
constexpr uint32_t kWalPageBytesMax = 65536;

struct WalSum {
  uint32_t first = 0;
  uint32_t second = 0;
  bool operator==(const WalSum&) const = default;
};

// One salt is counted up, the other drawn anew each time the log begins from its start again.
struct WalSalts {
  uint32_t first = 0;
  uint32_t second = 0;
  bool operator==(const WalSalts&) const = default;
};

struct WalHeader {
  bool big_endian = false;  // how the checksum reads its words
  uint32_t page_bytes = 0;
  WalSalts salts;
  WalSum sum;           // as the header says
  WalSum computed_sum;  // as it should say
  // As SQLite wrote it.
  bool valid() const;
};

struct WalFrame {
  uint32_t page = 0;  // from 1
  uint32_t mark = 0;  // pages of the database after a transaction that ends here, otherwise 0
  WalSalts salts;
  WalSum sum;  // after this frame
};

// bytes: kWalHeaderBytes.
WalHeader ReadWalHeader(std::span<const std::byte> bytes);
// The same with the checksum read the other way, for a header that cannot be believed.
WalHeader ReadWalHeader(std::span<const std::byte> bytes, bool big_endian);
// bytes: at least kWalFrameHeaderBytes.
WalFrame ReadWalFrame(std::span<const std::byte> bytes);

// The sum after a whole frame (header and page), from the sum before it.
WalSum SumAfterFrame(WalSum before, std::span<const std::byte> frame, bool big_endian);

struct WalWords {
  uint32_t page = 0;
  uint32_t mark = 0;
};
// The page number and mark with which this page leads from one sum to the other; there always is
// one such pair. Where the frame says others, either it is wrong or the page is.
WalWords WordsBetween(WalSum before, WalSum after, std::span<const std::byte> page,
                      bool big_endian);

}  // namespace longtake
