// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Convolution as a matrix product without the matrix: a task lays its block of the input out as
// planes, then sums taps over it, panel by panel. Zero frames are left out of the chain; zero
// borders are in it as zeros. Both follow from the element's place alone.
#include <algorithm>
#include <array>
#include <vector>

#include "engine/backend/cpu/conv_plan.h"
#include "engine/backend/cpu/conv_weights.h"
#include "engine/backend/cpu/cpu_backend.h"

namespace longtake {
namespace {

constexpr int64_t kTapsMax = 128;
// Below this many multiply-adds waking the workers costs more than they save.
constexpr int64_t kParallelProductsMin = 1 << 18;

// One task: everything it needs is in args and plan; scratch holds a row of zeros, then planes.
class ConvTask {
 public:
  ConvTask(const ConvArgs& args, const PackedConv& weights, const ConvPlan& plan,
           const KernelTable& kernels, int64_t index)
      : args_(args), weights_(weights), plan_(plan), kernels_(kernels) {
    const int64_t column = index % plan.column_blocks;
    const int64_t row = index / plan.column_blocks % plan.row_blocks;
    const int64_t group = index / plan.column_blocks / plan.row_blocks;
    first_column_ = column * plan.column_block;
    columns_ = std::min(plan.column_block, plan.out_w - first_column_);
    first_row_ = row * plan.row_block;
    rows_ = std::min(plan.row_block, plan.out_h - first_row_);
    const size_t first = group * plan.group_frames;
    frames_ =
        args.frames.subspan(first, std::min<size_t>(plan.group_frames, args.frames.size() - first));
    inputs_ = DistinctInputs(frames_);
  }

  void Run(float* scratch) {
    const int64_t channels = weights_.shape().in_channels;
    std::fill_n(scratch, channels, 0.0f);
    sums_ = scratch + (channels + 15) / 16 * 16;
    planes_ = sums_ + plan_.sums_floats;
    if (plan_.split_time) return RunByTime(scratch);
    LayOutPlanes(scratch);
    SumTaps({.end = weights_.shape().taps_t});
  }

 private:
  // A run of temporal taps, and whether chains begin and end in it.
  struct Taps {
    int64_t begin = 0;
    int64_t end = 0;
    bool begins = true;
    bool ends = true;
  };

  void RunByTime(const float* zeros) {
    const std::span<const DevicePtr<const float>> in = frames_.front().in;
    const auto frames_left = [&](int64_t t) {
      return std::any_of(in.begin() + t, in.end(),
                         [](DevicePtr<const float> f) { return static_cast<bool>(f); });
    };
    if (!frames_left(0)) return SumTaps({});
    bool begins = true;
    for (int64_t t = 0; t < static_cast<int64_t>(in.size()); ++t) {
      if (!in[t]) continue;
      inputs_.assign(1, in[t].address());
      LayOutPlanes(zeros);
      SumTaps({.begin = t, .end = t + 1, .begins = begins, .ends = !frames_left(t + 1)});
      begins = false;
    }
  }

  void SumTaps(const Taps& range) {
    for (const ConvPanel& panel : weights_.panels()) {
      for (const ConvFrame& frame : frames_) {
        for (int64_t row = 0; row < rows_; ++row) SumRow(panel, frame, row, range);
      }
    }
  }

  void LayOutPlanes(const float* zeros) {
    const int64_t channels = weights_.shape().in_channels;
    const int64_t rows = (rows_ - 1) * args_.stride + weights_.shape().taps_h;
    const int64_t phase_floats = channels * plan_.plane_stride;
    for (size_t input = 0; input < inputs_.size(); ++input) {
      for (int64_t row = 0; row < rows; ++row) {
        const int64_t in_row = first_row_ * args_.stride - args_.pad_top + row;
        float* out = planes_ + input * plan_.frame_floats + row * plan_.phases * phase_floats;
        if (in_row < 0 || in_row >= plan_.in_h) {
          std::fill_n(out, plan_.phases * phase_floats, 0.0f);
          continue;
        }
        const int64_t source_row = args_.upsample ? in_row / 2 : in_row;
        for (int64_t phase = 0; phase < plan_.phases; ++phase) {
          kernels_.pack_plane_row(
              {.in = inputs_[input] + source_row * args_.in_w * channels,
               .in_columns = plan_.in_w,
               .channels = channels,
               .upsample = args_.upsample,
               .first_column = first_column_ * args_.stride - args_.pad_left + phase,
               .column_step = args_.stride,
               .columns = plan_.plane_columns,
               .zeros = zeros,
               .out = out + phase * phase_floats,
               .plane_stride = plan_.plane_stride});
        }
      }
    }
  }

