// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A file system whose reads, writes and syncs go wrong on request. The test gives one function for
// each that looks at every attempt and says what happens to it; it runs on whichever thread tries,
// one at a time.
#pragma once

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/file_system.h"
#include "base/mutex.h"

namespace longtake {

struct ReadFault {
  int64_t delay_millis = 0;                 // before the answer; other reads go on
  int error = 0;                            // errno to fail with
  size_t bytes_max = SIZE_MAX;              // answer at most this much
  std::optional<uint64_t> flip_bit = {};    // of the file, where the read covers it
  std::optional<uint64_t> file_bytes = {};  // as if the file ended here
};

class FaultFileSystem final : public FileSystem {
 public:
  // Attempts are numbered from 0.
  struct Attempt {
    uint64_t number = 0;
    uint64_t offset = 0;
    size_t bytes = 0;
    std::string path = {};
    bool write = false;
  };
  using Decide = std::function<ReadFault(const Attempt&)>;

  explicit FaultFileSystem(FileSystem& files) : files_(files) {}

  void set_decide(Decide decide) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    decide_ = std::move(decide);
    next_number_ = 0;
  }
  using DecideWrite = std::function<int(const Attempt&)>;
  void set_decide_write(DecideWrite decide) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    decide_write_ = std::move(decide);
  }
  // For files and directories.
  using DecideSync = std::function<absl::Status(const std::string& path)>;
  void set_decide_sync(DecideSync decide) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    decide_sync_ = std::move(decide);
  }
  // What was asked for ahead of time, in order.
  std::vector<Attempt> read_ahead() const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    return read_ahead_;
  }
  void set_refuse_direct(bool refuse) { refuse_direct_ = refuse; }
  void set_free_bytes(uint64_t free_bytes) { free_bytes_ = free_bytes; }

  absl::StatusOr<std::unique_ptr<File>> OpenRead(const std::string& path, ReadMode mode) override {
    if (mode == ReadMode::kDirect && refuse_direct_) {
      return absl::FailedPreconditionError("open " + path + ": Invalid argument");
    }
    LT_ASSIGN_OR_RETURN(std::unique_ptr<File> file, files_.OpenRead(path, mode));
    return std::make_unique<FaultFile>(*this, std::move(file));
  }
  absl::StatusOr<std::unique_ptr<File>> Create(const std::string& path) override {
    LT_ASSIGN_OR_RETURN(std::unique_ptr<File> file, files_.Create(path));
    return std::make_unique<FaultFile>(*this, std::move(file));
  }
  absl::StatusOr<std::unique_ptr<File>> OpenReadWrite(const std::string& path) override {
    LT_ASSIGN_OR_RETURN(std::unique_ptr<File> file, files_.OpenReadWrite(path));
    return std::make_unique<FaultFile>(*this, std::move(file));
  }
  absl::StatusOr<std::unique_ptr<File>> CreateTemporary(const std::string& path) override {
    return files_.CreateTemporary(path);
  }
  absl::StatusOr<std::unique_ptr<File>> CreateScratch(const std::string& directory,
                                                      ReadMode mode) override {
    LT_ASSIGN_OR_RETURN(std::unique_ptr<File> file, files_.CreateScratch(directory, mode));
    return std::make_unique<FaultFile>(*this, std::move(file));
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    return files_.Rename(from, to);
  }
  absl::Status Remove(const std::string& path) override { return files_.Remove(path); }
  absl::Status SyncDir(const std::string& directory) override {
    LT_RETURN_IF_ERROR(DecideForSync(directory));
    return files_.SyncDir(directory);
  }
  absl::Status MakeDir(const std::string& directory) override { return files_.MakeDir(directory); }
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override {
    return files_.List(directory);
  }
  absl::StatusOr<uint64_t> Size(const std::string& path) override { return files_.Size(path); }
  absl::StatusOr<uint64_t> FreeSpace(const std::string& path) override {
    if (free_bytes_.has_value()) return *free_bytes_;
    return files_.FreeSpace(path);
  }
  absl::StatusOr<uint64_t> DiskOf(const std::string& path) override { return files_.DiskOf(path); }

 private:
  class FaultFile final : public File {
   public:
    FaultFile(FaultFileSystem& owner, std::unique_ptr<File> file)
        : owner_(owner), file_(std::move(file)) {}
    const std::string& path() const override { return file_->path(); }
    int64_t ReadSome(uint64_t offset, std::span<std::byte> out) override {
      const ReadFault fault = owner_.DecideFor(path(), offset, out.size());
      if (fault.delay_millis > 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds(fault.delay_millis));
      }
      if (fault.error != 0) return -fault.error;
      uint64_t bytes = std::min(out.size(), fault.bytes_max);
      if (fault.file_bytes) {
        if (offset >= *fault.file_bytes) return 0;
        bytes = std::min(bytes, *fault.file_bytes - offset);
      }
      const int64_t done = file_->ReadSome(offset, out.first(bytes));
      if (fault.flip_bit && done > 0) {
        const uint64_t byte = *fault.flip_bit / 8;
        if (byte >= offset && byte - offset < static_cast<uint64_t>(done)) {
          out[byte - offset] ^= static_cast<std::byte>(1u << (*fault.flip_bit % 8));
        }
      }
      return done;
    }
    int64_t WriteSome(uint64_t offset, std::span<const std::byte> bytes) override {
      const int error = owner_.DecideForWrite(path(), offset, bytes.size());
      return error != 0 ? -error : file_->WriteSome(offset, bytes);
    }
    void ReadAhead(uint64_t offset, uint64_t bytes) override {
      owner_.Note({.offset = offset, .bytes = bytes, .path = path()});
      file_->ReadAhead(offset, bytes);
    }
    absl::Status BeginWriteBack(uint64_t offset, uint64_t bytes) override {
      return file_->BeginWriteBack(offset, bytes);
    }
    // Fails as a sync does.
    absl::Status AwaitWriteBack(uint64_t offset, uint64_t bytes) override {
      LT_RETURN_IF_ERROR(owner_.DecideForSync(path()));
      return file_->AwaitWriteBack(offset, bytes);
    }
    absl::Status Sync() override {
      LT_RETURN_IF_ERROR(owner_.DecideForSync(path()));
      return file_->Sync();
    }
    absl::Status Reserve(uint64_t bytes) override { return file_->Reserve(bytes); }
    absl::Status Truncate(uint64_t bytes) override { return file_->Truncate(bytes); }
    absl::Status Lock() override { return file_->Lock(); }
    absl::StatusOr<uint64_t> Size() override { return file_->Size(); }

   private:
    FaultFileSystem& owner_;
    std::unique_ptr<File> file_;
  };

  // The errno to fail with, or 0.
  int DecideForWrite(const std::string& path, uint64_t offset, size_t bytes)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    if (!decide_write_) return 0;
    return decide_write_({.offset = offset, .bytes = bytes, .path = path, .write = true});
  }

  absl::Status DecideForSync(const std::string& path) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    return decide_sync_ ? decide_sync_(path) : absl::OkStatus();
  }

  ReadFault DecideFor(const std::string& path, uint64_t offset, size_t bytes)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    if (!decide_) return {};
    return decide_({.number = next_number_++, .offset = offset, .bytes = bytes, .path = path});
  }

  FileSystem& files_;
  bool refuse_direct_ = false;
  std::optional<uint64_t> free_bytes_;
  void Note(Attempt ahead) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    read_ahead_.push_back(std::move(ahead));
  }

  mutable Mutex mutex_;
  std::vector<Attempt> read_ahead_ ABSL_GUARDED_BY(mutex_);
  Decide decide_ ABSL_GUARDED_BY(mutex_);
  DecideWrite decide_write_ ABSL_GUARDED_BY(mutex_);
  DecideSync decide_sync_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_number_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace longtake
