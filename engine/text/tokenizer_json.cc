// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/text/tokenizer_json.h"

#include <algorithm>
#include <cstdio>
#include <unordered_map>
#include <utility>

#include "engine/text/json_fields.h"
#include "engine/text/json_limits.h"
#include "engine/text/json_normalizer.h"

namespace longtake {

namespace {

constexpr JsonLimits kLimits{size_t{64} << 20, 32, 6'000'000};
constexpr int32_t kIdMax = 1 << 21;

// The ids of all texts of the vocabulary; the views point into the pieces.
using IdOf = std::unordered_map<std::string_view, int32_t>;

absl::Status FillPieces(const JsonObject& model, UnigramSpec& spec) {
  const nlohmann::json* vocabulary = model.Find("vocab");
  if (vocabulary == nullptr || !vocabulary->is_array() || vocabulary->empty() ||
      vocabulary->size() > kPiecesMax) {
    return model.Error("vocab must be a list of 1 to " + std::to_string(kPiecesMax) +
                       " [piece, score] pairs");
  }
  spec.pieces.reserve(vocabulary->size());
  for (const nlohmann::json& entry : *vocabulary) {
    const auto id = spec.pieces.size();
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number()) {
      return model.Error("vocab[" + std::to_string(id) + "] must be a [piece, score] pair");
    }
    const auto score = entry[1].get<double>();
    spec.pieces.push_back({entry[0].get<std::string>(), score, true});
    spec.score_min = id == 0 ? score : std::min(spec.score_min, score);
  }
  return absl::OkStatus();
}

absl::Status FillModel(const JsonObject& root, UnigramSpec& spec) {
  const nlohmann::json* member = root.Find("model");
  if (member == nullptr) return root.Error("model is missing");
  const JsonObject model{*member, root.where + ": model"};
  LT_ASSIGN_OR_RETURN(const std::string type, model.String("type"));
  if (type != "Unigram") {
    return absl::UnimplementedError(model.where + " \"" + type +
                                    "\" is not supported, only Unigram");
  }
  LT_ASSIGN_OR_RETURN(spec.unknown_id, model.Int32("unk_id"));
  LT_ASSIGN_OR_RETURN(spec.byte_fallback, model.BoolOr("byte_fallback", false));
  return FillPieces(model, spec);
}

void FillBytes(const IdOf& ids, UnigramSpec& spec) {
  for (size_t byte = 0; byte < spec.byte_ids.size(); ++byte) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", static_cast<unsigned>(byte));
    const auto found = ids.find(name);
    spec.byte_ids[byte] = found == ids.end() ? -1 : found->second;
  }
}

absl::Status AddToken(const JsonObject& token, const IdOf& ids, TokenizerSpec& spec) {
  SpecialToken special;
  LT_ASSIGN_OR_RETURN(special.text, token.String("content"));
  LT_ASSIGN_OR_RETURN(special.id, token.Int32("id"));
  LT_ASSIGN_OR_RETURN(const bool is_special, token.BoolOr("special", false));
  LT_ASSIGN_OR_RETURN(special.normalized, token.BoolOr("normalized", !is_special));
  for (const char* flag : {"single_word", "lstrip", "rstrip"}) {
    LT_ASSIGN_OR_RETURN(const bool is_set, token.BoolOr(flag, false));
    if (is_set) return absl::UnimplementedError(token.where + ": " + flag + " is not supported");
  }
  if (special.text.empty() || special.text.size() > kPieceBytesMax) {
    return token.Error("content must be 1 to " + std::to_string(kPieceBytesMax) + " bytes");
  }
  if (special.id > kIdMax) return token.Error("id is over " + std::to_string(kIdMax));
  const auto found = ids.find(special.text);
  const bool inside = static_cast<size_t>(special.id) < spec.unigram.pieces.size();
  if (inside != (found != ids.end()) || (inside && found->second != special.id)) {
    return token.Error("id " + std::to_string(special.id) + " of \"" + special.text +
                       "\" disagrees with the vocabulary");
  }
  spec.specials.push_back(std::move(special));
  return absl::OkStatus();
}

