// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Writes one .safetensors file as a stream: declare all tensors, append their bytes in that order,
// finish. The file appears under its name only when complete. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "storage/tensor.h"

namespace longtake {

class SafetensorsWriter {
  struct Key {};

 public:
  SafetensorsWriter(Key, FileSystem& files, std::string path);  // use Create
  ~SafetensorsWriter();                                         // an unfinished file is removed
  static absl::StatusOr<std::unique_ptr<SafetensorsWriter>> Create(
      FileSystem& files, const std::string& path, std::span<const TensorDecl> tensors,
      const std::map<std::string, std::string>& metadata = {});

  // The next bytes, running from tensor to tensor. OUT_OF_RANGE beyond the last.
  absl::Status Append(std::span<const std::byte> bytes);
  // FAILED_PRECONDITION when bytes are missing; then sync, rename, sync of the directory.
  absl::Status Finish();

 private:
  FileSystem& files_;
  std::string path_;
  std::unique_ptr<File> file_;
  uint64_t position_ = 0;
  uint64_t end_ = 0;
};

}  // namespace longtake
