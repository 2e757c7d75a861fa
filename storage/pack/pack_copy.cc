// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/pack/pack_copy.h"

#include <array>
#include <span>

namespace longtake {

absl::StatusOr<PackCopy> ReadPackCopy(File& file, uint64_t file_bytes, uint32_t copy) {
  if (file_bytes < 2 * kPackBlockBytes) return absl::InvalidArgumentError("too short for a pack");
  std::array<std::byte, kPackBlockBytes> block;
  LT_RETURN_IF_ERROR(file.ReadAt(copy == 0 ? 0 : file_bytes - kPackBlockBytes, block));
  PackCopy out;
  LT_ASSIGN_OR_RETURN(out.header, DecodePackHeader(block, file_bytes, copy));
  // Both lie inside the file, so neither allocation can exceed what is really there.
  out.table_text.resize(out.header.table_bytes);
  const std::span text(out.table_text);
  LT_RETURN_IF_ERROR(file.ReadAt(out.header.table_offset, std::as_writable_bytes(text)));
  if (Xxh3Hash128(std::as_bytes(text)) != out.header.table_hash) {
    return absl::InvalidArgumentError("table: damaged (XXH3 differs)");
  }
  out.block_crcs.resize(out.header.crc_count);
  const std::span crcs(out.block_crcs);
  LT_RETURN_IF_ERROR(file.ReadAt(out.header.crc_offset, std::as_writable_bytes(crcs)));
  if (Xxh3Hash128(std::as_bytes(crcs)) != out.header.crc_hash) {
    return absl::InvalidArgumentError("crc array: damaged (XXH3 differs)");
  }
  LT_ASSIGN_OR_RETURN(out.table, DecodePackTable(out.table_text, out.header));
  return out;
}

}  // namespace longtake
