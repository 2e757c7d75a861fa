// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One block of the transformer (docs/spec 2.4).
#include <cmath>
#include <vector>

#include "engine/model/wan/sweep.h"

namespace longtake {
namespace {

// Lines of a block's modulation.
enum Line : int64_t { kSelfShift, kSelfScale, kSelfGate, kFfnShift, kFfnScale, kFfnGate };
constexpr int64_t kBlockLines = 6;

}  // namespace

absl::Status WanSweep::RunBlock(const Step& step) {
  LT_RETURN_IF_ERROR(FillTexts(step));
  Modulate({.table = step.block.modulation,
            .embedding = core_.time.blocks(),
            .in_width = kBlockLines * width_,
            .lines = kBlockLines});
  NormModulated({.shift = kSelfShift, .scale = kSelfScale});
  LT_RETURN_IF_ERROR(SelfKeys(step));
  LT_RETURN_IF_ERROR(WriteKeys(step));
  // Of the last layer a clean pass needs nothing but its keys and values.
  if (next_layer_ == core_.config.layers) rows_ = stack_.flow_rows;
  if (rows_ == 0) return absl::OkStatus();
  LT_RETURN_IF_ERROR(SelfAttention(step));
  LT_RETURN_IF_ERROR(TextAttention(step));
  return FeedForward(step);
}

absl::Status WanSweep::FillTexts(const Step& step) {
  if (stack_.new_texts.empty()) return absl::OkStatus();
  const WanAttentionVectors& vectors = step.block.text;
  const int64_t rows = stack_.text_rows;
  DevicePtr<float> k = hidden();
  DevicePtr<float> v = hidden() + rows * width_;
  LT_RETURN_IF_ERROR(
      Project(step, kWanTextK,
              {.in = text(), .rows = rows, .weight = {}, .bias = vectors.k_bias, .out = k}));
  RmsNormRows(k, rows, vectors.k_gain);
  LT_RETURN_IF_ERROR(
      Project(step, kWanTextV,
              {.in = text(), .rows = rows, .weight = {}, .bias = vectors.v_bias, .out = v}));
  for (TextContext* context : stack_.new_texts) {
    context->Write(backend_, step.layer, k, v);
    k += context->rows() * width_;
    v += context->rows() * width_;
  }
  return absl::OkStatus();
}

absl::Status WanSweep::SelfKeys(const Step& step) {
  const WanAttentionVectors& vectors = step.block.self;
  LT_RETURN_IF_ERROR(Project(
      step, kWanSelfK,
      {.in = normed(), .rows = rows_, .weight = {}, .bias = vectors.k_bias, .out = keys()}));
  RmsNormRows(keys(), rows_, vectors.k_gain);
  return Project(
      step, kWanSelfV,
      {.in = normed(), .rows = rows_, .weight = {}, .bias = vectors.v_bias, .out = values()});
}

absl::Status WanSweep::WriteKeys(const Step& step) {
  for (const PlacedItem& item : stack_.items) {
    int64_t row = item.row;
    for (KvFrame* frame : item.video.writes) {
      if (frame != nullptr) {
        LT_RETURN_IF_ERROR(kv_.Write(*frame, step.layer, [&](const KvRows& rows) {
          rows.Store(backend_, frame->layout(), keys() + row * width_, values() + row * width_);
        }));
      }
      row += item.frame_rows;
    }
  }
  return absl::OkStatus();
}

absl::Status WanSweep::SelfAttention(const Step& step) {
  const WanAttentionVectors& vectors = step.block.self;
  LT_RETURN_IF_ERROR(Project(
      step, kWanSelfQ,
      {.in = normed(), .rows = rows_, .weight = {}, .bias = vectors.q_bias, .out = queries()}));
  RmsNormRows(queries(), rows_, vectors.q_gain);
  RotateQueries();
  LT_RETURN_IF_ERROR(GatherSelfKeys(step.layer));
  Attend(/*text=*/false);
  // Its memory is free for the next layer while this one goes on.
  LT_RETURN_IF_ERROR(kv_.EndLayer(step.layer));
  LT_RETURN_IF_ERROR(Project(
      step, kWanSelfOut,
      {.in = normed(), .rows = rows_, .weight = {}, .bias = vectors.out_bias, .out = hidden()}));
  AddGated(hidden(), kSelfGate);
  return absl::OkStatus();
}

void WanSweep::RotateQueries() {
  const WanConfig& config = core_.config;
  for (const PlacedItem& item : stack_.items) {
    if (item.row >= rows_) break;
    int64_t row = item.row;
    for (const DevicePtr<const float> table : item.frame_rotary) {
      backend_.Rotary({.x = queries() + row * width_,
                       .rows = item.frame_rows,
                       .heads = config.heads,
                       .head_dim = config.head_dim,
                       .table = table});
      row += item.frame_rows;
    }
  }
}

absl::Status WanSweep::GatherSelfKeys(int64_t layer) {
  for (size_t i = 0; i < stack_.items.size(); ++i) {
    const PlacedItem& item = stack_.items[i];
    std::vector<KeySegment>& segments = segments_[i];
    segments.clear();
    for (size_t j = 0; j < item.context_rotary.size(); ++j) {
      LT_RETURN_IF_ERROR(kv_.AppendSegments(*item.video.context[j].frame, layer,
                                            item.context_rotary[j], core_.config.head_dim,
                                            &segments));
    }
    int64_t row = item.row;
    for (const DevicePtr<const float> table : item.frame_rotary) {
      segments.push_back({.k = keys() + row * width_,
                          .v = values() + row * width_,
                          .dtype = DType::kF32,
                          .rows = item.frame_rows,
                          .rotary = table});
      row += item.frame_rows;
    }
  }
  return absl::OkStatus();
}

absl::Status WanSweep::TextAttention(const Step& step) {
  const WanBlockVectors& block = step.block;
  if (block.text_norm_gain) {
    backend_.LayerNorm({.in = residual(),
                        .rows = rows_,
                        .width = width_,
                        .eps = static_cast<float>(core_.config.eps),
                        .gain = block.text_norm_gain,
                        .bias = block.text_norm_bias,
                        .out = normed()});
  }
  LT_RETURN_IF_ERROR(Project(step, kWanTextQ,
                             {.in = block.text_norm_gain ? normed() : residual(),
                              .rows = rows_,
                              .weight = {},
                              .bias = block.text.q_bias,
                              .out = queries()}));
  RmsNormRows(queries(), rows_, block.text.q_gain);
  for (size_t i = 0; i < stack_.items.size(); ++i) {
    segments_[i] = {stack_.items[i].video.text->Segment(step.layer)};
  }
  Attend(/*text=*/true);
  LT_RETURN_IF_ERROR(Project(
      step, kWanTextOut,
      {.in = normed(), .rows = rows_, .weight = {}, .bias = block.text.out_bias, .out = hidden()}));
  backend_.GatedAdd({.x = residual(), .y = hidden(), .rows = rows_, .width = width_});
  return absl::OkStatus();
}

void WanSweep::Attend(bool text) {
  const WanConfig& config = core_.config;
  attention_.clear();
  for (size_t i = 0; i < stack_.items.size(); ++i) {
    const PlacedItem& item = stack_.items[i];
    if (item.row >= rows_) break;
    attention_.push_back(
        {.q = queries() + item.row * width_,
         .rows = item.rows(),
         .heads = config.heads,
         .head_dim = config.head_dim,
         .keys = segments_[i],
         .scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(config.head_dim))),
         .last_key_bias = text ? item.video.text->last_key_bias() : 0.0f,
         .out = normed() + item.row * width_});
  }
  backend_.Attention(attention_);
}

