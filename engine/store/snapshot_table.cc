// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/store/snapshot_table.h"

#include <span>
#include <utility>

#include "engine/store/proof.h"

namespace longtake {

const char kSnapshotSchema[] =
    "CREATE TABLE snapshots(session INTEGER NOT NULL, chunk INTEGER NOT NULL, body BLOB NOT NULL,"
    " proof BLOB NOT NULL, PRIMARY KEY(session, chunk)) STRICT;"
    "CREATE TABLE snapshot_files(session INTEGER NOT NULL, chunk INTEGER NOT NULL,"
    " file TEXT NOT NULL, PRIMARY KEY(session, chunk, file)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX named_files ON snapshot_files(file);";

namespace {

Hash128 ProofOf(const SnapshotRow& row) {
  return Proof().Add(row.session).Add(row.chunk).Add(row.body).hash();
}

}  // namespace

absl::StatusOr<std::unique_ptr<SnapshotTable>> SnapshotTable::Open(Database& database) {
  auto table = std::unique_ptr<SnapshotTable>(new SnapshotTable(database));
  LT_RETURN_IF_ERROR(table->Prepare());
  return table;
}

absl::Status SnapshotTable::Prepare() {
  const auto prepare = [this](std::optional<Statement>& statement,
                              const char* sql) -> absl::Status {
    LT_ASSIGN_OR_RETURN(statement, database_.Prepare(sql));
    return absl::OkStatus();
  };
  LT_RETURN_IF_ERROR(prepare(
      read_, "SELECT chunk, body, proof FROM snapshots WHERE session=? ORDER BY chunk DESC"));
  LT_RETURN_IF_ERROR(
      prepare(chunks_, "SELECT chunk FROM snapshots WHERE session=? ORDER BY chunk DESC"));
  LT_RETURN_IF_ERROR(prepare(put_, "INSERT INTO snapshots VALUES(?,?,?,?)"));
  LT_RETURN_IF_ERROR(prepare(put_file_, "INSERT INTO snapshot_files VALUES(?,?,?)"));
  LT_RETURN_IF_ERROR(
      prepare(files_of_, "SELECT file FROM snapshot_files WHERE session=? AND chunk=?"));
  LT_RETURN_IF_ERROR(prepare(remove_, "DELETE FROM snapshots WHERE session=? AND chunk=?"));
  LT_RETURN_IF_ERROR(
      prepare(remove_files_, "DELETE FROM snapshot_files WHERE session=? AND chunk=?"));
  LT_RETURN_IF_ERROR(prepare(is_needed_,
                             "SELECT 1 FROM snapshot_files AS named JOIN sessions ON"
                             " number=session AND base=chunk WHERE named.file=? LIMIT 1"));
  return prepare(is_named_, "SELECT 1 FROM snapshot_files WHERE file=? LIMIT 1");
}

absl::StatusOr<SnapshotTable::Found> SnapshotTable::Read(int64_t session) {
  Found found;
  read_->Reset();
  read_->Bind(1, session);
  for (;;) {
    LT_ASSIGN_OR_RETURN(const bool more, read_->Step());
    if (!more) break;
    const std::span<const std::byte> body = read_->Blob(1);
    SnapshotRow row = {
        .session = session,
        .chunk = read_->Int(0),
        .body = std::string(reinterpret_cast<const char*>(body.data()), body.size())};
    if (ToHash(read_->Blob(2)) == ProofOf(row)) {
      found.rows.push_back(std::move(row));
    } else {
      found.damaged.push_back(row.chunk);
    }
  }
  read_->Reset();
  return found;
}

absl::Status SnapshotTable::Put(const SnapshotRow& row, const std::set<std::string>& files,
                                int64_t base) {
  LT_RETURN_IF_ERROR(Remove(row.session, row.chunk));
  put_->Bind(1, row.session);
  put_->Bind(2, row.chunk);
  put_->BindBlob(3, std::as_bytes(std::span(row.body)));
  put_->BindBlob(4, ToBytes(ProofOf(row)));
  LT_RETURN_IF_ERROR(put_->Run());
  for (const std::string& file : files) {
    put_file_->Bind(1, row.session);
    put_file_->Bind(2, row.chunk);
    put_file_->Bind(3, std::string_view(file));
    LT_RETURN_IF_ERROR(put_file_->Run());
  }
  LT_ASSIGN_OR_RETURN(const std::vector<int64_t> chunks, Chunks(row.session));
  for (size_t i = 0; i < chunks.size(); ++i) {
    if (chunks[i] == base || (i < kKept && chunks[i] > base)) continue;
    LT_RETURN_IF_ERROR(Remove(row.session, chunks[i]));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int64_t>> SnapshotTable::Chunks(int64_t session) {
  std::vector<int64_t> chunks;
  chunks_->Reset();
  chunks_->Bind(1, session);
  for (;;) {
    LT_ASSIGN_OR_RETURN(const bool more, chunks_->Step());
    if (!more) return chunks;
    chunks.push_back(chunks_->Int(0));
  }
}

absl::Status SnapshotTable::RemoveBefore(int64_t session, int64_t chunk) {
  LT_ASSIGN_OR_RETURN(const std::vector<int64_t> chunks, Chunks(session));
  for (const int64_t earlier : chunks) {
    if (earlier < chunk) LT_RETURN_IF_ERROR(Remove(session, earlier));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::set<std::string>> SnapshotTable::FilesOf(int64_t session, int64_t chunk) {
  std::set<std::string> files;
  files_of_->Reset();
  files_of_->Bind(1, session);
  files_of_->Bind(2, chunk);
  for (;;) {
    LT_ASSIGN_OR_RETURN(const bool more, files_of_->Step());
    if (!more) return files;
    files.emplace(files_of_->Text(0));
  }
}

absl::Status SnapshotTable::Inherit(int64_t parent, int64_t chunk, int64_t fork, int64_t base) {
  LT_ASSIGN_OR_RETURN(Found found, Read(parent));
  for (SnapshotRow& row : found.rows) {
    if (row.chunk > chunk) continue;
    LT_ASSIGN_OR_RETURN(const std::set<std::string> files, FilesOf(row.session, row.chunk));
    row.session = fork;
    LT_RETURN_IF_ERROR(Put(row, files, base));
  }
  return absl::OkStatus();
}

absl::Status SnapshotTable::CutAt(int64_t session, int64_t chunk) {
  LT_ASSIGN_OR_RETURN(const Found found, Read(session));
  for (const SnapshotRow& row : found.rows) {
    if (row.chunk > chunk) LT_RETURN_IF_ERROR(Remove(session, row.chunk));
  }
  for (const int64_t damaged : found.damaged) {
    if (damaged > chunk) LT_RETURN_IF_ERROR(Remove(session, damaged));
  }
  return absl::OkStatus();
}

absl::Status SnapshotTable::Remove(int64_t session, int64_t chunk) {
  LT_ASSIGN_OR_RETURN(std::set<std::string> files, FilesOf(session, chunk));
  dropped_.merge(files);
  for (std::optional<Statement>* statement : {&remove_, &remove_files_}) {
    (*statement)->Bind(1, session);
    (*statement)->Bind(2, chunk);
    LT_RETURN_IF_ERROR((*statement)->Run());
  }
  return absl::OkStatus();
}

absl::Status SnapshotTable::RemoveNaming(const std::string& file) {
  LT_ASSIGN_OR_RETURN(Statement rows,
                      database_.Prepare("SELECT session, chunk FROM snapshot_files WHERE file=?"));
  rows.Bind(1, std::string_view(file));
  std::vector<std::pair<int64_t, int64_t>> found;
  for (;;) {
    LT_ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) break;
    found.emplace_back(rows.Int(0), rows.Int(1));
  }
  for (const auto& [session, chunk] : found) LT_RETURN_IF_ERROR(Remove(session, chunk));
  return absl::OkStatus();
}

absl::StatusOr<std::set<std::string>> SnapshotTable::Files() {
  LT_ASSIGN_OR_RETURN(Statement rows,
                      database_.Prepare("SELECT DISTINCT file FROM snapshot_files"));
  std::set<std::string> files;
  for (;;) {
    LT_ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return files;
    files.emplace(rows.Text(0));
  }
}

absl::StatusOr<bool> SnapshotTable::IsNamed(const std::string& file) {
  return Finds(*is_named_, file);
}

absl::StatusOr<bool> SnapshotTable::IsNeeded(const std::string& file) {
  return Finds(*is_needed_, file);
}

absl::StatusOr<bool> SnapshotTable::Finds(Statement& statement, const std::string& file) {
  statement.Reset();
  statement.Bind(1, std::string_view(file));
  LT_ASSIGN_OR_RETURN(const bool found, statement.Step());
  statement.Reset();
  return found;
}

}  // namespace longtake
