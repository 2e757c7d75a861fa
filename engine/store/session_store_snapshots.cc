// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"
#include "engine/store/session_store.h"

namespace longtake {

absl::Status SessionStore::CheckSnapshotRoom(const std::string& id, uint64_t bytes) const {
  const CommitQueue::Stats queue = queue_.stats();
  if (!queue.durable) return Error(Reason::kStorageUnavailable, "the session store's disk fails");
  const auto check = [&](const std::string& what, uint64_t used, uint64_t max) {
    if (used <= max && bytes <= max - used) return absl::OkStatus();
    return absl::ResourceExhaustedError(absl::StrCat("a snapshot of ", bytes, " bytes: of ", what,
                                                     ", ", used, " of ", max, " are taken"));
  };
  LT_RETURN_IF_ERROR(
      check("bytes on the way to the disk", queue.waiting_bytes, options_.waiting_bytes_max));
  LT_ASSIGN_OR_RETURN(const SessionRow row, Committed(id));
  const uint64_t of_session =
      static_cast<uint64_t>(row.bytes) + snapshots_.bulk().BytesOf(row.number);
  LT_RETURN_IF_ERROR(check("the session's bytes", of_session, options_.session_bytes_max));
  MutexLock lock(mutex_);
  return check("the store's bytes", bytes_ + snapshots_.bulk().bytes(), options_.bytes_max);
}

void SessionStore::PutSnapshot(const std::string& id, NewSnapshot snapshot,
                               std::function<void(const SnapshotPlaces*)> done) {
  const int64_t chunk = snapshot.snapshot.point.chunk;
  const auto work = std::make_shared<SnapshotInWork>(std::move(snapshot));
  // A session that is gone, or was rewound meanwhile, has no use for it.
  const auto number_for = [this, id, chunk, work] {
    const SessionRow* row = Change(id);
    if (row == nullptr || row->chunks < chunk) work->GiveUp();
    return row == nullptr ? 0 : row->number;
  };
  for (size_t i = 0; i < work->piece_count(); ++i) {
    queue_.Push({.run = [this, number_for, work] { return snapshots_.Write(number_for(), *work); },
                 .bytes = work->piece_bytes()});
  }
  queue_.Push(
      {.run = [this, number_for,
               work] { return snapshots_.Finish(database_->snapshots(), number_for(), *work); },
       .done =
           [work, done = std::move(done)](bool durable) {
             if (!durable) work->GiveUp();
             done(durable ? &work->places() : nullptr);
           }});
}

absl::StatusOr<SnapshotTable::Found> SessionStore::LoadSnapshots(const std::string& id) {
  absl::StatusOr<SnapshotTable::Found> found;
  LT_RETURN_IF_ERROR(queue_.RunNow(CommitQueue::Kind::kRead, [&] {
    const SessionRow* row = Change(id);
    if (row == nullptr) return absl::NotFoundError(absl::StrCat("no session ", id));
    found = database_->snapshots().Read(row->number);
    return found.status();
  }));
  return found;
}

}  // namespace longtake
