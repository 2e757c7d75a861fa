// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/pack/pack_verify.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/aligned_buffer.h"
#include "storage/pack/pack_copy.h"

namespace longtake {
namespace {

bool AllZero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

// Goes through the payload once from front to back, one checked CRC block at a time.
class PayloadWalk {
 public:
  PayloadWalk(File& file, const PackCopy& copy, AlignedBuffer block, const PackProgress& progress)
      : file_(file), copy_(copy), block_(std::move(block)), progress_(progress) {}

  // Any bytes.
  absl::Status TakeTo(uint64_t offset) { return Walk(offset, /*must_be_zero=*/false); }
  absl::Status PadTo(uint64_t offset) { return Walk(offset, /*must_be_zero=*/true); }
  // What lies before is not looked at; the offset is a CRC block's.
  void SkipTo(uint64_t offset) { position_ = offset; }
  void BeginHash() { hash_.Reset(); }
  absl::Status CheckHash(const Hash128& expected, const std::string& what) const {
    if (hash_.Digest() == expected) return absl::OkStatus();
    return absl::DataLossError(what + ": XXH3 differs");
  }

 private:
  absl::Status Walk(uint64_t end, bool must_be_zero) {
    const uint64_t crc_block_bytes = block_.size();
    while (position_ < end) {
      const uint64_t inside = position_ % crc_block_bytes;
      if (inside == 0) LT_RETURN_IF_ERROR(Load(position_ / crc_block_bytes));
      const uint64_t count = std::min(end - position_, crc_block_bytes - inside);
      const auto bytes = std::span<const std::byte>(block_.span()).subspan(inside, count);
      if (must_be_zero && !AllZero(bytes)) {
        return absl::DataLossError("padding at payload byte " + std::to_string(position_) +
                                   " is not zero");
      }
      hash_.Update(bytes);
      position_ += count;
    }
    return absl::OkStatus();
  }

  absl::Status Load(uint64_t block) {
    const uint64_t offset = copy_.header.payload_offset + block * block_.size();
    LT_RETURN_IF_ERROR(file_.ReadAt(offset, block_.span()));
    if (Crc32c(block_.span()) != copy_.block_crcs[block]) {
      return absl::DataLossError("CRC block " + std::to_string(block) + " at byte " +
                                 std::to_string(offset) + ": CRC32C differs");
    }
    if (progress_) progress_((block + 1) * block_.size(), copy_.header.payload_bytes);
    return absl::OkStatus();
  }

