// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/render.h"

#include "absl/strings/str_cat.h"
#include "server/errors.h"

namespace longtake {
namespace {

constexpr int64_t kBillion = 1'000'000'000;

v1::Session::State RenderState(SessionState state) {
  switch (state) {
    case SessionState::kStarting:
      return v1::Session::STATE_STARTING;
    case SessionState::kRunning:
      return v1::Session::STATE_RUNNING;
    case SessionState::kPaused:
      return v1::Session::STATE_PAUSED;
    case SessionState::kBlocked:
      return v1::Session::STATE_BLOCKED;
    case SessionState::kEnded:
      return v1::Session::STATE_ENDED;
    case SessionState::kFailed:
      return v1::Session::STATE_FAILED;
    case SessionState::kParked:
      return v1::Session::STATE_PARKED;
  }
  return v1::Session::STATE_UNSPECIFIED;
}

v1::KeyPlan::Kind RenderKind(KeyPlanKind kind) {
  switch (kind) {
    case KeyPlanKind::kGlobal:
      return v1::KeyPlan::KIND_GLOBAL;
    case KeyPlanKind::kWindow:
      return v1::KeyPlan::KIND_WINDOW;
    case KeyPlanKind::kSlotWindow:
      return v1::KeyPlan::KIND_SLOT_WINDOW;
    case KeyPlanKind::kRollingSink:
      return v1::KeyPlan::KIND_ROLLING_SINK;
  }
  return v1::KeyPlan::KIND_UNSPECIFIED;
}

v1::PromptSwitch RenderPromptSwitch(PromptSwitch prompt_switch) {
  switch (prompt_switch) {
    case PromptSwitch::kSwap:
      return v1::PROMPT_SWITCH_SWAP;
    case PromptSwitch::kRecache:
      return v1::PROMPT_SWITCH_RECACHE;
    case PromptSwitch::kRecacheAndSink:
      return v1::PROMPT_SWITCH_RECACHE_AND_SINK;
  }
  return v1::PROMPT_SWITCH_UNSPECIFIED;
}

v1::DecoderKind RenderDecoder(DecoderKind kind) {
  switch (kind) {
    case DecoderKind::kFull:
      return v1::DECODER_KIND_FULL;
    case DecoderKind::kTiny:
      return v1::DECODER_KIND_TINY;
  }
  return v1::DECODER_KIND_UNSPECIFIED;
}

v1::MediaKind RenderMediaKind(MediaKind kind) {
  switch (kind) {
    case MediaKind::kFmp4:
      return v1::MEDIA_KIND_FMP4;
    case MediaKind::kRgb24:
      return v1::MEDIA_KIND_RGB24;
  }
  return v1::MEDIA_KIND_UNSPECIFIED;
}

void RenderTime(int64_t wall_nanos, google::protobuf::Timestamp* out) {
  out->set_seconds(wall_nanos / kBillion);
  out->set_nanos(static_cast<int32_t>(wall_nanos % kBillion));
}

void RenderSpec(const SessionSpec& spec, v1::SessionSpec* out) {
  out->set_prompt(spec.prompt);
  out->set_negative_prompt(spec.negative_prompt);
  for (const PromptChange& change : spec.prompt_changes) {
    v1::PromptChange& rendered = *out->add_prompt_changes();
    rendered.set_frame(change.frame);
    rendered.set_prompt(change.prompt);
  }
  if (spec.guidance.has_value()) out->set_guidance(*spec.guidance);
  out->set_seed(spec.seed);
  out->set_width(static_cast<int32_t>(spec.width));
  out->set_height(static_cast<int32_t>(spec.height));
  out->set_fps(static_cast<int32_t>(spec.fps));
  if (spec.frame_count != 0) out->set_frame_count(spec.frame_count);
  out->mutable_steps()->Assign(spec.steps.begin(), spec.steps.end());
  if (spec.tiled_decode.has_value()) out->set_tiled_decode(*spec.tiled_decode);
  if (spec.decoder.has_value()) out->set_decoder(RenderDecoder(*spec.decoder));
  out->set_step_count(static_cast<int32_t>(spec.step_count));
  out->set_start_frame_count(static_cast<int32_t>(spec.start_frames));
  out->set_numerics_profile(spec.numerics_profile);
  out->set_allow_other_numerics(spec.allow_other_numerics);
  if (spec.key_plan.has_value()) RenderKeyPlan(*spec.key_plan, out->mutable_key_plan());
  if (spec.prompt_switch.has_value()) {
    out->set_prompt_switch(RenderPromptSwitch(*spec.prompt_switch));
  }
  out->set_media_kind(RenderMediaKind(spec.media_kind));
  out->mutable_ttl()->set_seconds(spec.ttl_nanos / kBillion);
  out->mutable_ttl()->set_nanos(static_cast<int32_t>(spec.ttl_nanos % kBillion));
}

}  // namespace

void RenderKeyPlan(const KeyPlanSpec& plan, v1::KeyPlan* out) {
  out->set_kind(RenderKind(plan.kind));
  out->set_window_frames(static_cast<int32_t>(plan.window_frames));
  out->set_sink_frames(static_cast<int32_t>(plan.sink_frames));
}

void RenderSession(const SessionInfo& info, const ModelIdentity& model, v1::Session* out) {
  out->set_name(absl::StrCat("sessions/", info.id));
  RenderSpec(info.spec, out->mutable_spec());
  out->mutable_spec()->set_model(absl::StrCat("models/", model.name));
  out->set_state(RenderState(info.state));
  if (info.state == SessionState::kFailed) {
    out->set_failure_message(ClientMessage(info.failure));
  }
  if (info.create_wall_nanos != 0) RenderTime(info.create_wall_nanos, out->mutable_create_time());
  if (info.expire_wall_nanos != 0) RenderTime(info.expire_wall_nanos, out->mutable_expire_time());
  out->set_chunk_count(info.chunk_count);
  out->set_frame_count(info.frame_count);
  out->set_oldest_chunk(info.oldest_chunk_held);
  out->set_base_chunk(info.base_chunk);
  out->set_outbox_bytes(static_cast<int64_t>(info.outbox_bytes));
  out->set_attached(info.attached);
  out->set_start_bytes(static_cast<int64_t>(info.start_bytes));
  out->set_durable_through(info.durable_through);
  out->set_epoch(info.epoch);
  out->set_durable(info.durable);
  out->set_has_gap(info.has_gap);
  out->set_damage(info.damage);
  out->set_snapshot_refusal(info.snapshot_refusal);
  const std::string& digest = info.model_digest.empty() ? model.digest : info.model_digest;
  const std::string& profile =
      info.numerics_profile.empty() ? model.numerics_profile : info.numerics_profile;
  out->set_model_digest(digest);
  out->set_numerics_profile(profile);
  out->set_numerics_differ(info.spec.numerics_profile != profile);
}

void RenderEstimate(const SessionEstimate& estimate, v1::SessionEstimate* out) {
  out->set_seconds_per_chunk(estimate.seconds_per_chunk);
  out->set_first_frame_seconds(estimate.seconds_to_first_frame);
  out->set_realtime_factor(estimate.realtime_factor);
  out->set_kv_bytes(static_cast<int64_t>(estimate.kv_bytes));
  out->set_memory_bytes(static_cast<int64_t>(estimate.memory_bytes));
  out->set_admissible(estimate.fits_now);
  out->set_refusal_message(estimate.refusal);
  out->set_kv_file_bytes_per_sweep(static_cast<int64_t>(estimate.kv_file_bytes_per_sweep));
  out->set_kv_file_slowdown(estimate.kv_file_slowdown);
  out->set_resume_seconds(estimate.resume_seconds);
  out->set_resume_seconds_max(estimate.resume_seconds_max);
  for (const auto& [name, bytes] : estimate.memory_by_name) {
    v1::SessionEstimate::MemoryRow& row = *out->add_memory();
    row.set_name(name);
    row.set_bytes(static_cast<int64_t>(bytes));
  }
}

void RenderReceipt(uint64_t control_id, const absl::StatusOr<EventAccepted>& accepted,
                   v1::Receipt* out) {
  out->set_control_id(control_id);
  if (!accepted.ok()) {
    *out->mutable_error() = RenderError(WithFieldPrefix(accepted.status(), "control."));
    return;
  }
  out->set_sequence(accepted->sequence);
  out->set_durable(accepted->durable);
  if (accepted->applied_chunk.has_value()) out->set_applied_chunk(*accepted->applied_chunk);
}

void RenderReceipt(const EventApplied& applied, v1::Receipt* out) {
  out->set_sequence(applied.sequence);
  out->set_applied_chunk(applied.chunk);
  out->set_control_id(applied.control_id);
}

std::string DigestBytes(const Hash128& digest) {
  std::string out;
  for (const uint64_t half : {digest.high, digest.low}) {
    for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(half >> shift));
  }
  return out;
}

void RenderFrameTime(int64_t frame, int64_t fps, google::protobuf::Duration* out) {
  out->set_seconds(frame / fps);
  out->set_nanos(static_cast<int32_t>(frame % fps * kBillion / fps));
}

}  // namespace longtake
