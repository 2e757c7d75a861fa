// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/policy/recipe.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/policy/limits.h"
#include "nlohmann/json.hpp"

namespace longtake {
namespace {

using nlohmann::json;

absl::Status RecipeError(const std::string& field, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat("recipe field ", field, ": ", why));
}

// Reads fields out of one object and remembers which were asked for, so that the rest can be
// refused.
class Fields {
 public:
  explicit Fields(const json& object) : object_(object) {}

  absl::Status Number(const std::string& name, double low, double high, double* out) {
    seen_.push_back(name);
    if (!object_.contains(name)) return absl::OkStatus();
    const json& value = object_[name];
    if (!value.is_number()) return RecipeError(name, "is not a number");
    const double number = value.get<double>();
    if (!(number >= low && number <= high)) {
      return RecipeError(name, absl::StrCat(number, " is outside [", low, ", ", high, "]"));
    }
    *out = number;
    return absl::OkStatus();
  }

  absl::Status Integer(const std::string& name, int64_t low, int64_t high, int64_t* out) {
    double number = static_cast<double>(*out);
    LT_RETURN_IF_ERROR(Number(name, static_cast<double>(low), static_cast<double>(high), &number));
    if (number != std::floor(number)) return RecipeError(name, "is not a whole number");
    *out = static_cast<int64_t>(number);
    return absl::OkStatus();
  }

  absl::Status Bool(const std::string& name, bool* out) {
    seen_.push_back(name);
    if (!object_.contains(name)) return absl::OkStatus();
    if (!object_[name].is_boolean()) return RecipeError(name, "is not true or false");
    *out = object_[name].get<bool>();
    return absl::OkStatus();
  }

  absl::Status String(const std::string& name, std::string* out) {
    seen_.push_back(name);
    if (!object_.contains(name)) return absl::OkStatus();
    if (!object_[name].is_string()) return RecipeError(name, "is not a string");
    *out = object_[name].get<std::string>();
    return absl::OkStatus();
  }

  // One of a few words; *out as it was when the field is missing.
  template <typename T, size_t N>
  absl::Status Choice(const std::string& name, const std::pair<const char*, T> (&words)[N],
                      T* out) {
    std::string word;
    LT_RETURN_IF_ERROR(String(name, &word));
    if (!object_.contains(name)) return absl::OkStatus();
    std::string known;
    for (const auto& [text, value] : words) {
      if (word == text) {
        *out = value;
        return absl::OkStatus();
      }
      absl::StrAppend(&known, known.empty() ? "" : ", ", text);
    }
    return RecipeError(name, absl::StrCat("'", word, "' is not one of ", known));
  }

  // A list of which at most count_max elements are taken; missing is empty.
  absl::StatusOr<json> List(const std::string& name, size_t count_max) {
    seen_.push_back(name);
    if (!object_.contains(name)) return json::array();
    const json& value = object_[name];
    if (!value.is_array()) return RecipeError(name, "is not a list");
    if (value.size() > count_max)
      return RecipeError(name, absl::StrCat("has over ", count_max, " entries"));
    return value;
  }

  absl::Status RefuseUnknown() const {
    for (const auto& [name, value] : object_.items()) {
      if (std::find(seen_.begin(), seen_.end(), name) == seen_.end()) {
        return RecipeError(name, "is not known");
      }
    }
    return absl::OkStatus();
  }

