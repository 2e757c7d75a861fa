// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "base/file_system.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "base/checked.h"
#include "base/fd.h"
#include "base/random_id.h"

namespace longtake {
namespace {

// Linux transfers at most this much at once; asking for more only hides a short count.
constexpr size_t kTransferBytesMax = 1u << 30;

constexpr size_t kUnknownSizeStep = 64 << 10;

absl::Status ErrnoError(int error, const std::string& what) {
  const std::string message = what + ": " + std::generic_category().message(error);
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(message);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(message);
    case EEXIST:
      return absl::AlreadyExistsError(message);
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return absl::ResourceExhaustedError(message);
    case EIO:
    case EAGAIN:
    case EINTR:
    case ENXIO:
    case ENODEV:
      return absl::UnavailableError(message);
    default:
      return absl::FailedPreconditionError(message);
  }
}

absl::Status EndsEarly(const File& file, uint64_t end, uint64_t missing) {
  return absl::DataLossError(file.path() + " ends at byte " + std::to_string(end) + ", " +
                             std::to_string(missing) + " bytes early");
}

bool IsTransient(int64_t result) { return result == -EINTR || result == -EAGAIN; }

// Everything here needs a file with offsets and an end. Anything else is refused by name: reading a
// pipe could wait for ever, and a device would be written to.
absl::Status CheckRegular(const struct stat& info, const std::string& path) {
  const char* kind = "something else";
  switch (info.st_mode & S_IFMT) {
    case S_IFREG:
      return absl::OkStatus();
    case S_IFDIR:
      kind = "a directory";
      break;
    case S_IFIFO:
      kind = "a pipe";
      break;
    case S_IFCHR:
    case S_IFBLK:
      kind = "a device";
      break;
    case S_IFSOCK:
      kind = "a socket";
      break;
  }
  return absl::FailedPreconditionError(path + " is " + kind + ", not a file");
}

class PosixFile final : public File {
 public:
  PosixFile(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  const std::string& path() const override { return path_; }
  int fd() const override { return fd_.get(); }

  int64_t ReadSome(uint64_t offset, std::span<std::byte> out) override {
    const size_t bytes = std::min(out.size(), kTransferBytesMax);
    const ssize_t done = ::pread(fd_.get(), out.data(), bytes, static_cast<off_t>(offset));
    return done < 0 ? -errno : done;
  }

  int64_t WriteSome(uint64_t offset, std::span<const std::byte> bytes) override {
    const size_t count = std::min(bytes.size(), kTransferBytesMax);
    const ssize_t done = ::pwrite(fd_.get(), bytes.data(), count, static_cast<off_t>(offset));
    return done < 0 ? -errno : done;
  }

  void DropCached(uint64_t offset, uint64_t bytes) override {
    ::posix_fadvise(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(bytes),
                    POSIX_FADV_DONTNEED);
  }

  void ReadAhead(uint64_t offset, uint64_t bytes) override {
    ::posix_fadvise(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(bytes),
                    POSIX_FADV_WILLNEED);
  }

  absl::Status Sync() override {
    if (::fsync(fd_.get()) != 0) return ErrnoError(errno, "sync " + path_);
    return absl::OkStatus();
  }

  absl::Status BeginWriteBack(uint64_t offset, uint64_t bytes) override {
    return WriteBack(offset, bytes, SYNC_FILE_RANGE_WRITE);
  }

  absl::Status AwaitWriteBack(uint64_t offset, uint64_t bytes) override {
    return WriteBack(offset, bytes, SYNC_FILE_RANGE_WAIT_BEFORE);
  }

  absl::Status SetDirect() override {
    const int flags = ::fcntl(fd_.get(), F_GETFL);
    if (flags >= 0 && ::fcntl(fd_.get(), F_SETFL, flags | O_DIRECT) == 0) return absl::OkStatus();
    return ErrnoError(errno, "direct I/O of " + path_);
  }

  absl::Status Reserve(uint64_t bytes) override {
    const int error = ::posix_fallocate(fd_.get(), 0, static_cast<off_t>(bytes));
    if (error == 0) return absl::OkStatus();
    return ErrnoError(error, "reserve " + std::to_string(bytes) + " bytes of " + path_);
  }

  absl::Status Truncate(uint64_t bytes) override {
    if (::ftruncate(fd_.get(), static_cast<off_t>(bytes)) == 0) return absl::OkStatus();
    return ErrnoError(errno, "cut " + path_ + " to " + std::to_string(bytes) + " bytes");
  }

  // Of the open file, not of the process: a process's locks would be lost when any descriptor of
  // the file is closed, and would let the same process in twice.
  absl::Status Lock() override {
    struct flock whole{};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    if (::fcntl(fd_.get(), F_OFD_SETLK, &whole) == 0) return absl::OkStatus();
    if (errno != EAGAIN && errno != EACCES) return ErrnoError(errno, "lock " + path_);
    return absl::FailedPreconditionError(path_ + " is locked by another");
  }

  absl::StatusOr<uint64_t> Size() override {
    struct stat info{};
    if (::fstat(fd_.get(), &info) != 0) return ErrnoError(errno, "size of " + path_);
    return static_cast<uint64_t>(info.st_size);
  }

 private:
  // A file system that cannot do this waits in Sync instead.
  absl::Status WriteBack(uint64_t offset, uint64_t bytes, unsigned flags) const {
    const int done = ::sync_file_range(fd_.get(), static_cast<off64_t>(offset),
                                       static_cast<off64_t>(bytes), flags);
    if (done == 0 || errno == EINVAL || errno == ENOSYS || errno == ESPIPE) return absl::OkStatus();
    return ErrnoError(errno, "write back " + path_);
  }

  Fd fd_;
  std::string path_;
};

class PosixFileSystemImpl final : public FileSystem {
 public:
  absl::StatusOr<std::unique_ptr<File>> OpenRead(const std::string& path, ReadMode mode) override {
    int flags = O_RDONLY | O_CLOEXEC;
    if (mode == ReadMode::kDirect) flags |= O_DIRECT;
    return OpenWith(path, flags, "open ");
  }

