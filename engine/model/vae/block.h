// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One layer of the VAE, ready to run: its packed weights and its place in the cache. Blocks are
// immutable and hold no reference to the section their weights came from.
#pragma once

#include <functional>
#include <memory>
#include <vector>

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
};

class VaeBlock {
 public:
  virtual ~VaeBlock() = default;
  // Replaces x by the layer's output; x's old frames go back to the pool.
  virtual void Run(VaeCall& call, VaeFrames& x) const = 0;
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
  // Runs one call of a stream. height and width are the latent's; the cache must fit them
  // (CheckVaeCache).
  // keep_going, which may be empty, is asked between blocks. CANCELLED when it said no: then x is
  // recycled, and the cache is of no more use.
  absl::Status Run(VaeCache& cache, VaeFrames& x, const std::function<bool()>& keep_going = {});
  // Memory for another latent size is given back first.
  absl::Status Prepare(const VaeCache& cache, int64_t height, int64_t width);
  const std::vector<VaeLayer>& layers() const { return layers_; }
  void Recycle(VaeFrames& x) { pool_.GiveAll(x.frames); }
  VaeFrame TakeFrame(int64_t floats) { return pool_.Take(floats); }
  uint64_t scratch_bytes() const { return pool_.bytes(); }  // between calls
  void Release() { pool_.Clear(); }

 private:
  explicit VaeNetwork(Backend& backend) : backend_(&backend) {}

  Backend* backend_;
  std::vector<VaeLayer> layers_;
  std::vector<std::unique_ptr<VaeBlock>> blocks_;
  VaeFramePool pool_;
  int64_t height_ = 0;
  int64_t width_ = 0;
};

}  // namespace longtake