 private:
  const json& object_;
  std::vector<std::string> seen_;
};

constexpr std::pair<const char*, SamplerKind> kSamplers[] = {
    {"few_step", SamplerKind::kFewStep},
    {"euler", SamplerKind::kEuler},
    {"unipc", SamplerKind::kUniPc},
};
constexpr std::pair<const char*, SigmaSpacing> kSpacings[] = {
    {"wan", SigmaSpacing::kWan},
    {"diffusers", SigmaSpacing::kDiffusers},
};
constexpr std::pair<const char*, RolloutKind> kRollouts[] = {
    {"chunks", RolloutKind::kChunks},
    {"rolling", RolloutKind::kRolling},
};
absl::Status ReadSteps(Fields& fields, Recipe& recipe) {
  LT_ASSIGN_OR_RETURN(const json steps, fields.List("steps", kStepsCountMax));
  if (recipe.sampler == SamplerKind::kUniPc) {
    if (!steps.empty()) return RecipeError("steps", "the unipc sampler spaces its own step_count");
    return absl::OkStatus();
  }
  if (steps.empty()) return RecipeError("steps", "is missing or empty");
  double previous = std::nextafter(1000.0, 1001.0);
  for (const json& step : steps) {
    if (!step.is_number()) return RecipeError("steps", "holds something that is not a number");
    const double value = step.get<double>();
    if (!(value > 0.0 && value < previous)) {
      return RecipeError("steps", "must fall strictly from at most 1000 and stay above 0");
    }
    recipe.steps.push_back(value);
    previous = value;
  }
  return absl::OkStatus();
}

absl::Status ReadSampler(Fields& fields, Recipe& recipe) {
  LT_RETURN_IF_ERROR(fields.Choice("sampler", kSamplers, &recipe.sampler));
  LT_RETURN_IF_ERROR(ReadSteps(fields, recipe));
  LT_RETURN_IF_ERROR(fields.Integer("step_count", 1, kStepsCountMax, &recipe.step_count));
  LT_RETURN_IF_ERROR(fields.Choice("sigma_spacing", kSpacings, &recipe.spacing));
  LT_RETURN_IF_ERROR(fields.Bool("warp_steps", &recipe.warp_steps));
  LT_RETURN_IF_ERROR(fields.Number("shift", 0.01, 100.0, &recipe.shift));
  return fields.Number("context_noise", 0.0, 999.0, &recipe.context_noise);
}

// The anchor and all chunks in work must fit the window together.
absl::Status CheckRolling(const Recipe& recipe) {
  if (recipe.rollout != RolloutKind::kRolling) return absl::OkStatus();
  if (recipe.sampler != SamplerKind::kFewStep) {
    return RecipeError("sampler", "a rolling rollout needs few_step");
  }
  if (recipe.key_plan.kind != KeyPlanKind::kWindow) {
    return RecipeError("key_plan", "a rolling rollout needs window");
  }
  const auto in_work = static_cast<int64_t>(recipe.steps.size()) * recipe.chunk_frames;
  if (recipe.key_plan.sink_frames != recipe.chunk_frames) {
    return RecipeError("sink_frames", "a rolling rollout's anchor is one chunk");
  }
  if (in_work + recipe.key_plan.sink_frames > recipe.key_plan.window_frames) {
    return RecipeError("window_frames",
                       absl::StrCat(recipe.key_plan.window_frames, " cannot hold ",
                                    recipe.steps.size(), " chunks in work and the anchor"));
  }
  return absl::OkStatus();
}

absl::Status ReadKeyPlan(Fields& fields, Recipe& recipe) {
  std::string kind = "window";
  LT_RETURN_IF_ERROR(fields.String("key_plan", &kind));
  LT_RETURN_IF_ERROR(
      fields.Integer("window_frames", 1, kWindowFramesMax, &recipe.key_plan.window_frames));
  LT_RETURN_IF_ERROR(
      fields.Integer("sink_frames", 0, kWindowFramesMax, &recipe.key_plan.sink_frames));
  LT_ASSIGN_OR_RETURN(recipe.key_plan.kind, ParseKeyPlanKind(kind));
  LT_RETURN_IF_ERROR(ValidateKeyPlan(recipe.key_plan, recipe.chunk_frames));
  LT_RETURN_IF_ERROR(fields.Choice("rollout", kRollouts, &recipe.rollout));
  std::string prompt_switch(PromptSwitchName(recipe.prompt_switch));
  LT_RETURN_IF_ERROR(fields.String("prompt_switch", &prompt_switch));
  LT_ASSIGN_OR_RETURN(recipe.prompt_switch, ParsePromptSwitch(prompt_switch));
  LT_RETURN_IF_ERROR(CheckRolling(recipe));
  if (recipe.rollout == RolloutKind::kRolling && recipe.prompt_switch != PromptSwitch::kSwap) {
    return RecipeError("prompt_switch", "a rolling rollout knows swap only");
  }
  return ValidatePromptSwitch(recipe.prompt_switch, recipe.key_plan);
}

}  // namespace

