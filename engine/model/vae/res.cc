// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/vae/conv.h"

namespace longtake {
namespace {

// norm, SiLU, conv, norm, SiLU, conv, plus the input, through a 1x1x1 convolution when the width
// changes (docs/spec 6.1).
class ResBlock final : public VaeBlock {
 public:
  explicit ResBlock(const VaeBlockSource& source)
      : in_channels_(source.layer.in_channels), out_channels_(source.layer.out_channels) {
    const std::string& prefix = source.layer.prefix;
    norm1_ = VaeNorm(source, prefix + ".norm1", in_channels_);
    norm2_ = VaeNorm(source, prefix + ".norm2", out_channels_);
    conv1_.weights =
        PackVaeConv(source, {prefix + ".conv1", {out_channels_, in_channels_, 3, 3, 3}});
    conv1_.entry = source.entry;
    conv2_.weights =
        PackVaeConv(source, {prefix + ".conv2", {out_channels_, out_channels_, 3, 3, 3}});
    conv2_.entry = source.entry + 1;
    conv2_.accumulate = true;
    if (in_channels_ != out_channels_) {
      shortcut_ =
          PackVaeConv(source, {prefix + ".conv_shortcut", {out_channels_, in_channels_, 1, 1, 1}});
    }
  }

  absl::Status Run(VaeCall& call, VaeFrames& x) const override {
    VaeFrames a;
    LT_RETURN_IF_ERROR(norm1_.Run(call, x, a));
    VaeFrames b = {out_channels_, x.height, x.width, {}};
    LT_ASSIGN_OR_RETURN(b.frames, TakeLike(call, x, out_channels_));
    conv1_.Sum(call, a, b.frames);
    conv1_.Remember(call, a);
    if (shortcut_ != nullptr) LT_RETURN_IF_ERROR(Widen(call, x));
    NormInPlace(call, b);
    conv2_.Sum(call, b, x.frames);
    conv2_.Remember(call, b);
    return absl::OkStatus();
  }

 private:
  absl::Status Widen(VaeCall& call, VaeFrames& x) const {
    LT_ASSIGN_OR_RETURN(std::vector<VaeFrame> wide, TakeLike(call, x, out_channels_));
    for (size_t i = 0; i < wide.size(); ++i) {
      const DevicePtr<const float> in = x.frames[i].As<float>();
      const ConvFrame frame = OnFrame(in, wide[i]);
      call.backend.Conv(
          {.weights = shortcut_.get(), .frames = {&frame, 1}, .in_h = x.height, .in_w = x.width});
    }
    call.pool.GiveAll(x.frames);
    x.frames = std::move(wide);
    x.channels = out_channels_;
    return absl::OkStatus();
  }

  void NormInPlace(VaeCall& call, VaeFrames& b) const {
    for (VaeFrame& frame : b.frames) {
      call.backend.ChannelNorm({.in = frame.As<float>(),
                                .rows = b.pixels(),
                                .width = out_channels_,
                                .gamma = norm2_.gamma.As<float>(),
                                .silu = true,
                                .out = frame.As<float>()});
    }
  }

  int64_t in_channels_;
  int64_t out_channels_;
  VaeNorm norm1_;
  VaeNorm norm2_;
  VaeCausalConv conv1_;
  VaeCausalConv conv2_;
  std::unique_ptr<ConvWeights> shortcut_;
};

}  // namespace

std::unique_ptr<VaeBlock> MakeVaeRes(const VaeBlockSource& source) {
  return std::make_unique<ResBlock>(source);
}

}  // namespace longtake
