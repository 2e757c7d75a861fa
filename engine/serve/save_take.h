// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/status_macros.h"
#include "engine/kv/kv_stages.h"
#include "engine/kv/kv_tables.h"
#include "engine/serve/decode_lane.h"
#include "engine/serve/live_session.h"
#include "engine/serve/saved_take.h"

namespace longtake {

// A session as a value, between two sweeps while nothing is being decoded. FAILED_PRECONDITION when
// a chunk of it or its start is in work, or it is over. The stage's thread.
absl::StatusOr<SavedTake> SaveTake(LiveSession& live, const KvTables& kv, const KvStages& kv_memory,
                                   const DecodeLane& decode_lane);

}  // namespace longtake
