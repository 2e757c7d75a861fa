// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/store/bulk_directory.h"

#include <algorithm>
#include <iterator>
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

absl::Status BulkDirectory::Open(const std::map<std::string, BulkUse>& named) {
  LT_RETURN_IF_ERROR(files_.MakeDir(directory_));
  LT_RETURN_IF_ERROR(files_.SyncDir(DirName(directory_)));
  LT_ASSIGN_OR_RETURN(const std::vector<std::string> entries, files_.List(directory_));
  for (const std::string& entry : entries) {
    const std::optional<BulkName> name = ParseName(entry);
    if (!name.has_value()) continue;  // not ours
    next_ = std::max(next_, name->number + 1);
    const auto found = named.find(entry);
    if (found == named.end()) {
      LT_RETURN_IF_ERROR(files_.Remove(JoinPath(directory_, entry)));
    } else {
      Add(entry, {.use = found->second});
      if (found->second == BulkUse::kLatents) continue;
      LT_ASSIGN_OR_RETURN(const uint64_t bytes, files_.Size(JoinPath(directory_, entry)));
      SetBytes(entry, bytes);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::pair<std::string, std::unique_ptr<BulkFile>>> BulkDirectory::Create(
    int64_t session, BulkUse use) {
  const std::string name = BulkName{.session = session, .number = next_++}.text();
  LT_ASSIGN_OR_RETURN(std::unique_ptr<BulkFile> file,
                      BulkFile::Create(files_, JoinPath(directory_, name), NameSync()));
  Add(name, {.use = use});
  return std::pair(name, std::move(file));
}

BulkFile::SyncName BulkDirectory::NameSync() {
  return [this, before = names_failed_]() -> absl::Status {
    if (names_failed_ != before) {
      return absl::UnavailableError(directory_ + ": a name may be lost, as an earlier sync failed");
    }
    const absl::Status synced = files_.SyncDir(directory_);
    if (!synced.ok()) ++names_failed_;
    return synced;
  };
}

void BulkDirectory::Add(const std::string& name, const Entry& entry) {
  MutexLock lock(mutex_);
  entries_[name] = entry;
}

void BulkDirectory::SetBytes(const std::string& name, uint64_t bytes) {
  MutexLock lock(mutex_);
  bytes_ += bytes - std::exchange(entries_[name].bytes, bytes);
}

void BulkDirectory::Remove(const std::string& name) {
  {
    MutexLock lock(mutex_);
    const auto entry = entries_.find(name);
    if (entry == entries_.end()) return;
    bytes_ -= entry->second.bytes;
    entries_.erase(entry);
  }
  files_.Remove(JoinPath(directory_, name)).IgnoreError();
}

void BulkDirectory::RemoveLatents(int64_t session) {
  const std::string prefix = absl::StrCat(session, "-");
  for (const std::string& name : Names(BulkUse::kLatents)) {
    if (name.starts_with(prefix)) Remove(name);
  }
}

absl::StatusOr<std::string> BulkDirectory::Path(const std::string& name) const {
  if (ParseName(name).has_value()) return JoinPath(directory_, name);
  return absl::DataLossError(absl::StrCat("snapshot: '", name, "' is no bulk file"));
}

int64_t BulkDirectory::SessionOf(const std::string& name) {
  return ParseName(name).value_or(BulkName()).session;
}

std::set<std::string> BulkDirectory::Names(BulkUse use) const {
  std::set<std::string> names;
  MutexLock lock(mutex_);
  for (const auto& [name, entry] : entries_) {
    if (entry.use == use) names.insert(name);
  }
  return names;
}

uint64_t BulkDirectory::bytes() const {
  MutexLock lock(mutex_);
  return bytes_;
}

uint64_t BulkDirectory::BytesOf(int64_t session) const {
  uint64_t sum = 0;
  for (const auto& [name, bytes] : OldestFirst(session)) sum += bytes;
  return sum;
}

std::vector<std::pair<std::string, uint64_t>> BulkDirectory::OldestFirst(int64_t session) const {
  const std::string prefix = session == 0 ? "" : absl::StrCat(session, "-");
  std::vector<std::pair<std::string, uint64_t>> files;
  {
    MutexLock lock(mutex_);
    for (auto at = entries_.lower_bound(prefix);
         at != entries_.end() && at->first.starts_with(prefix); ++at) {
      if (at->second.use == BulkUse::kSnapshot) files.emplace_back(at->first, at->second.bytes);
    }
  }
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) {
    return ParseName(a.first)->number < ParseName(b.first)->number;
  });
  return files;
}

}  // namespace longtake
