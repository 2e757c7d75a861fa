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

// Records that are looked at in one commit for what nobody reads any more.
constexpr int64_t kTrimmedRecords = 1024;

// Whose latents may go: this session's that no fork reads. What is a parent's is not its own.
struct Own {
  int64_t session = 0;
  ForkNeeds needs = {};
};

// The first chunk behind the older half of what may go.
int64_t EndOfOlderHalf(const StoredSession& session, const Own& own) {
  const int64_t end = std::ssize(session.settled);
  const auto own_bytes = [&](int64_t chunk) {
    const StoredLatents& latents = session.settled[static_cast<size_t>(chunk)];
    const bool may_go = latents.session == own.session && !own.needs.Has(latents.record, chunk);
    return may_go ? latents.ref.bytes() : 0;
  };
  int64_t all = 0;
  for (int64_t chunk = 0; chunk < end; ++chunk) all += own_bytes(chunk);
  int64_t older = 0;
  for (int64_t chunk = 0; chunk < end; ++chunk) {
    older += own_bytes(chunk);
    if (older > 0 && 2 * older >= all) return chunk + 1;
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
  LT_ASSIGN_OR_RETURN(own.needs, database_->old_latents().NeedsOf(row.number));
  const auto plan = PlanToForget(*session, own, snapshots.rows, needed);
  if (!plan.has_value()) return absl::OkStatus();
  LT_RETURN_IF_ERROR(PutRecord(row, *plan));
  LT_RETURN_IF_ERROR(database_->snapshots().RemoveBefore(row.number, row.base));
  return RemoveOldLatents(row);
}

// What makes room asks the row for its base.
absl::Status SessionStore::RemoveOldLatents(SessionRow& row, const RecordRange& range) {
  LT_ASSIGN_OR_RETURN(const int64_t bytes,
                      database_->old_latents().Remove(row.number, row.first_kept, range));
  row.bytes -= bytes;
  if (row.parent.has_value()) trims_[*row.parent] = 0;
  return database_->tables().Update(row);
}

absl::Status SessionStore::RemoveRow(const SessionRow& row) {
  LT_ASSIGN_OR_RETURN(const int64_t hidden_bytes, database_->tables().Remove(row));
  hidden_bytes_ += hidden_bytes;
  trims_[row.number] = 0;
  if (row.parent.has_value()) trims_[*row.parent] = 0;
  return absl::OkStatus();
}

// The latest first: what reads of a session has a higher number. Where some row does not prove
// itself nobody knows what that one was forked from.
int64_t SessionStore::PushTrim() {
  {
    MutexLock lock(mutex_);
    if (!damaged_rows_.empty()) trims_.clear();
  }
  while (!trims_.empty()) {
    const auto [number, begin] = *trims_.rbegin();
    trims_.erase(number);
    const auto found = database_->tables().Next(number - 1);
    if (!found.ok() || !found->has_value() || (*found)->row.number != number) continue;
    const SessionRow& row = (*found)->row;
    const bool may_have = (*found)->hidden || row.first_kept > 0;
    if (may_have && begin < row.records) {
      PushTrimOf(number, {.begin = begin, .end = begin + kTrimmedRecords});
      break;
    }
    if (row.parent.has_value()) trims_[*row.parent] = 0;
  }
  return INT64_MAX;
}

void SessionStore::PushTrimOf(int64_t number, const RecordRange& range) {
  queue_.Push({.run = [this, number, range] { return Trim(number, range); },
               .done =
                   [this, number, range](bool durable) {
                     trims_.try_emplace(number, durable ? range.end : range.begin);
                   }});
}

absl::Status SessionStore::Trim(int64_t number, const RecordRange& range) {
  writing_ = "";
  if (left_out_.contains("")) return absl::OkStatus();
  LT_ASSIGN_OR_RETURN(const auto found, database_->tables().Next(number - 1));
  if (!found.has_value() || found->row.number != number) return absl::OkStatus();
  if (!found->hidden) {
    SessionRow* row = Change(found->row.id);
    return row == nullptr ? absl::OkStatus() : RemoveOldLatents(*row, range);
  }
  SessionRow row = found->row;
  latents_.Close(number);
  LT_ASSIGN_OR_RETURN(const int64_t bytes,
                      database_->old_latents().Remove(number, /*first=*/INT64_MAX, range));
  row.bytes -= bytes;
  hidden_bytes_ -= bytes;
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
