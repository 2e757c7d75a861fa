// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/store/stored_snapshots.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/bulk/bulk_reader.h"

namespace longtake {

uint64_t NewSnapshot::bytes() const {
  uint64_t sum = LatentBytes(snapshot.rollout).size();
  for (const auto& [name, frame] : kv) sum += frame.size();
  return sum;
}

SnapshotInWork::SnapshotInWork(NewSnapshot snapshot)
    : snapshot_(std::move(snapshot)), piece_count_(snapshot_.kv.size()) {
  for (const auto& [name, frame] : snapshot_.kv) {
    piece_bytes_ = std::max<uint64_t>(piece_bytes_, frame.size());
  }
  places_.kv = snapshot_.written;
}

absl::Status StoredSnapshots::CollectGarbage(SnapshotTable& table) {
  LT_ASSIGN_OR_RETURN(const std::set<std::string> named, table.Files());
  return bulk_.Open(named);
}

// What was written is given back at once: a piece that is asked for again is there already.
absl::Status StoredSnapshots::Write(int64_t session, SnapshotInWork& snapshot) {
  LT_RETURN_IF_ERROR(CheckWanted(snapshot));
  KvImage& left = snapshot.snapshot_.kv;
  if (left.empty()) return absl::OkStatus();
  const auto next = left.begin();
  LT_RETURN_IF_ERROR(Append(session, snapshot, next->second, &snapshot.places_.kv[next->first]));
  left.erase(next);
  return absl::OkStatus();
}

absl::Status StoredSnapshots::Append(int64_t session, SnapshotInWork& snapshot,
                                     std::span<const std::byte> bytes, BulkPlace* place) {
  if (snapshot.file_ == nullptr) {
    auto created = bulk_.Create(session);
    if (!created.ok()) return GiveUp(snapshot, created.status());
    std::tie(snapshot.name_, snapshot.file_) = *std::move(created);
  }
  const absl::StatusOr<BulkExtent> extent = snapshot.file_->Append(bytes);
  if (!extent.ok()) return GiveUp(snapshot, extent.status());
  *place = {.file = snapshot.name_, .extent = *extent};
  return absl::OkStatus();
}

absl::Status StoredSnapshots::Finish(SnapshotTable& table, int64_t session,
                                     SnapshotInWork& snapshot) {
  LT_RETURN_IF_ERROR(CheckWanted(snapshot));
  while (!snapshot.snapshot_.kv.empty()) LT_RETURN_IF_ERROR(Write(session, snapshot));
  LT_RETURN_IF_ERROR(FinishFile(session, snapshot));
  const std::set<std::string> files = snapshot.places_.Files();
  for (const std::string& file : files) {
    if (file == snapshot.name_) continue;
    LT_ASSIGN_OR_RETURN(const bool named, table.IsNamed(file));
    if (!named) {  // a rewind took it meanwhile
      return GiveUp(snapshot, absl::AbortedError(absl::StrCat("bulk file ", file, " is gone")));
    }
  }
  const Snapshot& value = snapshot.snapshot_.snapshot;
  LT_RETURN_IF_ERROR(table.Put({.session = session,
                                .chunk = value.point.chunk,
                                .body = EncodeSnapshot(value, snapshot.places_)},
                               files));
  ++pending_;
  if (snapshot.file_ != nullptr) pending_bytes_ += snapshot.file_->end();
  return absl::OkStatus();
}

// Between two steps of a chunk there may be no latents, and nothing that is new.
absl::Status StoredSnapshots::FinishFile(int64_t session, SnapshotInWork& snapshot) {
  if (snapshot.whole_) return absl::OkStatus();
  const std::vector<std::byte> latents = LatentBytes(snapshot.snapshot_.snapshot.rollout);
  if (!latents.empty()) {
    LT_RETURN_IF_ERROR(Append(session, snapshot, latents, &snapshot.places_.latents));
  }
  if (snapshot.file_ != nullptr) {
    const absl::Status synced = snapshot.file_->Sync();
    if (!synced.ok()) return GiveUp(snapshot, synced);
    bulk_.SetBytes(snapshot.name_, snapshot.file_->end());
  }
  snapshot.whole_ = true;
  return absl::OkStatus();
}

absl::Status StoredSnapshots::CheckWanted(SnapshotInWork& snapshot) {
  LT_RETURN_IF_ERROR(snapshot.failed_);
  if (!snapshot.given_up_) return absl::OkStatus();
  return GiveUp(snapshot, absl::AbortedError("nobody wants it any more"));
}

absl::Status StoredSnapshots::GiveUp(SnapshotInWork& snapshot, absl::Status why) {
  snapshot.snapshot_.kv.clear();
  snapshot.file_ = nullptr;
  bulk_.Remove(snapshot.name_);
  ++failures_;
  snapshot.failed_ = absl::AbortedError(why.message());
  return snapshot.failed_;
}

void StoredSnapshots::OnCommitted(SnapshotTable& table) {
  snapshots_ += std::exchange(pending_, 0);
  bytes_ += std::exchange(pending_bytes_, 0);
  for (const std::string& file : table.TakeDropped()) {
    const absl::StatusOr<bool> named = table.IsNamed(file);
    if (named.ok() && !*named) bulk_.Remove(file);
  }
}

void StoredSnapshots::OnAbandoned() {
  pending_ = 0;
  pending_bytes_ = 0;
}

absl::StatusOr<std::vector<std::byte>> StoredSnapshots::ReadBytes(const BulkPlace& place) const {
  LT_ASSIGN_OR_RETURN(const std::string path, bulk_.Path(place.file));
  return ReadBulk(bulk_.files(), path, place.extent);
}

absl::StatusOr<Snapshot> StoredSnapshots::ReadTake(const SnapshotRow& row) const {
  LT_ASSIGN_OR_RETURN(const SnapshotPlaces places, DecodePlaces(row.body));
  std::vector<std::byte> latents;
  if (places.latents.extent.bytes != 0) {
    LT_ASSIGN_OR_RETURN(latents, ReadBytes(places.latents));
  }
  return DecodeSnapshot(row.body, latents);
}

}  // namespace longtake
