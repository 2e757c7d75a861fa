// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Engine::Resolve: the one place where what a client asks for is checked against the model.
#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/error_reason.h"
#include "engine/serve/engine.h"

namespace longtake {
namespace {

absl::Status FieldError(const std::string& field, const std::string& why) {
  return absl::InvalidArgumentError(field + ": " + why);
}

absl::Status CheckPrompt(const std::string& field, const std::string& prompt) {
  if (prompt.size() > kPromptBytesMax) {
    return FieldError(field, absl::StrCat(prompt.size(), " bytes; the limit is ", kPromptBytesMax));
  }
  return absl::OkStatus();
}

absl::Status CheckSide(const std::string& field, int64_t pixels) {
  if (pixels < kSidePixelsMin || pixels > kSidePixelsMax || pixels % kSidePixelsStep != 0) {
    return FieldError(field, absl::StrCat(pixels, " is not a multiple of ", kSidePixelsStep,
                                          " between ", kSidePixelsMin, " and ", kSidePixelsMax));
  }
  return absl::OkStatus();
}

absl::Status CheckSteps(const std::vector<double>& steps) {
  if (steps.size() > kStepsCountMax) {
    return FieldError("steps", absl::StrCat("more than ", kStepsCountMax));
  }
  double previous = std::nextafter(1000.0, 1001.0);
  for (double step : steps) {
    if (!(step > 0.0 && step < previous)) {
      return FieldError("steps", "must fall strictly from at most 1000 and stay above 0");
    }
    previous = step;
  }
  return absl::OkStatus();
}

// Who spaces the steps: a list, or the sampler.
absl::Status ResolveSteps(const Recipe& recipe, SessionSpec& spec) {
  LT_RETURN_IF_ERROR(CheckSteps(spec.steps));
  if (spec.step_count < 0 || spec.step_count > kStepsCountMax) {
    return FieldError("step_count",
                      absl::StrCat(spec.step_count, " is outside [0, ", kStepsCountMax, "]"));
  }
  if (recipe.sampler == SamplerKind::kUniPc) {
    if (!spec.steps.empty()) {
      return FieldError("steps", "this model's sampler spaces its steps itself; give step_count");
    }
    if (spec.step_count == 0) spec.step_count = recipe.step_count;
    return absl::OkStatus();
  }
  if (spec.step_count != 0) {
    return FieldError("step_count", "this model was made for a list of steps; give steps");
  }
  const bool rolling = recipe.rollout == RolloutKind::kRolling;
  if (rolling && spec.steps.size() > recipe.steps.size()) {
    return FieldError("steps", absl::StrCat("at most ", recipe.steps.size(),
                                            " chunks can be in work at once with this model"));
  }
  if (spec.steps.empty()) spec.steps = recipe.steps;
  return absl::OkStatus();
}

absl::Status ResolveMemory(const Recipe& recipe, SessionSpec& spec) {
  const bool rolling = recipe.rollout == RolloutKind::kRolling;
  if (rolling && spec.key_plan.value_or(recipe.key_plan) != recipe.key_plan) {
    return FieldError("key_plan", "this model's rollout has its own");
  }
  if (!spec.key_plan.has_value()) spec.key_plan = recipe.key_plan;
  if (absl::Status status = ValidateKeyPlan(*spec.key_plan, recipe.chunk_frames); !status.ok()) {
    return FieldError("key_plan", std::string(status.message()));
  }
  // Another key plan than the recipe's may rule the recipe's prompt switch out.
  if (!spec.prompt_switch.has_value()) {
    const bool fits = ValidatePromptSwitch(recipe.prompt_switch, *spec.key_plan).ok();
    spec.prompt_switch = fits ? recipe.prompt_switch : PromptSwitch::kSwap;
  }
  if (rolling && *spec.prompt_switch != PromptSwitch::kSwap) {
    return FieldError("prompt_switch", "this model's rollout knows swap only");
  }
  if (absl::Status status = ValidatePromptSwitch(*spec.prompt_switch, *spec.key_plan);
      !status.ok()) {
    return FieldError("prompt_switch", std::string(status.message()));
  }
  return absl::OkStatus();
}

absl::Status ResolveDecoder(const Recipe& recipe, bool has_tiny, SessionSpec& spec) {
  const DecoderKind usual = recipe.tiny_decoder ? DecoderKind::kTiny : DecoderKind::kFull;
  spec.decoder = spec.decoder.value_or(usual);
  if (*spec.decoder == DecoderKind::kTiny) {
    if (!has_tiny) {
      return FieldError("decoder",
                        "this pack has no tiny decoder (tiny_decoder/ of the model directory)");
    }
    if (spec.tiled_decode.value_or(false)) {
      return FieldError("tiled_decode", "the tiny decoder takes frames whole");
    }
    spec.tiled_decode = false;
  }
  spec.tiled_decode = spec.tiled_decode.value_or(recipe.tiled_decode);
  return absl::OkStatus();
}

// Whole chunks of latents: the first frame is one latent, each later four are another.
absl::Status CheckStart(const SessionSpec& spec, int64_t chunk_frames, bool has_encoder) {
  if (spec.start_frames == 0) return absl::OkStatus();
  const int64_t chunk = 4 * chunk_frames;
  if (spec.start_frames < 0 || spec.start_frames > kStartFramesMax ||
      (spec.start_frames + 3) % chunk != 0) {
    return FieldError("start_frame_count",
                      absl::StrCat(spec.start_frames, " is not ", chunk, " k - 3 (", chunk - 3,
                                   ", ", 2 * chunk - 3, ", ...) up to ", kStartFramesMax));
  }
  if (spec.frame_count != 0 && spec.start_frames >= spec.frame_count) {
    return FieldError("start_frame_count",
                      absl::StrCat(spec.start_frames, " leaves nothing to generate of ",
                                   spec.frame_count, " frames"));
  }
  if (has_encoder) return absl::OkStatus();
  return FieldError("start_frame_count",
                    "this server keeps no encoder (option start-frames), so takes cannot begin "
                    "with given frames");
}

// A session keeps the profile it was asked for, so that one that differs can be told from one that
// does not.
absl::Status ResolveNumerics(const std::string& profile, SessionSpec& spec) {
  if (spec.numerics_profile.size() > kNumericsProfileBytesMax) {
    return FieldError("numerics_profile",
                      absl::StrCat(spec.numerics_profile.size(), " bytes; the limit is ",
                                   kNumericsProfileBytesMax));
  }
  if (spec.numerics_profile.empty()) spec.numerics_profile = profile;
  if (spec.numerics_profile == profile || spec.allow_other_numerics) return absl::OkStatus();
  return WithReason(
      absl::FailedPreconditionError(absl::StrCat(
          "this server computes in numerics profile ", profile, ", not ", spec.numerics_profile,
          "; bits would differ. allow_other_numerics generates it all the same and marks it")),
      ErrorReason{"NUMERICS_DIFFER", {{"numerics_profile", profile}}});
}

absl::Status CheckLength(const SessionSpec& spec, const KeyPlanSpec& plan, int64_t chunk_frames) {
  if (spec.frame_count < 0 || spec.frame_count > kFrameCountMax) {
    return FieldError("frame_count", absl::StrCat(spec.frame_count, " is out of range"));
  }
  const int64_t limit = FrameLimit(plan);
  if (limit == 0) return absl::OkStatus();
  const int64_t frames_max = 4 * (limit / chunk_frames * chunk_frames) - 3;
  if (spec.frame_count == 0 || spec.frame_count > frames_max) {
    return FieldError("frame_count",
                      absl::StrCat("key_plan ", std::string(KeyPlanKindName(plan.kind)),
                                   " ends after ", frames_max, " frames"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SessionSpec> Engine::Resolve(const SessionSpec& spec) const {
  const Recipe& recipe = model_.recipe();
  SessionSpec out = spec;
  LT_RETURN_IF_ERROR(CheckPrompt("prompt", out.prompt));
  LT_RETURN_IF_ERROR(CheckPrompt("negative_prompt", out.negative_prompt));
  out.guidance = out.guidance.value_or(recipe.guidance);
  if (!(*out.guidance >= 0.0 && *out.guidance <= kGuidanceMax)) {
    return FieldError("guidance",
                      absl::StrCat(*out.guidance, " is outside [0, ", kGuidanceMax, "]"));
  }
  if (*out.guidance != 1.0 && out.negative_prompt.empty()) {
    out.negative_prompt = recipe.negative_prompt;
  }
  if (out.width == 0 && out.height == 0) {
    out.width = recipe.width;
    out.height = recipe.height;
  }
  LT_RETURN_IF_ERROR(CheckSide("width", out.width));
  LT_RETURN_IF_ERROR(CheckSide("height", out.height));
  if (out.fps == 0) out.fps = recipe.fps;
  if (out.fps < 1 || out.fps > kFpsMax) {
    return FieldError("fps", absl::StrCat(out.fps, " is outside [1, ", kFpsMax, "]"));
  }
  LT_RETURN_IF_ERROR(ResolveSteps(recipe, out));
  LT_RETURN_IF_ERROR(ResolveMemory(recipe, out));
  LT_RETURN_IF_ERROR(CheckLength(out, *out.key_plan, recipe.chunk_frames));
  LT_RETURN_IF_ERROR(CheckStart(out, recipe.chunk_frames, model_.encoder() != nullptr));
  LT_RETURN_IF_ERROR(ResolveDecoder(recipe, model_.has_tiny_decoder(), out));
  LT_RETURN_IF_ERROR(ResolveNumerics(std::string(model_.numerics_profile()), out));
  if (out.ttl_nanos < 0) return FieldError("ttl", "is negative");
  const int64_t tokens = MakeRolloutSpec(out).tokens_max();
  if (tokens > model_.options().tokens_max) {
    return FieldError("width", absl::StrCat("a forward of ", out.width, "x", out.height, " is ",
                                            tokens, " tokens; this server takes ",
                                            model_.options().tokens_max, " a sweep"));
  }
  return out;
}

}  // namespace longtake
