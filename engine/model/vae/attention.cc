// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "engine/model/vae/conv.h"

namespace longtake {
namespace {

// A matrix widened to fp32, with zero rows and columns up to the given size.
struct PaddedMatrix {
  int64_t rows = 0;
  int64_t columns = 0;
  std::vector<float> values;
  std::vector<float> bias;  // [rows]
};

float Value(const ResidentMatrix& weight, int64_t index) {
  if (weight.dtype == DType::kBf16) {
    return Bf16ToFloat(reinterpret_cast<const uint16_t*>(weight.data)[index]);
  }
  return reinterpret_cast<const float*>(weight.data)[index];
}

// Single head over the positions of each frame (docs/spec 6.1). Rotary attention works on pairs of
// channels, so an odd width gets one more channel of zeros, which changes no score.
class AttentionBlock final : public VaeBlock {
 public:
  explicit AttentionBlock(const VaeBlockSource& source)
      : channels_(source.layer.in_channels), padded_(channels_ + channels_ % 2) {
    const std::string& prefix = source.layer.prefix;
    norm_ = VaeNorm(source, prefix + ".norm", channels_);
    norm_.silu = false;
    const ResidentMatrix qkv =
        source.lookup.Matrix(prefix + ".to_qkv.weight", 3 * channels_, channels_);
    const float* qkv_bias = source.lookup.Vector(prefix + ".to_qkv.bias", 3 * channels_);
    const ResidentMatrix proj = source.lookup.Matrix(prefix + ".proj.weight", channels_, channels_);
    const float* proj_bias = source.lookup.Vector(prefix + ".proj.bias", channels_);
    if (!source.lookup.status().ok()) return;
    for (int64_t part = 0; part < 3; ++part) {
      const int64_t first = part * channels_;
      qkv_[part] = Pack(source, Pad(qkv, qkv_bias, first, padded_, channels_));
    }
    proj_ = Pack(source, Pad(proj, proj_bias, 0, channels_, padded_));
  }

  absl::Status Run(VaeCall& call, VaeFrames& x) const override {
    VaeFrames a;
    LT_RETURN_IF_ERROR(norm_.Run(call, x, a));
    const int64_t floats = x.pixels() * padded_;
    for (size_t i = 0; i < x.frames.size(); ++i) {
      LT_ASSIGN_OR_RETURN(std::vector<VaeFrame> qkv, call.pool.TakeMany(3, floats));
      for (size_t part = 0; part < 3; ++part) {
        Apply(call, x, *qkv_[part], a.frames[i], qkv[part]);
      }
      LT_ASSIGN_OR_RETURN(VaeFrame out, call.pool.Take(floats));
      Attend(call, x.pixels(), qkv, out);
      Apply(call, x, *proj_, out, x.frames[i], true);
      call.pool.GiveAll(qkv);
      call.pool.Give(std::move(out));
    }
    call.pool.GiveAll(a.frames);
    return absl::OkStatus();
  }

 private:
  PaddedMatrix Pad(const ResidentMatrix& weight, const float* bias, int64_t first_row, int64_t rows,
                   int64_t columns) const {
    PaddedMatrix out = {rows, columns, std::vector<float>(rows * columns), {}};
    out.bias.resize(rows);
    for (int64_t row = 0; row < channels_; ++row) {
      out.bias[row] = bias[first_row + row];
      for (int64_t column = 0; column < channels_; ++column) {
        out.values[row * columns + column] = Value(weight, (first_row + row) * channels_ + column);
      }
    }
    return out;
  }

  static std::unique_ptr<ConvWeights> Pack(const VaeBlockSource& source,
                                           const PaddedMatrix& matrix) {
    const ConvShape shape = {.out_channels = matrix.rows, .in_channels = matrix.columns};
    return source.Pack(shape, matrix.values.data(), DType::kF32, matrix.bias.data());
  }

  static void Apply(VaeCall& call, const VaeFrames& grid, const ConvWeights& weights,
                    const VaeFrame& from, const VaeFrame& to, bool accumulate = false) {
    const DevicePtr<const float> in = from.As<float>();
    const ConvFrame frame = OnFrame(in, to);
    call.backend.Conv({.weights = &weights,
                       .frames = {&frame, 1},
                       .in_h = grid.height,
                       .in_w = grid.width,
                       .accumulate = accumulate});
  }

  void Attend(VaeCall& call, int64_t pixels, const std::vector<VaeFrame>& qkv,
              const VaeFrame& out) const {
    const KeySegment keys = {
        .k = qkv[1].As<float>(), .v = qkv[2].As<float>(), .dtype = DType::kF32, .rows = pixels};
    const AttentionArgs args = {
        .q = qkv[0].As<float>(),
        .rows = pixels,
        .heads = 1,
        .head_dim = padded_,
        .keys = {&keys, 1},
        .scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(channels_))),
        .out = out.As<float>()};
    call.backend.Attention({&args, 1});
  }

  int64_t channels_;
  int64_t padded_;
  VaeNorm norm_;
  std::unique_ptr<ConvWeights> qkv_[3];
  std::unique_ptr<ConvWeights> proj_;
};

}  // namespace

std::unique_ptr<VaeBlock> MakeVaeAttention(const VaeBlockSource& source) {
  return std::make_unique<AttentionBlock>(source);
}

}  // namespace longtake
