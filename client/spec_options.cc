// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "client/spec_options.h"

#include <grpcpp/grpcpp.h>

#include <limits>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/units.h"
#include "base/utf8.h"

namespace longtake {
namespace {

absl::Status SetDuration(const std::string& text, google::protobuf::Duration* out) {
  constexpr int64_t kBillion = 1'000'000'000;
  LT_ASSIGN_OR_RETURN(const int64_t nanos, ParseDurationNanos(text));
  out->set_seconds(nanos / kBillion);
  out->set_nanos(static_cast<int32_t>(nanos % kBillion));
  return absl::OkStatus();
}

// A number of the API's int32 fields, where 0 stands for the model's own value.
absl::StatusOr<int32_t> ParseInt32(const std::string& text, uint64_t least) {
  constexpr uint64_t kMost = std::numeric_limits<int32_t>::max();
  LT_ASSIGN_OR_RETURN(const uint64_t value, ParseCountIn(text, least, kMost));
  return static_cast<int32_t>(value);
}

// "160x96".
absl::Status SetSize(const std::string& text, v1::SessionSpec* spec) {
  const std::vector<std::string> sides = absl::StrSplit(text, 'x');
  const auto bad = absl::InvalidArgumentError(absl::StrCat("'", text, "' is not WIDTHxHEIGHT"));
  if (sides.size() != 2) return bad;
  const auto width = ParseInt32(sides[0], 1);
  const auto height = ParseInt32(sides[1], 1);
  if (!width.ok() || !height.ok()) return bad;
  spec->set_width(*width);
  spec->set_height(*height);
  return absl::OkStatus();
}

// "window:21:3", "rolling_sink:21", "global:21".
absl::Status SetKeyPlan(const std::string& text, v1::KeyPlan* plan) {
  const std::pair<const char*, v1::KeyPlan::Kind> known[] = {
      {"global", v1::KeyPlan::KIND_GLOBAL},
      {"window", v1::KeyPlan::KIND_WINDOW},
      {"slot_window", v1::KeyPlan::KIND_SLOT_WINDOW},
      {"rolling_sink", v1::KeyPlan::KIND_ROLLING_SINK}};
  const std::vector<std::string> fields = absl::StrSplit(text, ':');
  for (const auto& [name, kind] : known) {
    if (fields[0] != name || fields.size() < 2 || fields.size() > 3) continue;
    const auto window = ParseInt32(fields[1], 0);
    const auto sink = ParseInt32(fields.size() == 3 ? fields[2] : "0", 0);
    if (!window.ok() || !sink.ok()) break;
    plan->set_kind(kind);
    plan->set_window_frames(*window);
    plan->set_sink_frames(*sink);
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", text,
                   "' is not window:FRAMES[:SINK], slot_window:FRAMES[:SINK], "
                   "rolling_sink:FRAMES or global:FRAMES"));
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
      absl::StrCat("'", text, "' is not swap, recache or recache_and_sink"));
}

absl::Status SetSteps(const std::string& text, v1::SessionSpec* spec) {
  const std::vector<std::string> pieces = absl::StrSplit(text, ',');
  for (const std::string& piece : pieces) {
    const auto step = ParseDecimal(piece);
    if (!step.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("'", text, "' is not a list of numbers"));
    }
    spec->add_steps(*step);
  }
  return absl::OkStatus();
}

absl::Status SetSeed(const std::string& text, v1::SessionSpec* spec) {
  LT_ASSIGN_OR_RETURN(const uint64_t seed,
                      ParseCountIn(text, 0, std::numeric_limits<uint64_t>::max()));
  spec->set_seed(seed);
  return absl::OkStatus();
}

absl::Status SetFps(const std::string& text, v1::SessionSpec* spec) {
  LT_ASSIGN_OR_RETURN(const int32_t fps, ParseInt32(text, 1));
  spec->set_fps(fps);
  return absl::OkStatus();
}

absl::Status SetStepCount(const std::string& text, v1::SessionSpec* spec) {
  LT_ASSIGN_OR_RETURN(const int32_t count, ParseInt32(text, 1));
  spec->set_step_count(count);
  return absl::OkStatus();
}

