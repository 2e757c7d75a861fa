// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/pack/pack_file.h"

#include <memory>
#include <vector>

#include "base/checksum.h"

namespace longtake {
namespace {

absl::Status WriteCopy(File& file, PackHeader header, const std::string& text,
                       std::span<const std::byte> crcs) {
  header.table_hash = Xxh3Hash128(std::as_bytes(std::span(text)));
  header.crc_hash = Xxh3Hash128(crcs);
  LT_RETURN_IF_ERROR(file.WriteAt(header.table_offset, std::as_bytes(std::span(text))));
  LT_RETURN_IF_ERROR(file.WriteAt(header.crc_offset, crcs));
  const auto block = EncodePackHeader(header);
  return file.WriteAt(header.copy == 0 ? 0 : header.file_bytes - kPackBlockBytes, block);
}

// A writer that was killed has left its file, which may have many gigabytes.
absl::Status RemoveLeftovers(FileSystem& files, const std::string& path) {
  const std::string directory = DirName(path);
  const std::string begin = path.substr(path.rfind('/') + 1) + kTemporaryInfix;
  LT_ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(directory));
  for (const std::string& name : names) {
    if (name.starts_with(begin)) LT_RETURN_IF_ERROR(files.Remove(JoinPath(directory, name)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status WritePackCopies(File& file, const PackSizes& sizes, const std::string& table,
                             std::span<const uint32_t> crcs) {
  for (uint32_t copy : {0u, 1u}) {
    LT_ASSIGN_OR_RETURN(const PackHeader placed, PlacePackHeader(sizes, copy));
    LT_RETURN_IF_ERROR(WriteCopy(file, placed, table, std::as_bytes(crcs)));
  }
  return absl::OkStatus();
}

absl::Status WritePackFile(FileSystem& files, const std::string& path, uint64_t disk_bytes,
                           absl::FunctionRef<absl::Status(File& file)> write) {
  LT_RETURN_IF_ERROR(RemoveLeftovers(files, path));
  LT_ASSIGN_OR_RETURN(const uint64_t free_bytes, files.FreeSpace(DirName(path)));
  if (free_bytes < disk_bytes) {
    return absl::ResourceExhaustedError(path + ": needs " + std::to_string(disk_bytes) +
                                        " bytes of disk, " + std::to_string(free_bytes) +
                                        " are free");
  }
  LT_ASSIGN_OR_RETURN(std::unique_ptr<File> file, files.CreateTemporary(path));
  const std::string temporary = file->path();
  absl::Status status = write(*file);
  if (status.ok()) status = file->Sync();
  file.reset();
  if (status.ok()) status = files.Rename(temporary, path);
  if (!status.ok()) {
    files.Remove(temporary).IgnoreError();
    return Annotate(status, path);
  }
  return files.SyncDir(DirName(path));
}

}  // namespace longtake
