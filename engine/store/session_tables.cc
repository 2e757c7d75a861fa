// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/store/session_tables.h"

#include <algorithm>
#include <bit>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"
#include "engine/store/proof.h"
#include "engine/store/snapshot_table.h"
#include "engine/store/start_table.h"

namespace longtake {
namespace {

static_assert(std::endian::native == std::endian::little, "latents are written as they lie");

// Version 1 had no snapshots, 2 all latents in rows and no parts of start frames, and 3 no history
// that begins anew.
constexpr int64_t kSchemaVersion = 4;
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

constexpr char kPlaceSchema[] =
    "CREATE TABLE latent_places(session INTEGER NOT NULL, record INTEGER NOT NULL,"
    " file TEXT NOT NULL, offset INTEGER NOT NULL, table_crc INTEGER NOT NULL,"
    " PRIMARY KEY(session, record)) STRICT, WITHOUT ROWID;";

constexpr char kBaseSchema[] =
    "ALTER TABLE sessions ADD COLUMN base INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE sessions ADD COLUMN first_kept INTEGER NOT NULL DEFAULT 0;";

std::span<const std::byte> Bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// Rows of earlier versions stay proven.
Hash128 ProofOf(const SessionRow& row) {
  Proof proof;
  proof.Add(row.number)
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
      .Add(row.parent.value_or(0));
  if (row.base != 0 || row.first_kept != 0) proof.Add(row.base).Add(row.first_kept);
  return proof.hash();
}

Hash128 NextLink(int64_t session, const ChainEnd& at, int64_t kind, std::string_view body) {
  return Proof().Add(at.link).Add(session).Add(at.records).Add(kind).Add(body).hash();
}

// Of a session that is gone and has forks: no client can choose such an id.
std::string HiddenId(int64_t number) { return absl::StrCat("#", number); }

absl::Status Damaged(const std::string& row) {
  return Error(Reason::kSessionCorrupt, absl::StrCat("session store: ", row, " is damaged"));
}

constexpr char kSelectRow[] =
    "SELECT number, id, create_wall_nanos, expire_wall_nanos, records, link, chunks, decoded,"
    " end_frame, bytes, ended, epoch, parent, proof, base, first_kept FROM sessions";

absl::StatusOr<int64_t> ReadNumber(Database& database, const std::string& sql) {
  LT_ASSIGN_OR_RETURN(Statement statement, database.Prepare(sql));
  LT_ASSIGN_OR_RETURN(const bool row, statement.Step());
  if (!row) return absl::InternalError(absl::StrCat(sql, " gives nothing"));
  return statement.Int(0);
}

// Of kSelectRow.
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
  row.base = from.Int(14);
  row.first_kept = from.Int(15);
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
  to.Bind(index++, row.base);
  to.Bind(index++, row.first_kept);
  to.BindBlob(index++, ToBytes(ProofOf(row)));
  return index;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SessionTables>> SessionTables::Open(Database& database) {
  LT_ASSIGN_OR_RETURN(const int64_t version, ReadNumber(database, "PRAGMA user_version"));
  if (version < 0 || version > kSchemaVersion) {
    return absl::FailedPreconditionError(absl::StrCat(
        "session store: version ", version, " of its tables; this program knows ", kSchemaVersion));
  }
  if (version < kSchemaVersion) {
    LT_RETURN_IF_ERROR(database.Execute(absl::StrCat(
        "BEGIN IMMEDIATE;", version < 1 ? kSchema : "", version < 2 ? kSnapshotSchema : "",
        version < 3 ? kPlaceSchema : "", version < 3 ? kStartSchema : "", kBaseSchema,
        "PRAGMA application_id=", kApplicationId, ";PRAGMA user_version=", kSchemaVersion,
        ";COMMIT;")));
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
                             " base, first_kept, proof, parent)"
                             " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) RETURNING number"));
  LT_RETURN_IF_ERROR(prepare(update_,
                             "UPDATE sessions SET expire_wall_nanos=?, records=?, link=?, chunks=?,"
                             " decoded=?, end_frame=?, bytes=?, ended=?, epoch=?, base=?,"
                             " first_kept=?, proof=?"
                             " WHERE number=?"));
  LT_RETURN_IF_ERROR(prepare(append_, "INSERT INTO records VALUES(?,?,?,?,?)"));
  LT_RETURN_IF_ERROR(prepare(records_,
                             "SELECT number, kind, body, link FROM records WHERE session=?"
                             " AND number>=? AND number<? ORDER BY number"));
  LT_RETURN_IF_ERROR(
      prepare(first_, "SELECT kind, body, link FROM records WHERE session=? AND number=0"));
  LT_RETURN_IF_ERROR(prepare(fork_, "SELECT 1 FROM sessions WHERE parent=? LIMIT 1"));
  LT_ASSIGN_OR_RETURN(next_, database_.Prepare(absl::StrCat(
                                 kSelectRow, " WHERE number>? ORDER BY number LIMIT 1")));
  LT_RETURN_IF_ERROR(prepare(put_latents_, "INSERT INTO latents VALUES(?,?,?)"));
  LT_RETURN_IF_ERROR(
      prepare(get_latents_, "SELECT body FROM latents WHERE session=? AND record=?"));
  LT_RETURN_IF_ERROR(prepare(put_place_, "INSERT INTO latent_places VALUES(?,?,?,?,?)"));
  return prepare(find_place_,
                 "SELECT file, offset, table_crc FROM latent_places WHERE session=? AND record=?");
}

absl::Status SessionTables::Begin() { return database_.Execute("BEGIN IMMEDIATE"); }
absl::Status SessionTables::Commit() { return database_.Commit(); }
absl::Status SessionTables::Probe() {
  return database_.Execute(absl::StrCat("PRAGMA user_version=", kSchemaVersion));
}
absl::StatusOr<int64_t> SessionTables::FreePages() {
  return ReadNumber(database_, "PRAGMA freelist_count");
}
absl::Status SessionTables::GiveBack(int64_t pages) {
  return database_.Execute(absl::StrCat("PRAGMA incremental_vacuum(", pages, ")"));
}
absl::Status SessionTables::Rollback() { return database_.Execute("ROLLBACK"); }

absl::StatusOr<SessionTables::Found> SessionTables::Sessions() {
  LT_ASSIGN_OR_RETURN(Statement rows,
                      database_.Prepare(absl::StrCat(kSelectRow, " ORDER BY number")));
  Found found;
  for (;;) {
    LT_ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return found;
    const SessionRow row = ReadRow(rows);
    if (ToHash(rows.Blob(13)) == ProofOf(row)) {
      (row.id == HiddenId(row.number) ? found.hidden : found.sessions).push_back(row);
    } else {
      found.damaged.push_back(row);
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

absl::StatusOr<int64_t> SessionTables::Remove(const SessionRow& row) {
  LT_ASSIGN_OR_RETURN(const bool has_forks, HasForks(row.number));
  if (has_forks) {
    LT_RETURN_IF_ERROR(Hide(row));
    return row.bytes;
  }
  int64_t hidden_bytes = 0;
  for (std::optional<SessionRow> gone = row; gone.has_value();) {
    for (const char* table : {"latents WHERE session", "latent_places WHERE session",
                              "records WHERE session", "sessions WHERE number"}) {
      LT_RETURN_IF_ERROR(database_.Execute(absl::StrCat("DELETE FROM ", table, "=", gone->number)));
    }
    removed_.push_back(gone->number);
    if (!gone->parent.has_value()) break;
    // A parent that only its forks kept may go now.
    LT_ASSIGN_OR_RETURN(const bool is_needed, HasForks(*gone->parent));
    if (is_needed) break;
    LT_ASSIGN_OR_RETURN(gone, FindHidden(*gone->parent));
    if (gone.has_value()) hidden_bytes -= gone->bytes;
  }
  return hidden_bytes;
}

absl::StatusOr<bool> SessionTables::HasForks(int64_t number) {
  fork_->Reset();
  fork_->Bind(1, number);
  LT_ASSIGN_OR_RETURN(const bool found, fork_->Step());
  fork_->Reset();
  return found;
}

absl::StatusOr<std::optional<SessionRow>> SessionTables::FindHidden(int64_t number) {
  LT_ASSIGN_OR_RETURN(const std::optional<FoundRow> found, Next(number - 1));
  if (!found.has_value() || found->row.number != number || !found->hidden) return std::nullopt;
  return found->row;
}

absl::StatusOr<std::optional<SessionTables::FoundRow>> SessionTables::Next(int64_t number) {
  next_->Reset();
  next_->Bind(1, number);
  LT_ASSIGN_OR_RETURN(const bool found, next_->Step());
  if (!found) return std::nullopt;
  FoundRow next = {.row = ReadRow(*next_)};
  next.damaged = ToHash(next_->Blob(13)) != ProofOf(next.row);
  next.hidden = !next.damaged && next.row.id == HiddenId(next.row.number);
  next_->Reset();
  return next;
}

absl::Status SessionTables::Hide(SessionRow row) {
  row.id = HiddenId(row.number);
  LT_RETURN_IF_ERROR(database_.Execute(
      absl::StrCat("UPDATE sessions SET id='", row.id, "' WHERE number=", row.number)));
  return Update(row);
}

absl::Status SessionTables::Append(SessionRow& row, const RecordBytes& record) {
  const Hash128 link = NextLink(row.number, {row.records, row.link}, record.kind, record.body);
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
  ChainEnd at;
  LT_ASSIGN_OR_RETURN(std::vector<RecordBytes> chain, ReadChain(number, records, at));
  if (at.link == link) return chain;
  return Damaged(absl::StrCat("the end of session number ", number, " after record ", at.records));
}

absl::StatusOr<std::vector<RecordBytes>> SessionTables::ReadChain(int64_t number, int64_t end,
                                                                  ChainEnd& at) {
  std::vector<RecordBytes> chain;
  records_->Reset();
  records_->Bind(1, number);
  records_->Bind(2, at.records);
  records_->Bind(3, end);
  for (;;) {
    LT_ASSIGN_OR_RETURN(const bool more, records_->Step());
    if (!more) break;
    const std::span<const std::byte> blob = records_->Blob(2);
    const std::string_view body(reinterpret_cast<const char*>(blob.data()), blob.size());
    at.link = NextLink(number, at, records_->Int(1), body);
    if (records_->Int(0) != at.records || ToHash(records_->Blob(3)) != at.link) {
      records_->Reset();
      return Damaged(absl::StrCat("record ", at.records, " of session number ", number));
    }
    ++at.records;
    chain.push_back({.kind = records_->Int(1), .body = std::string(body)});
  }
  if (at.records == end) return chain;
  return Missing(number,
                 absl::StrCat("the end of session number ", number, " after record ", at.records));
}

absl::Status SessionTables::Missing(int64_t number, const std::string& what) {
  LT_ASSIGN_OR_RETURN(const std::optional<FoundRow> row, Next(number - 1));
  if (row.has_value() && row->row.number == number) return Damaged(what);
  return absl::UnavailableError(absl::StrCat("session store: ", what, ": no such session"));
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
    whole = ToHash(first_->Blob(2)) == NextLink(row.number, {}, record.kind, record.body);
  }
  first_->Reset();
  if (whole) return record;
  const std::string what = absl::StrCat("record 0 of session ", row.id);
  return found ? Damaged(what) : Missing(row.number, what);
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
  const LatentsRef& ref = stored.ref;
  const auto count = static_cast<uint64_t>(ref.channels * ref.grid.volume());
  const std::span<const std::byte> body =
      found ? get_latents_->Blob(0) : std::span<const std::byte>();
  const bool whole = found && body.size() == count * sizeof(float) && Xxh3Hash128(body) == ref.hash;
  std::vector<float> values(whole ? count : 0);
  std::ranges::copy(body.first(values.size() * sizeof(float)),
                    std::as_writable_bytes(std::span(values)).begin());
  get_latents_->Reset();
  if (whole) return Latents(ref.channels, ref.grid, std::move(values));
  const std::string what =
      absl::StrCat("the latents of record ", stored.record, " of session ", stored.session);
  return found ? Damaged(what) : Missing(stored.session, what);
}

absl::Status SessionTables::PutLatentPlace(SessionRow& row, const LatentPlace& place,
                                           uint64_t bytes) {
  put_place_->Bind(1, row.number);
  put_place_->Bind(2, row.records);
  put_place_->Bind(3, std::string_view(place.file));
  put_place_->Bind(4, static_cast<int64_t>(place.offset));
  put_place_->Bind(5, int64_t{place.table_crc});
  LT_RETURN_IF_ERROR(put_place_->Run());
  row.bytes += static_cast<int64_t>(bytes);
  return absl::OkStatus();
}

absl::StatusOr<std::optional<LatentPlace>> SessionTables::FindLatentPlace(
    const StoredLatents& stored) {
  find_place_->Reset();
  find_place_->Bind(1, stored.session);
  find_place_->Bind(2, stored.record);
  LT_ASSIGN_OR_RETURN(const bool found, find_place_->Step());
  std::optional<LatentPlace> place;
  if (found) {
    place = {.file = std::string(find_place_->Text(0)),
             .offset = static_cast<uint64_t>(find_place_->Int(1)),
             .table_crc = static_cast<uint32_t>(find_place_->Int(2))};
  }
  find_place_->Reset();
  return place;
}

absl::StatusOr<std::set<std::string>> SessionTables::LatentFileNames() {
  LT_ASSIGN_OR_RETURN(Statement rows, database_.Prepare("SELECT DISTINCT file FROM latent_places"));
  std::set<std::string> files;
  for (;;) {
    LT_ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return files;
    files.emplace(rows.Text(0));
  }
}

}  // namespace longtake
