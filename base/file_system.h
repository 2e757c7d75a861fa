// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Files behind an interface, so that every fault a disk can show (short transfer, EIO, EAGAIN, a
// file cut short, a full disk) can be injected in a test.
//
// Errors: NOT_FOUND, PERMISSION_DENIED, ALREADY_EXISTS, RESOURCE_EXHAUSTED (disk or descriptors
// full), DATA_LOSS (the file ends before the bytes asked for), UNAVAILABLE (I/O error), otherwise
// FAILED_PRECONDITION; the message names the path. Offsets and sizes are in bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status_macros.h"

namespace longtake {

// A consecutive run of this many EINTR/EAGAIN without one byte of progress is an error.
constexpr int kTransientRetriesMax = 64;

// An open file. Positional calls are safe from several threads at once; the bytes of a write that
// races with a read of the same range are unspecified.
class File {
 public:
  virtual ~File() = default;

  virtual const std::string& path() const = 0;
  // One attempt, as the system call answers: bytes transferred (fewer than asked is normal; 0 from
  // a read means the end of the file), or a negated errno. Callers other than a block reader want
  // ReadAt and WriteAt.
  virtual int64_t ReadSome(uint64_t offset, std::span<std::byte> out) = 0;
  virtual int64_t WriteSome(uint64_t offset, std::span<const std::byte> bytes) = 0;
  // Data and metadata reach the device. After a failed Sync the file's contents are unknown.
  virtual absl::Status Sync() = 0;
  virtual absl::StatusOr<uint64_t> Size() = 0;
  // The file is at least so long from now on, and no write within it can find the disk full.
  virtual absl::Status Reserve(uint64_t bytes) = 0;
  // The file has this many bytes from now on: what lies beyond is gone, what is missing reads as
  // zeros. Durable after Sync.
  virtual absl::Status Truncate(uint64_t bytes) = 0;
  // Nobody else, in this process or another, gets this lock until the file is closed; reading and
  // writing ask nobody. FAILED_PRECONDITION when it is held through another open of the file.
  virtual absl::Status Lock() = 0;
  // Bytes that were written begin their way to the device, so that less is left for Sync; and those
  // of such a call have reached it. After an error the file's contents are unknown, as after
  // Sync's. Neither makes anything durable.
  virtual absl::Status BeginWriteBack(uint64_t /*offset*/, uint64_t /*bytes*/) {
    return absl::OkStatus();
  }
  virtual absl::Status AwaitWriteBack(uint64_t /*offset*/, uint64_t /*bytes*/) {
    return absl::OkStatus();
  }
  // Reads and writes bypass the page cache from now on, as of ReadMode::kDirect.
  // FAILED_PRECONDITION when the file system has no such mode; then nothing changes.
  virtual absl::Status SetDirect() {
    return absl::FailedPreconditionError(path() + ": no direct I/O");
  }
  // What was read is not wanted again: it need not stay in the page cache. Advice only.
  virtual void DropCached(uint64_t /*offset*/, uint64_t /*bytes*/) {}
  // What is to be read soon: it may come into the page cache meanwhile. Advice only.
  virtual void ReadAhead(uint64_t /*offset*/, uint64_t /*bytes*/) {}
  // The descriptor for io_uring, or -1 when this file must be used through the calls above.
  virtual int fd() const { return -1; }

  // Bytes read, fewer than asked only where the file ends.
  absl::StatusOr<size_t> ReadUpTo(uint64_t offset, std::span<std::byte> out);
  // All of it or an error; EINTR, EAGAIN and short transfers are continued here.
  absl::Status ReadAt(uint64_t offset, std::span<std::byte> out);
  absl::Status WriteAt(uint64_t offset, std::span<const std::byte> bytes);
};

// kDirect bypasses the page cache (O_DIRECT): offset, size and memory must be multiples of the
// device's block, 4 KiB serves all. FAILED_PRECONDITION when the file system has no such mode.
enum class ReadMode { kBuffered, kDirect };

// Between a file's name and the random end of its temporary twin's.
inline constexpr char kTemporaryInfix[] = ".tmp-";

// Only regular files are opened, whatever the call: a directory, pipe, socket or device is
// FAILED_PRECONDITION, at once and by name, and nothing of it is changed.
//
// Safe from any thread. The caller keeps a file system alive while its files are open.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual absl::StatusOr<std::unique_ptr<File>> OpenRead(const std::string& path,
                                                         ReadMode mode) = 0;
  // A new empty file, readable and writable; an old one of that name is emptied.
  virtual absl::StatusOr<std::unique_ptr<File>> Create(const std::string& path) = 0;
  // What is there, readable and writable, or a new empty file.
  virtual absl::StatusOr<std::unique_ptr<File>> OpenReadWrite(const std::string& path) = 0;
  // A new empty file in the directory of path, to be renamed to it once it is whole. Its name has
  // an end that nobody can foresee, and what has that name already is never followed or written.
  virtual absl::StatusOr<std::unique_ptr<File>> CreateTemporary(const std::string& path) = 0;
  // A new file without a name in a directory, readable and writable, gone when it is closed.
  // FAILED_PRECONDITION when the file system has no direct mode and that was asked for.
  virtual absl::StatusOr<std::unique_ptr<File>> CreateScratch(const std::string& directory,
                                                              ReadMode mode) = 0;
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  virtual absl::Status Remove(const std::string& path) = 0;
  // Makes renames, creations and removals in a directory durable.
  virtual absl::Status SyncDir(const std::string& directory) = 0;
  // Creates the directory and its missing parents; one that exists is fine.
  virtual absl::Status MakeDir(const std::string& directory) = 0;
  // Names of the entries, sorted, without "." and "..".
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& directory) = 0;
  virtual absl::StatusOr<uint64_t> Size(const std::string& path) = 0;
  // Bytes an unprivileged process may still write on the file system that holds the path.
  virtual absl::StatusOr<uint64_t> FreeSpace(const std::string& path) = 0;
  // The disk that a file or directory is on, as a number that is the same for all on that disk:
  // what it reads in a second is theirs together. As the system tells it (st_dev), so two
  // partitions count as two.
  virtual absl::StatusOr<uint64_t> DiskOf(const std::string& path) = 0;
};

// The real one; lives as long as the process.
FileSystem& PosixFileSystem();

// "directory/name".
std::string JoinPath(const std::string& directory, const std::string& name);
// The directory part of a path, "." when it has none.
std::string DirName(const std::string& path);

// The whole file as text, read to its end whatever its size says; larger than bytes_max is
// INVALID_ARGUMENT, before anything is allocated.
absl::StatusOr<std::string> ReadTextFile(FileSystem& files, const std::string& path,
                                         uint64_t bytes_max);
// Temporary file, sync, rename, sync of the directory: after a crash the old or the new contents.
absl::Status WriteFileAtomically(FileSystem& files, const std::string& path,
                                 std::span<const std::byte> bytes);

}  // namespace longtake
