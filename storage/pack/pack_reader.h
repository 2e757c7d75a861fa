// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One pack file, opened and checked: its table, its resident section, and rows of its big
// embeddings. Layers go through LayerStream. No byte leaves here that did not match its checksum; a
// CRC block that differs is read once more, then the answer is DATA_LOSS naming pack and CRC block.
// I/O errors are UNAVAILABLE; a file that is no pack, or whose both headers are damaged, is
// INVALID_ARGUMENT.
//
// Immutable after Open but for counters; safe from several threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/checksum.h"
#include "base/file_system.h"
#include "base/status_macros.h"
#include "storage/pack/layer_share.h"
#include "storage/pack/pack_copy.h"
#include "storage/pack/pack_format.h"

namespace longtake {

// The tensors that stay in memory; owns them.
class ResidentSection {
 public:
  // NOT_FOUND naming the tensor. The view lives as long as the section.
  absl::StatusOr<TensorView> Find(const std::string& name) const;
  uint64_t bytes() const { return buffer_.size(); }
  // All tensors lie in it.
  std::span<const std::byte> span() const { return buffer_.span(); }

 private:
  friend class PackReader;
  std::string pack_path_;
  AlignedBuffer buffer_;
  std::map<std::string, TensorInfo> tensors_;
};

class PackReader {
  struct Key {};

 public:
  PackReader(Key, FileSystem& files, std::unique_ptr<File> file, PackCopy copy);  // use Open

  // What went wrong with ReadCrcBlocks and ReadRows.
  struct Stats {
    uint64_t io_errors = 0;          // the file cut short included
    uint64_t checksum_failures = 0;  // CRC blocks that differed at the first reading
  };

  // The file system must outlive the reader. With layer_paths, directories with twins of the file,
  // layers are the twins': DATA_LOSS naming both for one that is not of this file, has not the
  // first layers of its share or is named twice.
  static absl::StatusOr<std::unique_ptr<PackReader>> Open(
      FileSystem& files, const std::string& path, std::span<const std::string> layer_paths = {});

  const std::string& path() const { return file_->path(); }
  FileSystem& file_system() const { return files_; }
  // Its field copy says which of the two headers was valid.
  const PackHeader& header() const { return copy_.header; }
  const std::string& component() const { return copy_.table.component; }
  const std::string& config() const { return copy_.table.config; }  // JSON text
  const PartInfo& resident() const { return copy_.table.resident; }
  const std::vector<RowTableInfo>& row_tables() const { return copy_.table.row_tables; }
  size_t layer_count() const { return copy_.table.layers.size(); }
  const LayerInfo& layer(size_t index) const { return copy_.table.layers[index]; }
  // Where layers are: layer i in file i mod K, at the same offset in each. The file itself alone
  // when there are no twins.
  const std::vector<std::string>& layer_files() const { return layer_files_; }
  size_t layer_path(size_t index) const { return index % layer_files_.size(); }
  // Of each of them the disk that it is on (FileSystem::DiskOf): disks are counted from 0 in the
  // order of the files.
  const std::vector<size_t>& layer_disks() const { return layer_disks_; }
  // The table as it stands in the file; deterministic.
  const std::string& table_text() const { return copy_.table_text; }

  // Bytes that LoadResident will allocate: resident().bytes.
  absl::StatusOr<ResidentSection> LoadResident(const MemoryPopulator* populator = nullptr) const;

  // Rows of a row table, concatenated in the order asked into out (rows.size() * row bytes). CRC
  // blocks are read once each, through one CRC block of scratch. OUT_OF_RANGE names the row,
  // NOT_FOUND the table.
  absl::Status ReadRows(const std::string& table, std::span<const int64_t> rows,
                        std::span<std::byte> out) const;
  absl::StatusOr<const RowTableInfo*> FindRowTable(const std::string& table) const;

  // CRC32C of a CRC block, counted from the start of the payload.
  uint32_t block_crc(uint64_t block) const { return copy_.block_crcs[block]; }
  std::span<const uint32_t> block_crcs() const { return copy_.block_crcs; }
  // Reads and verifies a run of whole CRC blocks of the payload.
  absl::Status ReadCrcBlocks(uint64_t first_block, std::span<std::byte> out) const;

  Stats stats() const { return {io_errors_.load(), checksum_failures_.load()}; }

  // Feeds what identifies this pack: layout, table (which holds all part hashes), CRC block
  // checksums.
  void AddToDigest(Sha256& digest) const;

 private:
  absl::Status AddTwin(const std::string& file, const LayerShare& share);
  absl::Status FindDisks();
  std::string CrcBlockName(uint64_t block) const;
  // ReadAt that counts its errors.
  absl::Status ReadCounted(uint64_t offset, std::span<std::byte> out) const;
  bool IsRight(uint64_t block, std::span<const std::byte> bytes) const;

  FileSystem& files_;
  std::unique_ptr<File> file_;
  PackCopy copy_;
  std::vector<std::string> layer_files_;
  std::vector<size_t> layer_disks_ = {0};
  mutable std::atomic<uint64_t> io_errors_{0};
  mutable std::atomic<uint64_t> checksum_failures_{0};
};

}  // namespace longtake
