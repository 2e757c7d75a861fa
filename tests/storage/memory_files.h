// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A file system in memory, so that tests can cut, flip and swap bytes between two calls. Only plain
// files, in directories that need not be made. Files stay valid until removed or created anew.
#pragma once

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/file_system.h"

namespace longtake {

class MemoryFileSystem final : public FileSystem {
 public:
  using Bytes = std::vector<std::byte>;

  Bytes& Contents(const std::string& path) { return *contents_.at(path); }
  void Put(const std::string& path, std::span<const std::byte> bytes) {
    contents_[path] = std::make_unique<Bytes>(bytes.begin(), bytes.end());
  }
  void Put(const std::string& path, const std::string& text) {
    Put(path, std::as_bytes(std::span(text)));
  }
  bool Has(const std::string& path) const { return contents_.contains(path); }
  void set_free_bytes(uint64_t bytes) { free_bytes_ = bytes; }
  // Each directory is a disk of its own where nothing else is said.
  void set_disk(const std::string& directory, uint64_t disk) { disks_[directory] = disk; }

  absl::StatusOr<std::unique_ptr<File>> OpenRead(const std::string& path, ReadMode) override {
    if (!Has(path)) return absl::NotFoundError(path + ": no such file");
    return std::make_unique<MemoryFile>(Contents(path), path);
  }
  absl::StatusOr<std::unique_ptr<File>> Create(const std::string& path) override {
    Put(path, std::span<const std::byte>());
    return std::make_unique<MemoryFile>(Contents(path), path);
  }
  absl::StatusOr<std::unique_ptr<File>> OpenReadWrite(const std::string& path) override {
    return Has(path) ? OpenRead(path, ReadMode::kBuffered) : Create(path);
  }
  absl::StatusOr<std::unique_ptr<File>> CreateTemporary(const std::string& path) override {
    return Create(path + kTemporaryInfix);
  }
  absl::StatusOr<std::unique_ptr<File>> CreateScratch(const std::string& directory,
                                                      ReadMode) override {
    return Create(JoinPath(directory, "scratch"));
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    if (!Has(from)) return absl::NotFoundError(from + ": no such file");
    contents_[to] = std::move(contents_[from]);
    contents_.erase(from);
    return absl::OkStatus();
  }
  absl::Status Remove(const std::string& path) override {
    if (contents_.erase(path) == 0) return absl::NotFoundError(path + ": no such file");
    return absl::OkStatus();
  }
  absl::Status SyncDir(const std::string&) override { return absl::OkStatus(); }
  absl::Status MakeDir(const std::string&) override { return absl::OkStatus(); }
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override {
    std::vector<std::string> names;
    for (const auto& [path, bytes] : contents_) {
      if (DirName(path) == directory) names.push_back(path.substr(directory.size() + 1));
    }
    return names;
  }
  absl::StatusOr<uint64_t> Size(const std::string& path) override {
    if (!Has(path)) return absl::NotFoundError(path + ": no such file");
    return Contents(path).size();
  }
  absl::StatusOr<uint64_t> FreeSpace(const std::string&) override { return free_bytes_; }
  absl::StatusOr<uint64_t> DiskOf(const std::string& path) override {
    const auto found = disks_.find(DirName(path));
    return found != disks_.end() ? found->second : std::hash<std::string>()(DirName(path));
  }

 private:
  class MemoryFile final : public File {
   public:
    MemoryFile(Bytes& bytes, std::string path) : bytes_(bytes), path_(std::move(path)) {}
    const std::string& path() const override { return path_; }
    int64_t ReadSome(uint64_t offset, std::span<std::byte> out) override {
      if (offset >= bytes_.size()) return 0;
      const size_t count = std::min<size_t>(out.size(), bytes_.size() - offset);
      std::memcpy(out.data(), bytes_.data() + offset, count);
      return static_cast<int64_t>(count);
    }
    int64_t WriteSome(uint64_t offset, std::span<const std::byte> bytes) override {
      if (bytes_.size() < offset + bytes.size()) bytes_.resize(offset + bytes.size());
      std::copy(bytes.begin(), bytes.end(), bytes_.begin() + static_cast<ptrdiff_t>(offset));
      return static_cast<int64_t>(bytes.size());
    }
    absl::Status Sync() override { return absl::OkStatus(); }
    absl::Status Reserve(uint64_t bytes) override {
      if (bytes_.size() < bytes) bytes_.resize(bytes);
      return absl::OkStatus();
    }
    absl::Status Truncate(uint64_t bytes) override {
      bytes_.resize(bytes);
      return absl::OkStatus();
    }
    absl::Status Lock() override { return absl::OkStatus(); }  // nobody else is there
    absl::StatusOr<uint64_t> Size() override { return bytes_.size(); }

   private:
    Bytes& bytes_;
    std::string path_;
  };

  std::map<std::string, std::unique_ptr<Bytes>> contents_;
  uint64_t free_bytes_ = 1ull << 40;
  std::map<std::string, uint64_t> disks_;
};

}  // namespace longtake
