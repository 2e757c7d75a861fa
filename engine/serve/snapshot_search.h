// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The snapshot from which a session's way back is shortest, whole and verified, with all that it
// names; what is damaged is named and passed over. K/V is read through a small buffer to the place
// that is reserved for it. May wait for the disk. Any thread.
//
// UNAVAILABLE where a session's history begins with a snapshot and the disk fails to read it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status_macros.h"
#include "engine/kv/kv_image.h"
#include "engine/store/session_store.h"
#include "engine/store/snapshot.h"
#include "engine/store/stored_session.h"
#include "engine/video/rollout.h"

namespace longtake {

struct FoundSnapshot {
  SnapshotPoint point;
  TakePrompts prompts;
  SnapshotFrames frames;
  std::unique_ptr<Rollout> rollout;
};

struct SnapshotSearch {
  std::optional<FoundSnapshot> found = {};
  std::vector<std::string> damaged = {};  // what was wrong with newer ones
};

// Its frames are made in the shares, which must outlive them.
absl::StatusOr<SnapshotSearch> FindSnapshot(SessionStore& store, const StoredSession& session,
                                            const RolloutSpec& spec, const KvShares& shares);

// Where that one lies, by the rows alone: whether it is whole is not looked at.
absl::StatusOr<std::optional<SnapshotPoint>> FindSnapshotPoint(SessionStore& store,
                                                               const StoredSession& session);

}  // namespace longtake
