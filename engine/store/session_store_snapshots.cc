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
  const auto of_records = static_cast<uint64_t>(row.bytes);
  const uint64_t of_snapshots = bulk_.BytesOf(row.number);
  const uint64_t of_all = bulk_.bytes();
  MutexLock lock(mutex_);
  // With it goes all that lies before a gap, or the earlier snapshots of one that forgets. While it
  // is written, they are there too, so the disk must have room for both.
  uint64_t staying = of_records + of_snapshots;
  if (TakesTooMuch(row)) staying = of_records;
  if (gaps_.contains(id)) staying = 0;
  LT_RETURN_IF_ERROR(check(disk_bytes, "the session's bytes", staying, options_.session_bytes_max));
  return check(disk_bytes, "the store's bytes", bytes_ + of_all, options_.bytes_max);
}

void SessionStore::PutSnapshot(const SessionKey& session, NewSnapshot snapshot,
                               SnapshotInWork::Done done) {
  WriteSnapshot(session, std::make_shared<SnapshotInWork>(std::move(snapshot), std::move(done)));
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
  SessionRow* row = Change(session.id);
  const bool begins = work.gap().has_value();
  bool wanted = row != nullptr;
  if (wanted) wanted = begins ? IsGap(session, *work.gap()) : row->chunks >= work.chunk();
  if (wanted && begins && !work.begun()) {
    LT_ASSIGN_OR_RETURN(wanted, HasRoomAnew(*row));
  }
  if (!wanted) work.GiveUp();
  const int64_t number = row == nullptr ? 0 : row->number;
  const int64_t base = begins || row == nullptr ? work.chunk() : row->base;
  LT_RETURN_IF_ERROR(snapshots_.Write(database_->snapshots(), number, base, work));
  if (!work.whole()) return absl::OkStatus();
  if (begins) return WriteGap(session, work.chunk());
  const bool forgets = work.needed().has_value() && MayForget(session, *row);
  return forgets ? Forget(*row, *work.needed()) : absl::OkStatus();
}

absl::StatusOr<SnapshotTable::Found> SessionStore::LoadSnapshots(const std::string& id) {
  return ReadNow<SnapshotTable::Found>([this, id]() -> absl::StatusOr<SnapshotTable::Found> {
    LT_ASSIGN_OR_RETURN(const SessionRow row, Present(id));
    return database_->snapshots().Read(row.number);
  });
}

}  // namespace longtake
