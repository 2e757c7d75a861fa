// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/safetensors/safetensors.h"

#include <algorithm>
#include <array>

#include "base/git_lfs.h"

namespace longtake {
namespace {

uint64_t LoadLittleEndian(std::span<const std::byte> bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i > 0; --i) {
    value = (value << 8) | static_cast<uint64_t>(bytes[i - 1]);
  }
  return value;
}

}  // namespace

absl::StatusOr<Safetensors> Safetensors::Open(std::unique_ptr<File> file) {
  LT_ASSIGN_OR_RETURN(const uint64_t file_bytes, file->Size());
  const std::string& path = file->path();
  std::string beginning(std::min<uint64_t>(file_bytes, kLfsPointerStart.size()), '\0');
  LT_RETURN_IF_ERROR(file->ReadAt(0, std::as_writable_bytes(std::span(beginning))));
  LT_RETURN_IF_ERROR(CheckIsNoLfsPointer(beginning, path));
  std::array<std::byte, 8> length;
  if (file_bytes < length.size()) {
    return absl::InvalidArgumentError(path + ": too short for a safetensors file");
  }
  LT_RETURN_IF_ERROR(file->ReadAt(0, length));
  const uint64_t header_bytes = LoadLittleEndian(length);
  if (header_bytes > kSafetensorsHeaderBytesMax) {
    return absl::InvalidArgumentError(path + ": header of " + std::to_string(header_bytes) +
                                      " bytes, at most 100000000 are allowed");
  }
  if (header_bytes > file_bytes - length.size()) {
    return absl::InvalidArgumentError(path + ": header of " + std::to_string(header_bytes) +
                                      " bytes in a file of " + std::to_string(file_bytes));
  }
  std::string text(header_bytes, '\0');
  LT_RETURN_IF_ERROR(file->ReadAt(length.size(), std::as_writable_bytes(std::span(text))));
  const uint64_t data_offset = length.size() + header_bytes;
  absl::StatusOr<SafetensorsHeader> header =
      ParseSafetensorsHeader(text, data_offset, file_bytes - data_offset);
  if (!header.ok()) return Annotate(header.status(), path);
  Safetensors out;
  out.header_ = *std::move(header);
  out.file_ = std::move(file);
  return out;
}

const SafetensorsEntry* Safetensors::Find(const std::string& name) const {
  const auto& entries = header_.entries;
  const auto at =
      std::lower_bound(entries.begin(), entries.end(), name,
                       [](const auto& entry, const auto& key) { return entry.name < key; });
  return at != entries.end() && at->name == name ? &*at : nullptr;
}

absl::Status Safetensors::Read(const SafetensorsEntry& entry, uint64_t offset,
                               std::span<std::byte> out) const {
  if (offset > entry.bytes || out.size() > entry.bytes - offset) {
    return absl::OutOfRangeError(path() + ": tensor \"" + entry.name + "\": bytes " +
                                 std::to_string(offset) + " + " + std::to_string(out.size()) +
                                 " of " + std::to_string(entry.bytes));
  }
  return file_->ReadAt(entry.offset + offset, out);
}

}  // namespace longtake
