// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a pack file is, in memory and in bytes (docs/formats.md describes every byte): header and
// table as values, and the pure functions that turn them into bytes and back. Decoding trusts
// nothing: a header or table that comes back is consistent in itself and with the file's size.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/checksum.h"
#include "base/status_macros.h"
#include "storage/tensor.h"

namespace longtake {

constexpr std::array<char, 8> kPackMagic = {'L', 'T', 'P', 'A', 'C', 'K', '\r', '\n'};
constexpr uint32_t kPackVersion = 1;
constexpr uint32_t kPackEndianTag = 0x01020304;
constexpr uint64_t kPackBlockBytes = 4096;      // header block; least alignment and CRC block
constexpr uint64_t kPackTensorAlignment = 256;  // tensors inside a part
constexpr uint64_t kPackAlignmentMax = 1ull << 30;
constexpr uint64_t kPackTableBytesMax = 64ull << 20;
constexpr uint64_t kPackCrcBlockCountMax = 1ull << 26;  // 64 TiB in CRC blocks of 1 MiB

// One header block. There are two, first and last in the file, each with its own table and crc
// array.
struct PackHeader {
  uint64_t alignment = 0;  // of the payload and of every slab; a power of two, >= crc_block_bytes
  uint64_t crc_block_bytes = 0;  // one CRC32C each; a power of two, >= 4 KiB
  uint64_t table_offset = 0;
  uint64_t table_bytes = 0;
  uint64_t crc_offset = 0;  // u32 per CRC block of the payload
  uint64_t crc_count = 0;
  uint64_t payload_offset = 0;
  uint64_t payload_bytes = 0;  // a multiple of crc_block_bytes
  uint64_t file_bytes = 0;
  Hash128 table_hash = {};
  Hash128 crc_hash = {};
  uint32_t copy = 0;  // 0: first block of the file, 1: last
};

// A run of whole CRC blocks that is read, verified and lent as one: a part of a slab, or the
// resident section. Tensors in use order.
struct PartInfo {
  uint64_t offset = 0;  // from the start of the payload
  uint64_t bytes = 0;   // a multiple of crc_block_bytes
  Hash128 hash;         // XXH3-128 of all its bytes, padding included
  std::vector<TensorInfo> tensors;
};

// One slab. Tensor indices run over all parts.
struct LayerInfo {
  std::vector<PartInfo> parts;

  size_t tensor_count() const;
  uint64_t bytes() const;  // of all parts
};

// A big embedding that is read row by row: [rows, width].
struct RowTableInfo {
  TensorInfo tensor;    // offset 0
  uint64_t offset = 0;  // from the start of the payload
  uint64_t bytes = 0;   // a multiple of crc_block_bytes
  Hash128 hash;
};

struct PackTable {
  std::string component;
  std::string config;  // the published config.json, verbatim
  PartInfo resident;
  std::vector<RowTableInfo> row_tables;
  std::vector<LayerInfo> layers;
};

// All offsets in a file follow from four sizes and the copy's number; hashes stay zero.
// INVALID_ARGUMENT naming the size that is out of range.
struct PackSizes {
  uint64_t alignment = 0;
  uint64_t crc_block_bytes = 0;
  uint64_t table_bytes = 0;
  uint64_t payload_bytes = 0;
};
absl::StatusOr<PackHeader> PlacePackHeader(const PackSizes& sizes, uint32_t copy);

std::array<std::byte, kPackBlockBytes> EncodePackHeader(const PackHeader& header);
// INVALID_ARGUMENT naming the field. file_bytes is the file's real size, copy the block that was
// read.
absl::StatusOr<PackHeader> DecodePackHeader(std::span<const std::byte> block, uint64_t file_bytes,
                                            uint32_t copy);

// Gives every tensor, part and slab its offset from names, types, shapes and the cuts between
// parts; returns payload_bytes. INVALID_ARGUMENT naming layer and tensor for an empty tensor, part
// or layer, a name twice in one section, a row table that is not a matrix, or overflow.
absl::StatusOr<uint64_t> PlacePackTable(PackTable& table, uint64_t alignment,
                                        uint64_t crc_block_bytes);

// Deterministic: equal tables give equal text, and its length does not depend on the hashes.
std::string EncodePackTable(const PackTable& table);
// Accepts only what EncodePackTable gives for a table placed by the rules above, so nothing
// overlaps, is misaligned, out of the payload or of the wrong size. INVALID_ARGUMENT.
absl::StatusOr<PackTable> DecodePackTable(std::string_view text, const PackHeader& header);

}  // namespace longtake
