// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/vae/conv.h"

#include <array>

#include "engine/backend/upload.h"

namespace longtake {
namespace {

constexpr size_t kHistory = 2;  // input frames a causal convolution sees before the current one

class ConvBlock final : public VaeBlock {
 public:
  explicit ConvBlock(const VaeBlockSource& source)
      : causal_(source.layer.kind == VaeLayerKind::kConv),
        out_channels_(source.layer.out_channels) {
    const int64_t taps = causal_ ? 3 : 1;
    conv_.weights = PackVaeConv(
        source, {source.layer.prefix, {out_channels_, source.layer.in_channels, taps, taps, taps}});
    conv_.entry = source.entry;
  }

  absl::Status Run(VaeCall& call, VaeFrames& x) const override {
    LT_ASSIGN_OR_RETURN(std::vector<VaeFrame> out, TakeLike(call, x, out_channels_));
    if (causal_) {
      conv_.Sum(call, x, out);
      conv_.Remember(call, x);
    } else {
      RunPointwise(call, x, out);
    }
    call.pool.GiveAll(x.frames);
    x.frames = std::move(out);
    x.channels = out_channels_;
    return absl::OkStatus();
  }

 private:
  void RunPointwise(VaeCall& call, const VaeFrames& x, std::vector<VaeFrame>& out) const {
    for (size_t i = 0; i < out.size(); ++i) {
      const DevicePtr<const float> in = x.frames[i].As<float>();
      const ConvFrame frame = OnFrame(in, out[i]);
      call.backend.Conv({.weights = conv_.weights.get(),
                         .frames = {&frame, 1},
                         .in_h = x.height,
                         .in_w = x.width});
    }
  }

  bool causal_;
  int64_t out_channels_;
  VaeCausalConv conv_;
};

}  // namespace

std::unique_ptr<ConvWeights> PackVaeConv(const VaeBlockSource& source, const VaeConvName& conv) {
  const ConvShape& shape = conv.shape;
  const int64_t fan_in = shape.in_channels * shape.taps_t * shape.taps_h * shape.taps_w;
  const ResidentMatrix weight =
      source.lookup.Matrix(conv.name + ".weight", shape.out_channels, fan_in);
  const float* bias = source.lookup.Vector(conv.name + ".bias", shape.out_channels);
  if (!source.lookup.status().ok()) return nullptr;
  ConvShape part = shape;
  if (conv.out_count != 0) part.out_channels = conv.out_count;
  const auto* first =
      weight.data + static_cast<uint64_t>(conv.first_out * fan_in) * DTypeBytes(weight.dtype);
  return source.Pack(part, first, weight.dtype, bias + conv.first_out);
}

absl::StatusOr<std::vector<VaeFrame>> TakeLike(VaeCall& call, const VaeFrames& x,
                                               int64_t channels) {
  return call.pool.TakeMany(x.frames.size(), x.pixels() * channels);
}

ConvFrame OnFrame(const DevicePtr<const float>& in, const VaeFrame& out) {
  return {.in = {&in, 1}, .out = out.As<float>()};
}

VaeNorm::VaeNorm(const VaeBlockSource& source, const std::string& name, int64_t width) {
  const float* values = source.lookup.Vector(name + ".gamma", width);
  if (values == nullptr) return;
  const std::span<const float> row(values, static_cast<size_t>(width));
  auto uploaded = Upload(source.backend, std::as_bytes(row));
  source.lookup.Fail(uploaded.status());
  if (uploaded.ok()) gamma = *std::move(uploaded);
}

absl::Status VaeNorm::Run(VaeCall& call, const VaeFrames& x, VaeFrames& y) const {
  y.channels = x.channels;
  y.height = x.height;
  y.width = x.width;
  LT_ASSIGN_OR_RETURN(y.frames, TakeLike(call, x, x.channels));
  for (size_t i = 0; i < x.frames.size(); ++i) {
    call.backend.ChannelNorm({.in = x.frames[i].As<float>(),
                              .rows = x.pixels(),
                              .width = x.channels,
                              .gamma = gamma.As<float>(),
                              .silu = silu,
                              .out = y.frames[i].As<float>()});
  }
  return absl::OkStatus();
}

void VaeCausalConv::Sum(VaeCall& call, const VaeFrames& x, std::vector<VaeFrame>& out) const {
  const std::vector<VaeFrame>& history = call.cache.entries[entry].frames;
  // Input frames in time, zeros where the stream had not begun.
  std::vector<DevicePtr<const float>> inputs(kHistory - history.size());
  for (const VaeFrame& frame : history) inputs.push_back(frame.As<float>());
  for (const VaeFrame& frame : x.frames) inputs.push_back(frame.As<float>());
  std::vector<ConvFrame> frames;
  for (size_t i = 0; i < out.size(); ++i) {
    frames.push_back({.in = std::span(inputs).subspan(i, kHistory + 1), .out = out[i].As<float>()});
  }
  call.backend.Conv({.weights = weights.get(),
                     .frames = frames,
                     .in_h = x.height,
                     .in_w = x.width,
                     .pad_top = pad,
                     .pad_left = pad,
                     .pad_bottom = pad,
                     .pad_right = pad,
                     .accumulate = accumulate});
}

void VaeCausalConv::Remember(VaeCall& call, VaeFrames& x) const {
  std::vector<VaeFrame>& history = call.cache.entries[entry].frames;
  for (VaeFrame& frame : x.frames) {
    if (history.size() == kHistory) {
      call.pool.Give(std::move(history.front()));
      history.erase(history.begin());
    }
    history.push_back(std::move(frame));
  }
  x.frames.clear();
}

std::unique_ptr<VaeBlock> MakeVaeConv(const VaeBlockSource& source) {
  return std::make_unique<ConvBlock>(source);
}

}  // namespace longtake
