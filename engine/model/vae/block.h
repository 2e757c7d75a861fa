// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One layer of the VAE, ready to run: its packed weights and its place in the cache. Blocks are
// immutable and hold no reference to the section their weights came from.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "absl/functional/function_ref.h"
#include "base/aligned_buffer.h"
#include "base/status_macros.h"
#include "engine/backend/backend.h"
#include "engine/model/tensor_lookup.h"
#include "engine/model/vae/cache.h"
#include "engine/model/vae/frames.h"
#include "engine/model/vae/layers.h"

namespace longtake {

// One call of a stream. cache.entries are all there; first says that no call came before.
struct VaeCall {
  Backend& backend;
  VaeFramePool& pool;
  VaeCache& cache;
  bool first = false;

  void Copy(const VaeFrame& to, const VaeFrame& from) const {
    backend.device().Copy(backend.lane(), to.As<std::byte>(), from.As<std::byte>(), from.size());
  }
};

class VaeBlock {
 public:
  virtual ~VaeBlock() = default;
  // Replaces x by the layer's output; x's old frames go back to the pool. Errors of the pool; then
  // x and the cache are of no more use.
  virtual absl::Status Run(VaeCall& call, VaeFrames& x) const = 0;
};

// Where a block's weights come from and where its first cache entry is.
struct VaeBlockSource {
  const VaeLayer& layer;
  size_t entry;
  ResidentLookup& lookup;
  Backend& backend;

  // Backend::PackConv; null after an error, which the lookup remembers.
  std::unique_ptr<ConvWeights> Pack(const ConvShape& shape, const void* weights, DType dtype,
                                    const float* bias) const;
};

// One per kind of layer. Errors are remembered by the lookup; the block is then unusable.
std::unique_ptr<VaeBlock> MakeVaeConv(const VaeBlockSource& source);  // kPointwise, kConv
std::unique_ptr<VaeBlock> MakeVaeRes(const VaeBlockSource& source);
std::unique_ptr<VaeBlock> MakeVaeAttention(const VaeBlockSource& source);
std::unique_ptr<VaeBlock> MakeVaeUp(const VaeBlockSource& source);
std::unique_ptr<VaeBlock> MakeVaeDown(const VaeBlockSource& source);
std::unique_ptr<VaeBlock> MakeVaeHead(const VaeBlockSource& source);
std::unique_ptr<VaeBlock> MakePlainConv(const VaeBlockSource& source);  // kPlainConv, kPlainUp
std::unique_ptr<VaeBlock> MakeGrow(const VaeBlockSource& source);
std::unique_ptr<VaeBlock> MakeMemory(const VaeBlockSource& source);

// The layers in order: what decoder and encoder share.
class VaeNetwork {
 public:
  // NOT_FOUND or FAILED_PRECONDITION naming the tensor.
  static absl::StatusOr<VaeNetwork> Create(const std::vector<VaeLayer>& layers,
                                           const ResidentSection& section, Backend& backend);
  // For streams of latents of this size, which the cache must fit (CheckVaeCache). Memory for
  // another size is given back first.
  absl::Status Prepare(const VaeCache& cache, int64_t height, int64_t width);
  // Appends a frame to x, whose values fill writes.
  absl::Status Load(VaeFrames& x, absl::FunctionRef<void(std::span<float>)> fill);
  // Runs one call of a stream.
  // keep_going, which may be empty, is asked between blocks. CANCELLED when it said no: then x is
  // recycled, and the cache is of no more use; so it is after other errors: of memory, or of the
  // device.
  absl::Status Run(VaeCache& cache, VaeFrames& x, const std::function<bool()>& keep_going = {});
  // A frame's values, until the next call: what was put into the lane is done then. Errors of the
  // device.
  absl::StatusOr<std::span<const float>> Read(const VaeFrame& frame);
  void Recycle(VaeFrames& x) { pool_.GiveAll(x.frames); }

  const std::vector<VaeLayer>& layers() const { return layers_; }
  Device& device() { return backend_->device(); }
  uint64_t scratch_bytes() const { return pool_.bytes() + staging_.size(); }  // between calls
  void Release();

 private:
  explicit VaeNetwork(Backend& backend) : backend_(&backend), pool_(backend) {}
  // Host memory for so many floats on their way to the device or back; nothing is under way there.
  absl::StatusOr<std::span<float>> Staging(uint64_t bytes);

  Backend* backend_;
  std::vector<VaeLayer> layers_;
  std::vector<std::unique_ptr<VaeBlock>> blocks_;
  VaeFramePool pool_;
  AlignedBuffer staging_;  // of the largest frame that came or went
  int64_t height_ = 0;
  int64_t width_ = 0;
};

}  // namespace longtake
