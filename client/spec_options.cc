// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "client/spec_options.h"

#include <grpcpp/grpcpp.h>

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/units.h"
#include "engine/text/utf8.h"

namespace longtake {
namespace {

absl::Status SetDuration(const std::string& option, const std::string& text,
                         google::protobuf::Duration* out) {
  constexpr int64_t kBillion = 1'000'000'000;
  auto nanos = ParseDurationNanos(text);
  if (!nanos.ok()) return Annotate(nanos.status(), option);
  out->set_seconds(*nanos / kBillion);
  out->set_nanos(static_cast<int32_t>(*nanos % kBillion));
  return absl::OkStatus();
}

// "160x96".
absl::Status SetSize(const std::string& text, v1::SessionSpec* spec) {
  const std::vector<std::string> sides = absl::StrSplit(text, 'x');
  int width = 0;
  int height = 0;
  if (sides.size() != 2 || !absl::SimpleAtoi(sides[0], &width) ||
      !absl::SimpleAtoi(sides[1], &height)) {
    return absl::InvalidArgumentError(absl::StrCat("--size: '", text, "' is not WIDTHxHEIGHT"));
  }
  spec->set_width(width);
  spec->set_height(height);
  return absl::OkStatus();
}

// "window:21:3", "rolling_sink:21", "global:21".
absl::Status SetKeyPlan(const std::string& text, v1::KeyPlan* plan) {
  const std::vector<std::string> fields = absl::StrSplit(text, ':');
  int window = 0;
  int sink = 0;
  const bool numbers = fields.size() >= 2 && fields.size() <= 3 &&
                       absl::SimpleAtoi(fields[1], &window) &&
                       (fields.size() == 2 || absl::SimpleAtoi(fields[2], &sink));
  if (numbers && fields[0] == "global") {
    plan->set_kind(v1::KeyPlan::KIND_GLOBAL);
  } else if (numbers && fields[0] == "window") {
    plan->set_kind(v1::KeyPlan::KIND_WINDOW);
  } else if (numbers && fields[0] == "slot_window") {
    plan->set_kind(v1::KeyPlan::KIND_SLOT_WINDOW);
  } else if (numbers && fields[0] == "rolling_sink") {
    plan->set_kind(v1::KeyPlan::KIND_ROLLING_SINK);
  } else {
    return absl::InvalidArgumentError(
        absl::StrCat("--key-plan: '", text,
                     "' is not window:FRAMES[:SINK], slot_window:FRAMES[:SINK], "
                     "rolling_sink:FRAMES or global:FRAMES"));
  }
  plan->set_window_frames(window);
  plan->set_sink_frames(sink);
  return absl::OkStatus();
}

absl::Status SetPromptSwitch(const std::string& text, v1::SessionSpec* spec) {
  const std::pair<const char*, v1::PromptSwitch> known[] = {
      {"swap", v1::PROMPT_SWITCH_SWAP},
      {"recache", v1::PROMPT_SWITCH_RECACHE},
      {"recache_and_sink", v1::PROMPT_SWITCH_RECACHE_AND_SINK}};
  for (const auto& [name, value] : known) {
    if (text != name) continue;
    spec->set_prompt_switch(value);
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--prompt-switch: '", text, "' is not swap, recache or recache_and_sink"));
}

absl::Status SetSteps(const std::string& text, v1::SessionSpec* spec) {
  for (const auto piece : absl::StrSplit(text, ',')) {
    double step = 0;
    if (!absl::SimpleAtod(piece, &step)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--steps: '", text, "' is not a list of numbers"));
    }
    spec->add_steps(step);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ExamplePrompt(v1::LongtakeService::Stub& stub) {
  grpc::ClientContext context;
  v1::ListModelsResponse response;
  LT_RETURN_IF_ERROR(FromGrpc(stub.ListModels(&context, {}, &response)));
  for (const v1::Model& model : response.models()) {
    if (model.example_prompts_size() > 0) return model.example_prompts(0);
  }
  return absl::InvalidArgumentError("--prompt is missing, and the model brings no example");
}

}  // namespace

void AddSpecOptions(CLI::App& command, SpecOptions& options) {
  command.add_option("--prompt", options.prompt,
                     "What to show; default: the model's first example");
  command.add_option("--negative-prompt", options.negative_prompt,
                     "What to avoid; needs --guidance other than 1");
  command.add_option("--guidance", options.guidance, "Guidance scale; 1 is none")
      ->each([&options](const std::string&) { options.has_guidance = true; });
  command.add_option("--seed", options.seed, "Everything random follows from it")
      ->capture_default_str();
  command.add_option("--size", options.size, "WIDTHxHEIGHT in pixels, multiples of 16");
  command.add_option("--fps", options.fps, "Frames per second of the media clock");
  command.add_option("--duration", options.duration, "10s, 1.5m, 2h; default: endless");
  command.add_option("--key-plan", options.key_plan,
                     "window:FRAMES[:SINK], slot_window:FRAMES[:SINK], rolling_sink:FRAMES or "
                     "global:FRAMES, latent frames");
  command.add_option("--steps", options.steps, "Timesteps of the sampler, as 1000,750,500,250");
  command.add_option("--step-count", options.step_count,
                     "Steps of a sampler that spaces them itself");
  command.add_option("--prompt-switch", options.prompt_switch,
                     "swap, recache or recache_and_sink: what --prompt-at does to the memory of "
                     "what was shown before");
  command.add_option("--numerics-profile", options.numerics_profile,
                     "The profile of an earlier take, to repeat it bit for bit; refused by a "
                     "server that computes in another");
  command.add_flag(
      "--any-numerics", options.any_numerics,
      "Take the server's profile all the same; the picture is close, the bits are not");
  command
      .add_option("--decoder", options.decoder,
                  "full or tiny: the VAE, or the small decoder of a pack that has one")
      ->check(CLI::IsMember({"full", "tiny"}));
  command.add_flag("--tiled-decode", options.tiled_decode,
                   "Decode in overlapping tiles: less memory for large frames");
  command.add_option("--ttl", options.ttl, "How long the session lives without a client");
}

// Protocol buffers carry no other bytes in a string.
absl::Status CheckUtf8(const std::string& option, const std::string& text) {
  const auto offset = FirstInvalidUtf8(text);
  if (!offset.has_value()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(option, " is not UTF-8: byte ", *offset, " starts no character"));
}

absl::StatusOr<v1::SessionSpec> MakeSpec(v1::LongtakeService::Stub& stub,
                                         const SpecOptions& options) {
  LT_RETURN_IF_ERROR(CheckUtf8("--prompt", options.prompt));
  LT_RETURN_IF_ERROR(CheckUtf8("--negative-prompt", options.negative_prompt));
  v1::SessionSpec spec;
  spec.set_prompt(options.prompt);
  if (options.prompt.empty()) {
    LT_ASSIGN_OR_RETURN(const std::string example, ExamplePrompt(stub));
    spec.set_prompt(example);
  }
  spec.set_negative_prompt(options.negative_prompt);
  if (options.has_guidance) spec.set_guidance(options.guidance);
  spec.set_seed(options.seed);
  spec.set_fps(options.fps);
  if (!options.size.empty()) LT_RETURN_IF_ERROR(SetSize(options.size, &spec));
  if (!options.duration.empty()) {
    LT_RETURN_IF_ERROR(SetDuration("--duration", options.duration, spec.mutable_duration()));
  }
  if (!options.key_plan.empty()) {
    LT_RETURN_IF_ERROR(SetKeyPlan(options.key_plan, spec.mutable_key_plan()));
  }
  if (!options.steps.empty()) LT_RETURN_IF_ERROR(SetSteps(options.steps, &spec));
  spec.set_step_count(options.step_count);
  if (options.tiled_decode) spec.set_tiled_decode(true);
  if (options.decoder == "tiny") spec.set_decoder(v1::DECODER_KIND_TINY);
  if (options.decoder == "full") spec.set_decoder(v1::DECODER_KIND_FULL);
  if (!options.prompt_switch.empty()) {
    LT_RETURN_IF_ERROR(SetPromptSwitch(options.prompt_switch, &spec));
  }
  spec.set_numerics_profile(options.numerics_profile);
  spec.set_allow_other_numerics(options.any_numerics);
  if (!options.ttl.empty())
    LT_RETURN_IF_ERROR(SetDuration("--ttl", options.ttl, spec.mutable_ttl()));
  return spec;
}

}  // namespace longtake
