// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A take between two chunks as a plain value: what it takes, beside the model, to go on with the
// same bits in another engine. Chunks that are decoded and not yet read are not part of it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status_macros.h"
#include "engine/kv/kv_image.h"
#include "engine/session/attachment.h"
#include "engine/session/inbox.h"
#include "engine/session/resolved_spec.h"
#include "engine/take/decoder_state.h"
#include "engine/take/latents.h"
#include "engine/take/take_prompts.h"
#include "engine/video/rollout.h"
#include "engine/video/rollout_state.h"
#include "engine/video/video_model.h"

namespace longtake {

// An event that waits for its chunk boundary; a prompt waits for its encoding, too.
struct WaitingEvent {
  AcceptedEvent accepted;  // sequence 0: it is of the spec and has no receipts
  int64_t chunk = 0;       // it holds from the start of this chunk on
  bool timed = false;      // exactly from there: the chunk does not begin without it
  friend bool operator==(const WaitingEvent&, const WaitingEvent&) = default;
};

struct SavedTake {
  std::string id;
  ResolvedSpec spec;
  RolloutState rollout;
  KvImage kv;
  TakePrompts prompts;
  std::vector<WaitingEvent> events;
  bool paused = false;
  bool ending = false;
  Inbox inbox;
  SavedAttachment attachment = {};
  SavedDecoder decoder;
  std::vector<Latents> undecoded;  // of the chunks from decoder.chunk to rollout.chunk - 1
  friend bool operator==(const SavedTake&, const SavedTake&) = default;
};

// The rollout that goes on with a take, once every part of the take was seen to belong to the
// others and to the model: a take may come from a file. INVALID_ARGUMENT names the part; errors as
// ResolveSpec for a spec that this model does not make. Latents are checked by their size alone,
// and K/V and the entries of caches once they are used.
absl::StatusOr<std::unique_ptr<Rollout>> RestoreRollout(const SavedTake& take,
                                                        const VideoModel& model);

}  // namespace longtake
