// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/resume.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"
#include "engine/model/vae/latent_grid.h"
#include "engine/serve/resolve.h"
#include "engine/serve/resume_cost.h"

namespace longtake {
namespace {

absl::Status Corrupt(const StoredSession& stored, const std::string& problem) {
  return Error(Reason::kSessionCorrupt, absl::StrCat("session ", stored.id, ": ", problem),
               {{"session", stored.id}});
}

absl::Status CheckIdentity(const StoredSession& stored, const VideoModel& model) {
  const SessionCreated& created = stored.created;
  const std::map<std::string, std::string> session = {{"session", stored.id}};
  const bool only_shows =
      stored.ended && created.decoder_digest == model.DecoderDigest(ChoiceOf(created.spec));
  if (created.model_digest != model.digest() && !only_shows) {
    return Error(Reason::kModelDiffers,
                 absl::StrCat("session ", stored.id, " is of model ", created.model_digest,
                              "; this server runs ", model.digest()),
                 session);
  }
  if (created.numerics_profile != model.numerics_profile() && !created.spec.allow_other_numerics) {
    return Error(Reason::kNumericsDiffer,
                 absl::StrCat("session ", stored.id, " is computed in ", created.numerics_profile,
                              "; this server computes in ", std::string(model.numerics_profile())),
                 session);
  }
  if (created.model_digest != model.digest()) return absl::OkStatus();
  const absl::StatusOr<ResolvedSpec> spec = ResolveSpec(created.spec.AsRequest(), model);
  if (!spec.ok()) return Annotate(spec.status(), absl::StrCat("session ", stored.id));
  return *spec == created.spec ? absl::OkStatus() : Corrupt(stored, "its spec was another");
}

// Of chunks, or of what the take begins with.
absl::Status CheckLatents(const StoredSession& stored, const RolloutSpec& rollout) {
  const auto fits = [&](const LatentsRef& ref, int64_t frames) {
    return ref.channels == rollout.channels && ref.grid == rollout.chunk.WithFrames(frames);
  };
  for (auto chunk = stored.settled.begin() + stored.first_kept; chunk != stored.settled.end();
       ++chunk) {
    if (!fits(chunk->ref, rollout.chunk.frames)) {
      return Corrupt(stored, "latents of another size");
    }
  }
  const bool starts = rollout.start_latents != 0;
  const bool has_start = stored.start.has_value();
  if (has_start ? starts && fits(stored.start->ref, rollout.start_latents)
                : !starts || stored.settled.empty()) {
    return absl::OkStatus();
  }
  return Corrupt(stored, "not the start that its spec has");
}

ChunkRange ChunksFor(const StoredSession& stored, int64_t next_chunk, VideoModel& model) {
  const int64_t settled = std::ssize(stored.settled);
  const int64_t decoded = std::ssize(stored.decoded);
  if (next_chunk < 0) {
    const int64_t oldest = OldestChunk(stored.first_kept, stored.created.spec, model);
    const int64_t sent = decoded == 0 ? 0 : std::min(stored.decoded.back().sent, settled);
    next_chunk = std::max(sent, oldest);
  }
  ChunkRange chunks = {.digest_from = std::min(next_chunk, decoded), .show_from = next_chunk};
  chunks.decode_from =
      std::max<int64_t>(0, chunks.digest_from - WarmUpChunks(stored.created.spec, model));
  return chunks;
}

// Where the pixels of a chunk begin.
int64_t FirstFrame(const ResolvedSpec& spec, int64_t chunk, int64_t chunk_frames) {
  const int64_t frame = LatentGrid::PixelFrames(chunk * chunk_frames);
  return spec.frame_count == 0 ? frame : std::min(frame, spec.frame_count);
}

// Prompts that were shown, in the order in which they came to hold, but for those that the snapshot
// has. What else was asked is known by what it led to.
void AddEvents(const StoredSession& stored, int64_t in_snapshot, Resumed* resumed) {
  int64_t number = 0;
  for (const size_t index : stored.applied) {
    const StoredEvent& event = stored.events[index];
    const bool is_in_snapshot = number++ < in_snapshot;
    switch (event.accepted.event.kind) {
      case EventKind::kPrompt:
        if (!event.shown || is_in_snapshot) break;
        resumed->events.push_back(
            {.accepted = event.accepted, .chunk = *event.applied_chunk, .timed = true});
        resumed->events.back().accepted.sequence = 0;  // its receipts were sent
        break;
      case EventKind::kPause:
        resumed->replay->paused = true;
        break;
      case EventKind::kResume:
        resumed->replay->paused = false;
        break;
      case EventKind::kEnd:
        resumed->replay->ending = true;
        break;
    }
  }
}

// All that held, and which of the spec's changes the snapshot has.
SnapshotPoint PastOf(const StoredSession& stored, const SnapshotPoint& snapshot) {
  SnapshotPoint past = snapshot;
  past.events = std::ssize(stored.applied);
  if (past.events > 0) past.last_event = stored.events[stored.applied.back()].accepted.sequence;
  return past;
}

// Chunks of which it makes nothing are decoded from their latents, and so are those of one that
// ended.
void PlanReplay(const StoredSession& stored, int64_t snapshot_chunk, Resumed* resumed) {
  Replay& replay = *resumed->replay;
  replay.settled = stored.settled;
  replay.comparable = !stored.numerics_changed;
  replay.ending |= stored.ended;
  replay.made_before = replay.ending ? std::ssize(stored.settled) : snapshot_chunk;
  replay.next_logged = std::min(resumed->chunks.decode_from, replay.made_before);
}

// Which chunks it makes again and which events hold in them.
absl::StatusOr<Resumed> PlanWay(const StoredSession& stored, int64_t next_chunk,
                                const SnapshotPoint* snapshot, VideoModel& model) {
  const SnapshotPoint from = snapshot == nullptr ? SnapshotPoint() : *snapshot;
  Resumed resumed;
  resumed.replay.emplace();
  LT_RETURN_IF_ERROR(CheckNextChunk(stored, next_chunk, model));
  resumed.chunks = ChunksFor(stored, next_chunk, model);
  AddEvents(stored, from.events, &resumed);
  PlanReplay(stored, from.chunk, &resumed);
  if (from.chunk < stored.base && !resumed.replay->ending) {
    return Corrupt(stored, absl::StrCat("its history begins with a snapshot at chunk ", stored.base,
                                        ", which is missing or damaged"));
  }
  resumed.past = PastOf(stored, from);
  resumed.snapshot_chunk = from.chunk;
  return resumed;
}

absl::Status Tokenize(const VideoModel& model, AcceptedEvent* event) {
  if (event->event.kind != EventKind::kPrompt) return absl::OkStatus();
  LT_ASSIGN_OR_RETURN(event->prompt_ids, model.Tokenize(event->event.prompt));
  return absl::OkStatus();
}

absl::StatusOr<Inbox> MakeInbox(const StoredSession& stored, size_t events_max,
                                const VideoModel& model) {
  std::vector<RestoredEvent> events;
  for (const StoredEvent& event : stored.events) {
    events.push_back({.accepted = event.accepted, .applied_chunk = event.applied_chunk});
    if (event.applied_chunk.has_value()) continue;
    LT_RETURN_IF_ERROR(Tokenize(model, &events.back().accepted));
  }
  return Inbox::Restore(events_max, std::move(events), stored.next_sequence);
}

}  // namespace

int64_t WarmUpChunks(const ResolvedSpec& spec, VideoModel& model) {
  const int64_t frames = model.recipe().chunk_frames;
  return (model.chunk_decoder().warm_up_latents(ChoiceOf(spec)) + frames - 1) / frames;
}

int64_t OldestChunk(int64_t first_kept, const ResolvedSpec& spec, VideoModel& model) {
  return first_kept == 0 ? 0 : first_kept + WarmUpChunks(spec, model);
}

SessionInfo InfoOfParked(const StoredSummary& stored, VideoModel& model) {
  const SessionRow& row = stored.row;
  SessionInfo info;
  info.id = row.id;
  info.spec = stored.created.spec.AsRequest();
  info.state = row.ended ? SessionState::kEnded : SessionState::kParked;
  info.create_wall_nanos = row.create_wall_nanos;
  info.chunk_count = row.decoded;
  info.frame_count = row.end_frame;
  info.base_chunk = row.base;
  info.oldest_chunk_held = OldestChunk(row.first_kept, stored.created.spec, model);
  info.next_chunk = row.chunks;
  info.durable_through = row.decoded;
  info.epoch = row.epoch;
  const bool started = row.chunks > 0;
  info.start_bytes =
      started ? stored.created.spec.start_bytes() : static_cast<uint64_t>(stored.start_bytes);
  info.durable = true;
  info.damage = stored.damage;
  info.model_digest = stored.created.model_digest;
  info.numerics_profile = stored.created.numerics_profile;
  info.expire_wall_nanos = row.expire_wall_nanos.value_or(0);
  return info;
}

absl::Status CheckResume(const StoredSession& stored, const VideoModel& model) {
  LT_RETURN_IF_ERROR(CheckIdentity(stored, model));
  return CheckLatents(stored, RolloutFor(stored.created.spec, model));
}

absl::Status CheckNextChunk(const StoredSession& stored, int64_t next_chunk, VideoModel& model) {
  const int64_t settled = std::ssize(stored.settled);
  const int64_t oldest = OldestChunk(stored.first_kept, stored.created.spec, model);
  if (next_chunk < 0 || (next_chunk >= oldest && next_chunk <= settled)) return absl::OkStatus();
  const std::string why = next_chunk > settled ? "made" : "kept";
  return Error(Reason::kChunkNotHeld,
               absl::StrCat("session ", stored.id, ": chunk ", next_chunk, " is not ", why,
                            "; chunks ", oldest, " to ", settled, " can be attached at"),
               {{"session", stored.id},
                {"oldest_chunk", std::to_string(oldest)},
                {"next_chunk", std::to_string(settled)},
                {"durable_through", std::to_string(stored.decoded.size())},
                {"epoch", std::to_string(stored.epoch)}});
}

absl::Status CheckShown(const StoredSummary& stored, int64_t end, VideoModel& model) {
  const int64_t oldest = OldestChunk(stored.row.first_kept, stored.created.spec, model);
  if (end > oldest) return absl::OkStatus();
  return Error(Reason::kChunkNotHeld,
               absl::StrCat("session ", stored.row.id, ": of chunks before ", end,
                            " none is kept that can be shown; the first is chunk ", oldest),
               {{"session", stored.row.id},
                {"oldest_chunk", std::to_string(oldest)},
                {"next_chunk", std::to_string(stored.row.chunks)}});
}

absl::StatusOr<std::optional<NumericsChanged>> ChangeNumerics(int64_t next_chunk, VideoModel& model,
                                                              StoredSession* stored) {
  const std::string profile(model.numerics_profile());
  if (stored->created.numerics_profile == profile && !stored->numerics_changed) {
    return std::nullopt;
  }
  const ChunkRange chunks = ChunksFor(*stored, next_chunk, model);
  const int64_t chunk = chunks.digest_from;
  const NumericsChanged changed = {
      .numerics_profile = profile,
      .chunk = chunk,
      .first_frame = FirstFrame(stored->created.spec, chunk, model.recipe().chunk_frames)};
  LT_RETURN_IF_ERROR(stored->Add(/*session=*/0, /*number=*/0, changed));
  return changed;
}

absl::StatusOr<ResumePlan> PlanResume(const StoredSession& stored, int64_t next_chunk,
                                      size_t events_max, const SnapshotPoint* snapshot,
                                      VideoModel& model) {
  LT_RETURN_IF_ERROR(CheckResume(stored, model));
  const ResolvedSpec& spec = stored.created.spec;
  const RolloutSpec rollout = RolloutFor(spec, model);
  ResumePlan plan;
  LT_ASSIGN_OR_RETURN(plan.resumed, PlanWay(stored, next_chunk, snapshot, model));
  Resumed& resumed = plan.resumed;
  for (WaitingEvent& event : resumed.events) LT_RETURN_IF_ERROR(Tokenize(model, &event.accepted));
  LT_ASSIGN_OR_RETURN(Inbox inbox, MakeInbox(stored, events_max, model));
  const int64_t chunk_frames = rollout.chunk.frames;
  const ChunkRange& chunks = resumed.chunks;
  plan.beginning = {.inbox = std::move(inbox),
                    .chunk = chunks.show_from,
                    .frame = FirstFrame(spec, chunks.show_from, chunk_frames),
                    .made = std::ssize(stored.settled),
                    .has_start = stored.start.has_value(),
                    .create_wall_nanos = stored.created.create_wall_nanos,
                    .epoch = stored.epoch,
                    .attachment = {.had_reader = true}};
  const int64_t digest_from = chunks.digest_from;
  if (chunks.decode_from > 0) {
    plan.decoder.caches = model.chunk_decoder().StartInMidStream(
        ChoiceOf(spec), chunks.decode_from * chunk_frames, rollout.chunk.WithFrames(1));
  }
  plan.decoder.chunk = digest_from;
  plan.decoder.next_frame = FirstFrame(spec, digest_from, chunk_frames);
  if (digest_from > 0) {
    plan.decoder.chain = stored.decoded[static_cast<size_t>(digest_from - 1)].chain;
  }
  plan.before.assign(stored.decoded.begin() + digest_from, stored.decoded.end());
  return plan;
}

ResumeReport ForeseeResume(const StoredSession& stored, const Resumed& resumed,
                           const RolloutSpec& rollout, bool kv_in_file, const SweepCostModel& costs,
                           const LaneCosts& lanes, VideoModel& model) {
  const ResolvedSpec& spec = stored.created.spec;
  ResumeReport report = {
      .id = stored.id, .chunk = std::ssize(stored.settled), .snapshot = resumed.snapshot_chunk};
  ReplaySpan span = {.first = resumed.replay->made_before, .end = report.chunk};
  for (const WaitingEvent& event : resumed.events) span.changes.push_back(event.chunk);
  const auto sweeps = PredictReplay(rollout, span, model.options().tokens_max, kv_in_file, costs);
  if (sweeps.has_value()) report.replay_seconds = sweeps->seconds;
  report.warm_up_seconds =
      PredictWarmUp(spec, model.chunk_decoder().warm_up_latents(ChoiceOf(spec)),
                    resumed.chunks.digest_from * rollout.chunk.frames, lanes);
  if (sweeps.has_value()) {
    report.seconds = lanes.ChunkSeconds(*sweeps, report.warm_up_seconds.value_or(0));
  }
  return report;
}

absl::StatusOr<ResumeReport> ForeseeResume(const StoredSession& stored,
                                           const SnapshotPoint* snapshot, bool kv_in_file,
                                           const SweepCostModel& costs, const LaneCosts& lanes,
                                           VideoModel& model) {
  LT_RETURN_IF_ERROR(CheckResume(stored, model));
  LT_ASSIGN_OR_RETURN(const Resumed resumed,
                      PlanWay(stored, std::ssize(stored.settled), snapshot, model));
  return ForeseeResume(stored, resumed, RolloutFor(stored.created.spec, model), kv_in_file, costs,
                       lanes, model);
}

}  // namespace longtake
