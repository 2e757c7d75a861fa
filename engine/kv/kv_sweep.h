// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The K/V that one sweep reads and writes, layer by layer, whether a frame lives in pages or in the
// file. The model asks for segments and stores rows; only this class knows of the file and the
// stream that brings it.
//
// One thread. Frames and stream outlive it.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "base/status_macros.h"
#include "engine/backend/backend.h"
#include "engine/kv/kv_memory.h"
#include "engine/kv/kv_stream.h"

namespace longtake {

class KvSweep {
 public:
  // The stream may be null while no frame lives in a file.
  // Segments are for the backend's ops, which store rows, too.
  KvSweep(Backend& backend, KvStream* stream) : backend_(&backend), stream_(stream) {}

  // What the sweep will attend to, in the order of use, and what it will write; a frame may be read
  // more than once, and read in the sweep that writes it. FAILED_PRECONDITION when one lives in a
  // file and there is no stream; errors as KvStream::Begin.
  absl::Status Begin(std::span<const KvFrame* const> read, std::span<KvFrame* const> written,
                     int64_t layers);
  // Has a layer of a frame stored, by ops. Errors as KvStream::Write, and of the device.
  using Store = absl::FunctionRef<void(const KvRows& rows)>;
  absl::Status Write(KvFrame& frame, int64_t layer, Store store);
  // Appends a layer of a frame as segments, in row order; they hold until EndLayer. rotary is the
  // frame's table [rows, head_dim], or null. Errors as KvStream::Await.
  absl::Status AppendSegments(const KvFrame& frame, int64_t layer, DevicePtr<const float> rotary,
                              int64_t rotary_stride, std::vector<KeySegment>* out);
  // No op that attends to this layer is put any more. Errors of the device.
  absl::Status EndLayer(int64_t layer);
  // Waits until all that was written is in its pages or in the file.
  absl::Status Finish();

 private:
  Backend* backend_;
  KvStream* stream_;  // null when no frame of the sweep lives in a file
  // Frames of the file that one item of the sweep writes and a later one attends to.
  std::set<const KvExtent*> lent_;
  // Frames of the file whose bytes of the current layer are here.
  std::map<const KvExtent*, std::span<const std::byte>> here_;
};

}  // namespace longtake