  void SumRow(const ConvPanel& panel, const ConvFrame& frame, int64_t row, const Taps& range) {
    std::array<ConvTap, kTapsMax> taps;
    ConvTap* const end = FindTaps(panel, frame, row, range, taps.data());
    const int64_t out_channels = weights_.shape().out_channels;
    const int64_t pixel = (first_row_ + row) * plan_.out_w + first_column_;
    kernels_.conv_row(
        {.taps = taps.data(),
         .tap_count = end - taps.data(),
         .in_channels = weights_.shape().in_channels,
         .plane_stride = plan_.plane_stride,
         .pixels = columns_,
         .lanes = panel.lanes,
         .lanes_used = panel.lanes_used,
         .bias = panel.bias,
         .accumulate = args_.accumulate,
         .out = frame.out.address() + pixel * out_channels + panel.first_channel,
         .out_stride = out_channels,
         .sums = sums_ +
                 (panel.first_channel * plan_.row_block + row * kConvSumLanes) * plan_.column_block,
         .begins = range.begins,
         .ends = range.ends});
  }

  // Returns the end of what it filled.
  ConvTap* FindTaps(const ConvPanel& panel, const ConvFrame& frame, int64_t row, const Taps& range,
                    ConvTap* taps) const {
    const ConvShape& shape = weights_.shape();
    const int64_t phase_floats = shape.in_channels * plan_.plane_stride;
    const int64_t weight_floats = shape.in_channels * panel.lanes;
    for (int64_t t = range.begin; t < range.end; ++t) {
      if (!frame.in[t]) continue;
      const int64_t input =
          std::find(inputs_.begin(), inputs_.end(), frame.in[t].address()) - inputs_.begin();
      for (int64_t y = 0; y < shape.taps_h; ++y) {
        const float* planes = planes_ + input * plan_.frame_floats +
                              (row * args_.stride + y) * plan_.phases * phase_floats;
        for (int64_t x = 0; x < shape.taps_w; ++x) {
          const int64_t tap = (t * shape.taps_h + y) * shape.taps_w + x;
          *taps++ = {.planes = planes + x % args_.stride * phase_floats + x / args_.stride,
                     .weights = panel.weights + tap * weight_floats};
        }
      }
    }
    return taps;
  }

  const ConvArgs& args_;
  const PackedConv& weights_;
  const ConvPlan& plan_;
  const KernelTable& kernels_;
  int64_t first_column_ = 0;
  int64_t columns_ = 0;
  int64_t first_row_ = 0;
  int64_t rows_ = 0;
  std::span<const ConvFrame> frames_;
  std::vector<const float*> inputs_;
  float* sums_ = nullptr;
  float* planes_ = nullptr;
};

}  // namespace

void CpuBackend::Conv(const ConvArgs& args) {
  if (args.frames.empty()) return;
  const PackedConv& weights = static_cast<const PackedConv&>(*args.weights);
  const ConvShape& shape = weights.shape();
  LT_CHECK(weights.taps() <= kTapsMax && args.stride > 0 && args.in_h > 0 && args.in_w > 0);
  for (const ConvFrame& frame : args.frames) {
    LT_CHECK(static_cast<int64_t>(frame.in.size()) == shape.taps_t);
  }
  const ConvPlan plan = PlanConv(args, weights, workers_.thread_count());
  LT_CHECK(plan.scratch_floats <= kWorkerScratchFloats);
  const auto run = [&](int64_t index, int worker) {
    ConvTask(args, weights, plan, kernels_, index).Run(Scratch(worker));
  };
  const int64_t products = static_cast<int64_t>(args.frames.size()) * plan.out_h * plan.out_w *
                           weights.taps() * shape.in_channels * weights.lanes();
  if (products >= kParallelProductsMin && plan.tasks() > 1) {
    return workers_.ParallelFor(plan.tasks(), run);
  }
  for (int64_t index = 0; index < plan.tasks(); ++index) run(index, 0);
}

}  // namespace longtake
