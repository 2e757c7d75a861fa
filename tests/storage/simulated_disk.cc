// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "tests/storage/simulated_disk.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace longtake {
namespace {

absl::Status ErrnoStatus(int error, const std::string& what) {
  if (error == 0) return absl::OkStatus();
  const std::string message = what + ": " + std::generic_category().message(error);
  return error == ENOSPC ? absl::ResourceExhaustedError(message) : absl::UnavailableError(message);
}

}  // namespace

class SimulatedDisk::OpenFile final : public File {
 public:
  OpenFile(SimulatedDisk& disk, uint64_t number, std::string path)
      : disk_(disk), life_(disk.life_), number_(number), path_(std::move(path)) {
    inode().opens += 1;
  }
  ~OpenFile() override {
    if (dead()) return;
    if (inode().locked_by == this) inode().locked_by = nullptr;
    inode().opens -= 1;
    disk_.DropUnnamed();
  }

  const std::string& path() const override { return path_; }

  int64_t ReadSome(uint64_t offset, std::span<std::byte> out) override {
    const DiskFault fault = disk_.Ask(DiskOp::kRead, path_, offset, out.size());
    if (dead() || fault.error != 0) return dead() ? -EIO : -fault.error;
    const std::vector<std::byte>& bytes = inode().bytes.now();
    if (offset >= bytes.size()) return 0;
    const uint64_t count = std::min({out.size(), bytes.size() - offset, fault.bytes_max});
    std::memcpy(out.data(), bytes.data() + offset, count);
    return static_cast<int64_t>(count);
  }

  int64_t WriteSome(uint64_t offset, std::span<const std::byte> bytes) override {
    const DiskFault fault = disk_.Ask(DiskOp::kWrite, path_, offset, bytes.size());
    if (dead() || fault.error != 0) return dead() ? -EIO : -fault.error;
    const uint64_t count = std::min<uint64_t>(bytes.size(), fault.bytes_max);
    const uint64_t size = inode().bytes.now().size();
    if (offset + count > size && disk_.UsedBytes() + (offset + count - size) > disk_.bytes_max_) {
      return -ENOSPC;
    }
    std::vector<std::byte> written(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(count));
    if (count > 0) written[count / 2] ^= fault.flipped;
    inode().bytes.Write(fault.lands_at.value_or(offset), written);
    return static_cast<int64_t>(count);
  }

  absl::Status Sync() override {
    const DiskFault fault = disk_.Ask(DiskOp::kSync, path_);
    if (dead()) return ErrnoStatus(EIO, "sync " + path_);
    if (fault.error != 0) {
      inode().bytes.FailSync();
    } else {
      inode().bytes.Sync();
    }
    return ErrnoStatus(fault.error, "sync " + path_);
  }

  absl::Status Truncate(uint64_t bytes) override {
    const DiskFault fault = disk_.Ask(DiskOp::kTruncate, path_, bytes);
    const int error = dead() ? EIO : fault.error;
    if (error == 0) inode().bytes.Truncate(bytes);
    return ErrnoStatus(error, "cut " + path_);
  }

  absl::Status Reserve(uint64_t bytes) override {
    if (dead() || inode().bytes.now().size() >= bytes) return absl::OkStatus();
    return Truncate(bytes);
  }

