// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A disk in memory that keeps apart what was written and what was synced, of files and of their
// names, fails on request, and crashes. Everything follows from the test's function and seeds.
//
// Directories need not be made. A removed file lives as long as somebody has it open. After a crash
// everything that was open fails. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/file_system.h"
#include "tests/storage/crash_bytes.h"

namespace longtake {

// kAsk is what changes nothing: sizes, names, free space, locks.
enum class DiskOp { kOpen, kRead, kWrite, kTruncate, kSync, kRename, kRemove, kSyncDir, kAsk };

struct DiskCall {
  uint64_t number = 0;  // from 0 since the function was set
  DiskOp op = DiskOp::kAsk;
  std::string path = {};  // of a file or, for kSyncDir, a directory
  uint64_t offset = 0;
  uint64_t bytes = 0;
  // Whether a crash just before this call can leave something else than one just after it.
  bool Changes() const { return op != DiskOp::kRead && op != DiskOp::kAsk; }
};

struct DiskFault {
  int error = 0;                    // errno to fail with; a sync that fails has done half its work
  uint64_t bytes_max = UINT64_MAX;  // a read or write transfers at most so much
  // A write that says nothing of it: where it goes instead, and bits of its middle byte that change
  // on the way.
  std::optional<uint64_t> lands_at = {};
  std::byte flipped = {};
};

class SimulatedDisk final : public FileSystem {
 public:
  SimulatedDisk() = default;

  // Asked before every call. It may copy or crash the disk, but not change it otherwise.
  using Decide = std::function<DiskFault(const DiskCall&)>;
  void set_decide(Decide decide) {
    decide_ = std::move(decide);
    next_call_ = 0;
  }
  uint64_t calls() const { return next_call_; }
  // Writes that would make all files together larger find the disk full.
  void set_bytes_max(uint64_t bytes) { bytes_max_ = bytes; }

  // Loses power: unsynced writes and names are kept, lost or torn as the seed has it.
  void Crash(uint64_t seed);
  // What a crash now would leave, on a disk of its own without a function.
  std::unique_ptr<SimulatedDisk> CrashedCopy(uint64_t seed) const;
  // What a process that is killed now leaves, on a disk of its own: nothing is lost, nothing open.
  std::unique_ptr<SimulatedDisk> KilledCopy() const;
  // Bits of a byte change on the disk by themselves, synced or not.
  void Damage(const std::string& path, uint64_t offset, std::byte mask);
  const std::vector<std::byte>& Contents(const std::string& path) const;
  bool Has(const std::string& path) const { return names_.contains(path); }

  absl::StatusOr<std::unique_ptr<File>> OpenRead(const std::string& path, ReadMode mode) override;
  absl::StatusOr<std::unique_ptr<File>> Create(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<File>> OpenReadWrite(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<File>> CreateTemporary(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<File>> CreateScratch(const std::string& directory,
                                                      ReadMode mode) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status SyncDir(const std::string& directory) override;
  absl::Status MakeDir(const std::string&) override { return absl::OkStatus(); }
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override;
  absl::StatusOr<uint64_t> Size(const std::string& path) override;
  absl::StatusOr<uint64_t> FreeSpace(const std::string& path) override;
  absl::StatusOr<uint64_t> DiskOf(const std::string& /*path*/) override { return 1; }

 private:
  class OpenFile;
  struct Inode {
    CrashBytes bytes;
    int opens = 0;
    const OpenFile* locked_by = nullptr;
  };
  // A name and the inode it has from then on; both parts of a rename come about together.
  struct NameChange {
    std::vector<std::pair<std::string, std::optional<uint64_t>>> names;
    bool dirty = true;  // to be written by the next sync of the directory
  };
  using Names = std::map<std::string, uint64_t>;

  SimulatedDisk(const SimulatedDisk& other);
  DiskFault Ask(DiskOp op, const std::string& path, uint64_t offset = 0, uint64_t bytes = 0);
  absl::Status AskStatus(DiskOp op, const std::string& path, const std::string& what);
  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, bool create);
  absl::Status NotFound(const std::string& path) const;
  static void Apply(Names& names, const NameChange& change);
  void ChangeNames(NameChange change);
  void Close();
  void DropUnnamed();
  uint64_t UsedBytes() const;

  Decide decide_;
  uint64_t next_call_ = 0;
  uint64_t bytes_max_ = uint64_t{1} << 40;
  uint64_t life_ = 0;  // counts crashes: what was open before one is dead
  uint64_t next_inode_ = 1;
  std::map<uint64_t, Inode> inodes_;
  Names names_;
  Names durable_names_;
  std::vector<NameChange> name_changes_;  // since each directory's last sync
};

}  // namespace longtake
