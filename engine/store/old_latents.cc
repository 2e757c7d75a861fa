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

absl::StatusOr<std::unique_ptr<OldLatents>> OldLatents::Open(Database& database,
                                                             SessionTables& tables) {
  auto latents = std::unique_ptr<OldLatents>(new OldLatents(database, tables));
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
                             "SELECT sessions.number, kind, body FROM sessions LEFT JOIN records"
                             " ON records.session=sessions.number AND records.number=1"
                             " WHERE parent=?"));
  LT_RETURN_IF_ERROR(prepare(in_rows_,
                             "SELECT record, kind, records.body, '' FROM latents JOIN records"
                             " ON records.session=latents.session AND number=record"
                             " WHERE latents.session=? AND record>=? AND record<?"));
  LT_RETURN_IF_ERROR(prepare(in_files_,
                             "SELECT record, kind, body, file FROM latent_places AS place"
                             " JOIN records ON records.session=place.session AND number=record"
                             " WHERE place.session=? AND record>=? AND record<?"));
  LT_RETURN_IF_ERROR(prepare(remove_row_, "DELETE FROM latents WHERE session=? AND record=?"));
  LT_RETURN_IF_ERROR(
      prepare(remove_place_, "DELETE FROM latent_places WHERE session=? AND record=?"));
  return prepare(is_named_, "SELECT 1 FROM latent_places WHERE session=? AND file=? LIMIT 1");
}

// Of one whose record is damaged nothing is known.
absl::StatusOr<std::vector<OldLatents::Fork>> OldLatents::Forks(int64_t session) {
  std::vector<Fork> found;
  forks_->Reset();
  forks_->Bind(1, session);
  for (;;) {
    LT_ASSIGN_OR_RETURN(const bool more, forks_->Step());
    if (!more) return found;
    Fork& fork = found.emplace_back(Fork{.number = forks_->Int(0)});
    const absl::StatusOr<Record> record = RecordIn(*forks_, 1, 2);
    const auto* forked = record.ok() ? std::get_if<SessionForked>(&*record) : nullptr;
    if (forked == nullptr) continue;
    fork.need = {.records = forked->records, .end_chunk = forked->chunk};
  }
}

absl::StatusOr<ForkNeeds> OldLatents::NeedsOf(int64_t session) {
  ForkNeeds needs;
  LT_ASSIGN_OR_RETURN(const std::vector<Fork> forks, Forks(session));
  for (Fork fork : forks) {
    LT_ASSIGN_OR_RETURN(const Chunks read, ReadBy(fork.number));
    fork.need.first_chunk = read.first;
    fork.need.end_chunk = std::min(fork.need.end_chunk, read.end);
    needs.Add(fork.need);
  }
  return needs;
}

// Itself and its forks, and theirs, as deep as they go. One that is hidden reads nothing for
// itself; of one that does not prove itself nothing is known, so it reads all that its way there
// allows.
absl::StatusOr<OldLatents::Chunks> OldLatents::ReadBy(int64_t session) {
  struct Reader {
    int64_t number = 0;
    int64_t end = INT64_MAX;  // of what all on the way to it share
  };
  std::vector<Reader> readers = {{.number = session}};
  Chunks read = {.first = INT64_MAX, .end = 0};
  while (!readers.empty()) {
    const Reader reader = readers.back();
    readers.pop_back();
    if (read.first == 0 && read.end >= reader.end) continue;  // neither it nor what is behind it
    LT_ASSIGN_OR_RETURN(const auto found, tables_.Next(reader.number - 1));
    const bool proves = found.has_value() && found->row.number == reader.number && !found->damaged;
    if (!proves || !found->hidden) {
      read.first = std::min(read.first, proves ? found->row.first_kept : 0);
      read.end = std::max(read.end, reader.end);
    }
    if (!proves) continue;
    LT_ASSIGN_OR_RETURN(const std::vector<Fork> forks, Forks(reader.number));
    for (const Fork& fork : forks) {
      // Forks are younger; a row that says otherwise must not lead in a circle.
      if (fork.number <= reader.number) continue;
      readers.push_back({.number = fork.number, .end = std::min(reader.end, fork.need.end_chunk)});
    }
  }
  return read;
}

absl::StatusOr<std::vector<OldLatents::Old>> OldLatents::Find(int64_t session, int64_t first,
                                                              const RecordRange& range) {
  LT_ASSIGN_OR_RETURN(const ForkNeeds needs, NeedsOf(session));
  std::vector<Old> found;
  for (std::optional<Statement>* rows : {&in_rows_, &in_files_}) {
    (*rows)->Reset();
    (*rows)->Bind(1, session);
    (*rows)->Bind(2, range.begin);
    (*rows)->Bind(3, range.end);
    for (;;) {
      LT_ASSIGN_OR_RETURN(const bool more, (*rows)->Step());
      if (!more) break;
      const int64_t number = (*rows)->Int(0);
      const absl::StatusOr<Record> record = RecordIn(**rows, 1, 2);
      const auto* settled = record.ok() ? std::get_if<ChunkSettled>(&*record) : nullptr;
      if (settled == nullptr || settled->chunk >= first) continue;
      if (needs.Has(number, settled->chunk)) continue;
      found.push_back({.record = number,
                       .bytes = settled->latents.bytes(),
                       .file = std::string((*rows)->Text(3))});
    }
  }
  return found;
}

absl::StatusOr<int64_t> OldLatents::Count(int64_t session, int64_t first) {
  LT_ASSIGN_OR_RETURN(const std::vector<Old> found, Find(session, first, {}));
  int64_t bytes = 0;
  for (const Old& old : found) bytes += old.bytes;
  return bytes;
}

absl::StatusOr<int64_t> OldLatents::Remove(int64_t session, int64_t first,
                                           const RecordRange& range) {
  LT_ASSIGN_OR_RETURN(const std::vector<Old> found, Find(session, first, range));
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

absl::StatusOr<bool> OldLatents::IsNamed(int64_t session, const std::string& file) {
  is_named_->Reset();
  is_named_->Bind(1, session);
  is_named_->Bind(2, std::string_view(file));
  LT_ASSIGN_OR_RETURN(const bool found, is_named_->Step());
  is_named_->Reset();
  return found;
}

}  // namespace longtake
