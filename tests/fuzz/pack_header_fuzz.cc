// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The front of a pack file of any bytes. Checksums stop a fuzzer at the door, so they are made
// right first: what is left to try are the fields, the table's JSON and the offsets it gives.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "storage/pack/pack_copy.h"
#include "storage/pack/pack_reader.h"
#include "tests/storage/memory_files.h"

namespace {

using longtake::kPackBlockBytes;

constexpr size_t kTableHashOffset = 88;
constexpr size_t kCrcHashOffset = 104;

uint64_t Field(const std::vector<std::byte>& file, size_t offset) {
  uint64_t value = 0;
  std::memcpy(&value, file.data() + offset, sizeof(value));
  return value;
}

void PutHash(std::vector<std::byte>& file, size_t at, uint64_t begin, uint64_t bytes) {
  if (begin > file.size() || bytes > file.size() - begin) return;
  const longtake::Hash128 hash = longtake::Xxh3Hash128(std::span(file).subspan(begin, bytes));
  std::memcpy(file.data() + at, &hash.high, sizeof(hash.high));
  std::memcpy(file.data() + at + sizeof(hash.high), &hash.low, sizeof(hash.low));
}

void MendChecksums(std::vector<std::byte>& file) {
  PutHash(file, kTableHashOffset, Field(file, 32), Field(file, 40));
  PutHash(file, kCrcHashOffset, Field(file, 48), std::min<uint64_t>(Field(file, 56), 1u << 30) * 4);
  const uint32_t crc = longtake::Crc32c(std::span(file).first(kPackBlockBytes - 4));
  std::memcpy(file.data() + kPackBlockBytes - 4, &crc, sizeof(crc));
}

}  // namespace

// The table alone, without the offsets that a whole file must have.
static void DecodeTable(std::string_view text) {
  const longtake::PackHeader header = {
      .alignment = 4096, .crc_block_bytes = 4096, .payload_bytes = 3 * 4096};
  const auto table = longtake::DecodePackTable(text, header);
  if (table.ok() && longtake::EncodePackTable(*table) != text) std::abort();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  DecodeTable(std::string_view(reinterpret_cast<const char*>(data), size));
  std::vector<std::byte> bytes(size);
  if (size > 0) std::memcpy(bytes.data(), data, size);
  for (const bool mended : {false, true}) {
    if (mended) {
      if (size < kPackBlockBytes) break;
      MendChecksums(bytes);
    }
    longtake::MemoryFileSystem files;
    files.Put("f", bytes);
    const auto pack = longtake::PackReader::Open(files, "f");
    if (!pack.ok()) continue;
    if ((*pack)->header().file_bytes != size) std::abort();
    const auto resident = (*pack)->LoadResident();
    static_cast<void>(resident.ok());
    for (size_t i = 0; i < (*pack)->layer_count(); ++i) {
      for (const longtake::PartInfo& part : (*pack)->layer(i).parts) {
        if (part.offset + part.bytes > (*pack)->header().payload_bytes) std::abort();
        for (const longtake::TensorInfo& tensor : part.tensors) {
          if (tensor.offset + tensor.bytes > part.bytes) std::abort();
        }
      }
    }
    for (const longtake::RowTableInfo& table : (*pack)->row_tables()) {
      const std::vector<int64_t> rows = {table.tensor.shape[0] - 1};
      std::vector<std::byte> out(table.tensor.bytes / static_cast<uint64_t>(table.tensor.shape[0]));
      static_cast<void>((*pack)->ReadRows(table.tensor.name, rows, out).ok());
    }
  }
  return 0;
}
