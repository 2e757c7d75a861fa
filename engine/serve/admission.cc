// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/admission.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"
#include "engine/serve/resolve.h"

namespace longtake {

Admission::Admission(const VideoModel& model, const KvStages& kv, Options options)
    : model_(model),
      kv_(kv),
      options_(options),
      ledger_{.host = Ledger::Create(options_.session_bytes_max),
              .device = Ledger::Create(options_.session_device_bytes_max.value_or(0))},
      shares_(options_.peer_share_percent, {.places = options_.sessions_max,
                                            .kv = kv.pools().bytes_max,
                                            .kv_file = kv.files().bytes_max,
                                            .memory = ledger_}) {}

absl::StatusOr<Admission::Needs> Admission::Measure(const ResolvedSpec& spec,
                                                    const RolloutSpec& rollout) const {
  LT_ASSIGN_OR_RETURN(SessionMemory parts,
                      MeasureSession(spec, rollout, model_, options_.outbox_bytes_max));
  if (!options_.session_device_bytes_max.has_value()) parts = parts.OfHost();
  return Needs{.parts = parts, .held = parts.held(), .working = parts.decode_scratch};
}

absl::Status Admission::CheckSize(const Needs& needs) const {
  const auto check = [](uint64_t held, uint64_t working, uint64_t most, const char* what) {
    if (working <= most && held <= most - working) return absl::OkStatus();
    return Error(Reason::kSessionTooLarge, absl::StrCat("the session needs ", held + working, what,
                                                        " beside K/V, this server has ", most));
  };
  LT_RETURN_IF_ERROR(
      check(needs.held.host, needs.working.host, ledger_.host->bytes_max(), " bytes"));
  return check(needs.held.device, needs.working.device, ledger_.device->bytes_max(),
               " bytes of device memory");
}

absl::Status Admission::CheckShares(const PeerShare& share, const Needs& needs, uint64_t kv_bytes,
                                    bool kv_in_file) {
  LT_RETURN_IF_ERROR(CheckShare(share, *share.places, "session places", 1));
  LT_RETURN_IF_ERROR(CheckShare(share, kv_in_file ? *share.kv_file : *share.kv,
                                kv_in_file ? "bytes of kv-file" : "bytes for keys and values",
                                kv_bytes));
  LT_RETURN_IF_ERROR(CheckShare(share, *share.memory.host, "bytes for sessions", needs.held.host,
                                needs.working.host));
  return CheckShare(share, *share.memory.device, "bytes of device memory for sessions",
                    needs.held.device, needs.working.device);
}

absl::StatusOr<Admitted> Admission::Admit(const ResolvedSpec& spec, const Caller& caller) {
  const RolloutSpec rollout = RolloutFor(spec, model_);
  LT_ASSIGN_OR_RETURN(const Needs needs, Measure(spec, rollout));
  LT_RETURN_IF_ERROR(CheckSize(needs));
  LT_ASSIGN_OR_RETURN(const KvNeeds frames, Rollout::FramesNeeded(rollout));
  Admitted out;
  LT_ASSIGN_OR_RETURN(out.kv, kv_.NewShares(rollout.kv_layout, frames));
  MemoryLedger ledger = ledger_;
  if (const auto share = shares_.Of(caller.peer); share != nullptr) {
    const bool in_file = out.kv.in_file();
    LT_ASSIGN_OR_RETURN(const uint64_t kv_bytes, KvBytes(rollout, in_file));
    LT_RETURN_IF_ERROR(CheckShares(*share, needs, kv_bytes, in_file));
    LT_ASSIGN_OR_RETURN(out.place, share->places->Reserve(1));
    LT_ASSIGN_OR_RETURN(out.kv_share, (in_file ? share->kv_file : share->kv)->Reserve(kv_bytes));
    ledger = share->memory;
  }
  // The working bytes are the decoder's.
  LT_ASSIGN_OR_RETURN(out.decoder_memory, ledger.Reserve(needs.held, needs.working));
  const SessionMemory& parts = needs.parts;
  out.session_memory = {.outbox = out.decoder_memory.host.Split(parts.outbox.host),
                        .sending = out.decoder_memory.host.Split(parts.sending.host),
                        .start = out.decoder_memory.Split(parts.start())};
  out.rollout_memory = out.decoder_memory.Split(parts.rollout());
  return out;
}

absl::StatusOr<uint64_t> Admission::KvBytes(const RolloutSpec& rollout, bool in_file) const {
  LT_ASSIGN_OR_RETURN(const KvNeeds frames, Rollout::FramesNeeded(rollout));
  return kv_.Bytes(rollout.kv_layout, frames.held, in_file);
}

absl::StatusOr<SessionEstimate> Admission::Estimate(const ResolvedSpec& spec, const Costs& costs,
                                                    const Caller& caller) {
  const RolloutSpec rollout = RolloutFor(spec, model_);
  LT_ASSIGN_OR_RETURN(const Needs needs, Measure(spec, rollout));
  LT_ASSIGN_OR_RETURN(const KvNeeds frames, Rollout::FramesNeeded(rollout));
  const auto in_file = kv_.WouldBeInFile(rollout.kv_layout, frames);
  SessionEstimate out;
  out.kv_in_file = in_file.ok() && *in_file;
  LT_ASSIGN_OR_RETURN(out.kv_bytes, KvBytes(rollout, out.kv_in_file));
  out.memory_bytes = (out.kv_in_file ? 0 : out.kv_bytes) + needs.parts.total().total();
  for (const auto& [name, use] : needs.parts.ByName()) {
    if (use.host > 0 || use.device == 0) out.memory_by_name.emplace_back(name, use.host);
    if (use.device > 0) out.memory_by_name.emplace_back(name + ", on the device", use.device);
  }
  if (!out.kv_in_file) out.memory_by_name.emplace_back("keys and values", out.kv_bytes);
  if (out.kv_in_file) EstimateKvFile(rollout, costs.sweeps, &out);
  EstimateTime(spec, rollout, costs, &out);
  absl::Status room = CheckSize(needs);
  if (room.ok()) room = ledger_.CheckRoom(needs.held, needs.working);
  if (room.ok()) room = in_file.status();
  const auto share = shares_.Of(caller.peer);
  if (room.ok() && share != nullptr) {
    room = CheckShares(*share, needs, out.kv_bytes, out.kv_in_file);
  }
  out.fits_now = room.ok();
  out.refusal = std::string(room.message());
  if (!room.ok()) out.refusal_reason = ReasonFor(room);
  return out;
}

void Admission::EstimateTime(const ResolvedSpec& spec, const RolloutSpec& rollout,
                             const Costs& costs, SessionEstimate* out) const {
  const auto sweeps =
      costs.sweeps.PredictAll(SweepsOfChunk(rollout, model_.options().tokens_max, out->kv_in_file));
  const auto first_sweeps = costs.sweeps.PredictAll(SweepsOfFirstChunk(rollout));
  const auto frame_pixels = static_cast<double>(spec.width * spec.height);
  const int64_t frames = LatentGrid::LaterPixelFrames(rollout.chunk.frames);
  const auto decode = costs.lanes.DecodeSeconds(
      spec.decoder, frame_pixels * static_cast<double>(frames), rollout.chunk.frames);
  if (!sweeps || !first_sweeps || !decode) return;
  out->seconds_per_chunk = costs.lanes.ChunkSeconds(*sweeps, *decode);
  const bool only_chunk = ShapeOf(rollout).frames_held == 0;
  const LaneCosts::DecodedChunk first = {.latents = rollout.chunk.frames,
                                         .frames = LatentGrid::PixelFrames(rollout.chunk.frames),
                                         .frame_pixels = frame_pixels};
  out->seconds_to_first_frame = *costs.lanes.FirstChunkSeconds(*first_sweeps, spec.decoder, first,
                                                               only_chunk ? SweepTime() : *sweeps);
  out->realtime_factor =
      static_cast<double>(frames) / static_cast<double>(spec.fps) / out->seconds_per_chunk;
  if (!options_.snapshots.has_value()) return;
  out->resume_seconds_max = options_.snapshots->resume_seconds_max;
  out->resume_seconds =
      PredictLongestReplay(rollout, out->seconds_per_chunk, *options_.snapshots,
                           model_.options().tokens_max, out->kv_in_file, costs.sweeps)
          .value_or(0);
}

void Admission::EstimateKvFile(const RolloutSpec& rollout, const SweepCostModel& sweeps,
                               SessionEstimate* out) {
  const KvLayout& layout = rollout.kv_layout;
  out->kv_file_bytes_per_sweep = static_cast<uint64_t>(layout.layers) *
                                 static_cast<uint64_t>(ShapeOf(rollout).frames_read) *
                                 rollout.branch_count() * layout.file_layer_bytes();
  if (!sweeps.calibrated()) return;  // what was measured says nothing of bytes it did not read
  const auto in_file = sweeps.Predict(DenoisingSweep(rollout, true));
  const auto in_memory = sweeps.Predict(DenoisingSweep(rollout, false));
  out->kv_file_slowdown = in_file->seconds / in_memory->seconds;
}

}  // namespace longtake
