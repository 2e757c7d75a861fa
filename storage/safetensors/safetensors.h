// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The header of one .safetensors file: u64 length, JSON object, then the data. Only the header is
// read at Open; tensor bytes are read on request. Strict as the format's definition
// (https://huggingface.co/docs/safetensors): header at most 100 MB, no key twice, data ranges in
// the file, exactly covering it, without overlap or gap, and as long as dtype and shape say.
//
// Every error is INVALID_ARGUMENT (or the file's own) and names file and tensor. Reading is safe
// from several threads once open.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "storage/safetensors/safetensors_header.h"

namespace longtake {

constexpr uint64_t kSafetensorsHeaderBytesMax = 100'000'000;

class Safetensors {
 public:
  static absl::StatusOr<Safetensors> Open(std::unique_ptr<File> file);

  const std::string& path() const { return file_->path(); }
  // Sorted by name.
  const std::vector<SafetensorsEntry>& entries() const { return header_.entries; }
  // The "__metadata__" object, empty when absent.
  const std::map<std::string, std::string>& metadata() const { return header_.metadata; }
  // nullptr when there is none.
  const SafetensorsEntry* Find(const std::string& name) const;
  // Bytes [offset, offset + out.size()) of the tensor; OUT_OF_RANGE beyond its end.
  absl::Status Read(const SafetensorsEntry& entry, uint64_t offset, std::span<std::byte> out) const;

 private:
  std::unique_ptr<File> file_;
  SafetensorsHeader header_;
};

}  // namespace longtake
