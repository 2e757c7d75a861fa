// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/store/session_tables.h"

#include <bit>
#include <cstring>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"
#include "engine/store/proof.h"
#include "engine/store/snapshot_table.h"

namespace longtake {
namespace {

static_assert(std::endian::native == std::endian::little, "latents are written as they lie");

// Version 1 had no snapshots.
constexpr int64_t kSchemaVersion = 2;
// Identifies the file to who looks at it with other tools.
constexpr int64_t kApplicationId = 0x4c54616b;

constexpr char kSchema[] =
    "CREATE TABLE sessions(number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
    " create_wall_nanos INTEGER NOT NULL, expire_wall_nanos INTEGER, records INTEGER NOT NULL,"
    " link BLOB NOT NULL, chunks INTEGER NOT NULL, decoded INTEGER NOT NULL,"
    " end_frame INTEGER NOT NULL, bytes INTEGER NOT NULL, ended INTEGER NOT NULL,"
    " epoch INTEGER NOT NULL, parent INTEGER, proof BLOB NOT NULL) STRICT;"
    "CREATE INDEX forks ON sessions(parent) WHERE parent IS NOT NULL;"
    "CREATE TABLE records(session INTEGER NOT NULL, number INTEGER NOT NULL, kind INTEGER NOT NULL,"
    " body BLOB NOT NULL, link BLOB NOT NULL, PRIMARY KEY(session, number)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE latents(session INTEGER NOT NULL, record INTEGER NOT NULL, body BLOB NOT NULL,"
    " PRIMARY KEY(session, record)) STRICT;";

std::span<const std::byte> Bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

Hash128 ProofOf(const SessionRow& row) {
  return Proof()
      .Add(row.number)
      .Add(row.id)
      .Add(row.create_wall_nanos)
      .Add(int64_t{row.expire_wall_nanos.has_value()})
      .Add(row.expire_wall_nanos.value_or(0))
      .Add(row.records)
      .Add(row.link)
      .Add(row.chunks)
      .Add(row.decoded)
      .Add(row.end_frame)
      .Add(row.bytes)
      .Add(int64_t{row.ended})
      .Add(row.epoch)
      .Add(int64_t{row.parent.has_value()})
      .Add(row.parent.value_or(0))
      .hash();
}

Hash128 NextLink(const SessionRow& row, int64_t kind, std::string_view body) {
  return Proof().Add(row.link).Add(row.number).Add(row.records).Add(kind).Add(body).hash();
}

// Of a session that is gone and has forks: no client can choose such an id.
std::string HiddenId(int64_t number) { return absl::StrCat("#", number); }

absl::Status Damaged(const std::string& row) {
  return Error(Reason::kSessionCorrupt, absl::StrCat("session store: ", row, " is damaged"));
}

absl::StatusOr<int64_t> ReadNumber(Database& database, const std::string& sql) {
  LT_ASSIGN_OR_RETURN(Statement statement, database.Prepare(sql));
  LT_ASSIGN_OR_RETURN(const bool row, statement.Step());
  if (!row) return absl::InternalError(absl::StrCat(sql, " gives nothing"));
  return statement.Int(0);
}

SessionRow ReadRow(Statement& from) {
  SessionRow row = {.number = from.Int(0),
                    .id = std::string(from.Text(1)),
                    .create_wall_nanos = from.Int(2),
                    .records = from.Int(4),
                    .link = ToHash(from.Blob(5)),
                    .chunks = from.Int(6),
                    .decoded = from.Int(7),
                    .end_frame = from.Int(8),
                    .bytes = from.Int(9),
                    .ended = from.Int(10) != 0};
  if (!from.IsNull(3)) row.expire_wall_nanos = from.Int(3);
  row.epoch = from.Int(11);
  if (!from.IsNull(12)) row.parent = from.Int(12);
  return row;
}

void BindOptional(Statement& to, int index, const std::optional<int64_t>& number) {
  if (number.has_value()) {
    to.Bind(index, *number);
  } else {
    to.BindNull(index);
  }
}

// All that may change, from the first index on; the next free index.
int BindChanges(Statement& to, const SessionRow& row, int index) {
  BindOptional(to, index++, row.expire_wall_nanos);
  to.Bind(index++, row.records);
  to.BindBlob(index++, ToBytes(row.link));
  to.Bind(index++, row.chunks);
  to.Bind(index++, row.decoded);
  to.Bind(index++, row.end_frame);
  to.Bind(index++, row.bytes);
  to.Bind(index++, int64_t{row.ended});
  to.Bind(index++, row.epoch);
  to.BindBlob(index++, ToBytes(ProofOf(row)));
  return index;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SessionTables>> SessionTables::Open(Database& database) {
  LT_ASSIGN_OR_RETURN(const int64_t version, ReadNumber(database, "PRAGMA user_version"));
  if (version == 0) {
    LT_RETURN_IF_ERROR(database.Execute(absl::StrCat(
        "BEGIN IMMEDIATE;", kSchema, kSnapshotSchema, "PRAGMA application_id=", kApplicationId,
        ";PRAGMA user_version=", kSchemaVersion, ";COMMIT;")));
  } else if (version == 1) {
    LT_RETURN_IF_ERROR(database.Execute(absl::StrCat(
        "BEGIN IMMEDIATE;", kSnapshotSchema, "PRAGMA user_version=", kSchemaVersion, ";COMMIT;")));
  } else if (version != kSchemaVersion) {
    return absl::FailedPreconditionError(absl::StrCat(
        "session store: version ", version, " of its tables; this program knows ", kSchemaVersion));
  }
  auto tables = std::unique_ptr<SessionTables>(new SessionTables(database));
  LT_RETURN_IF_ERROR(tables->Prepare());
  return tables;
}

absl::Status SessionTables::Prepare() {
  const auto prepare = [this](std::optional<Statement>& statement,
                              const char* sql) -> absl::Status {
    LT_ASSIGN_OR_RETURN(statement, database_.Prepare(sql));
    return absl::OkStatus();
  };
  LT_RETURN_IF_ERROR(prepare(insert_,
                             "INSERT INTO sessions(id, create_wall_nanos, expire_wall_nanos,"
                             " records, link, chunks, decoded, end_frame, bytes, ended, epoch,"
                             " proof, parent) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?) RETURNING number"));
  LT_RETURN_IF_ERROR(prepare(update_,
                             "UPDATE sessions SET expire_wall_nanos=?, records=?, link=?, chunks=?,"
                             " decoded=?, end_frame=?, bytes=?, ended=?, epoch=?, proof=?"
                             " WHERE number=?"));
  LT_RETURN_IF_ERROR(prepare(append_, "INSERT INTO records VALUES(?,?,?,?,?)"));
  LT_RETURN_IF_ERROR(prepare(records_,
                             "SELECT number, kind, body, link FROM records WHERE session=?"
                             " AND number<? ORDER BY number"));
  LT_RETURN_IF_ERROR(
      prepare(first_, "SELECT kind, body, link FROM records WHERE session=? AND number=0"));
  LT_RETURN_IF_ERROR(prepare(put_latents_, "INSERT INTO latents VALUES(?,?,?)"));
  return prepare(get_latents_, "SELECT body FROM latents WHERE session=? AND record=?");
}

absl::Status SessionTables::Begin() { return database_.Execute("BEGIN IMMEDIATE"); }
absl::Status SessionTables::Commit() { return database_.Commit(); }
absl::Status SessionTables::Probe() {
  return database_.Execute(absl::StrCat("PRAGMA user_version=", kSchemaVersion));
}
absl::Status SessionTables::Rollback() { return database_.Execute("ROLLBACK"); }

absl::StatusOr<SessionTables::Found> SessionTables::Sessions() {
  LT_ASSIGN_OR_RETURN(Statement rows,
                      database_.Prepare("SELECT number, id, create_wall_nanos, expire_wall_nanos,"
                                        " records, link, chunks, decoded, end_frame, bytes, ended,"
                                        " epoch, parent, proof FROM sessions ORDER BY number"));
  Found found;
  for (;;) {
    LT_ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return found;
    const SessionRow row = ReadRow(rows);
    if (ToHash(rows.Blob(13)) == ProofOf(row)) {
      (row.id == HiddenId(row.number) ? found.hidden : found.sessions).push_back(row);
    } else {
      found.damaged.push_back(row.number);
    }
  }
}

// The number is part of the proof, so the row is written twice.
absl::Status SessionTables::Insert(SessionRow& row) {
  insert_->Bind(1, std::string_view(row.id));
  insert_->Bind(2, row.create_wall_nanos);
  BindOptional(*insert_, BindChanges(*insert_, row, 3), row.parent);
  const absl::StatusOr<bool> inserted = insert_->Step();
  if (inserted.ok()) row.number = insert_->Int(0);
  LT_RETURN_IF_ERROR(inserted.ok() ? insert_->Run() : inserted.status());
  return Update(row);
}

absl::Status SessionTables::Update(const SessionRow& row) {
  update_->Bind(BindChanges(*update_, row, 1), row.number);
  return update_->Run();
}

absl::Status SessionTables::Remove(const SessionRow& row) {
  LT_ASSIGN_OR_RETURN(
      const int64_t forks,
      ReadNumber(database_,
                 absl::StrCat("SELECT COUNT(*) FROM sessions WHERE parent=", row.number)));
  if (forks > 0) {
    SessionRow hidden = row;
    hidden.id = HiddenId(row.number);
    LT_RETURN_IF_ERROR(database_.Execute(
        absl::StrCat("UPDATE sessions SET id='", hidden.id, "' WHERE number=", row.number)));
    return Update(hidden);
  }
  for (const char* table :
       {"latents WHERE session", "records WHERE session", "sessions WHERE number"}) {
    LT_RETURN_IF_ERROR(database_.Execute(absl::StrCat("DELETE FROM ", table, "=", row.number)));
  }
  if (!row.parent.has_value()) return absl::OkStatus();
  // A parent that only its forks kept may go now.
  LT_ASSIGN_OR_RETURN(const Found found, Sessions());
  for (const SessionRow& parent : found.hidden) {
    if (parent.number == *row.parent) return Remove(parent);
  }
  return absl::OkStatus();
}

absl::Status SessionTables::Append(SessionRow& row, const RecordBytes& record) {
  const Hash128 link = NextLink(row, record.kind, record.body);
  append_->Bind(1, row.number);
  append_->Bind(2, row.records);
  append_->Bind(3, record.kind);
  append_->BindBlob(4, Bytes(record.body));
  append_->BindBlob(5, ToBytes(link));
  LT_RETURN_IF_ERROR(append_->Run());
  row.link = link;
  ++row.records;
  row.bytes += std::ssize(record.body);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<RecordBytes>> SessionTables::Chain(int64_t number, int64_t records,
                                                              const Hash128& link) {
  std::vector<RecordBytes> chain;
  SessionRow at;
  at.number = number;
  records_->Reset();
  records_->Bind(1, number);
  records_->Bind(2, records);
  for (;;) {
    LT_ASSIGN_OR_RETURN(const bool more, records_->Step());
    if (!more) break;
    const std::span<const std::byte> blob = records_->Blob(2);
    const std::string_view body(reinterpret_cast<const char*>(blob.data()), blob.size());
    at.link = NextLink(at, records_->Int(1), body);
    if (records_->Int(0) != at.records || ToHash(records_->Blob(3)) != at.link) {
      records_->Reset();
      return Damaged(absl::StrCat("record ", at.records, " of session number ", number));
    }
    ++at.records;
    chain.push_back({.kind = records_->Int(1), .body = std::string(body)});
  }
  if (at.records == records && at.link == link) return chain;
  return Damaged(absl::StrCat("the end of session number ", number, " after record ", at.records));
}

absl::StatusOr<StoredSession> SessionTables::Read(const SessionRow& row) {
  return Read(row.id, row.number, row.records, row.link);
}

// As deep as forks were made of forks.
absl::StatusOr<StoredSession> SessionTables::Read(const std::string& id, int64_t number,
                                                  int64_t records, const Hash128& link) {
  LT_ASSIGN_OR_RETURN(const std::vector<RecordBytes> chain, Chain(number, records, link));
  LT_ASSIGN_OR_RETURN(const std::optional<SessionForked> fork, ForkOf(chain));
  if (!fork.has_value()) return ReadStoredSession(id, number, chain, /*parent=*/nullptr);
  if (fork->parent >= number) return Damaged(absl::StrCat("the fork of session number ", number));
  LT_ASSIGN_OR_RETURN(const StoredSession parent,
                      Read(id, fork->parent, fork->records, fork->link));
  return ReadStoredSession(id, number, chain, &parent);
}

absl::StatusOr<RecordBytes> SessionTables::FirstRecord(const SessionRow& row) {
  first_->Reset();
  first_->Bind(1, row.number);
  LT_ASSIGN_OR_RETURN(const bool found, first_->Step());
  RecordBytes record;
  bool whole = found;
  if (found) {
    const std::span<const std::byte> blob = first_->Blob(1);
    record = {.kind = first_->Int(0),
              .body = std::string(reinterpret_cast<const char*>(blob.data()), blob.size())};
    whole = ToHash(first_->Blob(2)) == NextLink({.number = row.number}, record.kind, record.body);
  }
  first_->Reset();
  return whole ? record
               : absl::StatusOr<RecordBytes>(Damaged(absl::StrCat("record 0 of session ", row.id)));
}

absl::Status SessionTables::PutLatents(SessionRow& row, const Latents& latents) {
  const std::span<const std::byte> bytes = std::as_bytes(latents.values());
  put_latents_->Bind(1, row.number);
  put_latents_->Bind(2, row.records);
  put_latents_->BindBlob(3, bytes);
  LT_RETURN_IF_ERROR(put_latents_->Run());
  row.bytes += std::ssize(bytes);
  return absl::OkStatus();
}

absl::StatusOr<Latents> SessionTables::GetLatents(const StoredLatents& stored) {
  get_latents_->Reset();
  get_latents_->Bind(1, stored.session);
  get_latents_->Bind(2, stored.record);
  LT_ASSIGN_OR_RETURN(const bool found, get_latents_->Step());
  const std::span<const std::byte> body =
      found ? get_latents_->Blob(0) : std::span<const std::byte>();
  const LatentsRef& ref = stored.ref;
  const int64_t count = ref.channels * ref.grid.volume();
  std::vector<float> values(body.size() / sizeof(float));
  if (!body.empty()) std::memcpy(values.data(), body.data(), values.size() * sizeof(float));
  const bool whole = found && body.size() == static_cast<uint64_t>(count) * sizeof(float) &&
                     Xxh3Hash128(body) == ref.hash;
  get_latents_->Reset();
  if (whole) return Latents(ref.channels, ref.grid, std::move(values));
  return Damaged(
      absl::StrCat("the latents of record ", stored.record, " of session ", stored.session));
}

}  // namespace longtake
