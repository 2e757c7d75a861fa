// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/vae/conv.h"

namespace longtake {
namespace {

// One convolution per frame, each on its own.
std::vector<ConvFrame> FrameByFrame(const std::vector<DevicePtr<const float>>& inputs,
                                    std::vector<VaeFrame>& out) {
  std::vector<ConvFrame> frames;
  for (size_t i = 0; i < out.size(); ++i) {
    frames.push_back({.in = std::span(inputs).subspan(i, 1), .out = out[i].As<float>()});
  }
  return frames;
}

std::vector<DevicePtr<const float>> Pointers(const std::vector<VaeFrame>& frames) {
  std::vector<DevicePtr<const float>> pointers;
  for (const VaeFrame& frame : frames) pointers.push_back(frame.As<float>());
  return pointers;
}

// Twice the frames (kUp3d, not in the first call), then twice the height and width.
class UpBlock final : public VaeBlock {
 public:
  explicit UpBlock(const VaeBlockSource& source)
      : time_(source.layer.kind == VaeLayerKind::kUp3d),
        channels_(source.layer.in_channels),
        out_channels_(source.layer.out_channels) {
    const std::string& prefix = source.layer.prefix;
    space_ = PackVaeConv(source, {prefix + ".resample.1", {out_channels_, channels_, 1, 3, 3}});
    if (!time_) return;
    // The output's halves are the two frames that come of one: two convolutions on one history.
    for (int64_t half = 0; half < 2; ++half) {
      halves_[half].weights = PackVaeConv(source, {.name = prefix + ".time_conv",
                                                   .shape = {2 * channels_, channels_, 3, 1, 1},
                                                   .first_out = half * channels_,
                                                   .out_count = channels_});
      halves_[half].entry = source.entry;
      halves_[half].pad = 0;
    }
  }

  absl::Status Run(VaeCall& call, VaeFrames& x) const override {
    // The first frame of a stream stays alone and leaves no history: the second call sees zeros.
    if (time_ && !call.first) LT_RETURN_IF_ERROR(DoubleFrames(call, x));
    VaeFrames out = {out_channels_, 2 * x.height, 2 * x.width, {}};
    LT_ASSIGN_OR_RETURN(out.frames, call.pool.TakeMany(x.frames.size(), out.frame_floats()));
    const std::vector<DevicePtr<const float>> inputs = Pointers(x.frames);
    call.backend.Conv({.weights = space_.get(),
                       .frames = FrameByFrame(inputs, out.frames),
                       .in_h = x.height,
                       .in_w = x.width,
                       .pad_top = 1,
                       .pad_left = 1,
                       .pad_bottom = 1,
                       .pad_right = 1,
                       .upsample = true});
    call.pool.GiveAll(x.frames);
    x = std::move(out);
    return absl::OkStatus();
  }

 private:
  absl::Status DoubleFrames(VaeCall& call, VaeFrames& x) const {
    LT_ASSIGN_OR_RETURN(std::vector<VaeFrame> even, TakeLike(call, x, channels_));
    LT_ASSIGN_OR_RETURN(std::vector<VaeFrame> odd, TakeLike(call, x, channels_));
    halves_[0].Sum(call, x, even);
    halves_[1].Sum(call, x, odd);
    halves_[0].Remember(call, x);
    for (size_t i = 0; i < even.size(); ++i) {
      x.frames.push_back(std::move(even[i]));
      x.frames.push_back(std::move(odd[i]));
    }
    return absl::OkStatus();
  }

  bool time_;
  int64_t channels_;
  int64_t out_channels_;
  std::unique_ptr<ConvWeights> space_;
  VaeCausalConv halves_[2];
};

// Half the height and width, then half the frames (kDown3d, not in the first call).
class DownBlock final : public VaeBlock {
 public:
  explicit DownBlock(const VaeBlockSource& source)
      : time_(source.layer.kind == VaeLayerKind::kDown3d),
        channels_(source.layer.in_channels),
        entry_(source.entry) {
    const std::string& prefix = source.layer.prefix;
    space_ = PackVaeConv(source, {prefix + ".resample.1", {channels_, channels_, 1, 3, 3}});
    if (!time_) return;
    time_conv_ = PackVaeConv(source, {prefix + ".time_conv", {channels_, channels_, 3, 1, 1}});
  }

  absl::Status Run(VaeCall& call, VaeFrames& x) const override {
    VaeFrames out = {channels_, x.height / 2, x.width / 2, {}};
    LT_ASSIGN_OR_RETURN(out.frames, call.pool.TakeMany(x.frames.size(), out.frame_floats()));
    const std::vector<DevicePtr<const float>> inputs = Pointers(x.frames);
    call.backend.Conv({.weights = space_.get(),
                       .frames = FrameByFrame(inputs, out.frames),
                       .in_h = x.height,
                       .in_w = x.width,
                       .stride = 2,
                       .pad_bottom = 1,
                       .pad_right = 1});
    call.pool.GiveAll(x.frames);
    x = std::move(out);
    return time_ ? HalveFrames(call, x) : absl::OkStatus();
  }

 private:
  // Each output frame sees three input frames and steps by two; the last input frame of a call is
  // the first of the next.
  absl::Status HalveFrames(VaeCall& call, VaeFrames& x) const {
    std::vector<VaeFrame>& history = call.cache.entries[entry_].frames;
    if (call.first) {
      LT_ASSIGN_OR_RETURN(VaeFrame copy, call.pool.Take(x.frame_floats()));
      call.Copy(copy, x.frames.back());
      history.push_back(std::move(copy));
      return absl::OkStatus();
    }
    std::vector<DevicePtr<const float>> inputs = Pointers(history);
    for (const VaeFrame& frame : x.frames) inputs.push_back(frame.As<float>());
    LT_ASSIGN_OR_RETURN(std::vector<VaeFrame> out,
                        call.pool.TakeMany(x.frames.size() / 2, x.frame_floats()));
    std::vector<ConvFrame> frames;
    for (size_t i = 0; i < out.size(); ++i) {
      frames.push_back({.in = std::span(inputs).subspan(2 * i, 3), .out = out[i].As<float>()});
    }
    call.backend.Conv(
        {.weights = time_conv_.get(), .frames = frames, .in_h = x.height, .in_w = x.width});
    std::swap(history.front(), x.frames.back());
    call.pool.GiveAll(x.frames);
    x.frames = std::move(out);
    return absl::OkStatus();
  }

  bool time_;
  int64_t channels_;
  size_t entry_;
  std::unique_ptr<ConvWeights> space_;
  std::unique_ptr<ConvWeights> time_conv_;
};

}  // namespace

std::unique_ptr<VaeBlock> MakeVaeUp(const VaeBlockSource& source) {
  return std::make_unique<UpBlock>(source);
}

std::unique_ptr<VaeBlock> MakeVaeDown(const VaeBlockSource& source) {
  return std::make_unique<DownBlock>(source);
}

}  // namespace longtake