absl::StatusOr<Recipe> ParseRecipe(std::string_view text) {
  const json document = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object()) return absl::InvalidArgumentError("recipe is not a JSON object");
  Fields fields(document);
  Recipe recipe;
  int64_t format = 0;
  LT_RETURN_IF_ERROR(fields.Integer("format", 1, 1, &format));
  if (format != 1) return RecipeError("format", "is missing; this build reads 1");
  LT_RETURN_IF_ERROR(fields.String("name", &recipe.name));
  LT_RETURN_IF_ERROR(fields.Integer("chunk_frames", 1, 64, &recipe.chunk_frames));
  LT_RETURN_IF_ERROR(ReadSampler(fields, recipe));
  LT_RETURN_IF_ERROR(ReadKeyPlan(fields, recipe));
  LT_RETURN_IF_ERROR(fields.Bool("tiled_decode", &recipe.tiled_decode));
  LT_RETURN_IF_ERROR(fields.Bool("tiny_decoder", &recipe.tiny_decoder));
  LT_RETURN_IF_ERROR(fields.Integer("fps", 1, kFpsMax, &recipe.fps));
  LT_RETURN_IF_ERROR(fields.Number("guidance", 0.0, kGuidanceMax, &recipe.guidance));
  LT_RETURN_IF_ERROR(fields.String("negative_prompt", &recipe.negative_prompt));
  if (recipe.negative_prompt.size() > kPromptBytesMax) {
    return RecipeError("negative_prompt", absl::StrCat("is over ", kPromptBytesMax, " bytes"));
  }
  LT_RETURN_IF_ERROR(fields.Integer("width", kSidePixelsMin, kSidePixelsMax, &recipe.width));
  LT_RETURN_IF_ERROR(fields.Integer("height", kSidePixelsMin, kSidePixelsMax, &recipe.height));
  if (recipe.width % kSidePixelsStep != 0) return RecipeError("width", "is not a multiple of 16");
  if (recipe.height % kSidePixelsStep != 0) return RecipeError("height", "is not a multiple of 16");
  LT_ASSIGN_OR_RETURN(const json prompts, fields.List("example_prompts", 64));
  for (const json& prompt : prompts) {
    if (!prompt.is_string()) return RecipeError("example_prompts", "holds something not a string");
    recipe.example_prompts.push_back(prompt.get<std::string>());
  }
  LT_RETURN_IF_ERROR(fields.RefuseUnknown());
  return recipe;
}

namespace {

// What each published checkpoint changes in the recipe they have in common.
const std::vector<std::pair<std::string, json>>& NamedRecipes() {
  static const auto* const recipes = new std::vector<std::pair<std::string, json>>{
      {"self-forcing", {{"key_plan", "window"}, {"window_frames", 21}, {"sink_frames", 0}}},
      {"longlive",
       {{"key_plan", "window"},
        {"window_frames", 12},
        {"sink_frames", 3},
        {"prompt_switch", "recache"}}},
      {"longlive-infinity",
       {{"key_plan", "slot_window"},
        {"window_frames", 12},
        {"sink_frames", 3},
        {"prompt_switch", "recache"}}},
      {"rolling-sink", {{"key_plan", "rolling_sink"}, {"window_frames", 21}}},
      {"rolling-forcing",
       {{"rollout", "rolling"},
        {"steps", {1000, 800, 600, 400, 200}},
        {"key_plan", "window"},
        {"window_frames", 21},
        {"sink_frames", 3}}},
      // The bidirectional model: one chunk of all frames, nothing before it.
      {"wan-base",
       {{"chunk_frames", 21},
        {"sampler", "unipc"},
        {"step_count", 50},
        {"guidance", 5.0},
        {"key_plan", "global"},
        {"window_frames", 21}}},
  };
  return *recipes;
}

}  // namespace

std::vector<std::string> RecipeNames() {
  std::vector<std::string> names;
  for (const auto& [name, changes] : NamedRecipes()) names.push_back(name);
  return names;
}

absl::StatusOr<std::string> NamedRecipeJson(std::string_view name) {
  for (const auto& [known, changes] : NamedRecipes()) {
    if (known != name) continue;
    json recipe = {{"format", 1},        {"name", known}, {"chunk_frames", 3},
                   {"warp_steps", true}, {"shift", 5.0},  {"fps", 16},
                   {"width", 832},       {"height", 480}, {"sampler", "few_step"}};
    recipe.update(changes);
    if (recipe["sampler"] == "few_step" && !recipe.contains("steps")) {
      recipe["steps"] = {1000, 750, 500, 250};
    }
    return recipe.dump();
  }
  return absl::NotFoundError(absl::StrCat("no recipe named '", std::string(name),
                                          "'; known: ", absl::StrJoin(RecipeNames(), ", ")));
}

}  // namespace longtake
