// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "tests/late/late_backend.h"

#include <vector>

namespace longtake {
namespace {

// Values from the first group's to the last one's.
int64_t GroupValues(int64_t rows, int64_t width, int64_t group_rows, int64_t group_stride) {
  return rows == 0 ? 0 : (rows - 1) / group_rows * group_stride + width;
}

uint64_t WeightBytes(const Weight& weight) {
  return static_cast<uint64_t>(weight.out_features * weight.in_features) * DTypeBytes(weight.dtype);
}

uint64_t SideBytes(const KeySegment& segment, const AttentionArgs& args) {
  return static_cast<uint64_t>(segment.rows * args.heads * args.head_dim) *
         DTypeBytes(segment.dtype);
}

uint64_t PieceBytes(const RowPiece& piece, const StoreRowsArgs& args) {
  return static_cast<uint64_t>(piece.rows * args.width) * DTypeBytes(args.dtype);
}

}  // namespace

void LateBackend::Linear(const LinearArgs& args) {
  const uint64_t watched = device_.Watch(args.weight.data, WeightBytes(args.weight));
  Put([this, args, watched] {
    LinearArgs here = args;
    device_.Unchanged(args.weight.data, WeightBytes(args.weight), watched);
    here.in = Here(args.in, args.rows * args.weight.in_features);
    here.weight.data = Here(args.weight.data, WeightBytes(args.weight));
    here.weight.scales = Here(args.weight.scales, args.weight.out_features);
    here.bias = Here(args.bias, args.weight.out_features);
    here.out = Here(args.out, args.rows * args.weight.out_features);
    ops_->Linear(here);
  });
}

void LateBackend::Attention(std::span<const AttentionArgs> items) {
  struct Item {
    AttentionArgs args;
    std::vector<KeySegment> keys;
    std::vector<uint64_t> watched;  // of each segment keys, then values
  };
  std::vector<Item> kept;
  for (const AttentionArgs& args : items) {
    Item& item = kept.emplace_back(Item{args, {args.keys.begin(), args.keys.end()}, {}});
    for (const KeySegment& segment : item.keys) {
      item.watched.push_back(device_.Watch(segment.k, SideBytes(segment, args)));
      item.watched.push_back(device_.Watch(segment.v, SideBytes(segment, args)));
    }
  }
  Put([this, kept = std::move(kept)] {
    std::vector<AttentionArgs> all;
    std::vector<std::vector<KeySegment>> keys;
    for (const Item& item : kept) {
      AttentionArgs here = item.args;
      const int64_t values = here.rows * here.heads * here.head_dim;
      int64_t key_rows = 0;
      std::vector<KeySegment>& segments = keys.emplace_back(item.keys);
      for (size_t i = 0; i < segments.size(); ++i) {
        KeySegment& segment = segments[i];
        const uint64_t bytes = SideBytes(segment, here);
        device_.Unchanged(segment.k, bytes, item.watched[2 * i]);
        device_.Unchanged(segment.v, bytes, item.watched[2 * i + 1]);
        segment.k = Here(segment.k, bytes);
        segment.v = Here(segment.v, bytes);
        segment.rotary = Here(segment.rotary, segment.rows * here.head_dim);
        key_rows += segment.rows;
      }
      here.q = Here(here.q, values);
      here.bias = Here(here.bias, here.heads * here.rows * key_rows);
      here.out = Here(here.out, values);
      here.keys = segments;
      all.push_back(here);
    }
    ops_->Attention(all);
  });
}

void LateBackend::LayerNormModulate(const LayerNormModulateArgs& args) {
  Put([this, args] {
    LayerNormModulateArgs here = args;
    const int64_t groups = GroupValues(args.rows, args.width, args.group_rows, args.group_stride);
    here.in = Here(args.in, args.rows * args.width);
    here.shift = Here(args.shift, groups);
    here.scale = Here(args.scale, groups);
    here.out = Here(args.out, args.rows * args.width);
    ops_->LayerNormModulate(here);
  });
}

void LateBackend::LayerNorm(const LayerNormArgs& args) {
  Put([this, args] {
    LayerNormArgs here = args;
    here.in = Here(args.in, args.rows * args.width);
    here.gain = Here(args.gain, args.width);
    here.bias = Here(args.bias, args.width);
    here.out = Here(args.out, args.rows * args.width);
    ops_->LayerNorm(here);
  });
}

void LateBackend::RmsNorm(const RmsNormArgs& args) {
  Put([this, args] {
    RmsNormArgs here = args;
    here.in = Here(args.in, args.rows * args.width);
    here.gain = Here(args.gain, args.width);
    here.out = Here(args.out, args.rows * args.width);
    ops_->RmsNorm(here);
  });
}

void LateBackend::Rotary(const RotaryArgs& args) {
  Put([this, args] {
    RotaryArgs here = args;
    here.x = Here(args.x, args.rows * args.heads * args.head_dim);
    here.table = Here(args.table, args.rows * args.head_dim);
    ops_->Rotary(here);
  });
}

void LateBackend::GatedAdd(const GatedAddArgs& args) {
  Put([this, args] {
    GatedAddArgs here = args;
    here.x = Here(args.x, args.rows * args.width);
    here.y = Here(args.y, args.rows * args.width);
    here.gate =
        Here(args.gate, GroupValues(args.rows, args.width, args.group_rows, args.group_stride));
    ops_->GatedAdd(here);
  });
}

void LateBackend::AddTable(const AddTableArgs& args) {
  Put([this, args] {
    AddTableArgs here = args;
    here.in = Here(args.in, args.rows * args.in_width);
    here.table = Here(args.table, args.width);
    here.out = Here(args.out, args.rows * args.width);
    ops_->AddTable(here);
  });
}

void LateBackend::StoreRows(const StoreRowsArgs& args) {
  std::vector<RowPiece> pieces(args.out.begin(), args.out.end());
  for (const RowPiece& piece : pieces) device_.Spoil(piece.out, PieceBytes(piece, args));
  Put([this, args, pieces = std::move(pieces)] {
    StoreRowsArgs here = args;
    std::vector<RowPiece> out = pieces;
    int64_t rows = 0;
    for (RowPiece& piece : out) {
      piece.out = Here(piece.out, static_cast<int64_t>(PieceBytes(piece, args)));
      rows += piece.rows;
    }
    here.in = Here(args.in, rows * args.width);
    here.out = out;
    ops_->StoreRows(here);
  });
}

void LateBackend::DistanceBias(const DistanceBiasArgs& args) {
  std::vector<int32_t> buckets(args.buckets.begin(), args.buckets.end());
  Put([this, args, buckets = std::move(buckets)] {
    DistanceBiasArgs here = args;
    here.table = Here(args.table, args.heads);
    here.buckets = buckets;
    here.out = Here(args.out, args.heads * args.rows * args.rows);
    ops_->DistanceBias(here);
  });
}

void LateBackend::Multiply(DevicePtr<float> x, DevicePtr<const float> y, int64_t count) {
  Put([this, x, y, count] { ops_->Multiply(Here(x, count), Here(y, count), count); });
}

void LateBackend::Silu(DevicePtr<float> x, int64_t count) {
  Put([this, x, count] { ops_->Silu(Here(x, count), count); });
}

void LateBackend::Relu(DevicePtr<float> x, int64_t count) {
  Put([this, x, count] { ops_->Relu(Here(x, count), count); });
}

void LateBackend::Conv(const ConvArgs& args) {
  struct Frame {
    std::vector<DevicePtr<const float>> in;
    DevicePtr<float> out;
  };
  std::vector<Frame> frames;
  for (const ConvFrame& frame : args.frames) {
    frames.push_back({{frame.in.begin(), frame.in.end()}, frame.out});
  }
  Put([this, args, frames = std::move(frames)]() mutable {
    std::vector<ConvFrame> all;
    for (Frame& frame : frames) {
      // The channels are the weights' own affair: one value says whether the frame is there.
      for (DevicePtr<const float>& in : frame.in) in = Here(in, args.in_h * args.in_w);
      all.push_back({.in = frame.in, .out = Here(frame.out, 1)});
    }
    ConvArgs here = args;
    here.frames = all;
    ops_->Conv(here);
  });
}

void LateBackend::ChannelNorm(const ChannelNormArgs& args) {
  Put([this, args] {
    ChannelNormArgs here = args;
    here.in = Here(args.in, args.rows * args.width);
    here.gamma = Here(args.gamma, args.width);
    here.out = Here(args.out, args.rows * args.width);
    ops_->ChannelNorm(here);
  });
}

}  // namespace longtake
