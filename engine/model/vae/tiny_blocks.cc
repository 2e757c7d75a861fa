// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The blocks of the tiny decoder (docs/spec 6.6).
#include <algorithm>

#include "engine/model/vae/conv.h"

namespace longtake {
namespace {

// A 3x3 convolution's place, zeros around it.
ConvArgs Square(const ConvWeights* weights, const VaeFrames& x, std::span<const ConvFrame> frames) {
  return {.weights = weights,
          .frames = frames,
          .in_h = x.height,
          .in_w = x.width,
          .pad_top = 1,
          .pad_left = 1,
          .pad_bottom = 1,
          .pad_right = 1};
}

// weight of [out, in, h, w] at the lookup, packed with or without bias; null after an error.
std::unique_ptr<ConvWeights> PackPlain(const VaeBlockSource& source, const std::string& name,
                                       const ConvShape& shape, bool has_bias) {
  const ResidentMatrix weight = source.lookup.Matrix(
      name + ".weight", shape.out_channels, shape.in_channels * shape.taps_h * shape.taps_w);
  const float* bias = has_bias ? source.lookup.Vector(name + ".bias", shape.out_channels) : nullptr;
  if (!source.lookup.status().ok()) return nullptr;
  return source.Pack(shape, weight.data, weight.dtype, bias);
}

class PlainConv final : public VaeBlock {
 public:
  explicit PlainConv(const VaeBlockSource& source)
      : out_channels_(source.layer.out_channels),
        up_(source.layer.kind == VaeLayerKind::kPlainUp),
        relu_(source.layer.relu),
        weights_(PackPlain(source, source.layer.prefix,
                           {out_channels_, source.layer.in_channels, 1, 3, 3}, source.layer.bias)) {
  }

  absl::Status Run(VaeCall& call, VaeFrames& x) const override {
    const int64_t scale = up_ ? 2 : 1;
    VaeFrames out = {out_channels_, scale * x.height, scale * x.width, {}};
    LT_ASSIGN_OR_RETURN(out.frames, call.pool.TakeMany(x.frames.size(), out.frame_floats()));
    for (size_t i = 0; i < x.frames.size(); ++i) {
      const DevicePtr<const float> in = x.frames[i].As<float>();
      const ConvFrame frame = OnFrame(in, out.frames[i]);
      ConvArgs args = Square(weights_.get(), x, {&frame, 1});
      args.upsample = up_;
      call.backend.Conv(args);
      if (relu_) call.backend.Relu(out.frames[i].As<float>(), out.frame_floats());
    }
    call.pool.GiveAll(x.frames);
    x = std::move(out);
    return absl::OkStatus();
  }

 private:
  int64_t out_channels_;
  bool up_;
  bool relu_;
  std::unique_ptr<ConvWeights> weights_;
};

// The published output's channels are those of the frames that come of one, in order of time.
class Grow final : public VaeBlock {
 public:
  explicit Grow(const VaeBlockSource& source) : out_channels_(source.layer.out_channels) {
    const VaeLayer& layer = source.layer;
    const ResidentMatrix weight = source.lookup.Matrix(
        layer.prefix + ".conv.weight", layer.growth * out_channels_, layer.in_channels);
    if (!source.lookup.status().ok()) return;
    const uint64_t part_bytes =
        static_cast<uint64_t>(out_channels_ * layer.in_channels) * DTypeBytes(weight.dtype);
    for (int64_t i = 0; i < layer.growth; ++i) {
      const auto* part = weight.data + static_cast<uint64_t>(i) * part_bytes;
      parts_.push_back(
          source.Pack({out_channels_, layer.in_channels, 1, 1, 1}, part, weight.dtype, nullptr));
    }
  }

  absl::Status Run(VaeCall& call, VaeFrames& x) const override {
    VaeFrames out = {out_channels_, x.height, x.width, {}};
    for (const VaeFrame& frame : x.frames) {
      for (const auto& part : parts_) {
        LT_ASSIGN_OR_RETURN(VaeFrame grown, call.pool.Take(out.frame_floats()));
        const DevicePtr<const float> in = frame.As<float>();
        const ConvFrame pointwise = OnFrame(in, grown);
        out.frames.push_back(std::move(grown));
        call.backend.Conv(
            {.weights = part.get(), .frames = {&pointwise, 1}, .in_h = x.height, .in_w = x.width});
      }
    }
    call.pool.GiveAll(x.frames);
    x = std::move(out);
    return absl::OkStatus();
  }

