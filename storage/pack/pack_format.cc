// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/pack/pack_format.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/checked.h"

namespace longtake {
namespace {

static_assert(std::endian::native == std::endian::little, "packs are read as they lie in memory");

constexpr uint64_t kCrcArrayAlignment = 64;
constexpr size_t kHeaderCrcOffset = kPackBlockBytes - sizeof(uint32_t);

absl::Status Bad(const std::string& what) { return absl::InvalidArgumentError("header: " + what); }

constexpr uint64_t AlignUp(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) & ~(alignment - 1);
}

// The block's fields in order, each at the next free byte; docs/formats.md lists the offsets.
class FieldWriter {
 public:
  explicit FieldWriter(std::span<std::byte> block) : block_(block) {}
  template <typename T>
  void Put(const T& value) {
    std::memcpy(block_.data() + position_, &value, sizeof(T));
    position_ += sizeof(T);
  }

 private:
  std::span<std::byte> block_;
  size_t position_ = 0;
};

class FieldReader {
 public:
  explicit FieldReader(std::span<const std::byte> block) : block_(block) {}
  template <typename T>
  T Take() {
    T value{};
    std::memcpy(&value, block_.data() + position_, sizeof(T));
    position_ += sizeof(T);
    return value;
  }
  Hash128 TakeHash() {
    const uint64_t high = Take<uint64_t>();
    return {.high = high, .low = Take<uint64_t>()};
  }

 private:
  std::span<const std::byte> block_;
  size_t position_ = 0;
};

bool SamePlaces(const PackHeader& a, const PackHeader& b) {
  return a.table_offset == b.table_offset && a.crc_offset == b.crc_offset &&
         a.crc_count == b.crc_count && a.payload_offset == b.payload_offset &&
         a.file_bytes == b.file_bytes;
}

}  // namespace

size_t LayerInfo::tensor_count() const {
  size_t count = 0;
  for (const PartInfo& part : parts) count += part.tensors.size();
  return count;
}

uint64_t LayerInfo::bytes() const {
  uint64_t bytes = 0;
  for (const PartInfo& part : parts) bytes += part.bytes;
  return bytes;
}

absl::StatusOr<PackHeader> PlacePackHeader(const PackSizes& sizes, uint32_t copy) {
  if (!std::has_single_bit(sizes.alignment) || sizes.alignment < kPackBlockBytes ||
      sizes.alignment > kPackAlignmentMax) {
    return Bad("alignment " + std::to_string(sizes.alignment) +
               " is not a power of two between 4 KiB and 1 GiB");
  }
  if (!std::has_single_bit(sizes.crc_block_bytes) || sizes.crc_block_bytes < kPackBlockBytes ||
      sizes.crc_block_bytes > sizes.alignment) {
    return Bad("crc_block_bytes " + std::to_string(sizes.crc_block_bytes) +
               " is not a power of two between 4 KiB and the alignment");
  }
  if (sizes.table_bytes == 0 || sizes.table_bytes > kPackTableBytesMax) {
    return Bad("table_bytes " + std::to_string(sizes.table_bytes) + " is zero or above 64 MiB");
  }
  // With at most 2^26 CRC blocks of 2^30 bytes no sum below can overflow.
  if (sizes.payload_bytes % sizes.crc_block_bytes != 0 ||
      sizes.payload_bytes / sizes.crc_block_bytes > kPackCrcBlockCountMax) {
    return Bad("payload_bytes " + std::to_string(sizes.payload_bytes) +
               " is not a whole number of CRC blocks, or more than 2^26");
  }
  if (copy > 1) return Bad("copy is neither 0 nor 1");

  PackHeader header;
  header.alignment = sizes.alignment;
  header.crc_block_bytes = sizes.crc_block_bytes;
  header.table_bytes = sizes.table_bytes;
  header.payload_bytes = sizes.payload_bytes;
  header.crc_count = sizes.payload_bytes / sizes.crc_block_bytes;
  header.copy = copy;
  const uint64_t crc_offset = AlignUp(sizes.table_bytes, kCrcArrayAlignment);  // from the table
  const uint64_t front_bytes = crc_offset + header.crc_count * sizeof(uint32_t);
  header.payload_offset = AlignUp(kPackBlockBytes + front_bytes, sizes.alignment);
  const uint64_t payload_end = header.payload_offset + sizes.payload_bytes;
  header.file_bytes = AlignUp(payload_end + front_bytes, kPackBlockBytes) + kPackBlockBytes;
  header.table_offset = copy == 0 ? kPackBlockBytes : payload_end;
  header.crc_offset = header.table_offset + crc_offset;
  return header;
}

