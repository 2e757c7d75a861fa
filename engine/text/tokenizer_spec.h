// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What both file formats of a tokenizer come down to, before it is checked as a whole and indexed.
// Plain data: owns everything, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/text/normalizer.h"
#include "engine/text/pre_tokenizer.h"
#include "engine/text/unigram.h"

namespace longtake {

// A text that becomes one id wherever it stands in a prompt.
struct SpecialToken {
  std::string text;
  int32_t id = 0;
  bool normalized = false;  // looked for in the normalized text instead of the prompt itself
};

struct TokenizerSpec {
  UnigramSpec unigram;
  std::vector<NormalizerStep> normalizer;
  PreTokenizer pre_tokenizer;
  std::vector<SpecialToken> specials;
  int32_t eos_id = 0;
};

}  // namespace longtake
