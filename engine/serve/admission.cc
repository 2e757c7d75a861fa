// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/admission.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"
#include "engine/serve/resolve.h"

namespace longtake {

Admission::Admission(const VideoModel& model, const KvMemory& kv, Options options)
    : model_(model),
      kv_(kv),
      options_(std::move(options)),
      ledger_(Ledger::Create(options_.session_bytes_max)),
      shares_(options_.peer_share_percent,
              {.places = options_.sessions_max,
               .kv = kv.pool.page_count() * kv.pool.page_bytes(),
               .kv_file = kv.file == nullptr ? 0 : kv.file->bytes_max(),
               .memory = ledger_}) {}

absl::StatusOr<SessionMemory> Admission::Measure(const ResolvedSpec& spec,
                                                 const RolloutSpec& rollout) const {
  return MeasureSession(spec, rollout, model_, options_.outbox_bytes_max);
}

absl::Status Admission::CheckSize(const SessionMemory& memory) const {
  const uint64_t most = options_.session_bytes_max;
  if (memory.decode_scratch <= most && memory.held() <= most - memory.decode_scratch) {
    return absl::OkStatus();
  }
  return Error(Reason::kSessionTooLarge, absl::StrCat("the session needs ", memory.total(),
                                                      " bytes beside K/V, this server has ", most));
}

absl::Status Admission::CheckShares(const PeerShare& share, const SessionMemory& memory,
                                    uint64_t kv_bytes, bool kv_in_file) {
  LT_RETURN_IF_ERROR(CheckShare(share, *share.places, "session places", 1));
  LT_RETURN_IF_ERROR(CheckShare(share, kv_in_file ? *share.kv_file : *share.kv,
                                kv_in_file ? "bytes of kv-file" : "bytes for keys and values",
                                kv_bytes));
  return CheckShare(share, *share.memory, "bytes for sessions", memory.held(),
                    memory.decode_scratch);
}

absl::StatusOr<Admitted> Admission::Admit(const ResolvedSpec& spec, const Caller& caller) {
  const RolloutSpec rollout = RolloutFor(spec, model_);
  LT_ASSIGN_OR_RETURN(const SessionMemory memory, Measure(spec, rollout));
  LT_RETURN_IF_ERROR(CheckSize(memory));
  LT_ASSIGN_OR_RETURN(const KvNeeds frames, Rollout::FramesNeeded(rollout));
  Admitted out;
  LT_ASSIGN_OR_RETURN(out.kv, KvShare::Create(kv_, rollout.kv_layout, frames));
  std::shared_ptr<Ledger> ledger = ledger_;
  if (const auto share = shares_.Of(caller.peer); share != nullptr) {
    const bool in_file = out.kv->in_file();
    LT_ASSIGN_OR_RETURN(const uint64_t kv_bytes, KvBytes(rollout, in_file));
    LT_RETURN_IF_ERROR(CheckShares(*share, memory, kv_bytes, in_file));
    LT_ASSIGN_OR_RETURN(out.place, share->places->Reserve(1));
    LT_ASSIGN_OR_RETURN(out.kv_share, (in_file ? share->kv_file : share->kv)->Reserve(kv_bytes));
    ledger = share->memory;
  }
  auto reserved = ledger->Reserve(memory.held(), memory.decode_scratch);
  if (!reserved.ok()) return Annotate(reserved.status(), "memory of sessions beside K/V");
  out.decoder_memory = *std::move(reserved);  // the working bytes are the decoder's
  out.session_memory = {.outbox = out.decoder_memory.Split(memory.outbox),
                        .sending = out.decoder_memory.Split(memory.sending),
                        .start = out.decoder_memory.Split(memory.start())};
  out.rollout_memory = out.decoder_memory.Split(memory.rollout());
  return out;
}

absl::StatusOr<uint64_t> Admission::KvBytes(const RolloutSpec& rollout, bool in_file) const {
  LT_ASSIGN_OR_RETURN(const KvNeeds frames, Rollout::FramesNeeded(rollout));
  if (in_file) return frames.held * rollout.kv_layout.file_frame_bytes();
  LT_ASSIGN_OR_RETURN(const uint64_t pages, kv_.pool.PagesPerFrame(rollout.kv_layout));
  return frames.held * pages * kv_.pool.page_bytes();
}

double Admission::ChunkFlops(const RolloutSpec& rollout) const {
  const int64_t frame_tokens = rollout.kv_layout.rows;
  const int64_t chunk = rollout.chunk.frames * frame_tokens;
  const int64_t window = rollout.key_plan.window_frames * frame_tokens;
  const RolloutShape shape = ShapeOf(rollout);
  const double clean = model_.ForwardFlops(chunk, window);
  const double denoise = static_cast<double>(shape.denoise_forwards) *
                         model_.ForwardFlops(shape.chunks_in_work * chunk, window);
  return static_cast<double>(rollout.branch_count()) * (denoise + clean);
}

absl::StatusOr<SessionEstimate> Admission::Estimate(const ResolvedSpec& spec,
                                                    const LaneCosts& lane_costs,
                                                    const Caller& caller) {
  const RolloutSpec rollout = RolloutFor(spec, model_);
  LT_ASSIGN_OR_RETURN(const SessionMemory memory, Measure(spec, rollout));
  LT_ASSIGN_OR_RETURN(const KvNeeds frames, Rollout::FramesNeeded(rollout));
  const auto in_file = KvShare::WouldBeInFile(kv_, rollout.kv_layout, frames);
  SessionEstimate out;
  out.kv_in_file = in_file.ok() && *in_file;
  LT_ASSIGN_OR_RETURN(out.kv_bytes, KvBytes(rollout, out.kv_in_file));
  out.memory_bytes = (out.kv_in_file ? 0 : out.kv_bytes) + memory.total();
  out.memory_rows = memory.Rows();
  if (!out.kv_in_file) out.memory_rows.emplace_back("keys and values", out.kv_bytes);
  if (out.kv_in_file) EstimateKvFile(rollout, &out);
  EstimateTime(spec, rollout, lane_costs, &out);
  absl::Status room = CheckSize(memory);
  if (room.ok()) room = ledger_->CheckRoom(memory.held(), memory.decode_scratch);
  if (room.ok()) room = in_file.status();
  const auto share = shares_.Of(caller.peer);
  if (room.ok() && share != nullptr) {
    room = CheckShares(*share, memory, out.kv_bytes, out.kv_in_file);
  }
  out.fits_now = room.ok();
  out.refusal = std::string(room.message());
  return out;
}

void Admission::EstimateTime(const ResolvedSpec& spec, const RolloutSpec& rollout,
                             const LaneCosts& lane_costs, SessionEstimate* out) const {
  const int64_t frames = LatentGrid::LaterPixelFrames(rollout.chunk.frames);
  const auto pixels = static_cast<double>(spec.width * spec.height * frames);
  const auto seconds =
      lane_costs.Predict(ChunkFlops(rollout), pixels, std::max(1.0, out->kv_file_slowdown));
  if (!seconds.has_value()) return;
  out->seconds_per_chunk = seconds->chunk;
  out->seconds_to_first_frame = seconds->first;
  out->realtime_factor =
      static_cast<double>(frames) / static_cast<double>(spec.fps) / seconds->chunk;
}

void Admission::EstimateKvFile(const RolloutSpec& rollout, SessionEstimate* out) const {
  const KvLayout& layout = rollout.kv_layout;
  const RolloutShape shape = ShapeOf(rollout);
  const uint64_t layer_bytes =
      static_cast<uint64_t>(shape.frames_read) * rollout.branch_count() * layout.file_layer_bytes();
  out->kv_file_bytes_per_sweep = static_cast<uint64_t>(layout.layers) * layer_bytes;
  if (!options_.predict_sweep) return;
  // Each branch's tokens see the frames of that branch.
  SweepLoad load = {.tokens = shape.denoise_tokens,
                    .context_rows = shape.frames_read * layout.rows};
  const double in_memory = options_.predict_sweep(load);
  load.kv_layer_bytes = layer_bytes;
  out->kv_file_slowdown = options_.predict_sweep(load) / in_memory;
}

}  // namespace longtake