std::array<std::byte, kPackBlockBytes> EncodePackHeader(const PackHeader& header) {
  std::array<std::byte, kPackBlockBytes> block{};
  FieldWriter out(block);
  out.Put(kPackMagic);
  out.Put(kPackVersion);
  out.Put(kPackEndianTag);
  out.Put(header.alignment);
  out.Put(header.crc_block_bytes);
  out.Put(header.table_offset);
  out.Put(header.table_bytes);
  out.Put(header.crc_offset);
  out.Put(header.crc_count);
  out.Put(header.payload_offset);
  out.Put(header.payload_bytes);
  out.Put(header.file_bytes);
  out.Put(header.table_hash.high);
  out.Put(header.table_hash.low);
  out.Put(header.crc_hash.high);
  out.Put(header.crc_hash.low);
  out.Put(header.copy);
  const uint32_t crc = Crc32c(std::span(block).first(kHeaderCrcOffset));
  std::memcpy(block.data() + kHeaderCrcOffset, &crc, sizeof(crc));
  return block;
}

absl::StatusOr<PackHeader> DecodePackHeader(std::span<const std::byte> block, uint64_t file_bytes,
                                            uint32_t copy) {
  if (block.size() != kPackBlockBytes) return Bad("not one block");
  FieldReader in(block);
  if (in.Take<std::array<char, 8>>() != kPackMagic) return Bad("not a longtake pack");
  const auto version = in.Take<uint32_t>();
  const auto endian_tag = in.Take<uint32_t>();
  if (endian_tag != kPackEndianTag) return Bad("written with another byte order, or damaged");
  uint32_t crc = 0;
  std::memcpy(&crc, block.data() + kHeaderCrcOffset, sizeof(crc));
  if (crc != Crc32c(block.first(kHeaderCrcOffset))) return Bad("damaged (CRC32C differs)");
  if (version != kPackVersion) {
    return Bad("pack version " + std::to_string(version) + ", this program reads version 1");
  }
  PackHeader header;
  header.alignment = in.Take<uint64_t>();
  header.crc_block_bytes = in.Take<uint64_t>();
  header.table_offset = in.Take<uint64_t>();
  header.table_bytes = in.Take<uint64_t>();
  header.crc_offset = in.Take<uint64_t>();
  header.crc_count = in.Take<uint64_t>();
  header.payload_offset = in.Take<uint64_t>();
  header.payload_bytes = in.Take<uint64_t>();
  header.file_bytes = in.Take<uint64_t>();
  header.table_hash = in.TakeHash();
  header.crc_hash = in.TakeHash();
  header.copy = in.Take<uint32_t>();

  const PackSizes sizes = {.alignment = header.alignment,
                           .crc_block_bytes = header.crc_block_bytes,
                           .table_bytes = header.table_bytes,
                           .payload_bytes = header.payload_bytes};
  LT_ASSIGN_OR_RETURN(const PackHeader placed, PlacePackHeader(sizes, copy));
  if (header.copy != copy)
    return Bad("copy " + std::to_string(header.copy) + " in the wrong place");
  if (!SamePlaces(header, placed)) return Bad("offsets do not follow from the sizes");
  if (header.file_bytes != file_bytes) {
    return Bad("a pack of " + std::to_string(header.file_bytes) + " bytes in a file of " +
               std::to_string(file_bytes) + " (cut short?)");
  }
  return header;
}

}  // namespace longtake
