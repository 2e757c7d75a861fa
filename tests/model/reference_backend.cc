// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "tests/model/reference_backend.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace longtake {
namespace {

double At(const void* data, DType dtype, int64_t index) {
  if (dtype == DType::kF32) return static_cast<const float*>(data)[index];
  return Bf16ToFloat(static_cast<const uint16_t*>(data)[index]);
}

double Activate(double x, Activation activation) {
  switch (activation) {
    case Activation::kGeluTanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
    case Activation::kSilu:
      return x / (1 + std::exp(-x));
    case Activation::kNone:
      return x;
  }
  return x;
}

struct Moments {
  double mean = 0;
  double variance = 0;
};

Moments MomentsOf(const float* row, int64_t width) {
  Moments moments;
  for (int64_t i = 0; i < width; ++i) moments.mean += row[i];
  moments.mean /= static_cast<double>(width);
  for (int64_t i = 0; i < width; ++i) moments.variance += std::pow(row[i] - moments.mean, 2);
  moments.variance /= static_cast<double>(width);
  return moments;
}

// All keys and values of an attention, rotated.
struct Gathered {
  std::vector<double> k;
  std::vector<double> v;
  int64_t rows = 0;
};

Gathered Gather(const AttentionArgs& args) {
  const int64_t width = args.heads * args.head_dim;
  Gathered all;
  for (const KeySegment& segment : args.keys) {
    for (int64_t row = 0; row < segment.rows; ++row, ++all.rows) {
      for (int64_t i = 0; i < width; ++i) {
        all.k.push_back(At(segment.k.address(), segment.dtype, row * width + i));
        all.v.push_back(At(segment.v.address(), segment.dtype, row * width + i));
      }
      if (!segment.rotary) continue;
      RotateRow(all.k.data() + all.rows * width, args.heads, args.head_dim,
                segment.rotary.address() + row * args.head_dim);
    }
  }
  return all;
}

void AttendRow(const AttentionArgs& args, const Gathered& all, int64_t row, int64_t head) {
  const int64_t width = args.heads * args.head_dim;
  const int64_t offset = head * args.head_dim;
  std::vector<double> weight(static_cast<size_t>(all.rows));
  double top = -INFINITY;
  for (int64_t key = 0; key < all.rows; ++key) {
    double logit = 0;
    for (int64_t i = 0; i < args.head_dim; ++i) {
      logit += args.q.address()[row * width + offset + i] *
               all.k[static_cast<size_t>(key * width + offset + i)];
    }
    logit *= args.scale;
    if (args.bias) logit += args.bias.address()[(head * args.rows + row) * all.rows + key];
    if (key + 1 == all.rows) logit += args.last_key_bias;
    weight[static_cast<size_t>(key)] = logit;
    top = std::max(top, logit);
  }
  double sum = 0;
  for (double& w : weight) sum += w = std::exp(w - top);
  for (int64_t i = 0; i < args.head_dim; ++i) {
    double value = 0;
    for (int64_t key = 0; key < all.rows; ++key) {
      value +=
          weight[static_cast<size_t>(key)] * all.v[static_cast<size_t>(key * width + offset + i)];
    }
    args.out.address()[row * width + offset + i] = static_cast<float>(value / sum);
  }
}

}  // namespace

void RotateRow(double* row, int64_t heads, int64_t head_dim, const float* table) {
  for (int64_t head = 0; head < heads; ++head) {
    for (int64_t i = 0; i < head_dim; i += 2) {
      double* pair = row + head * head_dim + i;
      const double a = pair[0];
      const double b = pair[1];
      pair[0] = a * table[i] - b * table[i + 1];
      pair[1] = a * table[i + 1] + b * table[i];
    }
  }
}

void ReferenceBackend::Linear(const LinearArgs& args) {
  const Weight& weight = args.weight;
  for (int64_t r = 0; r < args.rows; ++r) {
    for (int64_t o = 0; o < weight.out_features; ++o) {
      double sum = args.bias ? args.bias.address()[o] : 0.0;
      for (int64_t i = 0; i < weight.in_features; ++i) {
        sum += args.in.address()[r * weight.in_features + i] *
               At(weight.data.address(), weight.dtype, o * weight.in_features + i);
      }
      args.out.address()[r * weight.out_features + o] =
          static_cast<float>(Activate(sum, args.activation));
    }
  }
  if (on_linear) on_linear(args);
}

