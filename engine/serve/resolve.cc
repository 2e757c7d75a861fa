// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/resolve.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/error_reason.h"

namespace longtake {
namespace {

// The pixel frame a chunk begins with.
int64_t FirstFrame(int64_t chunk, int64_t chunk_frames) {
  return LatentGrid::PixelFrames(chunk * chunk_frames);
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
absl::Status ResolveSteps(const SessionSpec& spec, const Recipe& recipe, ResolvedSpec& out) {
  LT_RETURN_IF_ERROR(CheckSteps(spec.steps));
  if (spec.step_count < 0 || spec.step_count > kStepsCountMax) {
    return FieldError("step_count",
                      absl::StrCat(spec.step_count, " is outside [0, ", kStepsCountMax, "]"));
  }
  if (recipe.sampler == SamplerKind::kUniPc) {
    if (!spec.steps.empty()) {
      return FieldError("steps", "this model's sampler spaces its steps itself; give step_count");
    }
    out.step_count = spec.step_count == 0 ? recipe.step_count : spec.step_count;
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
  out.steps = spec.steps.empty() ? recipe.steps : spec.steps;
  return absl::OkStatus();
}

absl::Status ResolveMemory(const SessionSpec& spec, const Recipe& recipe, ResolvedSpec& out) {
  const bool rolling = recipe.rollout == RolloutKind::kRolling;
  out.key_plan = spec.key_plan.value_or(recipe.key_plan);
  if (rolling && out.key_plan != recipe.key_plan) {
    return FieldError("key_plan", "this model's rollout has its own");
  }
  if (absl::Status status = ValidateKeyPlan(out.key_plan, recipe.chunk_frames); !status.ok()) {
    return FieldError("key_plan", std::string(status.message()));
  }
  // Another key plan than the recipe's may rule the recipe's prompt switch out.
  const bool usual_fits = ValidatePromptSwitch(recipe.prompt_switch, out.key_plan).ok();
  const PromptSwitch usual = usual_fits ? recipe.prompt_switch : PromptSwitch::kSwap;
  out.prompt_switch = spec.prompt_switch.value_or(usual);
  if (rolling && out.prompt_switch != PromptSwitch::kSwap) {
    return FieldError("prompt_switch", "this model's rollout knows swap only");
  }
  if (absl::Status status = ValidatePromptSwitch(out.prompt_switch, out.key_plan); !status.ok()) {
    return FieldError("prompt_switch", std::string(status.message()));
  }
  return absl::OkStatus();
}

absl::Status ResolveDecoder(const SessionSpec& spec, const Recipe& recipe, bool has_tiny,
                            ResolvedSpec& out) {
  const DecoderKind usual = recipe.tiny_decoder ? DecoderKind::kTiny : DecoderKind::kFull;
  out.decoder = spec.decoder.value_or(usual);
  if (out.decoder == DecoderKind::kFull) {
    out.tiled_decode = spec.tiled_decode.value_or(recipe.tiled_decode);
    return absl::OkStatus();
  }
  if (!has_tiny) {
    return FieldError("decoder",
                      "this pack has no tiny decoder (tiny_decoder/ of the model directory)");
  }
  if (spec.tiled_decode.value_or(false)) {
    return FieldError("tiled_decode", "the tiny decoder takes frames whole");
  }
  return absl::OkStatus();
}

// Frames that whole chunks of latents make.
bool AreWholeChunks(int64_t frames, int64_t chunk_frames) {
  const int64_t chunks = LatentGrid::ChunkCount(frames, chunk_frames);
  return frames == LatentGrid::PixelFrames(chunks * chunk_frames);
}

absl::Status ResolveStart(const SessionSpec& spec, int64_t chunk_frames, bool has_encoder,
                          ResolvedSpec& out) {
  out.start_frames = spec.start_frames;
  if (spec.start_frames == 0) return absl::OkStatus();
  if (spec.start_frames < 0 || spec.start_frames > kStartFramesMax ||
      !AreWholeChunks(spec.start_frames, chunk_frames)) {
    return FieldError(
        "start_frame_count",
        absl::StrCat(spec.start_frames, " is not ", LatentGrid::LaterPixelFrames(chunk_frames),
                     " k - ", kVaeTimeFactor - 1, " (", LatentGrid::PixelFrames(chunk_frames), ", ",
                     LatentGrid::PixelFrames(2 * chunk_frames), ", ...) up to ", kStartFramesMax));
  }
  if (spec.frame_count != 0 && spec.start_frames >= spec.frame_count) {
    return FieldError("start_frame_count", absl::StrCat("the take begins with ", spec.start_frames,
                                                        " given frames and is ", spec.frame_count,
                                                        " long, which leaves nothing to generate"));
  }
  if (has_encoder) return absl::OkStatus();
  return FieldError("start_frame_count",
                    "this server keeps no encoder (option start-frames), so takes cannot begin "
                    "with given frames");
}

// A session keeps the profile it was asked for, so that one that differs can be told from one that
// does not.
absl::Status ResolveNumerics(const SessionSpec& spec, const std::string& profile,
                             ResolvedSpec& out) {
  if (spec.numerics_profile.size() > kNumericsProfileBytesMax) {
    return FieldError("numerics_profile",
                      absl::StrCat(spec.numerics_profile.size(), " bytes; the limit is ",
                                   kNumericsProfileBytesMax));
  }
  out.numerics_profile = spec.numerics_profile.empty() ? profile : spec.numerics_profile;
  out.allow_other_numerics = spec.allow_other_numerics;
  if (out.numerics_profile == profile || spec.allow_other_numerics) return absl::OkStatus();
  return Error(
      Reason::kNumericsDiffer,
      absl::StrCat(
          "this server computes in numerics profile ", profile, ", not ", out.numerics_profile,
          "; bits would differ. allow_other_numerics generates it all the same and marks it"),
      {{"numerics_profile", profile}});
}

absl::Status ResolveLength(const SessionSpec& spec, int64_t chunk_frames, ResolvedSpec& out) {
  out.frame_count = spec.frame_count;
  if (spec.frame_count < 0 || spec.frame_count > kFrameCountMax) {
    return FieldError("frame_count", absl::StrCat(spec.frame_count, " is out of range"));
  }
  const int64_t limit = FrameLimit(out.key_plan);
  if (limit == 0) return absl::OkStatus();
  const int64_t frames_max = LatentGrid::PixelFrames(limit / chunk_frames * chunk_frames);
  if (spec.frame_count == 0 || spec.frame_count > frames_max) {
    return FieldError("frame_count",
                      absl::StrCat("key_plan ", std::string(KeyPlanKindName(out.key_plan.kind)),
                                   " ends after ", frames_max, " frames"));
  }
  return absl::OkStatus();
}

absl::Status ResolveGuidance(const SessionSpec& spec, const Recipe& recipe, ResolvedSpec& out) {
  out.guidance = spec.guidance.value_or(recipe.guidance);
  if (!(out.guidance >= 0.0 && out.guidance <= kGuidanceMax)) {
    return FieldError("guidance",
                      absl::StrCat(out.guidance, " is outside [0, ", kGuidanceMax, "]"));
  }
  out.negative_prompt = spec.negative_prompt;
  if (out.guided() && out.negative_prompt.empty()) out.negative_prompt = recipe.negative_prompt;
  return absl::OkStatus();
}

absl::Status ResolvePicture(const SessionSpec& spec, const Recipe& recipe, ResolvedSpec& out) {
  const bool usual = spec.width == 0 && spec.height == 0;
  out.width = usual ? recipe.width : spec.width;
  out.height = usual ? recipe.height : spec.height;
  LT_RETURN_IF_ERROR(CheckSide("width", out.width));
  LT_RETURN_IF_ERROR(CheckSide("height", out.height));
  out.fps = spec.fps == 0 ? recipe.fps : spec.fps;
  if (out.fps < 1 || out.fps > kFpsMax) {
    return FieldError("fps", absl::StrCat(out.fps, " is outside [1, ", kFpsMax, "]"));
  }
  return absl::OkStatus();
}

absl::Status ResolvePrompts(const SessionSpec& spec, int64_t chunk_frames, ResolvedSpec& out) {
  LT_RETURN_IF_ERROR(CheckPrompt("prompt", spec.prompt));
  LT_RETURN_IF_ERROR(CheckPrompt("negative_prompt", spec.negative_prompt));
  if (spec.prompt_changes.size() > kPromptChangesMax) {
    return FieldError("prompt_changes", absl::StrCat(spec.prompt_changes.size(),
                                                     " entries; the limit is ", kPromptChangesMax));
  }
  int64_t previous = -1;
  for (size_t i = 0; i < spec.prompt_changes.size(); ++i) {
    const PromptChange& change = spec.prompt_changes[i];
    const std::string field = absl::StrCat("prompt_changes[", i, "]");
    LT_RETURN_IF_ERROR(CheckPrompt(field + ".prompt", change.prompt));
    LT_RETURN_IF_ERROR(CheckFrame(field + ".frame", change.frame, out, chunk_frames));
    if (change.frame <= previous) {
      return FieldError(field + ".frame",
                        absl::StrCat(change.frame, " is not after ", previous, ", the one before"));
    }
    previous = change.frame;
  }
  out.prompt = spec.prompt;
  out.prompt_changes = spec.prompt_changes;
  return absl::OkStatus();
}

absl::Status CheckTokens(const ResolvedSpec& spec, const VideoModel& model) {
  const int64_t tokens = ShapeOf(RolloutFor(spec, model)).tokens_max;
  if (tokens <= model.options().tokens_max) return absl::OkStatus();
  return FieldError(
      "width", absl::StrCat("a forward of ", spec.width, "x", spec.height, " is ", tokens,
                            " tokens; this server takes ", model.options().tokens_max, " a sweep"));
}

}  // namespace

absl::Status CheckPrompt(const std::string& field, const std::string& prompt) {
  if (prompt.size() > kPromptBytesMax) {
    return FieldError(field, absl::StrCat(prompt.size(), " bytes; the limit is ", kPromptBytesMax));
  }
  return absl::OkStatus();
}

int64_t ChunkFrom(int64_t frame, int64_t chunk_frames) {
  // As many chunks as hold all frames before it.
  return LatentGrid::ChunkCount(frame, chunk_frames);
}

absl::Status CheckFrame(const std::string& field, int64_t frame, const ResolvedSpec& spec,
                        int64_t chunk_frames) {
  if (frame < 0 || frame > kFrameCountMax) {
    return FieldError(field, absl::StrCat(frame, " is outside [0, ", kFrameCountMax, "]"));
  }
  if (spec.frame_count == 0) return absl::OkStatus();
  const int64_t chunks = LatentGrid::ChunkCount(spec.frame_count, chunk_frames);
  if (ChunkFrom(frame, chunk_frames) < chunks) return absl::OkStatus();
  return FieldError(
      field,
      absl::StrCat("no chunk begins at frame ", frame, " or later; the last of ", spec.frame_count,
                   " frames begins at ", FirstFrame(chunks - 1, chunk_frames)));
}

absl::StatusOr<ResolvedSpec> ResolveSpec(const SessionSpec& spec, const VideoModel& model) {
  const Recipe& recipe = model.recipe();
  if (spec.ttl_nanos < 0) return FieldError("ttl", "is negative");
  ResolvedSpec out;
  out.seed = spec.seed;
  out.media_kind = spec.media_kind;
  out.ttl_nanos = spec.ttl_nanos;
  LT_RETURN_IF_ERROR(ResolveGuidance(spec, recipe, out));
  LT_RETURN_IF_ERROR(ResolvePicture(spec, recipe, out));
  LT_RETURN_IF_ERROR(ResolveSteps(spec, recipe, out));
  LT_RETURN_IF_ERROR(ResolveMemory(spec, recipe, out));
  LT_RETURN_IF_ERROR(ResolveLength(spec, recipe.chunk_frames, out));
  LT_RETURN_IF_ERROR(ResolvePrompts(spec, recipe.chunk_frames, out));
  LT_RETURN_IF_ERROR(ResolveStart(spec, recipe.chunk_frames, model.has_encoder(), out));
  LT_RETURN_IF_ERROR(ResolveDecoder(spec, recipe, model.has_tiny_decoder(), out));
  LT_RETURN_IF_ERROR(ResolveNumerics(spec, std::string(model.numerics_profile()), out));
  LT_RETURN_IF_ERROR(CheckTokens(out, model));
  return out;
}

RolloutSpec RolloutFor(const ResolvedSpec& spec, const VideoModel& model) {
  const Recipe& recipe = model.recipe();
  RolloutSpec out;
  out.kind = recipe.rollout;
  out.sampler = recipe.sampler;
  out.levels = NoiseLevels(recipe, {.steps = spec.steps, .step_count = spec.step_count});
  out.key_plan = spec.key_plan;
  out.prompt_switch = spec.prompt_switch;
  out.context_noise = recipe.context_noise;
  out.guidance = spec.guidance;
  out.seed = spec.seed;
  out.channels = model.config().channels;
  out.chunk = LatentGrid::FromPixels(spec.width, spec.height).WithFrames(recipe.chunk_frames);
  out.chunk_count = LatentGrid::ChunkCount(spec.frame_count, recipe.chunk_frames);
  out.start_latents = LatentGrid::LatentFrames(spec.start_frames);
  out.kv_layout = model.kv_layout(spec.width, spec.height);
  return out;
}

}  // namespace longtake
