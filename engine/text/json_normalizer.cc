// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/text/json_normalizer.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "base/utf8.h"
#include "engine/text/json_fields.h"

namespace longtake {

namespace {

constexpr size_t kListMax = 16;
constexpr size_t kTextBytesMax = 64;

absl::Status CheckText(const JsonObject& object, const char* name, const std::string& text) {
  if (text.size() <= kTextBytesMax) return absl::OkStatus();
  return object.Error(std::string(name) + " is longer than " + std::to_string(kTextBytesMax) +
                      " bytes");
}

// The members of a "Sequence" in order, each with its place; the object alone when it is none.
// Sequences in sequences are unrolled with a list, not by recursion.
absl::StatusOr<std::vector<JsonObject>> Unroll(const JsonObject& object, const char* list_name) {
  std::vector<JsonObject> pending{object}, out;
  while (!pending.empty()) {
    const JsonObject next = pending.back();
    pending.pop_back();
    LT_ASSIGN_OR_RETURN(const std::string type, next.String("type"));
    if (type != "Sequence") {
      out.push_back({next.value, next.where});
      continue;
    }
    const nlohmann::json* list = next.Find(list_name);
    if (list == nullptr || !list->is_array()) {
      return next.Error(std::string(list_name) + " must be a list");
    }
    if (list->size() + pending.size() + out.size() > kListMax) {
      return next.Error("more than " + std::to_string(kListMax) + " steps");
    }
    for (size_t i = list->size(); i-- > 0;) {
      pending.push_back({(*list)[i], next.where + "[" + std::to_string(i) + "]"});
    }
  }
  return out;
}

absl::StatusOr<NormalizerStep> ParseReplace(const JsonObject& object) {
  ReplaceText step;
  LT_ASSIGN_OR_RETURN(step.content, object.String("content"));
  LT_RETURN_IF_ERROR(CheckText(object, "content", step.content));
  const nlohmann::json* pattern_json = object.Find("pattern");
  if (pattern_json == nullptr) return object.Error("pattern is missing");
  const JsonObject pattern{*pattern_json, object.where + ".pattern"};
  const bool is_regex = pattern.Find("Regex") != nullptr;
  LT_ASSIGN_OR_RETURN(step.pattern, pattern.String(is_regex ? "Regex" : "String"));
  if (is_regex) {
    // Runs of one character are what published files use; a regex engine would be a door for
    // anything else.
    const std::string regex = step.pattern;
    const size_t one = regex.empty() ? 0 : DecodeUtf8(regex, 0).bytes;
    const std::string_view rest = std::string_view(regex).substr(one);
    constexpr std::string_view kSpecial = ".^$|()[]{}*+?\\";
    if (rest == "+") step.run_min = 1;
    if (rest == "{2,}") step.run_min = 2;
    if (step.run_min == 0 || kSpecial.find(regex[0]) != std::string_view::npos) {
      return absl::UnimplementedError(pattern.where + ": the regular expression \"" + regex +
                                      "\" is not supported, only runs such as \" {2,}\"");
    }
    step.pattern = regex.substr(0, one);
  }
  if (step.pattern.empty()) return pattern.Error("must not be empty");
  LT_RETURN_IF_ERROR(CheckText(pattern, "the text", step.pattern));
  return step;
}

absl::StatusOr<NormalizerStep> ParseStep(const JsonObject& object) {
  LT_ASSIGN_OR_RETURN(const std::string type, object.String("type"));
  if (type == "NFC") return UnicodeForm::kNfc;
  if (type == "NFD") return UnicodeForm::kNfd;
  if (type == "NFKC") return UnicodeForm::kNfkc;
  if (type == "NFKD") return UnicodeForm::kNfkd;
  if (type == "Replace") return ParseReplace(object);
  if (type == "Strip") {
    StripSpaces step;
    LT_ASSIGN_OR_RETURN(step.left, object.BoolOr("strip_left", true));
    LT_ASSIGN_OR_RETURN(step.right, object.BoolOr("strip_right", true));
    return step;
  }
  if (type == "Prepend") {
    PrependText step;
    LT_ASSIGN_OR_RETURN(step.text, object.String("prepend"));
    LT_RETURN_IF_ERROR(CheckText(object, "prepend", step.text));
    return step;
  }
  if (type == "Precompiled") {
    LT_ASSIGN_OR_RETURN(const std::string encoded,
                        object.StringOr("precompiled_charsmap", std::string()));
    std::string blob;
    if (!absl::Base64Unescape(encoded, &blob)) {
      return object.Error("precompiled_charsmap is not base64");
    }
    absl::StatusOr<Charsmap> charsmap = Charsmap::Parse(blob);
    if (!charsmap.ok()) return Annotate(charsmap.status(), object.where);
    return GraphemeCharsmap{*std::move(charsmap)};
  }
  return absl::UnimplementedError(object.where + ": normalizer \"" + type + "\" is not supported");
}

absl::Status ParseMetaspace(const JsonObject& object, PreTokenizer& out) {
  LT_ASSIGN_OR_RETURN(out.metaspace, object.StringOr("replacement", std::string(kSpaceSymbol)));
  if (out.metaspace.empty() || DecodeUtf8(out.metaspace, 0).bytes != out.metaspace.size()) {
    return object.Error("replacement must be one character");
  }
  LT_ASSIGN_OR_RETURN(const bool add_prefix_space, object.BoolOr("add_prefix_space", true));
  const std::string fallback = add_prefix_space ? "always" : "never";
  LT_ASSIGN_OR_RETURN(const std::string scheme, object.StringOr("prepend_scheme", fallback));
  LT_ASSIGN_OR_RETURN(out.split_metaspace, object.BoolOr("split", true));
  if (scheme == "always") {
    out.prepend = PreTokenizer::Prepend::kAlways;
  } else if (scheme == "first") {
    out.prepend = PreTokenizer::Prepend::kFirst;
  } else if (scheme == "never") {
    out.prepend = PreTokenizer::Prepend::kNever;
  } else {
    return object.Error("prepend_scheme \"" + scheme + "\" is not always, first or never");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<NormalizerStep>> ParseJsonNormalizer(const nlohmann::json& json) {
  std::vector<NormalizerStep> steps;
  if (json.is_null()) return steps;
  LT_ASSIGN_OR_RETURN(const std::vector<JsonObject> objects,
                      Unroll({json, "tokenizer.json: normalizer"}, "normalizers"));
  for (const JsonObject& object : objects) {
    LT_ASSIGN_OR_RETURN(NormalizerStep step, ParseStep(object));
    steps.push_back(std::move(step));
  }
  return steps;
}

absl::StatusOr<PreTokenizer> ParseJsonPreTokenizer(const nlohmann::json& json) {
  PreTokenizer out;
  if (json.is_null()) return out;
  LT_ASSIGN_OR_RETURN(const std::vector<JsonObject> objects,
                      Unroll({json, "tokenizer.json: pre_tokenizer"}, "pretokenizers"));
  for (const JsonObject& object : objects) {
    LT_ASSIGN_OR_RETURN(const std::string type, object.String("type"));
    if (!out.metaspace.empty()) return object.Error("only one step may follow WhitespaceSplit");
    if (type == "WhitespaceSplit") {
      out.split_whitespace = true;
    } else if (type == "Metaspace") {
      LT_RETURN_IF_ERROR(ParseMetaspace(object, out));
    } else {
      return absl::UnimplementedError(object.where + ": pre_tokenizer \"" + type +
                                      "\" is not supported");
    }
  }
  return out;
}

}  // namespace longtake
