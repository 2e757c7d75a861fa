// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/kv/kv_sweep.h"

#include <set>
#include <utility>

namespace longtake {

absl::Status KvSweep::Begin(std::span<const KvFrame* const> read, std::span<KvFrame* const> written,
                            int64_t layers) {
  std::set<const KvExtent*> here;  // written in this sweep
  for (const KvFrame* frame : written) {
    if (frame->in_file()) here.insert(frame->extent());
  }
  std::set<const KvExtent*> seen;
  std::vector<const KvExtent*> once;
  for (const KvFrame* frame : read) {
    const KvExtent* extent = frame->extent();
    if (extent == nullptr || !seen.insert(extent).second) continue;
    if (here.contains(extent)) {
      lent_.insert(extent);
    } else {
      once.push_back(extent);
    }
  }
  // A file that does not answer is no trouble to those who do not need it.
  if (here.empty() && seen.empty()) {
    stream_ = nullptr;
    return absl::OkStatus();
  }
  if (stream_ == nullptr) return absl::FailedPreconditionError("K/V in a file, but no stream");
  return stream_->Begin(std::move(once), layers);
}

absl::Status KvSweep::Write(KvFrame& frame, int64_t layer, Store store) {
  if (const KvPages* pages = frame.pages()) {
    store(pages->Rows(layer));
    return absl::OkStatus();
  }
  KvExtent* extent = frame.extent();
  LT_CHECK(extent != nullptr);
  const auto await = [&](std::span<std::byte> layer_bytes) {
    store(extent->Rows(backend_->device(), layer_bytes));
    return backend_->Await();
  };
  if (!lent_.contains(extent)) return stream_->Write(*extent, layer, await);
  LT_ASSIGN_OR_RETURN(here_[extent], stream_->WriteAndLend(*extent, layer, await));
  return absl::OkStatus();
}

absl::Status KvSweep::AppendSegments(const KvFrame& frame, int64_t layer,
                                     DevicePtr<const float> rotary, int64_t rotary_stride,
                                     std::vector<KeySegment>* out) {
  if (const KvPages* pages = frame.pages()) {
    pages->AppendSegments(layer, rotary, rotary_stride, out);
    return absl::OkStatus();
  }
  const KvExtent* extent = frame.extent();
  LT_CHECK(extent != nullptr);
  auto found = here_.find(extent);
  if (found == here_.end()) {
    LT_ASSIGN_OR_RETURN(const auto bytes, stream_->Await(*extent, layer));
    found = here_.emplace(extent, bytes).first;
  }
  out->push_back(extent->Segment(backend_->device(), found->second, rotary));
  return absl::OkStatus();
}

absl::Status KvSweep::EndLayer(int64_t layer) {
  if (stream_ == nullptr) return absl::OkStatus();
  LT_RETURN_IF_ERROR(backend_->Await());
  here_.clear();
  stream_->EndLayer(layer);
  return absl::OkStatus();
}

absl::Status KvSweep::Finish() { return stream_ == nullptr ? absl::OkStatus() : stream_->Finish(); }

}  // namespace longtake
