// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/store/spec_codec.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "longtake/store/v1/records.pb.h"

namespace longtake {
namespace {

// The enumerator of this number, of an enum that counts from 0 to last.
template <typename Enum>
absl::StatusOr<Enum> ToEnum(int32_t number, Enum last, const std::string& field) {
  if (number >= 0 && number <= static_cast<int32_t>(last)) return static_cast<Enum>(number);
  return absl::DataLossError(absl::StrCat("record: spec.", field, " is ", number));
}

void EncodeKeyPlan(const KeyPlanSpec& plan, store::v1::KeyPlan* out) {
  out->set_kind(static_cast<int32_t>(plan.kind));
  out->set_window_frames(plan.window_frames);
  out->set_sink_frames(plan.sink_frames);
  out->set_sink_start(plan.sink_start);
}

absl::StatusOr<KeyPlanSpec> DecodeKeyPlan(const store::v1::KeyPlan& in) {
  KeyPlanSpec plan = {.window_frames = in.window_frames(),
                      .sink_frames = in.sink_frames(),
                      .sink_start = in.sink_start()};
  LT_ASSIGN_OR_RETURN(plan.kind, ToEnum(in.kind(), KeyPlanKind::kRollingSink, "key_plan.kind"));
  return plan;
}

}  // namespace

void EncodeSpec(const ResolvedSpec& spec, store::v1::Spec* out) {
  out->set_prompt(spec.prompt);
  for (const PromptChange& change : spec.prompt_changes) {
    store::v1::PromptChange& to = *out->add_prompt_changes();
    to.set_frame(change.frame);
    to.set_prompt(change.prompt);
  }
  out->set_negative_prompt(spec.negative_prompt);
  out->set_guidance(spec.guidance);
  out->set_seed(spec.seed);
  out->set_width(spec.width);
  out->set_height(spec.height);
  out->set_fps(spec.fps);
  out->set_frame_count(spec.frame_count);
  for (const double step : spec.steps) out->add_steps(step);
  out->set_step_count(spec.step_count);
  EncodeKeyPlan(spec.key_plan, out->mutable_key_plan());
  out->set_prompt_switch(static_cast<int32_t>(spec.prompt_switch));
  out->set_tiled_decode(spec.tiled_decode);
  out->set_decoder(static_cast<int32_t>(spec.decoder));
  out->set_media_kind(static_cast<int32_t>(spec.media_kind));
  out->set_ttl_nanos(spec.ttl_nanos);
  out->set_start_frames(spec.start_frames);
  out->set_numerics_profile(spec.numerics_profile);
  out->set_allow_other_numerics(spec.allow_other_numerics);
}

absl::StatusOr<ResolvedSpec> DecodeSpec(const store::v1::Spec& in) {
  ResolvedSpec spec = {.prompt = in.prompt(),
                       .prompt_changes = {},
                       .negative_prompt = in.negative_prompt(),
                       .guidance = in.guidance(),
                       .seed = in.seed(),
                       .width = in.width(),
                       .height = in.height(),
                       .fps = in.fps(),
                       .frame_count = in.frame_count(),
                       .steps = {in.steps().begin(), in.steps().end()},
                       .step_count = in.step_count(),
                       .key_plan = {},
                       .tiled_decode = in.tiled_decode(),
                       .ttl_nanos = in.ttl_nanos(),
                       .start_frames = in.start_frames(),
                       .numerics_profile = in.numerics_profile(),
                       .allow_other_numerics = in.allow_other_numerics()};
  for (const store::v1::PromptChange& change : in.prompt_changes()) {
    spec.prompt_changes.push_back({.frame = change.frame(), .prompt = change.prompt()});
  }
  LT_ASSIGN_OR_RETURN(spec.key_plan, DecodeKeyPlan(in.key_plan()));
  LT_ASSIGN_OR_RETURN(spec.prompt_switch,
                      ToEnum(in.prompt_switch(), PromptSwitch::kRecacheAndSink, "prompt_switch"));
  LT_ASSIGN_OR_RETURN(spec.decoder, ToEnum(in.decoder(), DecoderKind::kTiny, "decoder"));
  LT_ASSIGN_OR_RETURN(spec.media_kind, ToEnum(in.media_kind(), MediaKind::kRgb24, "media_kind"));
  return spec;
}

}  // namespace longtake