  absl::StatusOr<std::unique_ptr<File>> Create(const std::string& path) override {
    LT_ASSIGN_OR_RETURN(std::unique_ptr<File> file,
                        OpenWith(path, O_RDWR | O_CREAT | O_CLOEXEC, "create "));
    if (::ftruncate(file->fd(), 0) != 0) return ErrnoError(errno, "empty " + path);
    return file;
  }

  absl::StatusOr<std::unique_ptr<File>> OpenReadWrite(const std::string& path) override {
    return OpenWith(path, O_RDWR | O_CREAT | O_CLOEXEC, "open ");
  }

  absl::StatusOr<std::unique_ptr<File>> CreateTemporary(const std::string& path) override {
    struct stat info{};
    if (::stat(path.c_str(), &info) == 0) LT_RETURN_IF_ERROR(CheckRegular(info, path));
    return OpenWith(path + kTemporaryInfix + RandomId(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
                    "create ");
  }

  absl::StatusOr<std::unique_ptr<File>> CreateScratch(const std::string& directory,
                                                      ReadMode mode) override {
    std::string path = JoinPath(directory, "longtake-scratch-XXXXXX");
    Fd fd(::mkostemp(path.data(), O_CLOEXEC));
    if (!fd.valid()) return ErrnoError(errno, "create a scratch file in " + directory);
    if (::unlink(path.c_str()) != 0) return ErrnoError(errno, "remove " + path);
    // Asked for at creation, it would leave a file behind where it is refused.
    if (mode == ReadMode::kDirect && ::fcntl(fd.get(), F_SETFL, O_DIRECT) != 0) {
      return ErrnoError(errno, "direct I/O in " + directory);
    }
    return std::make_unique<PosixFile>(std::move(fd), path);
  }

  absl::Status Rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
    return ErrnoError(errno, "rename " + from + " to " + to);
  }

  absl::Status Remove(const std::string& path) override {
    if (::unlink(path.c_str()) == 0) return absl::OkStatus();
    return ErrnoError(errno, "remove " + path);
  }

  absl::Status SyncDir(const std::string& directory) override {
    const Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.valid()) return ErrnoError(errno, "open directory " + directory);
    if (::fsync(fd.get()) != 0) return ErrnoError(errno, "sync directory " + directory);
    return absl::OkStatus();
  }