absl::Status FillSpecials(const JsonObject& root, const IdOf& ids, TokenizerSpec& spec) {
  const nlohmann::json* tokens = root.Find("added_tokens");
  if (tokens == nullptr) return absl::OkStatus();
  if (!tokens->is_array() || tokens->size() > kPiecesMax) {
    return root.Error("added_tokens must be a list of at most " + std::to_string(kPiecesMax));
  }
  for (size_t i = 0; i < tokens->size(); ++i) {
    const JsonObject token{(*tokens)[i], root.where + ": added_tokens[" + std::to_string(i) + "]"};
    LT_RETURN_IF_ERROR(AddToken(token, ids, spec));
  }
  return absl::OkStatus();
}

// The text that a TemplateProcessing post-processor puts behind a single prompt.
absl::StatusOr<std::string> EosText(const JsonObject& root) {
  const nlohmann::json* member = root.Find("post_processor");
  if (member == nullptr) return std::string("</s>");
  const JsonObject processor{*member, root.where + ": post_processor"};
  LT_ASSIGN_OR_RETURN(const std::string type, processor.String("type"));
  const nlohmann::json* single = processor.Find("single");
  if (type != "TemplateProcessing" || single == nullptr || !single->is_array() ||
      single->size() != 2 || JsonObject{(*single)[0], ""}.Find("Sequence") == nullptr) {
    return absl::UnimplementedError(processor.where +
                                    " is not supported, only a TemplateProcessing of the prompt "
                                    "and one token behind it");
  }
  const JsonObject last{(*single)[1], processor.where + ".single[1]"};
  const nlohmann::json* token = last.Find("SpecialToken");
  if (token == nullptr) return last.Error("must be a SpecialToken");
  return JsonObject{*token, last.where + ".SpecialToken"}.String("id");
}

absl::Status FillEos(const JsonObject& root, const IdOf& ids, TokenizerSpec& spec) {
  LT_ASSIGN_OR_RETURN(const std::string text, EosText(root));
  const auto in_vocabulary = ids.find(text);
  if (in_vocabulary != ids.end()) {
    spec.eos_id = in_vocabulary->second;
    return absl::OkStatus();
  }
  for (const SpecialToken& special : spec.specials) {
    if (special.text != text) continue;
    spec.eos_id = special.id;
    return absl::OkStatus();
  }
  return root.Error("the end token \"" + text + "\" is neither in the vocabulary nor added");
}

}  // namespace

absl::StatusOr<TokenizerSpec> ParseTokenizerJson(std::string_view bytes) {
  LT_RETURN_IF_ERROR(CheckJsonLimits(bytes, kLimits, "tokenizer.json"));
  const nlohmann::json json = nlohmann::json::parse(bytes, nullptr, /*allow_exceptions=*/false);
  const JsonObject root{json, "tokenizer.json"};
  if (json.is_discarded() || !json.is_object()) return root.Error("is not a JSON object");
  TokenizerSpec spec;
  LT_RETURN_IF_ERROR(FillModel(root, spec.unigram));
  IdOf ids;
  ids.reserve(spec.unigram.pieces.size());
  for (size_t id = 0; id < spec.unigram.pieces.size(); ++id) {
    ids.emplace(spec.unigram.pieces[id].text, static_cast<int32_t>(id));
  }
  FillBytes(ids, spec.unigram);
  LT_RETURN_IF_ERROR(FillSpecials(root, ids, spec));
  LT_RETURN_IF_ERROR(FillEos(root, ids, spec));
  if (const nlohmann::json* normalizer = root.Find("normalizer")) {
    LT_ASSIGN_OR_RETURN(spec.normalizer, ParseJsonNormalizer(*normalizer));
  }
  if (const nlohmann::json* pre_tokenizer = root.Find("pre_tokenizer")) {
    LT_ASSIGN_OR_RETURN(spec.pre_tokenizer, ParseJsonPreTokenizer(*pre_tokenizer));
  }
  return spec;
}

}  // namespace longtake
