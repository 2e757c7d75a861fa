// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/vae/conv.h"

namespace longtake {
namespace {

class HeadBlock final : public VaeBlock {
 public:
  explicit HeadBlock(const VaeBlockSource& source) : out_channels_(source.layer.out_channels) {
    const std::string& prefix = source.layer.prefix;
    norm_ = VaeNorm(source, prefix + "norm_out", source.layer.in_channels);
    conv_.weights = PackVaeConv(
        source, {prefix + "conv_out", {out_channels_, source.layer.in_channels, 3, 3, 3}});
    conv_.entry = source.entry;
  }

  absl::Status Run(VaeCall& call, VaeFrames& x) const override {
    VaeFrames a;
    LT_RETURN_IF_ERROR(norm_.Run(call, x, a));
    call.pool.GiveAll(x.frames);
    LT_ASSIGN_OR_RETURN(x.frames, TakeLike(call, a, out_channels_));
    x.channels = out_channels_;
    conv_.Sum(call, a, x.frames);
    conv_.Remember(call, a);
    return absl::OkStatus();
  }

 private:
  int64_t out_channels_;
  VaeNorm norm_;
  VaeCausalConv conv_;
};

}  // namespace

std::unique_ptr<VaeBlock> MakeVaeHead(const VaeBlockSource& source) {
  return std::make_unique<HeadBlock>(source);
}

}  // namespace longtake
