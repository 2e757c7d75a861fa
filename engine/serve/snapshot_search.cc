// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/snapshot_search.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/aligned_buffer.h"
#include "base/error_reason.h"

namespace longtake {
namespace {

absl::Status CheckPrompts(const RolloutSpec& spec, const Snapshot& take) {
  if (take.prompts.branches.size() == spec.branch_count() &&
      take.prompts.old.empty() == !take.rollout.old_text) {
    return absl::OkStatus();
  }
  return absl::DataLossError("not the prompts of its branches");
}

// File after file, each from its beginning to its end.
absl::StatusOr<SnapshotFrames> ReadFrames(const StoredSnapshots& snapshots,
                                          const std::map<KvFrameName, BulkPlace>& places,
                                          uint64_t frame_bytes, const KvShares& shares) {
  std::map<std::string, std::multimap<uint64_t, KvFrameName>> files;
  for (const auto& [name, place] : places) files[place.file].emplace(place.extent.offset, name);
  SnapshotFrames frames;
  LT_ASSIGN_OR_RETURN(const std::unique_ptr<KvFiller> filler, KvFiller::Create(shares));
  LT_ASSIGN_OR_RETURN(
      AlignedBuffer memory,
      AlignedBuffer::Allocate(BulkSequence::MemoryBytes(frame_bytes), kBulkAlignment));
  for (const auto& [file, names] : files) {
    std::vector<BulkExtent> extents;
    for (const auto& [offset, name] : names) extents.push_back(places.at(name).extent);
    LT_ASSIGN_OR_RETURN(const std::unique_ptr<BulkSequence> sequence,
                        snapshots.OpenSequence(file, extents, memory.span()));
    for (const auto& [offset, name] : names) {
      LT_ASSIGN_OR_RETURN(KvFrames parts, filler->Fill([&] { return sequence->Next(); }));
      frames[name] = {.parts = std::move(parts), .place = places.at(name)};
    }
  }
  return frames;
}

// Sizes before bytes: nothing large is read that does not fit.
absl::StatusOr<FoundSnapshot> Read(const StoredSnapshots& snapshots, const SnapshotRow& row,
                                   const SnapshotPoint& point, const RolloutSpec& spec,
                                   const KvShares& shares) {
  FoundSnapshot found = {.point = point, .prompts = {}, .frames = {}, .rollout = {}};
  LT_ASSIGN_OR_RETURN(const SnapshotPlaces places, DecodePlaces(row.body));
  LT_ASSIGN_OR_RETURN(Snapshot take, snapshots.ReadTake(row));
  LT_RETURN_IF_ERROR(CheckPrompts(spec, take));
  auto rollout = Rollout::Restore(spec, std::move(take.rollout));
  if (!rollout.ok()) return absl::DataLossError(rollout.status().message());
  found.rollout = *std::move(rollout);
  const uint64_t frame_bytes = KvImageBytes(spec.kv_layout);
  for (const auto& [name, place] : places.kv) {
    if (place.extent.bytes != frame_bytes) {
      return absl::DataLossError(
          absl::StrCat("K/V of frame ", name.second, " has ", place.extent.bytes, " bytes"));
    }
  }
  LT_ASSIGN_OR_RETURN(found.frames, ReadFrames(snapshots, places.kv, frame_bytes, shares));
  found.prompts = std::move(take.prompts);
  return found;
}

// Without the snapshot with which its history begins a session is lost; one that cannot be read
// now may be read later. What is damaged stays so, which is said by who finds no snapshot.
absl::Status CheckUnread(const StoredSession& session, const absl::Status& unread) {
  if (session.base == 0 || unread.ok() || absl::IsDataLoss(unread)) return absl::OkStatus();
  if (absl::IsNotFound(unread)) return unread;  // the session is gone
  return Error(Reason::kStorageUnavailable,
               absl::StrCat("session ", session.id, ": its history begins with a snapshot that ",
                            "cannot be read: ", unread.message()),
               {{"session", session.id}});
}

bool IsOfUse(const StoredSession& session, const SnapshotPoint& point) {
  return LiesOnTheWayOf(session, point) && point.changes >= 0 &&
         point.changes <= std::ssize(session.created.spec.prompt_changes);
}

}  // namespace

absl::StatusOr<SnapshotSearch> FindSnapshot(SessionStore& store, const StoredSession& session,
                                            const RolloutSpec& spec, const KvShares& shares) {
  SnapshotSearch search;
  absl::Status unread;
  const auto damaged = [&](int64_t chunk, const absl::Status& why) {
    search.damaged.push_back(absl::StrCat("snapshot at chunk ", chunk, ": ", why.message()));
    if (!absl::IsDataLoss(why)) unread.Update(why);
  };
  absl::StatusOr<SnapshotTable::Found> rows = store.LoadSnapshots(session.id);
  if (!rows.ok()) {
    search.damaged.emplace_back(rows.status().message());
    LT_RETURN_IF_ERROR(CheckUnread(session, rows.status()));
    return search;
  }
  for (const int64_t chunk : rows->damaged)
    damaged(chunk, absl::DataLossError("its row is damaged"));
  for (const SnapshotRow& row : rows->rows) {
    const absl::StatusOr<SnapshotPoint> point = DecodePoint(row.body);
    if (!point.ok()) {
      damaged(row.chunk, point.status());
      continue;
    }
    if (!IsOfUse(session, *point)) continue;
    absl::StatusOr<FoundSnapshot> found = Read(store.snapshots(), row, *point, spec, shares);
    if (found.ok()) {
      search.found = *std::move(found);
      return search;
    }
    damaged(row.chunk, found.status());
  }
  LT_RETURN_IF_ERROR(CheckUnread(session, unread));
  return search;
}

absl::StatusOr<std::optional<SnapshotPoint>> FindSnapshotPoint(SessionStore& store,
                                                               const StoredSession& session) {
  const absl::StatusOr<SnapshotTable::Found> rows = store.LoadSnapshots(session.id);
  if (!rows.ok()) {
    LT_RETURN_IF_ERROR(CheckUnread(session, rows.status()));
    return std::nullopt;
  }
  for (const SnapshotRow& row : rows->rows) {
    const absl::StatusOr<SnapshotPoint> point = DecodePoint(row.body);
    if (point.ok() && IsOfUse(session, *point)) return *point;
  }
  return std::nullopt;
}

}  // namespace longtake
