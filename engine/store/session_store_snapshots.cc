// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"
#include "engine/store/session_store.h"

namespace longtake {

absl::Status SessionStore::CheckSnapshotRoom(const std::string& id, uint64_t disk_bytes,
                                             uint64_t memory_bytes) const {
  const CommitQueue::Stats queue = queue_.stats();
  if (!queue.durable) return Error(Reason::kStorageUnavailable, "the session store's disk fails");
  const auto check = [](uint64_t bytes, const std::string& what, uint64_t used, uint64_t max) {
    if (used <= max && bytes <= max - used) return absl::OkStatus();
    return absl::ResourceExhaustedError(absl::StrCat("a snapshot of ", bytes, " bytes: of ", what,
                                                     ", ", used, " of ", max, " are taken"));
  };
  LT_RETURN_IF_ERROR(check(memory_bytes, "bytes on the way to the disk", queue.waiting_bytes,
                           options_.waiting_bytes_max));
  LT_ASSIGN_OR_RETURN(const SessionRow row, Committed(id));
  const uint64_t of_session = static_cast<uint64_t>(row.bytes) + bulk_.BytesOf(row.number);
  LT_RETURN_IF_ERROR(
      check(disk_bytes, "the session's bytes", of_session, options_.session_bytes_max));
  MutexLock lock(mutex_);
  return check(disk_bytes, "the store's bytes", bytes_ + bulk_.bytes(), options_.bytes_max);
}

void SessionStore::PutSnapshot(const std::string& id, NewSnapshot snapshot,
                               SnapshotInWork::Done done) {
  WriteSnapshot({.id = id}, std::make_shared<SnapshotInWork>(std::move(snapshot), std::move(done)));
}

// Each turn is handed over when the one before is committed: what others hand over meanwhile comes
// between them.
void SessionStore::WriteSnapshot(const SessionKey& session,
                                 const std::shared_ptr<SnapshotInWork>& work) {
  queue_.Push({.run = [this, session, work] { return WriteTurn(session, *work); },
               .done =
                   [this, session, work](bool durable) {
                     if (durable && !work->whole()) return WriteSnapshot(session, work);
                     if (!durable) work->GiveUp();
                     if (work->gap().has_value()) EndGap(session, *work->gap(), durable);
                     work->Answer(durable);
                   },
               .bytes = work->bytes()});
}

// A session that is gone, or was rewound meanwhile, has no use for it.
absl::Status SessionStore::WriteTurn(const SessionKey& session, SnapshotInWork& work) {
  const SessionRow* row = Change(session.id);
  const bool begins = work.gap().has_value();
  const bool wanted =
      begins ? IsGap(session, *work.gap()) : row != nullptr && row->chunks >= work.chunk();
  if (row == nullptr || !wanted) work.GiveUp();
  const int64_t number = row == nullptr ? 0 : row->number;
  const int64_t base = begins || row == nullptr ? work.chunk() : row->base;
  LT_RETURN_IF_ERROR(snapshots_.Write(database_->snapshots(), number, base, work));
  return begins && work.whole() ? WriteGap(session, work.chunk()) : absl::OkStatus();
}

absl::StatusOr<SnapshotTable::Found> SessionStore::LoadSnapshots(const std::string& id) {
  return ReadNow<SnapshotTable::Found>([this, id]() -> absl::StatusOr<SnapshotTable::Found> {
    LT_ASSIGN_OR_RETURN(const SessionRow row, Present(id));
    return database_->snapshots().Read(row.number);
  });
}

}  // namespace longtake