  absl::Status Lock() override {
    LT_RETURN_IF_ERROR(disk_.AskStatus(DiskOp::kAsk, path_, "lock "));
    if (dead()) return ErrnoStatus(EIO, "lock " + path_);
    if (inode().locked_by != nullptr && inode().locked_by != this) {
      return absl::FailedPreconditionError(path_ + " is locked by another");
    }
    inode().locked_by = this;
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> Size() override {
    LT_RETURN_IF_ERROR(disk_.AskStatus(DiskOp::kAsk, path_, "size of "));
    if (dead()) return ErrnoStatus(EIO, "size of " + path_);
    return inode().bytes.now().size();
  }

 private:
  bool dead() const { return life_ != disk_.life_; }
  Inode& inode() { return disk_.inodes_.at(number_); }

  SimulatedDisk& disk_;
  uint64_t life_;
  uint64_t number_;
  std::string path_;
};

SimulatedDisk::SimulatedDisk(const SimulatedDisk& other)
    : bytes_max_(other.bytes_max_),
      next_inode_(other.next_inode_),
      inodes_(other.inodes_),
      names_(other.names_),
      durable_names_(other.durable_names_),
      name_changes_(other.name_changes_) {}

std::unique_ptr<SimulatedDisk> SimulatedDisk::KilledCopy() const {
  std::unique_ptr<SimulatedDisk> copy(new SimulatedDisk(*this));
  copy->Close();
  return copy;
}

std::unique_ptr<SimulatedDisk> SimulatedDisk::CrashedCopy(uint64_t seed) const {
  std::unique_ptr<SimulatedDisk> copy(new SimulatedDisk(*this));
  copy->Crash(seed);
  return copy;
}

void SimulatedDisk::Crash(uint64_t seed) {
  CrashChoice choice(seed);
  for (const NameChange& change : name_changes_) {
    if (choice.Pick(1) == 1) Apply(durable_names_, change);
  }
  name_changes_.clear();
  names_ = durable_names_;
  for (auto& [number, inode] : inodes_) inode.bytes.Crash(choice);
  Close();
}

void SimulatedDisk::Close() {
  ++life_;
  for (auto& [number, inode] : inodes_) {
    inode.opens = 0;
    inode.locked_by = nullptr;
  }
  DropUnnamed();
}

void SimulatedDisk::Damage(const std::string& path, uint64_t offset, std::byte mask) {
  inodes_.at(names_.at(path)).bytes.Damage(offset, mask);
}

const std::vector<std::byte>& SimulatedDisk::Contents(const std::string& path) const {
  return inodes_.at(names_.at(path)).bytes.now();
}

DiskFault SimulatedDisk::Ask(DiskOp op, const std::string& path, uint64_t offset, uint64_t bytes) {
  const DiskCall call = {
      .number = next_call_++, .op = op, .path = path, .offset = offset, .bytes = bytes};
  return decide_ ? decide_(call) : DiskFault{};
}

absl::Status SimulatedDisk::AskStatus(DiskOp op, const std::string& path, const std::string& what) {
  return ErrnoStatus(Ask(op, path).error, what + path);
}

absl::Status SimulatedDisk::NotFound(const std::string& path) const {
  return absl::NotFoundError(path + ": no such file");
}

absl::StatusOr<std::unique_ptr<File>> SimulatedDisk::Open(const std::string& path, bool create) {
  LT_RETURN_IF_ERROR(AskStatus(DiskOp::kOpen, path, "open "));
  if (!Has(path)) {
    if (!create) return NotFound(path);
    inodes_.try_emplace(next_inode_);
    ChangeNames({.names = {{path, next_inode_++}}});
  }
  return std::make_unique<OpenFile>(*this, names_.at(path), path);
}

absl::StatusOr<std::unique_ptr<File>> SimulatedDisk::OpenRead(const std::string& path, ReadMode) {
  return Open(path, false);
}

absl::StatusOr<std::unique_ptr<File>> SimulatedDisk::Create(const std::string& path) {
  LT_ASSIGN_OR_RETURN(std::unique_ptr<File> file, Open(path, true));
  if (!Contents(path).empty()) LT_RETURN_IF_ERROR(file->Truncate(0));
  return file;
}

absl::StatusOr<std::unique_ptr<File>> SimulatedDisk::OpenReadWrite(const std::string& path) {
  return Open(path, true);
}

absl::StatusOr<std::unique_ptr<File>> SimulatedDisk::CreateTemporary(const std::string& path) {
  return Open(path + kTemporaryInfix + std::to_string(next_inode_), true);
}

absl::StatusOr<std::unique_ptr<File>> SimulatedDisk::CreateScratch(const std::string& directory,
                                                                   ReadMode) {
  const std::string path = JoinPath(directory, "scratch-" + std::to_string(next_inode_));
  LT_ASSIGN_OR_RETURN(std::unique_ptr<File> file, Open(path, true));
  LT_RETURN_IF_ERROR(Remove(path));
  return file;
}

absl::Status SimulatedDisk::Rename(const std::string& from, const std::string& to) {
  LT_RETURN_IF_ERROR(AskStatus(DiskOp::kRename, from, "rename "));
  if (!Has(from)) return NotFound(from);
  ChangeNames({.names = {{from, std::nullopt}, {to, names_.at(from)}}});
  return absl::OkStatus();
}

absl::Status SimulatedDisk::Remove(const std::string& path) {
  LT_RETURN_IF_ERROR(AskStatus(DiskOp::kRemove, path, "remove "));
  if (!Has(path)) return NotFound(path);
  ChangeNames({.names = {{path, std::nullopt}}});
  return absl::OkStatus();
}

absl::Status SimulatedDisk::SyncDir(const std::string& directory) {
  const absl::Status status = AskStatus(DiskOp::kSyncDir, directory, "sync directory ");
  std::erase_if(name_changes_, [&](NameChange& change) {
    const bool here = std::any_of(change.names.begin(), change.names.end(), [&](const auto& name) {
      return DirName(name.first) == directory;
    });
    if (!here || !change.dirty) return false;
    change.dirty = status.ok();
    if (status.ok()) Apply(durable_names_, change);
    return status.ok();
  });
  DropUnnamed();
  return status;
}

absl::StatusOr<std::vector<std::string>> SimulatedDisk::List(const std::string& directory) {
  LT_RETURN_IF_ERROR(AskStatus(DiskOp::kAsk, directory, "list "));
  std::vector<std::string> names;
  for (const auto& [path, inode] : names_) {
    if (DirName(path) == directory) names.push_back(path.substr(path.rfind('/') + 1));
  }
  return names;
}

absl::StatusOr<uint64_t> SimulatedDisk::Size(const std::string& path) {
  LT_RETURN_IF_ERROR(AskStatus(DiskOp::kAsk, path, "size of "));
  if (!Has(path)) return NotFound(path);
  return Contents(path).size();
}

absl::StatusOr<uint64_t> SimulatedDisk::FreeSpace(const std::string& path) {
  LT_RETURN_IF_ERROR(AskStatus(DiskOp::kAsk, path, "free space of "));
  return bytes_max_ - std::min(bytes_max_, UsedBytes());
}

void SimulatedDisk::Apply(Names& names, const NameChange& change) {
  for (const auto& [path, inode] : change.names) {
    if (inode.has_value()) {
      names[path] = *inode;
    } else {
      names.erase(path);
    }
  }
}

void SimulatedDisk::ChangeNames(NameChange change) {
  Apply(names_, change);
  name_changes_.push_back(std::move(change));
}

void SimulatedDisk::DropUnnamed() {
  std::map<uint64_t, bool> named;
  for (const Names* names : {&names_, &durable_names_}) {
    for (const auto& [path, inode] : *names) named[inode] = true;
  }
  for (const NameChange& change : name_changes_) {
    for (const auto& [path, inode] : change.names) {
      if (inode.has_value()) named[*inode] = true;
    }
  }
  std::erase_if(inodes_, [&](const auto& entry) {
    return entry.second.opens == 0 && !named.contains(entry.first);
  });
}

uint64_t SimulatedDisk::UsedBytes() const {
  uint64_t bytes = 0;
  for (const auto& [number, inode] : inodes_) bytes += inode.bytes.now().size();
  return bytes;
}

}  // namespace longtake
