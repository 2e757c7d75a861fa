// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/store/start_table.h"

#include <string_view>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"
#include "engine/store/proof.h"

namespace longtake {

const char kStartSchema[] =
    "CREATE TABLE start_parts(session INTEGER NOT NULL, first_byte INTEGER NOT NULL,"
    " body BLOB NOT NULL, proof BLOB NOT NULL, PRIMARY KEY(session, first_byte)) STRICT;";

namespace {

Hash128 ProofOf(int64_t session, int64_t first_byte, std::span<const std::byte> bytes) {
  return Proof()
      .Add(session)
      .Add(first_byte)
      .Add(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()))
      .hash();
}

}  // namespace

absl::StatusOr<std::unique_ptr<StartTable>> StartTable::Open(Database& database) {
  auto table = std::unique_ptr<StartTable>(new StartTable(database));
  LT_RETURN_IF_ERROR(table->Prepare());
  return table;
}

absl::Status StartTable::Prepare() {
  LT_ASSIGN_OR_RETURN(put_,
                      database_.Prepare("INSERT OR REPLACE INTO start_parts VALUES(?,?,?,?)"));
  LT_ASSIGN_OR_RETURN(
      read_,
      database_.Prepare("SELECT body, proof FROM start_parts WHERE session=? AND first_byte=?"));
  LT_ASSIGN_OR_RETURN(sizes_,
                      database_.Prepare("SELECT first_byte, length(body) FROM start_parts"
                                        " WHERE session=? AND first_byte>=? ORDER BY first_byte"));
  LT_ASSIGN_OR_RETURN(remove_, database_.Prepare("DELETE FROM start_parts WHERE session=?"));
  return absl::OkStatus();
}

absl::StatusOr<int64_t> StartTable::BytesOf(int64_t session, int64_t first_byte) {
  sizes_->Reset();
  sizes_->Bind(1, session);
  sizes_->Bind(2, first_byte);
  LT_ASSIGN_OR_RETURN(const bool found, sizes_->Step());
  const int64_t bytes = found && sizes_->Int(0) == first_byte ? sizes_->Int(1) : 0;
  sizes_->Reset();
  return bytes;
}

absl::StatusOr<int64_t> StartTable::Put(int64_t session, int64_t first_byte,
                                        std::span<const std::byte> bytes) {
  LT_ASSIGN_OR_RETURN(const int64_t before, BytesOf(session, first_byte));
  put_->Bind(1, session);
  put_->Bind(2, first_byte);
  put_->BindBlob(3, bytes);
  put_->BindBlob(4, ToBytes(ProofOf(session, first_byte, bytes)));
  LT_RETURN_IF_ERROR(put_->Run());
  return std::ssize(bytes) - before;
}

absl::StatusOr<std::vector<std::byte>> StartTable::Read(int64_t session, int64_t first_byte) {
  read_->Reset();
  read_->Bind(1, session);
  read_->Bind(2, first_byte);
  LT_ASSIGN_OR_RETURN(const bool found, read_->Step());
  if (!found) return std::vector<std::byte>();
  const std::span<const std::byte> body = read_->Blob(0);
  std::vector<std::byte> bytes(body.begin(), body.end());
  const bool whole = ToHash(read_->Blob(1)) == ProofOf(session, first_byte, bytes);
  read_->Reset();
  if (whole) return bytes;
  return Error(Reason::kSessionCorrupt,
               absl::StrCat("session store: the start frames of session number ", session,
                            " are damaged from byte ", first_byte, " on"));
}

// What lies behind a gap, which only a crash leaves, is nothing.
absl::StatusOr<int64_t> StartTable::End(int64_t session) {
  int64_t end = 0;
  sizes_->Reset();
  sizes_->Bind(1, session);
  sizes_->Bind(2, int64_t{0});
  for (;;) {
    LT_ASSIGN_OR_RETURN(const bool more, sizes_->Step());
    if (!more || sizes_->Int(0) > end) break;
    if (sizes_->Int(0) == end) end += sizes_->Int(1);
  }
  sizes_->Reset();
  return end;
}

absl::StatusOr<int64_t> StartTable::Remove(int64_t session) {
  int64_t bytes = 0;
  sizes_->Reset();
  sizes_->Bind(1, session);
  sizes_->Bind(2, int64_t{0});
  for (;;) {
    LT_ASSIGN_OR_RETURN(const bool more, sizes_->Step());
    if (!more) break;
    bytes += sizes_->Int(1);
  }
  sizes_->Reset();
  remove_->Bind(1, session);
  LT_RETURN_IF_ERROR(remove_->Run());
  return bytes;
}

}  // namespace longtake
