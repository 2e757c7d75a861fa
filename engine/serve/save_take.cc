// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/save_take.h"

#include "engine/kv/kv_image.h"

namespace longtake {

absl::StatusOr<SavedTake> SaveTake(LiveSession& live, const KvTables& kv, const KvStages& kv_memory,
                                   const DecodeLane& decode_lane) {
  if (!live.failure.ok()) return absl::FailedPreconditionError("the session is over");
  const Session& session = live.session();
  const Rollout& rollout = live.rollout();
  if (!rollout.at_chunk_start()) return absl::FailedPreconditionError("a chunk is in work");
  if (!rollout.HasStart() && session.Info().start_bytes != 0) {
    return absl::FailedPreconditionError("its start frames are not latents yet");
  }
  SavedTake take = {.id = session.id(),
                    .spec = session.spec(),
                    .rollout = rollout.state(),
                    .kv = {},
                    .prompts = live.arrival.prompts,
                    .events = {live.events.begin(), live.events.end()},
                    .paused = live.paused,
                    .ending = live.ending,
                    .inbox = session.CopyInbox(),
                    .decoder = {},
                    .undecoded = {}};
  if (!rollout.needs_old_text()) take.prompts.old.clear();
  LT_ASSIGN_OR_RETURN(take.undecoded, decode_lane.CopyWaiting(session));
  LT_ASSIGN_OR_RETURN(take.decoder,
                      SaveDecoder(decode_lane.device(), live.arrival.decode->decoder));
  LT_ASSIGN_OR_RETURN(take.kv, CopyKv(kv, live.arrival.number, &kv_memory));
  return take;
}

}  // namespace longtake
