// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A prompt as the stages see it: each has its states, and keys and values for its own layers, on
// its own device. A value that owns them; one thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "engine/model/wan/text_context.h"

namespace longtake {

class PromptTexts {
 public:
  PromptTexts() = default;  // no prompt
  // Of the only stage, or none.
  explicit PromptTexts(std::unique_ptr<TextContext> text) {
    if (text != nullptr) of_stages_.push_back(std::move(text));
  }
  // In the order of the stages, of the same prompt.
  explicit PromptTexts(std::vector<std::unique_ptr<TextContext>> of_stages)
      : of_stages_(std::move(of_stages)) {}

  bool empty() const { return of_stages_.empty(); }
  // What a stage has, or null.
  TextContext* of(size_t stage) const {
    return stage < of_stages_.size() ? of_stages_[stage].get() : nullptr;
  }
  // Of a prompt: its rows, which all stages have alike, and whether all have filled them.
  int64_t rows() const { return of_stages_.front()->rows(); }
  bool ready() const {
    return std::all_of(of_stages_.begin(), of_stages_.end(),
                       [](const auto& text) { return text->ready(); });
  }

 private:
  std::vector<std::unique_ptr<TextContext>> of_stages_;
};

}  // namespace longtake