 private:
  int64_t out_channels_;
  std::vector<std::unique_ptr<ConvWeights>> parts_;
};

// relu(conv(relu(conv(relu(conv(x, past))))) + x); past is this block's input one frame earlier.
class Memory final : public VaeBlock {
 public:
  explicit Memory(const VaeBlockSource& source)
      : channels_(source.layer.in_channels), entry_(source.entry) {
    const std::string& prefix = source.layer.prefix;
    first_ = PackFirst(source, prefix + ".conv.0");
    second_ = PackPlain(source, prefix + ".conv.2", {channels_, channels_, 1, 3, 3}, true);
    third_ = PackPlain(source, prefix + ".conv.4", {channels_, channels_, 1, 3, 3}, true);
  }

  absl::Status Run(VaeCall& call, VaeFrames& x) const override {
    std::vector<VaeFrame>& history = call.cache.entries[entry_].frames;
    LT_ASSIGN_OR_RETURN(VaeFrame a, call.pool.Take(x.frame_floats()));
    LT_ASSIGN_OR_RETURN(VaeFrame b, call.pool.Take(x.frame_floats()));
    LT_ASSIGN_OR_RETURN(std::vector<VaeFrame> out, TakeLike(call, x, channels_));
    for (size_t i = 0; i < x.frames.size(); ++i) {
      DevicePtr<const float> past;
      if (i > 0) {
        past = x.frames[i - 1].As<float>();
      } else if (!history.empty()) {
        past = history.front().As<float>();
      }
      const DevicePtr<const float> both[] = {past, x.frames[i].As<float>()};
      Conv(call, first_.get(), x, both, a);
      call.backend.Relu(a.As<float>(), x.frame_floats());
      const DevicePtr<const float> after_first = a.As<float>();
      Conv(call, second_.get(), x, {&after_first, 1}, b);
      call.backend.Relu(b.As<float>(), x.frame_floats());
      call.Copy(out[i], x.frames[i]);
      const DevicePtr<const float> after_second = b.As<float>();
      Conv(call, third_.get(), x, {&after_second, 1}, out[i], /*accumulate=*/true);
      call.backend.Relu(out[i].As<float>(), x.frame_floats());
    }
    if (!history.empty()) call.pool.Give(std::move(history.front()));
    history.clear();
    history.push_back(std::move(x.frames.back()));
    x.frames.pop_back();
    call.pool.GiveAll(x.frames);
    call.pool.Give(std::move(a));
    call.pool.Give(std::move(b));
    x.frames = std::move(out);
    return absl::OkStatus();
  }

 private:
  // Published: the channels of x, then those of past. As taps in time past comes first.
  std::unique_ptr<ConvWeights> PackFirst(const VaeBlockSource& source,
                                         const std::string& name) const {
    constexpr int64_t kTaps = 9;
    const ResidentMatrix weight =
        source.lookup.Matrix(name + ".weight", channels_, 2 * channels_ * kTaps);
    const float* bias = source.lookup.Vector(name + ".bias", channels_);
    if (!source.lookup.status().ok()) return nullptr;
    if (weight.dtype != DType::kF32) {
      source.lookup.Refuse(name + ".weight", "F32");
      return nullptr;
    }
    const auto* from = reinterpret_cast<const float*>(weight.data);
    std::vector<float> packed(static_cast<size_t>(2 * channels_ * channels_ * kTaps));
    float* to = packed.data();
    for (int64_t out = 0; out < channels_; ++out) {
      for (int64_t in = 0; in < channels_; ++in) {
        for (const int64_t half : {channels_, int64_t{0}}) {
          to = std::copy_n(from + (out * 2 * channels_ + half + in) * kTaps, kTaps, to);
        }
      }
    }
    return source.Pack({channels_, channels_, 2, 3, 3}, packed.data(), DType::kF32, bias);
  }

  static void Conv(VaeCall& call, const ConvWeights* weights, const VaeFrames& x,
                   std::span<const DevicePtr<const float>> in, const VaeFrame& out,
                   bool accumulate = false) {
    const ConvFrame frame = {.in = in, .out = out.As<float>()};
    ConvArgs args = Square(weights, x, {&frame, 1});
    args.accumulate = accumulate;
    call.backend.Conv(args);
  }

  int64_t channels_;
  size_t entry_;
  std::unique_ptr<ConvWeights> first_;
  std::unique_ptr<ConvWeights> second_;
  std::unique_ptr<ConvWeights> third_;
};

}  // namespace

std::unique_ptr<VaeBlock> MakePlainConv(const VaeBlockSource& source) {
  return std::make_unique<PlainConv>(source);
}

std::unique_ptr<VaeBlock> MakeGrow(const VaeBlockSource& source) {
  return std::make_unique<Grow>(source);
}

std::unique_ptr<VaeBlock> MakeMemory(const VaeBlockSource& source) {
  return std::make_unique<Memory>(source);
}

}  // namespace longtake
