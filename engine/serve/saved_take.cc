// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/saved_take.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"
#include "engine/model/vae/latent_grid.h"
#include "engine/serve/resolve.h"

namespace longtake {
namespace {

absl::Status Bad(const std::string& part, const std::string& problem) {
  return absl::InvalidArgumentError(absl::StrCat("saved take: ", part, ": ", problem));
}

absl::Status CheckSpec(const SavedTake& take, const VideoModel& model) {
  const absl::StatusOr<ResolvedSpec> spec = ResolveSpec(take.spec.AsRequest(), model);
  if (!spec.ok()) return Annotate(spec.status(), "saved take: spec");
  return *spec == take.spec ? absl::OkStatus() : Bad("spec", "does not resolve to itself");
}

absl::Status CheckPrompts(const SavedTake& take) {
  const size_t branches = take.spec.guided() ? 2 : 1;
  if (take.prompts.branches.size() == branches &&
      take.prompts.old.empty() == !take.rollout.old_text) {
    return absl::OkStatus();
  }
  return Bad("prompts", "not those of its branches");
}

// Exactly the frames that the rollout names.
absl::Status CheckKv(const SavedTake& take) {
  size_t named = 0;
  for (size_t branch = 0; branch < take.rollout.frames.size(); ++branch) {
    for (const int64_t frame : take.rollout.frames[branch]) {
      if (!take.kv.contains({branch, frame})) {
        return Bad("kv", absl::StrCat("frame ", frame, " missing"));
      }
      ++named;
    }
  }
  return take.kv.size() == named ? absl::OkStatus() : Bad("kv", "frames that nobody holds");
}

// The rollout's chunks, decoded up to one and waiting from there on.
absl::Status CheckDecoder(const SavedTake& take, const RolloutSpec& rollout) {
  const SavedDecoder& decoder = take.decoder;
  if (decoder.chunk < 0 || decoder.chunk > take.rollout.chunk ||
      take.rollout.chunk - decoder.chunk != std::ssize(take.undecoded)) {
    return Bad("undecoded", "not the chunks that wait");
  }
  for (const Latents& latents : take.undecoded) {
    if (!IsLatents(rollout, latents, rollout.chunk.frames)) {
      return Bad("undecoded", "latents of another size");
    }
  }
  const int64_t decoded = decoder.chunk * rollout.chunk.frames;
  int64_t next_frame = LatentGrid::PixelFrames(decoded);
  if (take.spec.frame_count != 0) next_frame = std::min(next_frame, take.spec.frame_count);
  if (decoder.next_frame != next_frame) {
    return Bad("decoder.next_frame", absl::StrCat(decoder.next_frame, ", which chunk ",
                                                  decoder.chunk, " does not begin with"));
  }
  // Their shapes are checked when a latent is decoded.
  bool all = !decoder.caches.empty() || decoded == 0;
  for (const VaeCacheImage& cache : decoder.caches) all = all && cache.calls == decoded;
  return all ? absl::OkStatus() : Bad("decoder.caches", "not of the latents that were decoded");
}

absl::Status CheckEvents(const SavedTake& take) {
  std::vector<uint64_t> sequences;
  int64_t chunk = 0;
  for (const WaitingEvent& event : take.events) {
    if (event.chunk < chunk) return Bad("events", "out of order");
    chunk = event.chunk;
    if (event.accepted.sequence != 0) sequences.push_back(event.accepted.sequence);
  }
  if (take.inbox.AreTaken(std::move(sequences))) return absl::OkStatus();
  return Bad("events", "not those that its inbox waits for");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Rollout>> RestoreRollout(const SavedTake& take,
                                                        const VideoModel& model) {
  LT_RETURN_IF_ERROR(CheckSpec(take, model));
  LT_RETURN_IF_ERROR(CheckPrompts(take));
  LT_ASSIGN_OR_RETURN(std::unique_ptr<Rollout> rollout,
                      Rollout::Restore(RolloutFor(take.spec, model), take.rollout));
  LT_RETURN_IF_ERROR(CheckKv(take));
  LT_RETURN_IF_ERROR(CheckDecoder(take, rollout->spec()));
  LT_RETURN_IF_ERROR(CheckEvents(take));
  return rollout;
}

}  // namespace longtake