  absl::Status MakeDir(const std::string& directory) override {
    std::error_code error;
    std::filesystem::create_directories(directory, error);
    if (error) return ErrnoError(error.value(), "make directory " + directory);
    if (!std::filesystem::is_directory(directory, error)) {
      return absl::AlreadyExistsError(directory + " is not a directory");
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override {
    std::error_code error;
    std::vector<std::string> names;
    std::filesystem::directory_iterator entry(directory, error);
    const std::filesystem::directory_iterator end;
    while (!error && entry != end) {
      names.push_back(entry->path().filename().string());
      entry.increment(error);
    }
    if (error) return ErrnoError(error.value(), "list " + directory);
    std::sort(names.begin(), names.end());
    return names;
  }

  absl::StatusOr<uint64_t> Size(const std::string& path) override {
    struct stat info{};
    if (::stat(path.c_str(), &info) != 0) return ErrnoError(errno, "size of " + path);
    return static_cast<uint64_t>(info.st_size);
  }

  absl::StatusOr<uint64_t> FreeSpace(const std::string& path) override {
    struct statvfs info{};
    if (::statvfs(path.c_str(), &info) != 0) return ErrnoError(errno, "free space of " + path);
    return CheckedMul(info.f_bavail, info.f_frsize).value_or(UINT64_MAX);
  }

  absl::StatusOr<uint64_t> DiskOf(const std::string& path) override {
    struct stat info{};
    if (::stat(path.c_str(), &info) != 0) return ErrnoError(errno, "disk of " + path);
    return static_cast<uint64_t>(info.st_dev);
  }

 private:
  // Non-blocking, so that a pipe without a writer is refused instead of waited for. What stays open
  // is blocking: io_uring would answer EAGAIN for a file that is not.
  static absl::StatusOr<std::unique_ptr<File>> OpenWith(const std::string& path, int flags,
                                                        const std::string& verb) {
    Fd fd(::open(path.c_str(), flags | O_NONBLOCK, 0644));
    struct stat info{};
    if (!fd.valid()) {
      const int error = errno;
      // A directory and a socket have errors of their own, which say less.
      if (::stat(path.c_str(), &info) == 0) LT_RETURN_IF_ERROR(CheckRegular(info, path));
      return ErrnoError(error, verb + path);
    }
    if (::fstat(fd.get(), &info) != 0) return ErrnoError(errno, verb + path);
    LT_RETURN_IF_ERROR(CheckRegular(info, path));
    const int status_flags = ::fcntl(fd.get(), F_GETFL);
    if (::fcntl(fd.get(), F_SETFL, status_flags & ~O_NONBLOCK) != 0) {
      return ErrnoError(errno, verb + path);
    }
    return std::make_unique<PosixFile>(std::move(fd), path);
  }
};

}  // namespace

absl::StatusOr<size_t> File::ReadUpTo(uint64_t offset, std::span<std::byte> out) {
  size_t read = 0;
  int transient_count = 0;
  while (read < out.size()) {
    const int64_t done = ReadSome(offset + read, out.subspan(read));
    if (done > 0) {
      read += static_cast<size_t>(done);
      transient_count = 0;
    } else if (done == 0) {
      break;
    } else if (!IsTransient(done) || ++transient_count > kTransientRetriesMax) {
      return ErrnoError(static_cast<int>(-done),
                        "read " + path() + " at byte " + std::to_string(offset + read));
    }
  }
  return read;
}

absl::Status File::ReadAt(uint64_t offset, std::span<std::byte> out) {
  LT_ASSIGN_OR_RETURN(const size_t read, ReadUpTo(offset, out));
  if (read == out.size()) return absl::OkStatus();
  return EndsEarly(*this, offset + read, out.size() - read);
}

absl::Status File::WriteAt(uint64_t offset, std::span<const std::byte> bytes) {
  int transient_count = 0;
  while (!bytes.empty()) {
    const int64_t done = WriteSome(offset, bytes);
    if (done > 0) {
      offset += static_cast<uint64_t>(done);
      bytes = bytes.subspan(static_cast<size_t>(done));
      transient_count = 0;
    } else if ((done != 0 && !IsTransient(done)) || ++transient_count > kTransientRetriesMax) {
      return ErrnoError(done == 0 ? EIO : static_cast<int>(-done),
                        "write " + path() + " at byte " + std::to_string(offset));
    }
  }
  return absl::OkStatus();
}

FileSystem& PosixFileSystem() {
  static PosixFileSystemImpl files;
  return files;
}

std::string JoinPath(const std::string& directory, const std::string& name) {
  if (directory.empty()) return name;
  return directory.back() == '/' ? directory + name : directory + "/" + name;
}

std::string DirName(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

absl::StatusOr<std::string> ReadTextFile(FileSystem& files, const std::string& path,
                                         uint64_t bytes_max) {
  LT_ASSIGN_OR_RETURN(std::unique_ptr<File> file, files.OpenRead(path, ReadMode::kBuffered));
  LT_ASSIGN_OR_RETURN(const uint64_t bytes, file->Size());
  if (bytes > bytes_max) {
    return absl::InvalidArgumentError(path + ": " + std::to_string(bytes) + " bytes, at most " +
                                      std::to_string(bytes_max) + " expected");
  }
  // Files of /proc have the size 0, so that only reading tells where a file ends.
  std::string text;
  size_t asked = bytes + 1;
  while (text.size() <= bytes_max) {
    const size_t had = text.size();
    text.resize(had + std::min<uint64_t>(asked, bytes_max + 1 - had));
    LT_ASSIGN_OR_RETURN(const size_t read,
                        file->ReadUpTo(had, std::as_writable_bytes(std::span(text)).subspan(had)));
    const bool ended = had + read < text.size();
    text.resize(had + read);
    if (ended && text.size() < bytes) return EndsEarly(*file, text.size(), bytes - text.size());
    if (ended) return text;
    asked = kUnknownSizeStep;
  }
  return absl::InvalidArgumentError(path + ": more than the " + std::to_string(bytes_max) +
                                    " bytes that are expected at most");
}

absl::Status WriteFileAtomically(FileSystem& files, const std::string& path,
                                 std::span<const std::byte> bytes) {
  LT_ASSIGN_OR_RETURN(std::unique_ptr<File> file, files.CreateTemporary(path));
  const std::string temporary = file->path();
  absl::Status status = file->WriteAt(0, bytes);
  if (status.ok()) status = file->Sync();
  file.reset();
  if (status.ok()) status = files.Rename(temporary, path);
  if (!status.ok()) {
    files.Remove(temporary).IgnoreError();
    return status;
  }
  return files.SyncDir(DirName(path));
}

}  // namespace longtake
