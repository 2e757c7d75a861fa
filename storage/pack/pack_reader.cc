// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/pack/pack_reader.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "base/checked.h"

namespace longtake {

absl::StatusOr<TensorView> ResidentSection::Find(const std::string& name) const {
  const auto at = tensors_.find(name);
  if (at == tensors_.end()) {
    return absl::NotFoundError(pack_path_ + ": no resident tensor \"" + name + "\"");
  }
  const TensorInfo& tensor = at->second;
  return TensorView{.name = tensor.name,
                    .dtype = tensor.dtype,
                    .shape = tensor.shape,
                    .data = buffer_.data() + tensor.offset,
                    .bytes = tensor.bytes};
}

PackReader::PackReader(Key, FileSystem& files, std::unique_ptr<File> file, PackCopy copy)
    : files_(files),
      file_(std::move(file)),
      copy_(std::move(copy)),
      layer_files_({file_->path()}) {}

absl::StatusOr<std::unique_ptr<PackReader>> PackReader::Open(
    FileSystem& files, const std::string& path, std::span<const std::string> layer_paths) {
  LT_ASSIGN_OR_RETURN(std::unique_ptr<File> file, files.OpenRead(path, ReadMode::kBuffered));
  LT_ASSIGN_OR_RETURN(const uint64_t file_bytes, file->Size());
  absl::StatusOr<PackCopy> copy = ReadPackCopy(*file, file_bytes, 0);
  if (!copy.ok()) {
    const absl::Status first_fault = copy.status();
    copy = ReadPackCopy(*file, file_bytes, 1);
    // The first copy says more about a file that is no pack at all.
    if (!copy.ok()) return Annotate(first_fault, path);
  }
  auto pack = std::make_unique<PackReader>(Key(), files, std::move(file), *std::move(copy));
  if (layer_paths.empty() || pack->layer_count() == 0) return pack;
  pack->layer_files_.clear();
  const std::string name = path.substr(path.rfind('/') + 1);
  for (size_t i = 0; i < layer_paths.size(); ++i) {
    LT_RETURN_IF_ERROR(
        pack->AddTwin(JoinPath(layer_paths[i], name), {.path = i, .paths = layer_paths.size()}));
  }
  LT_RETURN_IF_ERROR(pack->FindDisks());
  return pack;
}

// Of a share, the first two layers tell that it is another one: the first when paths changed places
// or one is missing, the second when there were more or fewer of them.
absl::Status PackReader::AddTwin(const std::string& file, const LayerShare& share) {
  if (std::find(layer_files_.begin(), layer_files_.end(), file) != layer_files_.end()) {
    return absl::InvalidArgumentError(file + ": its directory is given twice as a layer path");
  }
  LT_ASSIGN_OR_RETURN(const std::unique_ptr<PackReader> twin, Open(files_, file));
  if (twin->header().alignment != header().alignment ||
      twin->header().crc_block_bytes != header().crc_block_bytes ||
      twin->table_text() != table_text() || twin->copy_.block_crcs != copy_.block_crcs) {
    return absl::DataLossError(file + ": is no twin of " + path() +
                               ": table or checksums differ; longtake-pack spread makes it anew");
  }
  std::vector<std::byte> block(header().crc_block_bytes);
  for (const size_t i : {share.path, share.path + share.paths}) {
    if (i >= layer_count()) break;
    const absl::Status status = twin->ReadCrcBlocks(layer(i).parts[0].offset / block.size(), block);
    if (status.ok()) continue;
    return Annotate(status, "layer " + std::to_string(i) + " of " + path() +
                                " is not in its twin for layer path " +
                                std::to_string(share.path + 1) + " of " +
                                std::to_string(share.paths));
  }
  layer_files_.push_back(file);
  return absl::OkStatus();
}

absl::Status PackReader::FindDisks() {
  std::vector<uint64_t> disks;
  layer_disks_.clear();
  for (const std::string& file : layer_files_) {
    LT_ASSIGN_OR_RETURN(const uint64_t disk, files_.DiskOf(file));
    const auto found = std::find(disks.begin(), disks.end(), disk);
    layer_disks_.push_back(static_cast<size_t>(found - disks.begin()));
    if (found == disks.end()) disks.push_back(disk);
  }
  return absl::OkStatus();
}

absl::StatusOr<ResidentSection> PackReader::LoadResident(const MemoryPopulator* populator) const {
  ResidentSection section;
  section.pack_path_ = path();
  LT_ASSIGN_OR_RETURN(section.buffer_,
                      AlignedBuffer::Allocate(resident().bytes, kPackBlockBytes, populator));
  LT_RETURN_IF_ERROR(
      ReadCrcBlocks(resident().offset / header().crc_block_bytes, section.buffer_.span()));
  if (Xxh3Hash128(section.buffer_.span()) != resident().hash) {
    return absl::DataLossError(path() + ": resident section: XXH3 differs");
  }
  for (const TensorInfo& tensor : resident().tensors) section.tensors_[tensor.name] = tensor;
  return section;
}

std::string PackReader::CrcBlockName(uint64_t block) const {
  return path() + ": CRC block " + std::to_string(block) + " at byte " +
         std::to_string(header().payload_offset + block * header().crc_block_bytes);
}

absl::Status PackReader::ReadCounted(uint64_t offset, std::span<std::byte> out) const {
  const absl::Status status = file_->ReadAt(offset, out);
  if (!status.ok()) ++io_errors_;
  return status;
}

bool PackReader::IsRight(uint64_t block, std::span<const std::byte> bytes) const {
  const bool right = Crc32c(bytes) == block_crc(block);
  if (!right) ++checksum_failures_;
  return right;
}

absl::Status PackReader::ReadCrcBlocks(uint64_t first_block, std::span<std::byte> out) const {
  const uint64_t crc_block_bytes = header().crc_block_bytes;
  LT_CHECK(out.size() % crc_block_bytes == 0);
  const uint64_t offset = header().payload_offset + first_block * crc_block_bytes;
  LT_RETURN_IF_ERROR(ReadCounted(offset, out));
  file_->DropCached(offset, out.size());  // the memory promise counts the page cache, too
  for (uint64_t at = 0; at < out.size(); at += crc_block_bytes) {
    const uint64_t block = first_block + at / crc_block_bytes;
    const std::span<std::byte> bytes = out.subspan(at, crc_block_bytes);
    if (IsRight(block, bytes)) continue;
    // A fault on the way (bus, controller) may be gone the second time; one on the disk is not.
    LT_RETURN_IF_ERROR(ReadCounted(offset + at, bytes));
    if (!IsRight(block, bytes)) {
      std::memset(out.data(), 0, out.size());
      return absl::DataLossError(CrcBlockName(block) + ": CRC32C differs");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<const RowTableInfo*> PackReader::FindRowTable(const std::string& table) const {
  for (const RowTableInfo& row_table : row_tables()) {
    if (row_table.tensor.name == table) return &row_table;
  }
  return absl::NotFoundError(path() + ": no row table \"" + table + "\"");
}

absl::Status PackReader::ReadRows(const std::string& table, std::span<const int64_t> rows,
                                  std::span<std::byte> out) const {
  LT_ASSIGN_OR_RETURN(const RowTableInfo* row_table, FindRowTable(table));
  const uint64_t row_count = static_cast<uint64_t>(row_table->tensor.shape[0]);
  const uint64_t row_bytes = row_table->tensor.bytes / row_count;
  const std::string what = path() + ": row table \"" + table + "\"";
  if (CheckedMul(rows.size(), row_bytes) != out.size()) {
    return absl::InvalidArgumentError(what + ": output is not rows x row bytes");
  }
  for (int64_t row : rows) {
    if (row < 0 || static_cast<uint64_t>(row) >= row_count) {
      return absl::OutOfRangeError(what + ": row " + std::to_string(row) + " of " +
                                   std::to_string(row_count));
    }
  }
  // In file order every CRC block is read once, but for a repeated row that spans two, copied
  // instead.
  std::vector<size_t> order(rows.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return rows[a] < rows[b]; });
  const uint64_t crc_block_bytes = header().crc_block_bytes;
  LT_ASSIGN_OR_RETURN(AlignedBuffer scratch,
                      AlignedBuffer::Allocate(crc_block_bytes, kPackBlockBytes));
  uint64_t loaded_block = UINT64_MAX;
  for (size_t i = 0; i < order.size(); ++i) {
    std::byte* to = out.data() + order[i] * row_bytes;
    if (i > 0 && rows[order[i]] == rows[order[i - 1]]) {
      std::memcpy(to, out.data() + order[i - 1] * row_bytes, row_bytes);
      continue;
    }
    uint64_t at = row_table->offset + static_cast<uint64_t>(rows[order[i]]) * row_bytes;
    for (uint64_t left = row_bytes; left > 0;) {
      if (at / crc_block_bytes != loaded_block) {
        loaded_block = UINT64_MAX;
        LT_RETURN_IF_ERROR(ReadCrcBlocks(at / crc_block_bytes, scratch.span()));
        loaded_block = at / crc_block_bytes;
      }
      const uint64_t count = std::min(left, crc_block_bytes - at % crc_block_bytes);
      std::memcpy(to, scratch.data() + at % crc_block_bytes, count);
      to += count;
      at += count;
      left -= count;
    }
  }
  return absl::OkStatus();
}

void PackReader::AddToDigest(Sha256& digest) const {
  digest.UpdateU64(kPackVersion);
  digest.UpdateU64(header().alignment);
  digest.UpdateU64(header().crc_block_bytes);
  digest.UpdateU64(header().payload_bytes);
  digest.UpdateU64(table_text().size());
  digest.Update(table_text());
  digest.UpdateU64(copy_.block_crcs.size());
  digest.Update(std::as_bytes(std::span(copy_.block_crcs)));
}

}  // namespace longtake
