// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/kv/stage_kv.h"

#include <utility>

#include "base/error_reason.h"

namespace longtake {

absl::StatusOr<std::unique_ptr<StageKv>> StageKv::Open(Device& device, const Options& options) {
  auto kv = std::unique_ptr<StageKv>(new StageKv(options.layers));
  LT_ASSIGN_OR_RETURN(
      kv->pool_, KvPool::Create(device, options.pool_bytes, options.page_bytes, options.populator));
  if (options.file_directory.empty()) return kv;
  auto file = ScratchFile::Create(*options.files, options.file_directory, options.file_bytes);
  if (!file.ok()) return Annotate(file.status(), "kv-file");
  kv->file_ = *std::move(file);
  auto stream = KvStream::Open(device, *kv->file_, options.stream);
  if (!stream.ok()) return Annotate(stream.status(), "kv-staging-bytes");
  kv->stream_ = *std::move(stream);
  return kv;
}

KvLayout StageKv::LayoutOf(KvLayout whole) const {
  whole.layers = layers_;
  return whole;
}

KvMemory StageKv::memory() const {
  KvMemory memory(*pool_);
  if (file_ == nullptr) return memory;
  memory.file = file_.get();
  memory.file_layer_bytes_max = stream_->layer_bytes_max();
  memory.file_frame_bytes_max = stream_->frame_bytes_max();
  return memory;
}

}  // namespace longtake