void ReferenceBackend::Attention(std::span<const AttentionArgs> items) {
  for (const AttentionArgs& args : items) {
    const Gathered all = Gather(args);
    for (int64_t row = 0; row < args.rows; ++row) {
      for (int64_t head = 0; head < args.heads; ++head) AttendRow(args, all, row, head);
    }
    if (on_attention) on_attention(args);
  }
}

void ReferenceBackend::LayerNormModulate(const LayerNormModulateArgs& args) {
  for (int64_t r = 0; r < args.rows; ++r) {
    const Moments moments = MomentsOf(args.in.address() + r * args.width, args.width);
    const int64_t group = r / args.group_rows * args.group_stride;
    for (int64_t i = 0; i < args.width; ++i) {
      const double x = (args.in.address()[r * args.width + i] - moments.mean) /
                       std::sqrt(moments.variance + args.eps);
      args.out.address()[r * args.width + i] = static_cast<float>(
          x * (1.0 + args.scale.address()[group + i]) + args.shift.address()[group + i]);
    }
  }
}

void ReferenceBackend::LayerNorm(const LayerNormArgs& args) {
  for (int64_t r = 0; r < args.rows; ++r) {
    const Moments moments = MomentsOf(args.in.address() + r * args.width, args.width);
    for (int64_t i = 0; i < args.width; ++i) {
      const double x = (args.in.address()[r * args.width + i] - moments.mean) /
                       std::sqrt(moments.variance + args.eps);
      args.out.address()[r * args.width + i] =
          static_cast<float>(x * args.gain.address()[i] + args.bias.address()[i]);
    }
  }
}

void ReferenceBackend::RmsNorm(const RmsNormArgs& args) {
  for (int64_t r = 0; r < args.rows; ++r) {
    double squares = 0;
    for (int64_t i = 0; i < args.width; ++i)
      squares += std::pow(args.in.address()[r * args.width + i], 2);
    const double norm = std::sqrt(squares / static_cast<double>(args.width) + args.eps);
    for (int64_t i = 0; i < args.width; ++i) {
      args.out.address()[r * args.width + i] =
          static_cast<float>(args.in.address()[r * args.width + i] / norm * args.gain.address()[i]);
    }
  }
}

void ReferenceBackend::Rotary(const RotaryArgs& args) {
  const int64_t width = args.heads * args.head_dim;
  for (int64_t r = 0; r < args.rows; ++r) {
    std::vector<double> row(args.x.address() + r * width, args.x.address() + (r + 1) * width);
    RotateRow(row.data(), args.heads, args.head_dim, args.table.address() + r * args.head_dim);
    for (int64_t i = 0; i < width; ++i) {
      args.x.address()[r * width + i] = static_cast<float>(row[static_cast<size_t>(i)]);
    }
  }
}

void ReferenceBackend::GatedAdd(const GatedAddArgs& args) {
  for (int64_t r = 0; r < args.rows; ++r) {
    const int64_t group = r / args.group_rows * args.group_stride;
    for (int64_t i = 0; i < args.width; ++i) {
      const double gate = args.gate == nullptr ? 1.0 : args.gate.address()[group + i];
      float& x = args.x.address()[r * args.width + i];
      x = static_cast<float>(x + args.y.address()[r * args.width + i] * gate);
    }
  }
}

void ReferenceBackend::StoreRows(const StoreRowsArgs& args) {
  const float* in = args.in.address();
  for (const RowPiece& piece : args.out) {
    for (int64_t i = 0; i < piece.rows * args.width; ++i, ++in) {
      if (args.dtype == DType::kF32) {
        reinterpret_cast<float*>(piece.out.address())[i] = *in;
      } else {
        reinterpret_cast<uint16_t*>(piece.out.address())[i] = FloatToBf16(*in);
      }
    }
  }
}

void ReferenceBackend::Multiply(DevicePtr<float> x, DevicePtr<const float> y, int64_t count) {
  for (int64_t i = 0; i < count; ++i) x.address()[i] *= y.address()[i];
}

void ReferenceBackend::Silu(DevicePtr<float> x, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    x.address()[i] = static_cast<float>(Activate(x.address()[i], Activation::kSilu));
  }
}

}  // namespace longtake