absl::Status WanSweep::FeedForward(const Step& step) {
  NormModulated({.shift = kFfnShift, .scale = kFfnScale});
  LT_RETURN_IF_ERROR(Project(step, kWanFfnUp,
                             {.in = normed(),
                              .rows = rows_,
                              .weight = {},
                              .bias = step.block.up_bias,
                              .activation = Activation::kGeluTanh,
                              .out = hidden()}));
  LT_RETURN_IF_ERROR(Project(step, kWanFfnDown,
                             {.in = hidden(),
                              .rows = rows_,
                              .weight = {},
                              .bias = step.block.down_bias,
                              .out = normed()}));
  AddGated(normed(), kFfnGate);
  return absl::OkStatus();
}

absl::Status WanSweep::Project(const Step& step, WanMatrix matrix, LinearArgs args) {
  const MatrixShape shape = WanMatrixShape(core_.config, matrix);
  LT_ASSIGN_OR_RETURN(args.weight, step.weights.Matrix(matrix, shape, step.block.scales[matrix]));
  backend_.Linear(args);
  return absl::OkStatus();
}

void WanSweep::RmsNormRows(DevicePtr<float> x, int64_t rows, DevicePtr<const float> gain) {
  backend_.RmsNorm({.in = x,
                    .rows = rows,
                    .width = width_,
                    .eps = static_cast<float>(core_.config.eps),
                    .gain = gain,
                    .out = x});
}

void WanSweep::Modulate(const Modulation& of) {
  modulation_lines_ = of.lines;
  backend_.AddTable({.in = of.embedding,
                     .rows = std::ssize(stack_.timesteps),
                     .in_width = of.in_width,
                     .table = of.table,
                     .width = of.lines * width_,
                     .out = core_.modulation.As<float>()});
}

DevicePtr<const float> WanSweep::Line(int64_t time_row, int64_t line) const {
  return core_.modulation.As<float>() + (time_row * modulation_lines_ + line) * width_;
}

void WanSweep::NormModulated(const Lines& lines) {
  for (const TimeRun& run : stack_.runs) {
    if (run.row >= rows_) break;
    backend_.LayerNormModulate({.in = residual() + run.row * width_,
                                .rows = run.rows,
                                .width = width_,
                                .eps = static_cast<float>(core_.config.eps),
                                .shift = Line(run.time_row, lines.shift),
                                .scale = Line(run.time_row, lines.scale),
                                .group_rows = run.rows,
                                .out = normed() + run.row * width_});
  }
}

void WanSweep::AddGated(DevicePtr<const float> y, int64_t gate_line) {
  for (const TimeRun& run : stack_.runs) {
    if (run.row >= rows_) break;
    backend_.GatedAdd({.x = residual() + run.row * width_,
                       .y = y + run.row * width_,
                       .rows = run.rows,
                       .width = width_,
                       .gate = Line(run.time_row, gate_line),
                       .group_rows = run.rows});
  }
}

}  // namespace longtake
