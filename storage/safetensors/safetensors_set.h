// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The tensors of one component directory of a published model: a single .safetensors file, or
// shards listed by a *.index.json. Where a directory holds several candidates, the published
// default names (diffusion_pytorch_model, model) win; otherwise more than one is refused as
// ambiguous. So is an index beside files of its name that it does not list, or shards with tensors
// that it does not: what an older download left behind must not be mixed with a newer one.
//
// Errors name file and tensor. Reading is safe from several threads once open.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "storage/safetensors/safetensors.h"

namespace longtake {

class SafetensorsSet {
 public:
  // Opens every shard and checks that it holds what the index says.
  static absl::StatusOr<SafetensorsSet> Open(FileSystem& files, const std::string& directory);

  const std::string& directory() const { return directory_; }
  // What is read, an index first, and the .safetensors files beside it that are not.
  const std::vector<std::string>& files() const { return files_; }
  const std::vector<std::string>& unread_files() const { return unread_files_; }
  std::vector<std::string> Names() const;  // sorted
  bool Has(const std::string& name) const { return locations_.contains(name); }
  // NOT_FOUND naming directory and tensor. The pointer lives as long as the set.
  absl::StatusOr<const SafetensorsEntry*> Find(const std::string& name) const;
  // Bytes [offset, offset + out.size()) of the tensor.
  absl::Status Read(const std::string& name, uint64_t offset, std::span<std::byte> out) const;

 private:
  struct Location {
    size_t shard = 0;
    size_t entry = 0;
  };
  absl::Status OpenShard(FileSystem& files, const std::string& file_name);
  absl::Status OpenSingle(FileSystem& files, const std::string& file_name);
  // file_of: the file of each tensor, by the index files_.front().
  absl::Status OpenShards(FileSystem& files, const std::map<std::string, std::string>& file_of);

  std::string directory_;
  std::vector<std::string> files_;
  std::vector<std::string> unread_files_;
  std::vector<Safetensors> shards_;
  std::map<std::string, Location> locations_;
};

}  // namespace longtake
