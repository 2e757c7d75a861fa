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
  const std::set<const KvFrame*> here(written.begin(), written.end());
  std::set<const KvFrame*> seen;
  std::vector<const KvFrame*> once;
  for (const KvFrame* frame : read) {
    if (!seen.insert(frame).second) continue;
    if (!here.contains(frame)) {
      once.push_back(frame);
    } else if (frame->in_file()) {
      lent_.insert(frame);
    }
  }
  return stream_->Begin(std::move(once), layers);
}

absl::Status KvSweep::Write(KvFrame& frame, int64_t layer, const float* k, const float* v) {
  if (!frame.in_file()) {
    frame.Write(layer, k, v);
    return absl::OkStatus();
  }
  if (!lent_.contains(&frame)) return stream_->Write(frame, layer, k, v);
  LT_ASSIGN_OR_RETURN(here_[&frame], stream_->WriteAndLend(frame, layer, k, v));
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
