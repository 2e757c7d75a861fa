// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/text/normalizer.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/stringpiece.h>

#include <algorithm>
#include <utility>

#include "base/utf8.h"
#include "engine/text/grapheme_charsmap.h"

namespace longtake {

namespace {

constexpr size_t kStepsMax = 16;
constexpr size_t kGrowthMax = 4096;
constexpr size_t kUnicodeGrowthMax = 18;  // UAX 15: no form expands UTF-8 more than this

const icu::Normalizer2* Form(UnicodeForm form, UErrorCode& error) {
  switch (form) {
    case UnicodeForm::kNfc:
      return icu::Normalizer2::getNFCInstance(error);
    case UnicodeForm::kNfd:
      return icu::Normalizer2::getNFDInstance(error);
    case UnicodeForm::kNfkc:
      return icu::Normalizer2::getNFKCInstance(error);
    case UnicodeForm::kNfkd:
      return icu::Normalizer2::getNFKDInstance(error);
  }
  return nullptr;
}

std::string Replace(const ReplaceText& step, std::string_view text) {
  std::string out;
  while (!text.empty()) {
    size_t count = 0;
    while (text.substr(count * step.pattern.size()).starts_with(step.pattern)) {
      ++count;
      if (step.run_min == 0) break;
    }
    if (count == 0) {
      out.push_back(text.front());
      text.remove_prefix(1);
      continue;
    }
    const size_t bytes = count * step.pattern.size();
    out.append(count < step.run_min ? text.substr(0, bytes) : std::string_view(step.content));
    text.remove_prefix(bytes);
  }
  return out;
}

std::string Strip(const StripSpaces& step, std::string_view text) {
  size_t begin = text.size(), end = 0;
  for (size_t at = 0; at < text.size();) {
    const Utf8Char c = DecodeUtf8(text, at);
    if (!IsWhiteSpace(c.code)) {
      begin = std::min(begin, at);
      end = at + c.bytes;
    }
    at += c.bytes;
  }
  if (!step.left) begin = 0;
  if (!step.right) end = text.size();
  return begin < end ? std::string(text.substr(begin, end - begin)) : std::string();
}

struct Apply {
  std::string_view text;

  std::string operator()(const SpieceNormalizer& step) const { return step.Normalize(text); }
  std::string operator()(const GraphemeCharsmap& step) const {
    return MapGraphemes(step.charsmap, text);
  }
  std::string operator()(const ReplaceText& step) const { return Replace(step, text); }
  std::string operator()(const StripSpaces& step) const { return Strip(step, text); }
  std::string operator()(const PrependText& step) const {
    return text.empty() ? std::string() : step.text + std::string(text);
  }
  std::string operator()(UnicodeForm form) const { return ToUnicodeForm(form, text); }
};

// How many times longer a step can make a text.
struct Growth {
  size_t operator()(const SpieceNormalizer& step) const {
    return kSpaceSymbol.size() * std::max<size_t>(1, step.charsmap.replacement_bytes_max());
  }
  size_t operator()(const GraphemeCharsmap& step) const {
    return std::max<size_t>(1, step.charsmap.replacement_bytes_max());
  }
  size_t operator()(const ReplaceText& step) const {
    return std::max<size_t>(1, step.content.size() / step.pattern.size() + 1);
  }
  size_t operator()(const StripSpaces&) const { return 1; }
  size_t operator()(const PrependText& step) const { return 1 + step.text.size(); }
  size_t operator()(UnicodeForm) const { return kUnicodeGrowthMax; }
};

}  // namespace

std::string ToUnicodeForm(UnicodeForm form, std::string_view text) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* normalizer = Form(form, error);
  std::string out;
  icu::StringByteSink<std::string> sink(&out);
  if (U_SUCCESS(error)) {
    normalizer->normalizeUTF8(0, icu::StringPiece(text.data(), static_cast<int32_t>(text.size())),
                              sink, nullptr, error);
  }
  return U_SUCCESS(error) ? out : std::string(text);
}

absl::StatusOr<Normalizer> Normalizer::Create(std::vector<NormalizerStep> steps) {
  if (steps.size() > kStepsMax) {
    return absl::InvalidArgumentError("normalizer: " + std::to_string(steps.size()) +
                                      " steps, more than " + std::to_string(kStepsMax));
  }
  size_t growth = 1;
  for (const NormalizerStep& step : steps) {
    growth *= std::visit(Growth{}, step);
    if (growth > kGrowthMax) {
      return absl::InvalidArgumentError("normalizer: could make a text more than " +
                                        std::to_string(kGrowthMax) + " times longer");
    }
  }
  Normalizer normalizer;
  normalizer.steps_ = std::move(steps);
  return normalizer;
}

std::string Normalizer::Normalize(std::string_view text) const {
  std::string out(text);
  for (const NormalizerStep& step : steps_) out = std::visit(Apply{out}, step);
  return out;
}

}  // namespace longtake
