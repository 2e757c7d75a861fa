// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Sessions that are forked and rewound.
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/store/session_store.h"
#include "engine/store/store_errors.h"
#include "engine/store/store_limits.h"

namespace longtake {
namespace {

// limit: where the history that is kept begins, in the sense that matters to who asks.
absl::Status NotHeld(const SessionRow& row, int64_t chunk, const std::string& limit, int64_t first,
                     const std::string& why) {
  return Error(Reason::kChunkNotHeld, absl::StrCat("session ", row.id, ": chunk ", chunk, why),
               {{"session", row.id},
                {limit, std::to_string(first)},
                {"next_chunk", std::to_string(row.chunks)}});
}

constexpr char kBase[] = "base_chunk";  // of what goes on
constexpr char kBeginsWith[] = " is not kept: the session's history begins with ";

// What is only shown needs latents, and no snapshot to go on from.
absl::Status CheckChunkOf(const SessionRow& row, int64_t chunk, bool ended = false) {
  const int64_t first = ended ? row.first_kept : row.base;
  if (chunk >= first && chunk <= row.chunks) return absl::OkStatus();
  const std::string why = chunk >= 0 && chunk < first
                              ? absl::StrCat(kBeginsWith, "chunk ", first)
                              : absl::StrCat(" is not made; it has ", row.chunks, " chunks");
  return NotHeld(row, chunk, ended ? "oldest_chunk" : kBase, first, why);
}

// The snapshot with which a history begins has what held from its chunk on; whoever goes back to
// before that chunk has not asked for it.
absl::Status CheckBase(const SessionRow& row, const StoredSession& stored, int64_t chunk) {
  if (row.base == 0 || chunk != row.base) return absl::OkStatus();
  for (const size_t index : stored.applied) {
    if (stored.events[index].applied_chunk != chunk) continue;
    const std::string why = absl::StrCat(kBeginsWith, "a control that holds from it on");
    return NotHeld(row, chunk, kBase, chunk + 1, why);
  }
  return absl::OkStatus();
}

// The row tells what a session of these records has made.
void ShowProgress(const StoredSession& stored, SessionRow& row) {
  row.chunks = std::ssize(stored.settled);
  row.decoded = std::ssize(stored.decoded);
  row.end_frame = stored.decoded.empty() ? 0 : stored.decoded.back().end_frame;
  row.ended = stored.ended;
  row.base = stored.base;
  row.first_kept = stored.first_kept;
}

}  // namespace

absl::Status SessionStore::CheckChunk(const std::string& id, int64_t chunk) {
  LT_ASSIGN_OR_RETURN(const SessionRow row, Committed(id));
  LT_RETURN_IF_ERROR(CheckChunkOf(row, chunk));
  if (row.base == 0 || chunk != row.base) return absl::OkStatus();
  LT_ASSIGN_OR_RETURN(const StoredSession stored, Load(id));
  return CheckBase(row, stored, chunk);
}

KeptHistory SessionStore::HistoryOf(const std::string& id) const {
  const absl::StatusOr<SessionRow> row = Committed(id);
  if (!row.ok()) return {};
  return {.base = row->base, .first_kept = row->first_kept};
}

absl::Status SessionStore::Fork(const std::string& id, const ForkRequest& request) {
  LT_RETURN_IF_ERROR(CheckRoom());
  return RunNow(CommitQueue::Kind::kWrite, [this, id, request] {
    LT_RETURN_IF_ERROR(CheckNew(request.id));
    const SessionRow* row = Change(id);
    if (row == nullptr) return Gone(id);
    LT_RETURN_IF_ERROR(CheckChunkOf(*row, request.chunk, request.ended));
    LT_RETURN_IF_ERROR(InsertFork(*row, request));
    BeginLife({.id = request.id});  // as in Create
    return absl::OkStatus();
  });
}

absl::Status SessionStore::InsertFork(const SessionRow& parent, const ForkRequest& request) {
  LT_ASSIGN_OR_RETURN(StoredSession stored, database_->tables().Read(parent));
  writing_ = request.id;
  if (stored.generation >= kForkGenerationsMax) {
    return Error(Reason::kSessionTooLarge,
                 absl::StrCat("session ", parent.id, " is a fork of a fork, ", kForkGenerationsMax,
                              " times over; no more"),
                 {{"session", parent.id}});
  }
  if (stored.created.spec.start_frames != 0 && !stored.start.has_value()) {
    return Error(Reason::kChunkNotHeld,
                 absl::StrCat("session ", parent.id,
                              ": the frames it begins with are not all there "
                              "yet, so there is nothing to fork"),
                 {{"session", parent.id}});
  }
  if (!request.ended) LT_RETURN_IF_ERROR(CheckBase(parent, stored, request.chunk));
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
  LT_RETURN_IF_ERROR(
      database_->snapshots().Inherit(parent.number, request.chunk, row.number, parent.base));
  ShowProgress(stored, row);
  if (request.ended) LT_RETURN_IF_ERROR(PutRecord(row, SessionEnded()));
  changed_[request.id] = row;
  return absl::OkStatus();
}

absl::Status SessionStore::Rewind(const std::string& id, int64_t chunk) {
  return RunNow(CommitQueue::Kind::kWrite, [this, id, chunk] {
    SessionRow* row = Change(id);
    if (row == nullptr) return Gone(id);
    LT_RETURN_IF_ERROR(CheckChunkOf(*row, chunk));
    return PutRewound(*row, chunk);
  });
}

absl::Status SessionStore::PutRewound(SessionRow& row, int64_t chunk) {
  LT_ASSIGN_OR_RETURN(StoredSession stored, database_->tables().Read(row));
  LT_RETURN_IF_ERROR(CheckBase(row, stored, chunk));
  ++row.epoch;
  LT_RETURN_IF_ERROR(PutRecord(row, SessionRewound{.chunk = chunk, .epoch = row.epoch}));
  stored.CutAt(chunk);
  ShowProgress(stored, row);
  return database_->snapshots().CutAt(row.number, chunk);
}

}  // namespace longtake