  File& file_;
  const PackCopy& copy_;
  AlignedBuffer block_;
  const PackProgress& progress_;
  uint64_t position_ = 0;
  Xxh3Stream hash_;
};

absl::Status VerifyPart(PayloadWalk& walk, const PartInfo& part, const std::string& what) {
  LT_RETURN_IF_ERROR(walk.PadTo(part.offset));
  walk.BeginHash();
  for (const TensorInfo& tensor : part.tensors) {
    LT_RETURN_IF_ERROR(walk.PadTo(part.offset + tensor.offset));
    LT_RETURN_IF_ERROR(walk.TakeTo(part.offset + tensor.offset + tensor.bytes));
  }
  LT_RETURN_IF_ERROR(walk.PadTo(part.offset + part.bytes));
  return walk.CheckHash(part.hash, what);
}

absl::Status VerifyLayer(PayloadWalk& walk, const PackTable& table, size_t layer) {
  const std::vector<PartInfo>& parts = table.layers[layer].parts;
  for (size_t p = 0; p < parts.size(); ++p) {
    LT_RETURN_IF_ERROR(VerifyPart(walk, parts[p],
                                  "layer " + std::to_string(layer) + " part " + std::to_string(p)));
  }
  return absl::OkStatus();
}

absl::Status VerifyShare(PayloadWalk& walk, const PackTable& table, const LayerShare& share) {
  for (size_t i = share.path; i < table.layers.size(); i += share.paths) {
    walk.SkipTo(table.layers[i].parts[0].offset);
    LT_RETURN_IF_ERROR(VerifyLayer(walk, table, i));
  }
  return absl::OkStatus();
}

absl::Status VerifyPayload(PayloadWalk& walk, const PackTable& table) {
  LT_RETURN_IF_ERROR(VerifyPart(walk, table.resident, "resident section"));
  for (const RowTableInfo& row_table : table.row_tables) {
    LT_RETURN_IF_ERROR(walk.PadTo(row_table.offset));
    walk.BeginHash();
    LT_RETURN_IF_ERROR(walk.TakeTo(row_table.offset + row_table.tensor.bytes));
    LT_RETURN_IF_ERROR(walk.PadTo(row_table.offset + row_table.bytes));
    LT_RETURN_IF_ERROR(
        walk.CheckHash(row_table.hash, "row table \"" + row_table.tensor.name + "\""));
  }
  for (size_t i = 0; i < table.layers.size(); ++i) LT_RETURN_IF_ERROR(VerifyLayer(walk, table, i));
  return absl::OkStatus();
}

absl::Status VerifyGap(File& file, uint64_t begin, uint64_t end) {
  std::vector<std::byte> bytes(kPackBlockBytes);
  while (begin < end) {
    const std::span piece = std::span(bytes).first(std::min<uint64_t>(bytes.size(), end - begin));
    LT_RETURN_IF_ERROR(file.ReadAt(begin, piece));
    if (!AllZero(piece)) {
      return absl::DataLossError("padding near byte " + std::to_string(begin) + " is not zero");
    }
    begin += piece.size();
  }
  return absl::OkStatus();
}

// Between table, crc array and what follows it.
absl::Status VerifyGaps(File& file, const PackHeader& header, uint64_t next_offset) {
  LT_RETURN_IF_ERROR(VerifyGap(file, header.table_offset + header.table_bytes, header.crc_offset));
  return VerifyGap(file, header.crc_offset + header.crc_count * sizeof(uint32_t), next_offset);
}

absl::Status VerifyOpened(File& file, const PackProgress& progress,
                          const std::optional<LayerShare>& twin_share) {
  LT_ASSIGN_OR_RETURN(const uint64_t file_bytes, file.Size());
  absl::StatusOr<PackCopy> first = ReadPackCopy(file, file_bytes, 0);
  absl::StatusOr<PackCopy> second = ReadPackCopy(file, file_bytes, 1);
  if (!first.ok() && !second.ok()) return first.status();
  if (!first.ok())
    return absl::DataLossError("first copy: " + std::string(first.status().message()));
  if (!second.ok()) {
    return absl::DataLossError("second copy: " + std::string(second.status().message()));
  }
  if (first->table_text != second->table_text || first->block_crcs != second->block_crcs) {
    return absl::DataLossError("the two copies of the table differ");
  }
  LT_RETURN_IF_ERROR(VerifyGaps(file, first->header, first->header.payload_offset));
  LT_RETURN_IF_ERROR(VerifyGaps(file, second->header, file_bytes - kPackBlockBytes));
  LT_ASSIGN_OR_RETURN(AlignedBuffer block,
                      AlignedBuffer::Allocate(first->header.crc_block_bytes, kPackBlockBytes));
  PayloadWalk walk(file, *first, std::move(block), progress);
  return twin_share ? VerifyShare(walk, first->table, *twin_share)
                    : VerifyPayload(walk, first->table);
}

}  // namespace

absl::Status VerifyPack(FileSystem& files, const std::string& path, const PackProgress& progress,
                        const std::optional<LayerShare>& twin_share) {
  LT_ASSIGN_OR_RETURN(std::unique_ptr<File> file, files.OpenRead(path, ReadMode::kBuffered));
  return Annotate(VerifyOpened(*file, progress, twin_share), path);
}

}  // namespace longtake
