// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Sessions that are forked and rewound.
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/store/session_store.h"
#include "engine/store/store_errors.h"

namespace longtake {
namespace {

// Reading a fork of a fork reads all that it came from.
constexpr int64_t kGenerationsMax = 32;

absl::Status CheckChunkOf(const SessionRow& row, int64_t chunk) {
  if (chunk >= 0 && chunk <= row.chunks) return absl::OkStatus();
  return Error(Reason::kChunkNotHeld,
               absl::StrCat("session ", row.id, ": chunk ", chunk, " is not made; it has ",
                            row.chunks, " chunks"),
               {{"session", row.id}, {"next_chunk", std::to_string(row.chunks)}});
}

// The row tells what a session of these records has made.
void ShowProgress(const StoredSession& stored, SessionRow& row) {
  row.chunks = std::ssize(stored.settled);
  row.decoded = std::ssize(stored.decoded);
  row.end_frame = stored.decoded.empty() ? 0 : stored.decoded.back().end_frame;
  row.ended = stored.ended;
}

}  // namespace

absl::Status SessionStore::CheckChunk(const std::string& id, int64_t chunk) const {
  LT_ASSIGN_OR_RETURN(const SessionRow row, Committed(id));
  return CheckChunkOf(row, chunk);
}

absl::Status SessionStore::Fork(const std::string& id, const ForkRequest& request) {
  LT_RETURN_IF_ERROR(CheckRoom());
  return RunNow(CommitQueue::Kind::kWrite, [&] {
    const SessionRow* row = Change(id);
    if (row == nullptr) return NoSession(id);
    if (Change(request.id) != nullptr) return SessionExists(request.id);
    LT_RETURN_IF_ERROR(CheckChunkOf(*row, request.chunk));
    return InsertFork(*row, request);
  });
}

absl::Status SessionStore::InsertFork(const SessionRow& parent, const ForkRequest& request) {
  LT_ASSIGN_OR_RETURN(StoredSession stored, database_->tables().Read(parent));
  if (stored.generation >= kGenerationsMax) {
    return Error(Reason::kStoreFull,
                 absl::StrCat("session ", parent.id, " is a fork of a fork, ", kGenerationsMax,
                              " times over; no more"),
                 {{"session", parent.id}});
  }
  stored.CutAt(request.chunk);
  SessionCreated& created = stored.created;
  created.create_wall_nanos = clock_.WallNanos();
  created.spec.media_kind = request.media_kind.value_or(created.spec.media_kind);
  SessionRow row;
  row.id = request.id;
  row.create_wall_nanos = created.create_wall_nanos;
  row.expire_wall_nanos = row.create_wall_nanos + options_.retention_nanos;
  row.parent = parent.number;
  LT_RETURN_IF_ERROR(database_->tables().Insert(row));
  LT_RETURN_IF_ERROR(PutRecord(row, created));
  LT_RETURN_IF_ERROR(PutRecord(row, SessionForked{.parent = parent.number,
                                                  .records = parent.records,
                                                  .link = parent.link,
                                                  .chunk = request.chunk}));
  LT_RETURN_IF_ERROR(database_->snapshots().Inherit(parent.number, request.chunk, row.number));
  ShowProgress(stored, row);
  if (request.ended) LT_RETURN_IF_ERROR(PutRecord(row, SessionEnded()));
  changed_[request.id] = row;
  return absl::OkStatus();
}

absl::Status SessionStore::Rewind(const std::string& id, int64_t chunk) {
  return RunNow(CommitQueue::Kind::kWrite, [&] {
    SessionRow* row = Change(id);
    if (row == nullptr) return NoSession(id);
    LT_RETURN_IF_ERROR(CheckChunkOf(*row, chunk));
    return PutRewound(*row, chunk);
  });
}

absl::Status SessionStore::PutRewound(SessionRow& row, int64_t chunk) {
  LT_ASSIGN_OR_RETURN(StoredSession stored, database_->tables().Read(row));
  ++row.epoch;
  LT_RETURN_IF_ERROR(PutRecord(row, SessionRewound{.chunk = chunk, .epoch = row.epoch}));
  stored.CutAt(chunk);
  ShowProgress(stored, row);
  return database_->snapshots().CutAt(row.number, chunk);
}

}  // namespace longtake
