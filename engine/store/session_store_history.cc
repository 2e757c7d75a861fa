// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A session that lives on keeps its latest history: what lies before goes, so that there is room.
#include <algorithm>
#include <ranges>

#include "base/error_reason.h"
#include "engine/store/session_store.h"

namespace longtake {
namespace {

// Of what all sessions may take this part is left when they begin to forget.
constexpr uint64_t kStoreShare = 8;

// Whose latents may go: those of this session's records from this one on. What lies before a fork
// needs, and what is a parent's is not its own.
struct Own {
  int64_t session = 0;
  int64_t first_record = 0;
};

// The first chunk behind the older half of what may go.
int64_t EndOfOlderHalf(const StoredSession& session, const Own& range) {
  const auto own = [&range](const StoredLatents& chunk) {
    const bool is_own = chunk.session == range.session && chunk.record >= range.first_record;
    return is_own ? chunk.ref.bytes() : 0;
  };
  int64_t all = 0;
  for (const StoredLatents& chunk : session.settled) all += own(chunk);
  int64_t older = 0;
  for (size_t chunk = 0; chunk < session.settled.size(); ++chunk) {
    older += own(session.settled[chunk]);
    if (older > 0 && 2 * older >= all) return static_cast<int64_t>(chunk) + 1;
  }
  return session.first_kept;
}

// The snapshot that leaves most history and lets its older half go, or as much of that as one does.
// Of the chunks behind it all stay, the one before it by which it is known, and what a decoder
// needs for whichever comes next.
std::optional<HistoryForgotten> PlanToForget(const StoredSession& session, const Own& own,
                                             const std::vector<SnapshotRow>& latest_first,
                                             const NeededChunks& needed) {
  const int64_t wanted = EndOfOlderHalf(session, own);
  HistoryForgotten plan = {.base = session.base, .first = session.first_kept};
  for (const SnapshotRow& row : latest_first | std::views::reverse) {
    const absl::StatusOr<SnapshotPoint> point = DecodePoint(row.body);
    if (!point.ok() || !LiesOnTheWayOf(session, *point)) continue;
    const int64_t end =
        std::min({needed.from, point->chunk - 1, std::ssize(session.decoded)}) - needed.warm_up;
    if (std::min(end, wanted) <= plan.first) continue;
    plan = {.base = point->chunk, .first = std::min(end, wanted)};
  }
  if (plan.first == session.first_kept) return std::nullopt;
  return plan;
}

}  // namespace

bool SessionStore::TakesTooMuch(const SessionRow& row) const {
  return static_cast<uint64_t>(row.bytes) > options_.history_bytes_max ||
         bytes_ > options_.bytes_max - options_.bytes_max / kStoreShare;
}

// In a later life somebody may have come back for an earlier chunk.
bool SessionStore::MayForget(const SessionKey& session, const SessionRow& row) const {
  MutexLock lock(mutex_);
  return TakesTooMuch(row) && !IsStaleLife(session);
}

// Whoever reads a session whose records are damaged says so.
absl::Status SessionStore::Forget(SessionRow& row, const NeededChunks& needed) {
  const absl::StatusOr<StoredSession> session = database_->tables().Read(row);
  if (ReasonOf(session.status()).has_value()) return absl::OkStatus();
  LT_RETURN_IF_ERROR(session.status());
  LT_ASSIGN_OR_RETURN(const SnapshotTable::Found snapshots,
                      database_->snapshots().Read(row.number));
  Own own = {.session = row.number};
  LT_ASSIGN_OR_RETURN(own.first_record, database_->old_latents().EndOfForks(row.number));
  const auto plan = PlanToForget(*session, own, snapshots.rows, needed);
  if (!plan.has_value()) return absl::OkStatus();
  LT_RETURN_IF_ERROR(PutRecord(row, *plan));
  LT_RETURN_IF_ERROR(database_->snapshots().RemoveBefore(row.number, row.base));
  return RemoveOldLatents(row);
}

// What makes room asks the row for its base.
absl::Status SessionStore::RemoveOldLatents(SessionRow& row) {
  LT_ASSIGN_OR_RETURN(const int64_t bytes,
                      database_->old_latents().Remove(row.number, row.first_kept));
  row.bytes -= bytes;
  return database_->tables().Update(row);
}

absl::StatusOr<bool> SessionStore::HasRoomAnew(const SessionRow& row) {
  uint64_t bytes = static_cast<uint64_t>(row.bytes);
  {
    MutexLock lock(mutex_);
    const auto gap = gaps_.find(row.id);
    if (gap != gaps_.end()) bytes += gap->second.bytes();
  }
  if (bytes <= options_.session_bytes_max) return true;
  LT_ASSIGN_OR_RETURN(const int64_t going,
                      database_->old_latents().Count(row.number, /*first=*/INT64_MAX));
  return bytes - static_cast<uint64_t>(going) <= options_.session_bytes_max;
}

}  // namespace longtake
