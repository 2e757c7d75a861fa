// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/store/stored_snapshots.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checked.h"

namespace longtake {
namespace {

uint64_t SliceBytes(uint64_t wanted) {
  const uint64_t bytes = std::clamp(wanted, kBulkAlignment, StoredSnapshots::kSliceBytesMax);
  return CeilDiv(bytes, kBulkAlignment) * kBulkAlignment;
}

}  // namespace

SnapshotInWork::SnapshotInWork(NewSnapshot snapshot, Done done, std::optional<uint64_t> gap)
    : snapshot_(std::move(snapshot.snapshot)),
      gap_(gap),
      needed_(snapshot.needed),
      done_(std::move(done)) {
  for (auto& [name, frame] : snapshot.kv) frames_.emplace_back(name, std::move(frame));
  const auto key = [](const auto& frame) {
    return std::pair(frame.first.second, frame.first.first);
  };
  std::sort(frames_.begin(), frames_.end(),
            [&](const auto& a, const auto& b) { return key(a) < key(b); });
  places_.kv = std::move(snapshot.written);
}

absl::Status StoredSnapshots::Write(SnapshotTable& table, int64_t session, int64_t base,
                                    SnapshotInWork& snapshot) {
  LT_RETURN_IF_ERROR(snapshot.failed_);
  if (snapshot.given_up_) return GiveUp(snapshot, absl::AbortedError("nobody wants it any more"));
  // One that is whole already was in a transaction that is tried again.
  const absl::Status written = snapshot.whole_ ? absl::OkStatus() : WriteTurn(session, snapshot);
  if (!written.ok()) return GiveUp(snapshot, written);
  return snapshot.whole_ ? PutRow(table, session, base, snapshot) : absl::OkStatus();
}

// Between two steps of a chunk there may be no latents, and nothing that is new.
absl::Status StoredSnapshots::WriteTurn(int64_t session, SnapshotInWork& snapshot) {
  const bool has_latents = snapshot.bytes() > 0;
  const bool has_bytes = has_latents || !snapshot.frames_.empty();
  if (snapshot.file_ == nullptr && has_bytes) {
    if (writing_ != nullptr) return absl::OkStatus();  // it is another one's turn
    LT_RETURN_IF_ERROR(CreateFile(session, snapshot));
  }
  for (uint64_t bytes = 0; bytes < turn_bytes_ && !snapshot.frames_.empty();) {
    LT_ASSIGN_OR_RETURN(const uint64_t piece, WritePiece(snapshot));
    bytes += piece;
  }
  if (!snapshot.frames_.empty()) return snapshot.file_->WriteBack();
  if (has_latents) LT_RETURN_IF_ERROR(WriteLatents(snapshot));
  snapshot.whole_ = true;
  if (snapshot.file_ == nullptr) return absl::OkStatus();
  LT_RETURN_IF_ERROR(snapshot.file_->Sync());
  EndFile(snapshot);
  return absl::OkStatus();
}

void StoredSnapshots::EndFile(SnapshotInWork& snapshot) {
  snapshot.file_ = nullptr;
  if (writing_ == &snapshot) writing_ = nullptr;
}

absl::Status StoredSnapshots::CreateFile(int64_t session, SnapshotInWork& snapshot) {
  if (buffer_.size() == 0) {
    LT_ASSIGN_OR_RETURN(buffer_, AlignedBuffer::Allocate(kKvPieceBytes, kKvPieceAlignment));
  }
  snapshot.file_bytes_ = RoomFor(snapshot);
  const uint64_t slice =
      SliceBytes(std::min(turn_bytes_ / 2, snapshot.file_bytes_ / WriteBehind::kSlices));
  if (slices_.size() < slice * WriteBehind::kSlices) {
    LT_ASSIGN_OR_RETURN(
        slices_, AlignedBuffer::Allocate(slice * WriteBehind::kSlices, WriteBehind::kBlockBytes));
  }
  LT_ASSIGN_OR_RETURN(std::tie(snapshot.name_, snapshot.file_),
                      bulk_.Create(session, BulkUse::kSnapshot));
  bulk_.SetBytes(snapshot.name_, snapshot.file_bytes_);
  writing_ = &snapshot;
  return snapshot.file_->WriteBehindThrough(slices_.span(), snapshot.file_bytes_);
}

uint64_t StoredSnapshots::RoomFor(const SnapshotInWork& snapshot) {
  uint64_t room = BulkFile::RoomFor(snapshot.bytes());
  for (const auto& [name, frame] : snapshot.frames_) room += BulkFile::RoomFor(frame->bytes());
  return room;
}

absl::StatusOr<uint64_t> StoredSnapshots::WritePiece(SnapshotInWork& snapshot) {
  auto& [name, frame] = snapshot.frames_.front();
  LT_ASSIGN_OR_RETURN(const std::span<const std::byte> piece, frame->Next(buffer_.span()));
  LT_RETURN_IF_ERROR(snapshot.file_->AppendPart(piece));
  if (!piece.empty()) return piece.size();
  LT_ASSIGN_OR_RETURN(const BulkExtent extent, snapshot.file_->EndExtent());
  snapshot.places_.kv[name] = {.file = snapshot.name_, .extent = extent};
  snapshot.frames_.pop_front();  // its session may have the frame's room
  return uint64_t{0};
}

absl::Status StoredSnapshots::WriteLatents(SnapshotInWork& snapshot) {
  for (const Latents* latents : AllLatents(snapshot.snapshot_.rollout)) {
    LT_RETURN_IF_ERROR(snapshot.file_->AppendPart(std::as_bytes(latents->values())));
  }
  LT_ASSIGN_OR_RETURN(const BulkExtent extent, snapshot.file_->EndExtent());
  snapshot.places_.latents = {.file = snapshot.name_, .extent = extent};
  return absl::OkStatus();
}

absl::Status StoredSnapshots::PutRow(SnapshotTable& table, int64_t session, int64_t base,
                                     SnapshotInWork& snapshot) {
  const std::set<std::string> files = snapshot.places_.Files();
  for (const std::string& file : files) {
    if (file == snapshot.name_) continue;
    LT_ASSIGN_OR_RETURN(const bool named, table.IsNamed(file));
    if (!named) {  // a rewind took it meanwhile
      return GiveUp(snapshot, absl::AbortedError(absl::StrCat("bulk file ", file, " is gone")));
    }
  }
  const Snapshot& value = snapshot.snapshot_;
  LT_RETURN_IF_ERROR(table.Put({.session = session,
                                .chunk = value.point.chunk,
                                .body = EncodeSnapshot(value, snapshot.places_)},
                               files, base));
  ++pending_;
  pending_bytes_ += snapshot.file_bytes_;
  return absl::OkStatus();
}

absl::Status StoredSnapshots::GiveUp(SnapshotInWork& snapshot, const absl::Status& why) {
  snapshot.frames_.clear();
  EndFile(snapshot);
  bulk_.Remove(snapshot.name_);
  ++failures_;
  snapshot.failed_ = absl::AbortedError(why.message());
  return snapshot.failed_;
}

// A file that none of them names is still being written, or went in this transaction. One with
// which a session's history begins stays: it can come back from nowhere else.
absl::Status StoredSnapshots::MakeRoom(SnapshotTable& table, int64_t session, uint64_t bytes) {
  const uint64_t enough = leaving_bytes_ + bytes;
  for (const auto& [file, file_bytes] : bulk_.OldestFirst(session)) {
    if (leaving_bytes_ >= enough) break;
    LT_ASSIGN_OR_RETURN(const bool named, table.IsNamed(file));
    LT_ASSIGN_OR_RETURN(const bool needed, table.IsNeeded(file));
    if (!named || needed) continue;
    LT_RETURN_IF_ERROR(table.RemoveNaming(file));
    leaving_bytes_ += file_bytes;
  }
  return absl::OkStatus();
}

void StoredSnapshots::OnCommitted(SnapshotTable& table) {
  leaving_bytes_ = 0;
  snapshots_ += std::exchange(pending_, 0);
  bytes_ += std::exchange(pending_bytes_, 0);
  for (const std::string& file : table.TakeDropped()) {
    const absl::StatusOr<bool> named = table.IsNamed(file);
    if (named.ok() && !*named) bulk_.Remove(file);
  }
}

void StoredSnapshots::OnAbandoned() {
  leaving_bytes_ = 0;
  pending_ = 0;
  pending_bytes_ = 0;
}

absl::StatusOr<std::vector<std::byte>> StoredSnapshots::ReadBytes(const BulkPlace& place) const {
  LT_ASSIGN_OR_RETURN(const std::string path, bulk_.Path(place.file));
  return ReadBulk(bulk_.files(), path, place.extent);
}

absl::StatusOr<std::unique_ptr<BulkReader>> StoredSnapshots::OpenBytes(
    const BulkPlace& place) const {
  LT_ASSIGN_OR_RETURN(const std::string path, bulk_.Path(place.file));
  return BulkReader::Open(bulk_.files(), path, place.extent);
}

absl::StatusOr<std::unique_ptr<BulkSequence>> StoredSnapshots::OpenSequence(
    const std::string& file, std::span<const BulkExtent> extents,
    std::span<std::byte> memory) const {
  LT_ASSIGN_OR_RETURN(const std::string path, bulk_.Path(file));
  return BulkSequence::Open(bulk_.files(), path, extents, memory);
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
