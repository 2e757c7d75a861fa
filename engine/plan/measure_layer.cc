// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/plan/measure_layer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/model/wan/token_grid.h"

namespace longtake {
namespace {

constexpr int kRuns = 3;
// Beyond this no further run: each reads the layer again, which a slow disk makes long.
constexpr double kRunsSecondsMax = 1.0;
// Of context, in whole frames: enough to be told from noise.
constexpr int64_t kContextRows = 4096;
constexpr int64_t kContextFramesMax = 64;
constexpr uint64_t kContextFrameBytesMax = 16 << 20;
constexpr double kSecondsMin = 1e-9;

// A frame of K/V, all zeros, that stands for any number of frames: it stays in a cache where a
// window would not, which attention, bound by computing, hardly shows.
class ContextMemory {
 public:
  absl::Status Open(Device& device, const KvLayout& layout) {
    const uint64_t side_bytes = static_cast<uint64_t>(layout.rows) * layout.row_bytes();
    const uint64_t page_bytes = std::max(KvPool::kPageBytesDefault, layout.row_bytes());
    LT_ASSIGN_OR_RETURN(pool_, KvPool::Create(device, 4 * (side_bytes + page_bytes), page_bytes));
    LT_ASSIGN_OR_RETURN(const uint64_t pages, pool_->PagesPerFrame(layout));
    LT_RETURN_IF_ERROR(pool_->Reserve(pages));
    frame_ = KvFrame(KvPages(*pool_, layout));
    return absl::OkStatus();
  }
  std::vector<ContextFrame> Frames(int64_t count) const {
    return std::vector<ContextFrame>(static_cast<size_t>(count), {.frame = &frame_});
  }

 private:
  std::unique_ptr<KvPool> pool_;
  KvFrame frame_;  // last: it gives its pages back
};

}  // namespace

absl::Status LayerTrial::Open(Backend& backend) {
  LT_ASSIGN_OR_RETURN(const WanConfig config, ParseWanConfig(pack_.config(), pack_.path()));
  LT_ASSIGN_OR_RETURN(ResidentSection resident, pack_.LoadResident());
  WanTransformerOptions options = VideoModel::TransformerOptions(options_, pack_);
  options.layers = {.first = 0, .end = 1};  // K/V of text and context for nothing else
  LT_ASSIGN_OR_RETURN(model_,
                      WanTransformer::Create(config, std::move(resident), backend, options));
  LT_ASSIGN_OR_RETURN(
      layers_, LayerStream::Open(pack_, {.slot_count = 1,  // nothing but this layer is wanted
                                         .read_timeout_nanos = options_.read_timeout_nanos,
                                         .io = options_.io,
                                         .clock = &clock_}));
  const std::vector<float> states(static_cast<size_t>(config.text_dim));
  LT_ASSIGN_OR_RETURN(text_, model_->NewTextContext(states, 1));
  text_->MarkReady();  // its keys stay zero, which costs the same
  return absl::OkStatus();
}

absl::StatusOr<LayerCost> LayerTrial::Run(int64_t side) {
  LT_ASSIGN_OR_RETURN(LayerCost cost, Least(side, {}));
  const auto tokens = static_cast<double>(cost.tokens);
  const KvLayout layout = model_->kv_layout(kPatchSide * side, kPatchSide * side);
  if (layout.file_layer_bytes() <= kContextFrameBytesMax) {
    ContextMemory memory;
    LT_RETURN_IF_ERROR(memory.Open(model_->device(), layout));
    const int64_t frames = std::clamp<int64_t>(kContextRows / layout.rows, 1, kContextFramesMax);
    LT_ASSIGN_OR_RETURN(const LayerCost with, Least(side, memory.Frames(frames)));
    const double longer = std::max(0.0, with.layer_seconds - cost.layer_seconds);
    context_pair_seconds_ = longer / static_cast<double>(frames * layout.rows) / tokens;
  }
  cost.context_row_seconds = context_pair_seconds_ * tokens;
  return cost;
}

absl::StatusOr<LayerCost> LayerTrial::Least(int64_t side, std::span<const ContextFrame> context) {
  LayerCost least = {.tokens = side * side, .layer_seconds = 1e9, .between_seconds = 1e9};
  const int64_t start = clock_.MonotonicNanos();
  for (int i = 0; i < kRuns; ++i) {
    if (i > 0 && NanosToSeconds(clock_.MonotonicNanos() - start) > kRunsSecondsMax) break;
    LT_ASSIGN_OR_RETURN(const LayerCost cost, RunOnce(side, context));
    least.layer_seconds = std::min(least.layer_seconds, cost.layer_seconds);
    least.between_seconds = std::min(least.between_seconds, cost.between_seconds);
  }
  return least;
}

absl::StatusOr<LayerCost> LayerTrial::RunOnce(int64_t side, std::span<const ContextFrame> context) {
  const std::vector<float> latents(
      static_cast<size_t>(model_->config().patch_values() * side * side), 0.5f);
  std::vector<float> flow(latents.size());
  const float timestep = 500.0f;
  const int64_t place = 0;
  const VideoItem item = {.latents = latents.data(),
                          .frames = 1,
                          .height = kPatchSide * side,
                          .width = kPatchSide * side,
                          .timesteps = {&timestep, 1},
                          .query_index = {&place, 1},
                          .context = context,
                          .text = text_.get(),
                          .writes = {},
                          .flow = flow.data()};
  LT_ASSIGN_OR_RETURN(const std::unique_ptr<ModelSweep> model_sweep, model_->NewSweep({&item, 1}));
  return TimeLayer(*model_sweep);
}

absl::StatusOr<LayerCost> LayerTrial::TimeLayer(ModelSweep& model_sweep) {
  const int64_t start = clock_.MonotonicNanos();
  LT_RETURN_IF_ERROR(model_sweep.Embed());
  const int64_t embedded = clock_.MonotonicNanos();
  const LayerStream::Stats before = layers_->stats();
  {
    LT_ASSIGN_OR_RETURN(LayerLease lease, layers_->Next());
    LT_ASSIGN_OR_RETURN(const auto weights, model_sweep.Lend(lease));
    LT_RETURN_IF_ERROR(model_sweep.RunLayer(0, *weights));
  }
  const int64_t end = clock_.MonotonicNanos();
  const LayerStream::Stats after = layers_->stats();
  layers_->Rewind();
  const double elsewhere =
      after.wait_seconds - before.wait_seconds + after.verify_seconds - before.verify_seconds;
  LayerCost cost;
  cost.layer_seconds = std::max(NanosToSeconds(end - embedded) - elsewhere, kSecondsMin);
  cost.between_seconds = std::max(NanosToSeconds(embedded - start), kSecondsMin);
  return cost;
}

}  // namespace longtake
