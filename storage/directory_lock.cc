// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/directory_lock.h"

#include <cstdint>
#include <span>

#include "base/printable_text.h"

namespace longtake {
namespace {

constexpr char kLockName[] = "LOCK";
constexpr uint64_t kHolderBytesMax = 4096;

std::string FirstLine(const std::string& text) { return text.substr(0, text.find('\n')); }

absl::Status InUse(FileSystem& files, const std::string& directory, const std::string& path) {
  const absl::StatusOr<std::string> text = ReadTextFile(files, path, kHolderBytesMax);
  std::string other = text.ok() ? PrintableText(FirstLine(*text)) : "";
  if (other.empty()) other = "another process, which has not written its name";
  return absl::FailedPreconditionError(directory + " is in use by " + other);
}

}  // namespace

absl::StatusOr<std::unique_ptr<DirectoryLock>> DirectoryLock::Take(FileSystem& files,
                                                                   const std::string& directory,
                                                                   const std::string& holder) {
  const std::string path = JoinPath(directory, kLockName);
  LT_ASSIGN_OR_RETURN(std::unique_ptr<File> file, files.OpenReadWrite(path));
  const absl::Status locked = file->Lock();
  if (absl::IsFailedPrecondition(locked)) return InUse(files, directory, path);
  LT_RETURN_IF_ERROR(locked);
  // The rest of a longer, older line is cut last: the first line is right at every moment.
  const std::string line = FirstLine(holder) + "\n";
  LT_RETURN_IF_ERROR(file->WriteAt(0, std::as_bytes(std::span(line))));
  LT_RETURN_IF_ERROR(file->Truncate(line.size()));
  return std::unique_ptr<DirectoryLock>(new DirectoryLock(std::move(file)));
}

}  // namespace longtake
