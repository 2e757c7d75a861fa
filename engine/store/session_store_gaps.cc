// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What is handed over to be written, and what becomes of it where there is no room.
#include <algorithm>
#include <utility>

#include "base/error_reason.h"
#include "engine/store/session_store.h"
#include "engine/store/store_errors.h"

namespace longtake {
namespace {

// Of the memory for what waits, this part is for what gaps keep.
constexpr uint64_t kGapShare = 2;
// What a record takes in memory beside its bytes, roughly.
constexpr uint64_t kRecordBytes = 512;

}  // namespace

void SessionStore::Hand(const SessionKey& session, const longtake::Record& record,
                        const Latents* latents, Done done) {
  SessionGap::Entry entry = {.record = record};
  if (latents != nullptr) entry.latents = std::make_shared<const Latents>(*latents);
  const uint64_t bytes =
      latents != nullptr ? latents->values().size_bytes() : EncodeRecord(record).body.size();
  entry.bytes = bytes + kRecordBytes;
  Write(session, bytes, RunOf(session, entry), entry, std::move(done));
}

std::function<absl::Status()> SessionStore::RunOf(const SessionKey& session,
                                                  SessionGap::Entry entry) {
  return [this, id = session.id, entry = std::move(entry)] {
    SessionRow* row = Change(id);
    return row == nullptr ? Gone(id) : PutEntry(*row, entry);
  };
}

void SessionStore::Write(const SessionKey& session, uint64_t bytes,
                         std::function<absl::Status()> run, std::optional<SessionGap::Entry> kept,
                         Done done) {
  bool wanted = false;
  bool breaks_off = false;
  {
    MutexLock lock(mutex_);
    const bool stale = IsStaleLife(session);
    wanted = !stale && !gaps_.contains(session.id) && HasRoom(session.id, bytes);
    if (!stale && !wanted && rows_.contains(session.id)) {
      const auto [gap, is_new] = gaps_.try_emplace(session.id);
      breaks_off = is_new;
      if (kept.has_value()) gap->second.Keep(*std::move(kept));
      TrimGaps();
    }
  }
  if (breaks_off && options_.on_gap) options_.on_gap(session.id, /*has_gap=*/true);
  if (wanted) return Push(session, bytes, std::move(run), std::move(done));
  if (done) done(/*durable=*/false);
}

void SessionStore::Push(const SessionKey& session, uint64_t bytes,
                        std::function<absl::Status()> run, Done done) {
  queue_.Push({.run =
                   [this, session, bytes, run = std::move(run)] {
                     // Its life may have ended since it was handed over.
                     if (IsStale(session) || IsRefused(session.id)) return NoSession(session.id);
                     LT_RETURN_IF_ERROR(MakeRoom(session.id, bytes));
                     const absl::Status status = run();
                     if (IsRefusal(status)) Refuse(session.id);
                     return status;
                   },
               .done = std::move(done),
               .bytes = bytes});
}

void SessionStore::Refuse(const std::string& id) {
  MutexLock lock(mutex_);
  if (rows_.contains(id)) gaps_[id].Refuse();
}

bool SessionStore::IsRefused(const std::string& id) const {
  MutexLock lock(mutex_);
  const auto gap = gaps_.find(id);
  return gap != gaps_.end() && gap->second.refused();
}

void SessionStore::BeginLife(const SessionKey& session) {
  MutexLock lock(mutex_);
  lives_[session.id] = session.life;
  gaps_.erase(session.id);
}

// Life 0 is the store's own.
bool SessionStore::IsStaleLife(const SessionKey& session) const {
  const auto life = lives_.find(session.id);
  return life != lives_.end() && session.life != 0 && life->second != session.life;
}

bool SessionStore::IsStale(const SessionKey& session) const {
  MutexLock lock(mutex_);
  return IsStaleLife(session);
}

bool SessionStore::IsKept(const std::string& id) const {
  if (!queue_.stats().durable) return false;
  MutexLock lock(mutex_);
  return rows_.contains(id) && !gaps_.contains(id);
}

bool SessionStore::HasGap(const std::string& id) const {
  MutexLock lock(mutex_);
  return gaps_.contains(id);
}

bool SessionStore::HasRoom(const std::string& id, uint64_t bytes, bool begins_anew) const {
  const auto row = rows_.find(id);
  const auto used = row == rows_.end() ? 0 : static_cast<uint64_t>(row->second.bytes);
  const uint64_t going = begins_anew ? used : 0;
  const uint64_t max = options_.waiting_bytes_max;
  return queue_.stats().waiting_bytes + bytes <= max - max / kGapShare &&
         used - going + bytes <= options_.session_bytes_max &&
         bytes_ - going + bytes <= options_.bytes_max;
}

uint64_t SessionStore::GapBytes() const {
  uint64_t bytes = 0;
  for (const auto& [id, gap] : gaps_) bytes += gap.bytes();
  return bytes;
}

// Those that have most are the first to be whole, and then need nothing any more.
void SessionStore::TrimGaps() {
  const uint64_t max = options_.waiting_bytes_max / kGapShare;
  for (uint64_t bytes = GapBytes(); bytes > max;) {
    SessionGap* least = nullptr;
    for (auto& [id, gap] : gaps_) {
      if (gap.chunk_bytes() == 0) continue;
      if (least == nullptr || gap.chunk_bytes() < least->chunk_bytes()) least = &gap;
    }
    if (least == nullptr) return;
    least->DropChunks();
    const uint64_t left = GapBytes();
    if (left == bytes) return;  // it is being written
    bytes = left;
  }
}

SessionStore::GapState SessionStore::LookAtGap(const SessionKey& session, int64_t needed) {
  const bool durable = queue_.stats().durable;
  MutexLock lock(mutex_);
  const auto gap = gaps_.find(session.id);
  if (gap == gaps_.end() || IsStaleLife(session)) return GapState::kNone;
  gap->second.DropBefore(needed);
  const auto row = rows_.find(session.id);
  const bool may = durable && row != rows_.end() &&
                   HasRoom(session.id, gap->second.bytes(), /*begins_anew=*/true) &&
                   gap->second.MayBegin(needed, row->second.decoded);
  return may ? GapState::kMayBegin : GapState::kWaits;
}

void SessionStore::BeginAnew(const SessionKey& session, NewSnapshot snapshot,
                             SnapshotInWork::Done done) {
  uint64_t number = 0;
  {
    MutexLock lock(mutex_);
    number = next_beginning_++;
    const auto gap = gaps_.find(session.id);
    if (gap != gaps_.end() && !IsStaleLife(session)) gap->second.Begin(number);
  }
  WriteSnapshot(session,
                std::make_shared<SnapshotInWork>(std::move(snapshot), std::move(done), number));
}

bool SessionStore::IsGap(const SessionKey& session, uint64_t number) const {
  MutexLock lock(mutex_);
  const auto gap = gaps_.find(session.id);
  return gap != gaps_.end() && !IsStaleLife(session) && gap->second.Is(number);
}

// All in the transaction of the snapshot, or nothing of both. Its row is written at once: what
// makes room asks it.
absl::Status SessionStore::WriteGap(const SessionKey& session, int64_t base) {
  std::deque<SessionGap::Entry> entries;
  {
    MutexLock lock(mutex_);
    const auto gap = gaps_.find(session.id);
    if (gap != gaps_.end()) entries = gap->second.Write(base);
  }
  SessionRow& row = *Change(session.id);
  absl::Status written;
  for (const SessionGap::Entry& entry : entries) {
    if (written.ok()) written = PutEntry(row, entry);
  }
  if (written.ok()) written = RemoveOldLatents(row);
  // By whoever puts it aside. A refusal would leave what was written of it before.
  const bool undone = written.ok() || (absl::IsDataLoss(written) && !ReasonOf(written));
  return undone ? written : absl::InternalError(written.message());
}

// What was kept since it was written follows it, before anything that is handed over from now on.
void SessionStore::EndGap(const SessionKey& session, uint64_t number, bool durable) {
  {
    MutexLock lock(mutex_);
    const auto gap = gaps_.find(session.id);
    if (gap == gaps_.end() || !gap->second.Is(number)) return;
    if (!durable) return gap->second.End();
    for (SessionGap::Entry& entry : gap->second.TakeRest()) {
      const uint64_t bytes = entry.bytes;
      Push(session, bytes, RunOf(session, std::move(entry)), {});
    }
    gaps_.erase(gap);
  }
  if (options_.on_gap) options_.on_gap(session.id, /*has_gap=*/false);
}

}  // namespace longtake
