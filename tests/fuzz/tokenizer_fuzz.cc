// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Tokenizer files and prompts from anyone. The first byte chooses the format and how the rest is
// cut: even a spiece.model, odd a tokenizer.json; the second and third byte are the length of the
// prompt at the end.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/status_macros.h"
#include "engine/text/prompt_cleaner.h"
#include "engine/text/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 3, size - 3);
  const size_t text_bytes = static_cast<size_t>(data[1]) | static_cast<size_t>(data[2]) << 8;
  const size_t file_bytes = rest.size() - (text_bytes < rest.size() ? text_bytes : rest.size());
  const std::string_view file = rest.substr(0, file_bytes);
  const std::string text(rest.substr(file_bytes));

  const auto clean = longtake::CleanPrompt(text);
  LT_CHECK(!clean.ok() || longtake::CleanPrompt(*clean).ok());
  const auto tokenizer = data[0] % 2 == 0
                             ? longtake::Tokenizer::FromSpiece(file, {.extra_ids = data[0] / 2})
                             : longtake::Tokenizer::FromTokenizerJson(file);
  if (!tokenizer.ok()) return 0;
  for (const std::string& prompt : {text, clean.ok() ? *clean : std::string("a red ball")}) {
    const auto ids = tokenizer->Encode(prompt, 64);
    LT_CHECK(!ids.empty() && ids.size() <= 64 && ids.back() == tokenizer->eos_id());
    for (const int32_t id : ids) LT_CHECK(id >= 0 && id < tokenizer->vocab_size());
  }
  return 0;
}
