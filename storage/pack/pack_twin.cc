// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/pack/pack_twin.h"

#include <algorithm>

#include "base/aligned_buffer.h"
#include "storage/pack/pack_directory.h"
#include "storage/pack/pack_file.h"

namespace longtake {
namespace {

constexpr uint64_t kPieceBytes = 8 << 20;

uint64_t ShareBytes(const PackReader& pack, const LayerShare& share) {
  uint64_t bytes = 0;
  for (size_t i = share.path; i < pack.layer_count(); i += share.paths) {
    bytes += pack.layer(i).bytes();
  }
  return bytes;
}

absl::Status CopyLayers(const PackReader& pack, const LayerShare& share,
                        const PackProgress& progress, File& file) {
  const uint64_t crc_block_bytes = pack.header().crc_block_bytes;
  LT_ASSIGN_OR_RETURN(
      AlignedBuffer buffer,
      AlignedBuffer::Allocate(std::max(kPieceBytes, crc_block_bytes), kPackBlockBytes));
  const uint64_t total_bytes = ShareBytes(pack, share);
  uint64_t done_bytes = 0;
  for (size_t i = share.path; i < pack.layer_count(); i += share.paths) {
    for (const PartInfo& part : pack.layer(i).parts) {
      for (uint64_t at = 0; at < part.bytes; at += buffer.size()) {
        const auto piece = buffer.span().first(std::min<uint64_t>(buffer.size(), part.bytes - at));
        const uint64_t offset = part.offset + at;
        LT_RETURN_IF_ERROR(pack.ReadCrcBlocks(offset / crc_block_bytes, piece));
        LT_RETURN_IF_ERROR(file.WriteAt(pack.header().payload_offset + offset, piece));
        done_bytes += piece.size();
        if (progress) progress(done_bytes, total_bytes);
      }
    }
  }
  return absl::OkStatus();
}

// Whether a directory has this model whole; ALREADY_EXISTS when it has another one.
absl::StatusOr<bool> HasWhole(FileSystem& files, const std::string& directory,
                              const PackDirectory& packed) {
  const auto manifest = files.Size(JoinPath(directory, kPackManifestName));
  if (absl::IsNotFound(manifest.status())) return false;
  LT_RETURN_IF_ERROR(manifest.status());
  const auto other = PackDirectory::Open(files, directory);
  if (other.ok() && other->model_digest() == packed.model_digest()) return true;
  return absl::AlreadyExistsError(directory + ": is a pack directory of another model than " +
                                  packed.directory() + ", its layers would be overwritten");
}

}  // namespace

absl::Status WriteTwin(const PackReader& pack, const std::string& path, const LayerShare& share,
                       const PackProgress& progress) {
  const PackHeader& header = pack.header();
  const PackSizes sizes = {.alignment = header.alignment,
                           .crc_block_bytes = header.crc_block_bytes,
                           .table_bytes = header.table_bytes,
                           .payload_bytes = header.payload_bytes};
  const uint64_t around_bytes = header.file_bytes - header.payload_bytes;
  return WritePackFile(pack.file_system(), path, around_bytes + ShareBytes(pack, share),
                       [&](File& file) -> absl::Status {
                         LT_RETURN_IF_ERROR(CopyLayers(pack, share, progress, file));
                         return WritePackCopies(file, sizes, pack.table_text(), pack.block_crcs());
                       });
}

absl::Status SpreadLayers(FileSystem& files, const std::string& pack_directory,
                          const std::vector<std::string>& layer_paths,
                          const PackProgress& progress) {
  LT_ASSIGN_OR_RETURN(const PackDirectory packed, PackDirectory::Open(files, pack_directory));
  for (auto path = layer_paths.begin(); path != layer_paths.end(); ++path) {
    if (std::find(layer_paths.begin(), path, *path) == path) continue;
    return absl::InvalidArgumentError(*path + ": is given twice as a layer path");
  }
  for (size_t i = 0; i < layer_paths.size(); ++i) {
    LT_ASSIGN_OR_RETURN(const bool whole, HasWhole(files, layer_paths[i], packed));
    if (whole) continue;
    LT_RETURN_IF_ERROR(files.MakeDir(layer_paths[i]));
    for (const std::string& name : packed.Components()) {
      LT_ASSIGN_OR_RETURN(const PackReader* pack, packed.Component(name));
      if (pack->layer_count() == 0) continue;
      LT_RETURN_IF_ERROR(WriteTwin(*pack, JoinPath(layer_paths[i], PackFileName(name)),
                                   {.path = i, .paths = layer_paths.size()}, progress));
    }
  }
  // Two names of one directory are found here: the second twin took the place of the first.
  return PackDirectory::Open(files, pack_directory, layer_paths).status();
}

}  // namespace longtake
