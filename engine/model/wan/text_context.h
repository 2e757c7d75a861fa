// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A prompt as the transformer sees it: its text states and, once a sweep has computed them, the
// text keys and values of every layer. They depend on the prompt alone, so they stay until it
// changes, in the memory of the backend's device.
//
// The model was trained on text_rows rows of which those after the prompt are zero and are attended
// to. These rows are all equal, so one stands for all of them: its logit gets the logarithm of
// their number (docs/spec 2.3), and a short prompt costs a fraction of a full one.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/dtype.h"
#include "base/status_macros.h"
#include "engine/backend/backend.h"

namespace longtake {

struct TextContextShape {
  int64_t layers = 0;
  int64_t width = 0;     // of keys and values
  int64_t text_dim = 0;  // of the text encoder's states
  int64_t tokens = 0;    // of the prompt; at most text_rows
  int64_t text_rows = 512;
  DType dtype = DType::kBf16;  // of keys and values: kF32 or kBf16

  // Keys: the prompt's, and one for the padding when there is any.
  int64_t rows() const { return tokens < text_rows ? tokens + 1 : tokens; }
};

// Memory a context takes, states included. INVALID_ARGUMENT when tokens exceed text_rows.
absl::StatusOr<uint64_t> TextContextBytes(const TextContextShape& shape);

// Owned by a session; filled by the first sweep that uses it, and goes before the backend. The
// backend's thread.
class TextContext {
 public:
  // states [shape.tokens, shape.text_dim] are copied. INVALID_ARGUMENT for sizes that disagree,
  // RESOURCE_EXHAUSTED for memory, INTERNAL (NOT_FINITE); errors of the device.
  static absl::StatusOr<std::unique_ptr<TextContext>> Create(Backend& backend,
                                                             const TextContextShape& shape,
                                                             std::span<const float> states);

  const TextContextShape& shape() const { return shape_; }
  int64_t rows() const { return shape_.rows(); }
  // What the last key's logit gets.
  float last_key_bias() const;

  // Whether keys and values of all layers are there.
  bool ready() const { return ready_; }
  // [rows(), text_dim], the padding row zero; null once ready.
  DevicePtr<const float> states() const { return states_.As<float>(); }
  // Rounds and stores one layer: k and v are [rows(), width].
  void Write(Backend& backend, int64_t layer, DevicePtr<const float> k, DevicePtr<const float> v);
  // All layers are written and done: the states are no longer needed.
  void MarkReady();
  KeySegment Segment(int64_t layer) const;

 private:
  TextContext() = default;
  uint64_t side_bytes() const;  // keys or values of one layer

  TextContextShape shape_;
  DeviceBuffer states_;
  DeviceBuffer memory_;  // per layer keys, then values
  bool ready_ = false;
};

}  // namespace longtake