absl::Status SetGuidance(const std::string& text, v1::SessionSpec* spec) {
  LT_ASSIGN_OR_RETURN(const double guidance, ParseDecimal(text));
  spec->set_guidance(guidance);
  return absl::OkStatus();
}

absl::Status SetDecoder(const std::string& text, v1::SessionSpec* spec) {
  spec->set_decoder(text == "tiny" ? v1::DECODER_KIND_TINY : v1::DECODER_KIND_FULL);
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

// What was not given stays unset: the model's recipe knows it.
absl::Status SetGiven(const SpecOptions& options, v1::SessionSpec* spec) {
  using Set = absl::Status (*)(const std::string& text, v1::SessionSpec* spec);
  const std::tuple<const char*, const std::optional<std::string>&, Set> given[] = {
      {"--guidance", options.guidance, SetGuidance},
      {"--seed", options.seed, SetSeed},
      {"--size", options.size, SetSize},
      {"--fps", options.fps, SetFps},
      {"--duration", options.duration,
       [](auto& text, auto* out) { return SetDuration(text, out->mutable_duration()); }},
      {"--key-plan", options.key_plan,
       [](auto& text, auto* out) { return SetKeyPlan(text, out->mutable_key_plan()); }},
      {"--steps", options.steps, SetSteps},
      {"--step-count", options.step_count, SetStepCount},
      {"--decoder", options.decoder, SetDecoder},
      {"--prompt-switch", options.prompt_switch, SetPromptSwitch},
      {"--ttl", options.ttl,
       [](auto& text, auto* out) { return SetDuration(text, out->mutable_ttl()); }}};
  for (const auto& [option, text, set] : given) {
    if (text.has_value()) LT_RETURN_IF_ERROR(Annotate(set(*text, spec), option));
  }
  return absl::OkStatus();
}

}  // namespace

void AddSpecOptions(CLI::App& command, SpecOptions& options) {
  command.add_option("--prompt", options.prompt,
                     "What to show; default: the model's first example");
  command.add_option("--negative-prompt", options.negative_prompt,
                     "What to avoid; used only with --guidance other than 1");
  command.add_option("--guidance", options.guidance, "Guidance scale; 1 is none");
  command.add_option("--seed", options.seed, "Everything random follows from it")->default_str("0");
  command.add_option(
      "--size", options.size,
      "WIDTHxHEIGHT in pixels, multiples of 16; default: the model's, as longtake models shows it");
  command.add_option("--fps", options.fps,
                     "Frames per second of the media clock; default: the model's");
  command.add_option("--duration", options.duration, "10s, 1.5m, 2h; default: endless");
  command.add_option("--key-plan", options.key_plan,
                     "window:FRAMES[:SINK], slot_window:FRAMES[:SINK], rolling_sink:FRAMES or "
                     "global:FRAMES: how many latent frames a chunk sees, itself included; SINK of "
                     "them are the take's first; default: the model's");
  command.add_option("--steps", options.steps,
                     "Timesteps of the sampler, as 1000,750,500,250; default: the model's");
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
  command.add_option(
      "--ttl", options.ttl,
      "How long the session lives without a client, as 5m; default: the server's --default-ttl, "
      "which is 1m unless it was set");
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
  LT_RETURN_IF_ERROR(CheckUtf8("--numerics-profile", options.numerics_profile));
  v1::SessionSpec spec;
  LT_RETURN_IF_ERROR(SetGiven(options, &spec));
  spec.set_prompt(options.prompt);
  if (options.prompt.empty()) {
    LT_ASSIGN_OR_RETURN(const std::string example, ExamplePrompt(stub));
    spec.set_prompt(example);
  }
  spec.set_negative_prompt(options.negative_prompt);
  if (options.tiled_decode) spec.set_tiled_decode(true);
  spec.set_numerics_profile(options.numerics_profile);
  spec.set_allow_other_numerics(options.any_numerics);
  return spec;
}

}  // namespace longtake
