// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/text/grapheme_charsmap.h"

#include <unicode/brkiter.h>
#include <unicode/utext.h>

#include <memory>

#include "base/utf8.h"

namespace longtake {

namespace {

constexpr size_t kWholeGraphemeBytes = 6;  // graphemes shorter than this are looked up whole

void MapOne(const Charsmap& charsmap, std::string_view grapheme, std::string& out) {
  if (grapheme.size() < kWholeGraphemeBytes) {
    if (const auto match = charsmap.Shortest(grapheme)) {
      out.append(match->replacement);
      return;
    }
  }
  while (!grapheme.empty()) {
    const std::string_view one = grapheme.substr(0, DecodeUtf8(grapheme, 0).bytes);
    const auto match = charsmap.Shortest(one);
    out.append(match ? match->replacement : one);
    grapheme.remove_prefix(one.size());
  }
}

struct CloseText {
  void operator()(UText* text) const { utext_close(text); }
};

}  // namespace

std::string MapGraphemes(const Charsmap& charsmap, std::string_view text) {
  std::string out;
  out.reserve(text.size());
  UErrorCode error = U_ZERO_ERROR;
  const std::unique_ptr<UText, CloseText> view(
      utext_openUTF8(nullptr, text.data(), static_cast<int64_t>(text.size()), &error));
  const std::unique_ptr<icu::BreakIterator> breaks(
      icu::BreakIterator::createCharacterInstance(icu::Locale::getRoot(), error));
  if (U_SUCCESS(error)) breaks->setText(view.get(), error);
  const bool usable = U_SUCCESS(error);
  for (size_t begin = 0; begin < text.size();) {
    size_t end = begin + DecodeUtf8(text, begin).bytes;
    if (usable) {
      const int32_t next = breaks->following(static_cast<int32_t>(begin));
      if (next > static_cast<int32_t>(end)) end = static_cast<size_t>(next);
    }
    MapOne(charsmap, text.substr(begin, end - begin), out);
    begin = end;
  }
  return out;
}

}  // namespace longtake
