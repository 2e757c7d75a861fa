// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/kv/kv_sweep.h"

#include <algorithm>
#include <set>
#include <utility>

namespace longtake {

absl::Status KvSweep::Begin(std::span<const KvFrame* const> read, std::span<KvFrame* const> written,
                            int64_t layers) {
  const auto in_file = [](const KvFrame* frame) { return frame->in_file(); };
  // A file that does not answer is no trouble to those who do not need it.
  if (std::none_of(read.begin(), read.end(), in_file) &&
      std::none_of(written.begin(), written.end(), in_file)) {
    stream_ = nullptr;
    return absl::OkStatus();
  }
  if (stream_ == nullptr) return absl::FailedPreconditionError("K/V in a file, but no stream");
  std::vector<const KvFrame*> once;
  std::set<const KvFrame*> seen;
  for (const KvFrame* frame : read) {
    if (seen.insert(frame).second) once.push_back(frame);
  }
  return stream_->Begin(std::move(once), layers);
}

absl::Status KvSweep::Write(KvFrame& frame, int64_t layer, const float* k, const float* v) {
  if (frame.in_file()) return stream_->Write(frame, layer, k, v);
  frame.Write(layer, k, v);
  return absl::OkStatus();
}

absl::Status KvSweep::AppendSegments(const KvFrame& frame, int64_t layer, const float* rotary,
                                     int64_t rotary_stride, std::vector<KeySegment>* out) {
  if (!frame.in_file()) {
    frame.AppendSegments(layer, rotary, rotary_stride, out);
    return absl::OkStatus();
  }
  auto found = here_.find(&frame);
  if (found == here_.end()) {
    LT_ASSIGN_OR_RETURN(const auto bytes, stream_->Await(frame, layer));
    found = here_.emplace(&frame, bytes).first;
  }
  out->push_back(frame.Segment(found->second, rotary));
  return absl::OkStatus();
}

void KvSweep::EndLayer(int64_t layer) {
  here_.clear();
  if (stream_ != nullptr) stream_->EndLayer(layer);
}

absl::Status KvSweep::Finish() { return stream_ == nullptr ? absl::OkStatus() : stream_->Finish(); }

}  // namespace longtake
