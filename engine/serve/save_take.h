// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/status_macros.h"
#include "engine/kv/kv_table.h"
#include "engine/serve/decode_lane.h"
#include "engine/serve/live_session.h"
#include "engine/serve/saved_take.h"

namespace longtake {

// A session as a value, between two sweeps while nothing is being decoded; kv_stream is null where
// no K/V lives in a file. FAILED_PRECONDITION when a chunk of it or its start is in work, or it is
// over. The stage's thread.
absl::StatusOr<SavedTake> SaveTake(LiveSession& live, const KvTable& kv, KvStream* kv_stream,
                                   const DecodeLane& decode_lane);

}  // namespace longtake
