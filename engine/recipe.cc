// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/recipe.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "engine/session_spec.h"
#include "nlohmann/json.hpp"

namespace longtake {
namespace {

using nlohmann::json;

absl::Status FieldError(const std::string& field, const std::string& why) {
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
    if (!value.is_number()) return FieldError(name, "is not a number");
    const double number = value.get<double>();
    if (!(number >= low && number <= high)) {
      return FieldError(name, absl::StrCat(number, " is outside [", low, ", ", high, "]"));
    }
    *out = number;
    return absl::OkStatus();
  }

  absl::Status Integer(const std::string& name, int64_t low, int64_t high, int64_t* out) {
    double number = static_cast<double>(*out);
    LT_RETURN_IF_ERROR(Number(name, static_cast<double>(low), static_cast<double>(high), &number));
    if (number != std::floor(number)) return FieldError(name, "is not a whole number");
    *out = static_cast<int64_t>(number);
    return absl::OkStatus();
  }

  absl::Status Bool(const std::string& name, bool* out) {
    seen_.push_back(name);
    if (!object_.contains(name)) return absl::OkStatus();
    if (!object_[name].is_boolean()) return FieldError(name, "is not true or false");
    *out = object_[name].get<bool>();
    return absl::OkStatus();
  }

  absl::Status String(const std::string& name, std::string* out) {
    seen_.push_back(name);
    if (!object_.contains(name)) return absl::OkStatus();
    if (!object_[name].is_string()) return FieldError(name, "is not a string");
    *out = object_[name].get<std::string>();
    return absl::OkStatus();
  }

  // A list of which at most count_max elements are taken; missing is empty.
  absl::StatusOr<json> List(const std::string& name, size_t count_max) {
    seen_.push_back(name);
    if (!object_.contains(name)) return json::array();
    const json& value = object_[name];
    if (!value.is_array()) return FieldError(name, "is not a list");
    if (value.size() > count_max)
      return FieldError(name, absl::StrCat("has over ", count_max, " entries"));
    return value;
  }

  absl::Status RefuseUnknown() const {
    for (const auto& [name, value] : object_.items()) {
      if (std::find(seen_.begin(), seen_.end(), name) == seen_.end()) {
        return FieldError(name, "is not known");
      }
    }
    return absl::OkStatus();
  }

 private:
  const json& object_;
  std::vector<std::string> seen_;
};

absl::Status ReadSampler(Fields& fields, Recipe& recipe) {
  std::string sampler = "few_step";
  LT_RETURN_IF_ERROR(fields.String("sampler", &sampler));
  if (sampler == "few_step") {
    recipe.sampler = SamplerKind::kFewStep;
  } else if (sampler == "euler") {
    recipe.sampler = SamplerKind::kEuler;
  } else {
    return FieldError("sampler", absl::StrCat("'", sampler, "' is not few_step or euler"));
  }
  LT_ASSIGN_OR_RETURN(const json steps, fields.List("steps", 1000));
  if (steps.empty()) return FieldError("steps", "is missing or empty");
  double previous = 1000.5;
  for (const json& step : steps) {
    if (!step.is_number()) return FieldError("steps", "holds something that is not a number");
    const double value = step.get<double>();
    if (!(value > 0.0 && value < previous)) {
      return FieldError("steps", "must fall strictly from at most 1000 and stay above 0");
    }
    recipe.steps.push_back(value);
    previous = value;
  }
  LT_RETURN_IF_ERROR(fields.Bool("warp_steps", &recipe.warp_steps));
  LT_RETURN_IF_ERROR(fields.Number("shift", 0.01, 100.0, &recipe.shift));
  return fields.Number("context_noise", 0.0, 999.0, &recipe.context_noise);
}

absl::Status ReadKeyPlan(Fields& fields, Recipe& recipe) {
  std::string kind = "window";
  LT_RETURN_IF_ERROR(fields.String("key_plan", &kind));
  LT_RETURN_IF_ERROR(
      fields.Integer("window_frames", 1, kWindowFramesMax, &recipe.key_plan.window_frames));
  LT_RETURN_IF_ERROR(
      fields.Integer("sink_frames", 0, kWindowFramesMax, &recipe.key_plan.sink_frames));
  LT_ASSIGN_OR_RETURN(recipe.key_plan.kind, ParseKeyPlanKind(kind));
  return ValidateKeyPlan(recipe.key_plan, recipe.chunk_frames);
}

}  // namespace

absl::StatusOr<Recipe> ParseRecipe(std::string_view text) {
  const json document = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object()) return absl::InvalidArgumentError("recipe is not a JSON object");
  Fields fields(document);
  Recipe recipe;
  int64_t format = 0;
  LT_RETURN_IF_ERROR(fields.Integer("format", 1, 1, &format));
  if (format != 1) return FieldError("format", "is missing; this build reads 1");
  LT_RETURN_IF_ERROR(fields.String("name", &recipe.name));
  LT_RETURN_IF_ERROR(fields.Integer("chunk_frames", 1, 64, &recipe.chunk_frames));
  LT_RETURN_IF_ERROR(ReadSampler(fields, recipe));
  LT_RETURN_IF_ERROR(ReadKeyPlan(fields, recipe));
  LT_RETURN_IF_ERROR(fields.Integer("fps", 1, kFpsMax, &recipe.fps));
  LT_RETURN_IF_ERROR(fields.Number("guidance", 0.0, kGuidanceMax, &recipe.guidance));
  LT_RETURN_IF_ERROR(fields.Integer("width", kSidePixelsMin, kSidePixelsMax, &recipe.width));
  LT_RETURN_IF_ERROR(fields.Integer("height", kSidePixelsMin, kSidePixelsMax, &recipe.height));
  if (recipe.width % kSidePixelsStep != 0) return FieldError("width", "is not a multiple of 16");
  if (recipe.height % kSidePixelsStep != 0) return FieldError("height", "is not a multiple of 16");
  LT_ASSIGN_OR_RETURN(const json prompts, fields.List("example_prompts", 64));
  for (const json& prompt : prompts) {
    if (!prompt.is_string()) return FieldError("example_prompts", "holds something not a string");
    recipe.example_prompts.push_back(prompt.get<std::string>());
  }
  LT_RETURN_IF_ERROR(fields.RefuseUnknown());
  return recipe;
}

absl::StatusOr<std::string> NamedRecipeJson(std::string_view name) {
  json recipe = {{"format", 1},
                 {"name", std::string(name)},
                 {"chunk_frames", 3},
                 {"sampler", "few_step"},
                 {"warp_steps", true},
                 {"shift", 5.0},
                 {"steps", {1000, 750, 500, 250}},
                 {"fps", 16},
                 {"width", 832},
                 {"height", 480}};
  if (name == "self-forcing") {
    recipe.update({{"key_plan", "window"}, {"window_frames", 21}, {"sink_frames", 0}});
  } else if (name == "longlive") {
    recipe.update({{"key_plan", "window"}, {"window_frames", 12}, {"sink_frames", 3}});
  } else if (name == "longlive-infinity") {
    recipe.update({{"key_plan", "slot_window"}, {"window_frames", 12}, {"sink_frames", 3}});
  } else if (name == "rolling-sink") {
    recipe.update({{"key_plan", "rolling_sink"}, {"window_frames", 21}, {"sink_frames", 0}});
  } else {
    return absl::NotFoundError(
        absl::StrCat("no recipe named '", std::string(name),
                     "'; known: self-forcing, longlive, longlive-infinity, rolling-sink"));
  }
  return recipe.dump();
}

}  // namespace longtake
