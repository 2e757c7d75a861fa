// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/store/store_database.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/units.h"
#include "engine/store/copy_check.h"
#include "storage/database/wal_scan.h"

namespace longtake {
namespace {

constexpr char kPrefix[] = "sessions-";
constexpr char kSuffix[] = ".db";
// A copy that is not whole yet.
constexpr char kCopy[] = ".copy";
constexpr char kRows[] = "-rows";  // one of rows, from which the copy is made
// What SQLite keeps beside a database.
constexpr const char* kCompanions[] = {"", "-wal", "-shm", "-journal"};

// The number in the name of a database or of a file beside it.
std::optional<int64_t> NumberOf(std::string_view name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(sizeof(kPrefix) - 1);
  const size_t end = name.find(kSuffix);
  if (end == std::string_view::npos) return std::nullopt;
  const absl::StatusOr<uint64_t> number = ParseCount(std::string(name.substr(0, end)));
  if (!number.ok() || *number == 0 || *number > INT32_MAX) return std::nullopt;
  return static_cast<int64_t>(*number);
}

// Our own statements fit our own tables: where SQLite does not understand one, what the file says
// of its tables is not what was written.
absl::Status OfTables(const absl::Status& status) {
  return absl::IsInternal(status) ? absl::DataLossError(status.message()) : status;
}

}  // namespace

absl::StatusOr<std::unique_ptr<StoreDatabase>> StoreDatabase::Open(FileSystem& files,
                                                                   std::string directory,
                                                                   std::string vfs) {
  std::unique_ptr<StoreDatabase> store(
      new StoreDatabase(files, std::move(directory), std::move(vfs)));
  LT_ASSIGN_OR_RETURN(const int64_t number, store->FindNumber());
  LT_RETURN_IF_ERROR(store->OpenNumber(std::max<int64_t>(number, 1)));
  return store;
}

std::string StoreDatabase::PathOf(int64_t number) const {
  return JoinPath(directory_, absl::StrCat(kPrefix, number, kSuffix));
}

absl::StatusOr<int64_t> StoreDatabase::FindNumber() {
  LT_ASSIGN_OR_RETURN(const std::vector<std::string> names, files_.List(directory_));
  int64_t highest = 0;
  for (const std::string& name : names) {
    if (name.ends_with(kSuffix)) highest = std::max(highest, NumberOf(name).value_or(0));
  }
  for (const std::string& name : names) {
    const std::optional<int64_t> number = NumberOf(name);
    if (!number.has_value()) continue;
    if (*number != highest || name.find(kCopy) != std::string::npos) {
      Remove(JoinPath(directory_, name));
    }
  }
  return highest;
}

absl::Status StoreDatabase::OpenNumber(int64_t number) {
  const std::string path = PathOf(number);
  LT_RETURN_IF_ERROR(ScanWal(files_, path));
  LT_ASSIGN_OR_RETURN(std::unique_ptr<Database> database,
                      Database::Open({.path = path, .vfs = vfs_}));
  auto tables = SessionTables::Open(*database);
  if (!tables.ok()) return OfTables(tables.status());
  auto snapshots = SnapshotTable::Open(*database);
  if (!snapshots.ok()) return OfTables(snapshots.status());
  auto starts = StartTable::Open(*database);
  if (!starts.ok()) return OfTables(starts.status());
  auto old_latents = OldLatents::Open(*database, **tables);
  if (!old_latents.ok()) return OfTables(old_latents.status());
  LT_RETURN_IF_ERROR(files_.SyncDir(directory_));  // SQLite's own passes over what fails there
  old_latents_ = *std::move(old_latents);          // all before the database they work on
  starts_ = *std::move(starts);
  snapshots_ = *std::move(snapshots);
  tables_ = *std::move(tables);
  database_ = std::move(database);
  number_ = number;
  last_number_ = std::max(last_number_, number);
  superseded_ = false;
  return absl::OkStatus();
}

absl::Status StoreDatabase::Begin() {
  if (superseded_ || !database_->failed_sync().ok()) LT_RETURN_IF_ERROR(WriteAnew(*database_));
  return tables_->Begin();
}

// A transaction in which the sync failed is taken back already.
void StoreDatabase::Abandon() {
  if (database_->in_transaction()) tables_->Rollback().IgnoreError();
}

// Every try has a number of its own: what one that failed left beside its file would be taken for
// the next one's log.
absl::Status StoreDatabase::WriteAnew(Database& from) {
  const int64_t old_number = number_;
  const int64_t number = ++last_number_;
  const std::string path = PathOf(number);
  const std::string copy = absl::StrCat(path, kCopy);
  RemoveAll(copy);
  absl::Status copied = from.CopyTo(copy);
  if (copied.ok()) copied = ReadBack(from, copy);
  if (copied.ok()) copied = files_.Rename(copy, path);
  if (!copied.ok()) {  // it takes room that the next try needs
    RemoveAll(copy);
    return copied;
  }
  superseded_ = true;
  LT_RETURN_IF_ERROR(files_.SyncDir(directory_));
  LT_RETURN_IF_ERROR(OpenNumber(number));
  for (int64_t old = old_number; old < number; ++old) RemoveAll(PathOf(old));
  return absl::OkStatus();
}

absl::Status StoreDatabase::ReadBack(Database& from, const std::string& copy) {
  {
    LT_ASSIGN_OR_RETURN(const std::unique_ptr<File> file,
                        files_.OpenRead(copy, ReadMode::kBuffered));
    LT_ASSIGN_OR_RETURN(const uint64_t bytes, file->Size());
    file->DropCached(0, bytes);
  }
  const absl::StatusOr<std::unique_ptr<Database>> opened =
      Database::Open({.path = copy, .vfs = vfs_});
  // Of the source that is not said: whoever asks would write it anew again.
  if (absl::IsDataLoss(opened.status())) return absl::UnavailableError(opened.status().message());
  LT_RETURN_IF_ERROR(opened.status());
  return CheckCopy(from, **opened);
}

absl::StatusOr<std::map<int64_t, LostRows>> StoreDatabase::Rescue(
    const std::vector<SessionRow>& known) {
  const std::string path = absl::StrCat(PathOf(++last_number_), kCopy, kRows);
  RemoveAll(path);
  std::map<int64_t, LostRows> lost;
  const auto rescue = [&]() -> absl::Status {
    LT_ASSIGN_OR_RETURN(const std::unique_ptr<Database> rows,
                        Database::Open({.path = path, .vfs = vfs_}));
    LT_ASSIGN_OR_RETURN(const std::unique_ptr<SessionTables> tables, SessionTables::Open(*rows));
    LT_ASSIGN_OR_RETURN(lost, RescueRows(*database_, *rows, *tables, known));
    return WriteAnew(*rows);
  };
  const absl::Status rescued = rescue();
  RemoveAll(path);
  LT_RETURN_IF_ERROR(rescued);
  return lost;
}

void StoreDatabase::RemoveAll(const std::string& path) {
  for (const char* companion : kCompanions) Remove(absl::StrCat(path, companion));
}

void StoreDatabase::Remove(const std::string& path) { files_.Remove(path).IgnoreError(); }

}  // namespace longtake
