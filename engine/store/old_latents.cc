// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/store/old_latents.h"

#include <algorithm>
#include <span>
#include <string_view>
#include <variant>

#include "engine/store/record.h"

namespace longtake {
namespace {

absl::StatusOr<Record> RecordIn(Statement& row, int kind, int body) {
  const std::span<const std::byte> blob = row.Blob(body);
  return DecodeRecord(row.Int(kind), {reinterpret_cast<const char*>(blob.data()), blob.size()});
}

}  // namespace

absl::StatusOr<std::unique_ptr<OldLatents>> OldLatents::Open(Database& database) {
  auto latents = std::unique_ptr<OldLatents>(new OldLatents(database));
  LT_RETURN_IF_ERROR(latents->Prepare());
  return latents;
}

absl::Status OldLatents::Prepare() {
  const auto prepare = [this](std::optional<Statement>& statement,
                              const char* sql) -> absl::Status {
    LT_ASSIGN_OR_RETURN(statement, database_.Prepare(sql));
    return absl::OkStatus();
  };
  LT_RETURN_IF_ERROR(prepare(forks_,
                             "SELECT kind, body FROM sessions JOIN records ON"
                             " records.session=sessions.number AND records.number=1"
                             " WHERE parent=?"));
  LT_RETURN_IF_ERROR(prepare(in_rows_,
                             "SELECT record, kind, records.body, '' FROM latents JOIN records"
                             " ON records.session=latents.session AND number=record"
                             " WHERE latents.session=? AND record>=?"));
  LT_RETURN_IF_ERROR(prepare(in_files_,
                             "SELECT record, kind, body, file FROM latent_places AS place"
                             " JOIN records ON records.session=place.session AND number=record"
                             " WHERE place.session=? AND record>=?"));
  LT_RETURN_IF_ERROR(prepare(remove_row_, "DELETE FROM latents WHERE session=? AND record=?"));
  LT_RETURN_IF_ERROR(
      prepare(remove_place_, "DELETE FROM latent_places WHERE session=? AND record=?"));
  LT_RETURN_IF_ERROR(prepare(has_,
                             "SELECT 1 FROM latents WHERE session=?1 AND record=?2 UNION ALL"
                             " SELECT 1 FROM latent_places WHERE session=?1 AND record=?2"));
  return prepare(is_named_, "SELECT 1 FROM latent_places WHERE session=? AND file=? LIMIT 1");
}

// One whose record is damaged may have been made a moment ago.
absl::StatusOr<int64_t> OldLatents::EndOfForks(int64_t session) {
  int64_t end = 0;
  forks_->Reset();
  forks_->Bind(1, session);
  for (;;) {
    LT_ASSIGN_OR_RETURN(const bool more, forks_->Step());
    if (!more) return end;
    const absl::StatusOr<Record> record = RecordIn(*forks_, 0, 1);
    const auto* forked = record.ok() ? std::get_if<SessionForked>(&*record) : nullptr;
    end = std::max(end, forked != nullptr ? forked->records : INT64_MAX);
  }
}

absl::StatusOr<std::vector<OldLatents::Old>> OldLatents::Find(int64_t session, int64_t first) {
  LT_ASSIGN_OR_RETURN(const int64_t end_of_forks, EndOfForks(session));
  std::vector<Old> found;
  for (std::optional<Statement>* rows : {&in_rows_, &in_files_}) {
    (*rows)->Reset();
    (*rows)->Bind(1, session);
    (*rows)->Bind(2, end_of_forks);
    for (;;) {
      LT_ASSIGN_OR_RETURN(const bool more, (*rows)->Step());
      if (!more) break;
      const absl::StatusOr<Record> record = RecordIn(**rows, 1, 2);
      const auto* settled = record.ok() ? std::get_if<ChunkSettled>(&*record) : nullptr;
      if (settled == nullptr || settled->chunk >= first) continue;
      found.push_back({.record = (*rows)->Int(0),
                       .bytes = settled->latents.bytes(),
                       .file = std::string((*rows)->Text(3))});
    }
  }
  return found;
}

absl::StatusOr<int64_t> OldLatents::Count(int64_t session, int64_t first) {
  LT_ASSIGN_OR_RETURN(const std::vector<Old> found, Find(session, first));
  int64_t bytes = 0;
  for (const Old& old : found) bytes += old.bytes;
  return bytes;
}

absl::StatusOr<int64_t> OldLatents::Remove(int64_t session, int64_t first) {
  LT_ASSIGN_OR_RETURN(const std::vector<Old> found, Find(session, first));
  int64_t bytes = 0;
  for (const Old& old : found) {
    Statement& remove = old.file.empty() ? *remove_row_ : *remove_place_;
    remove.Bind(1, session);
    remove.Bind(2, old.record);
    LT_RETURN_IF_ERROR(remove.Run());
    if (!old.file.empty()) dropped_.insert(old.file);
    bytes += old.bytes;
  }
  return bytes;
}

absl::StatusOr<bool> OldLatents::Has(int64_t session, int64_t record) {
  has_->Reset();
  has_->Bind(1, session);
  has_->Bind(2, record);
  LT_ASSIGN_OR_RETURN(const bool found, has_->Step());
  has_->Reset();
  return found;
}

absl::StatusOr<bool> OldLatents::IsNamed(int64_t session, const std::string& file) {
  is_named_->Reset();
  is_named_->Bind(1, session);
  is_named_->Bind(2, std::string_view(file));
  LT_ASSIGN_OR_RETURN(const bool found, is_named_->Step());
  is_named_->Reset();
  return found;
}

}  // namespace longtake
