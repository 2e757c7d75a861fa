// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/store/bulk_directory.h"

#include <algorithm>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace longtake {
namespace {

// "7-3": the session's number, and one that no other file here has.
struct BulkName {
  int64_t session = 0;
  uint64_t number = 0;
  std::string text() const { return absl::StrCat(session, "-", number); }
};

std::optional<BulkName> ParseName(const std::string& text) {
  BulkName name;
  const size_t dash = text.find('-');
  if (dash == std::string::npos || !absl::SimpleAtoi(text.substr(0, dash), &name.session) ||
      !absl::SimpleAtoi(text.substr(dash + 1), &name.number) || name.text() != text) {
    return std::nullopt;
  }
  return name;
}

}  // namespace

absl::Status BulkDirectory::Open(const std::set<std::string>& named) {
  LT_RETURN_IF_ERROR(files_.MakeDir(directory_));
  LT_RETURN_IF_ERROR(files_.SyncDir(DirName(directory_)));
  LT_ASSIGN_OR_RETURN(const std::vector<std::string> entries, files_.List(directory_));
  for (const std::string& entry : entries) {
    const std::optional<BulkName> name = ParseName(entry);
    if (!name.has_value()) continue;  // not ours
    next_ = std::max(next_, name->number + 1);
    if (named.contains(entry)) {
      LT_ASSIGN_OR_RETURN(const uint64_t bytes, files_.Size(JoinPath(directory_, entry)));
      SetBytes(entry, bytes);
    } else {
      LT_RETURN_IF_ERROR(files_.Remove(JoinPath(directory_, entry)));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::pair<std::string, std::unique_ptr<BulkFile>>> BulkDirectory::Create(
    int64_t session) {
  const std::string name = BulkName{.session = session, .number = next_++}.text();
  LT_ASSIGN_OR_RETURN(std::unique_ptr<BulkFile> file,
                      BulkFile::Create(files_, JoinPath(directory_, name)));
  SetBytes(name, 0);
  return std::pair(name, std::move(file));
}

void BulkDirectory::SetBytes(const std::string& name, uint64_t bytes) {
  MutexLock lock(mutex_);
  bytes_[name] = bytes;
}

void BulkDirectory::Remove(const std::string& name) {
  MutexLock lock(mutex_);
  if (bytes_.erase(name) == 0) return;
  files_.Remove(JoinPath(directory_, name)).IgnoreError();
}

absl::StatusOr<std::string> BulkDirectory::Path(const std::string& name) const {
  if (ParseName(name).has_value()) return JoinPath(directory_, name);
  return absl::DataLossError(absl::StrCat("snapshot: '", name, "' is no bulk file"));
}

uint64_t BulkDirectory::bytes() const {
  uint64_t sum = 0;
  MutexLock lock(mutex_);
  for (const auto& [name, bytes] : bytes_) sum += bytes;
  return sum;
}

uint64_t BulkDirectory::BytesOf(int64_t session) const {
  uint64_t sum = 0;
  const std::string prefix = absl::StrCat(session, "-");
  MutexLock lock(mutex_);
  for (auto at = bytes_.lower_bound(prefix); at != bytes_.end() && at->first.starts_with(prefix);
       ++at) {
    sum += at->second;
  }
  return sum;
}

}  // namespace longtake
