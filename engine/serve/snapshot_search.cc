// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/snapshot_search.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace longtake {
namespace {

absl::Status CheckPrompts(const RolloutSpec& spec, const Snapshot& take) {
  if (take.prompts.branches.size() == spec.branch_count() &&
      take.prompts.old.empty() == !take.rollout.old_text) {
    return absl::OkStatus();
  }
  return absl::DataLossError("not the prompts of its branches");
}

// Sizes before bytes: nothing large is read that does not fit.
absl::StatusOr<FoundSnapshot> Read(const StoredSnapshots& snapshots, const SnapshotRow& row,
                                   const SnapshotPoint& point, const RolloutSpec& spec) {
  FoundSnapshot found = {.point = point, .prompts = {}, .places = {}, .kv = {}, .rollout = {}};
  LT_ASSIGN_OR_RETURN(found.places, DecodePlaces(row.body));
  LT_ASSIGN_OR_RETURN(Snapshot take, snapshots.ReadTake(row));
  LT_RETURN_IF_ERROR(CheckPrompts(spec, take));
  LT_ASSIGN_OR_RETURN(found.rollout, Rollout::Restore(spec, std::move(take.rollout)));
  for (const auto& [name, place] : found.places.kv) {
    if (place.extent.bytes != KvImageBytes(spec.kv_layout)) {
      return absl::DataLossError(
          absl::StrCat("K/V of frame ", name.second, " has ", place.extent.bytes, " bytes"));
    }
    LT_ASSIGN_OR_RETURN(found.kv[name], snapshots.ReadBytes(place));
  }
  found.prompts = std::move(take.prompts);
  return found;
}

bool ChangesFit(const StoredSession& session, const SnapshotPoint& point) {
  return point.changes >= 0 && point.changes <= std::ssize(session.created.spec.prompt_changes);
}

}  // namespace

SnapshotSearch FindSnapshot(SessionStore& store, const StoredSession& session,
                            const RolloutSpec& spec) {
  SnapshotSearch search;
  const auto damaged = [&](int64_t chunk, const absl::Status& why) {
    search.damaged.push_back(absl::StrCat("snapshot at chunk ", chunk, ": ", why.message()));
  };
  absl::StatusOr<SnapshotTable::Found> rows = store.LoadSnapshots(session.id);
  if (!rows.ok()) {
    search.damaged.emplace_back(rows.status().message());
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
    if (!LiesOnTheWayOf(session, *point) || !ChangesFit(session, *point)) continue;
    absl::StatusOr<FoundSnapshot> found = Read(store.snapshots(), row, *point, spec);
    if (found.ok()) {
      search.found = *std::move(found);
      return search;
    }
    damaged(row.chunk, found.status());
  }
  return search;
}

}  // namespace longtake
