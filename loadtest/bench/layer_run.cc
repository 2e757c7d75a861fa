// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "loadtest/bench/layer_run.h"

#include <utility>

#include "base/philox.h"

namespace longtake {
namespace {

std::vector<float> Normals(uint64_t stream, int64_t count) {
  std::vector<float> out(static_cast<size_t>(count));
  PhiloxNormal(1, stream, 0, out);
  return out;
}

}  // namespace

absl::StatusOr<std::unique_ptr<LayerRun>> LayerRun::Create(const LayerRunOptions& options,
                                                           Backend& backend) {
  auto run = std::unique_ptr<LayerRun>(new LayerRun(options));
  LT_RETURN_IF_ERROR(run->Open(backend));
  return run;
}

absl::Status LayerRun::Open(Backend& backend) {
  LT_ASSIGN_OR_RETURN(pack_,
                      PackReader::Open(PosixFileSystem(), options_.pack, options_.layer_paths));
  LT_ASSIGN_OR_RETURN(const WanConfig config, ParseWanConfig(pack_->config(), options_.pack));
  LT_ASSIGN_OR_RETURN(ResidentSection resident, pack_->LoadResident());
  LT_ASSIGN_OR_RETURN(
      model_, WanTransformer::Create(config, std::move(resident), backend, {.tokens_max = rows()}));
  LT_ASSIGN_OR_RETURN(stream_, LayerStream::Open(*pack_, options_.stream));
  LT_RETURN_IF_ERROR(MakeItem());
  return MakeMemory(backend);
}

absl::Status LayerRun::MakeItem() {
  const WanConfig& config = model_->config();
  const std::vector<float> states = Normals(1, options_.text_tokens * config.text_dim);
  LT_ASSIGN_OR_RETURN(text_, model_->NewTextContext(states, options_.text_tokens));
  latents_ = Normals(2, config.channels * grid_.volume());
  flows_.assign(static_cast<size_t>(options_.sessions), std::vector<float>(latents_.size()));
  timesteps_.assign(static_cast<size_t>(options_.frames), 500.0f);
  for (int64_t i = 0; i < options_.frames; ++i) query_index_.push_back(options_.context + i);
  return absl::OkStatus();
}

absl::Status LayerRun::MakeMemory(Backend& backend) {
  const KvLayout layout = model_->kv_layout(grid_.height, grid_.width);
  const auto frames = static_cast<uint64_t>(options_.context);
  const uint64_t frame_bytes =
      2 * static_cast<uint64_t>(layout.layers * layout.rows) * layout.row_bytes();
  LT_ASSIGN_OR_RETURN(
      pool_,
      KvPool::Create(backend.device(), (frames + 1) * (frame_bytes + frame_bytes / 8) + (8 << 20)));
  LT_ASSIGN_OR_RETURN(const uint64_t pages, pool_->PagesPerFrame(layout));
  LT_RETURN_IF_ERROR(pool_->Reserve(pages * frames));
  const std::vector<float> rows = Normals(3, layout.rows * layout.width);
  for (int64_t i = 0; i < options_.context; ++i) {
    KvPages frame(*pool_, layout);
    for (int64_t layer = 0; layer < layout.layers; ++layer) {
      frame.Rows(layer).Store(backend, layout, DevicePtr(rows.data()), DevicePtr(rows.data()));
    }
    memory_.emplace_back(std::move(frame));
  }
  for (int64_t i = 0; i < options_.context; ++i) {
    context_.push_back({.frame = &memory_[static_cast<size_t>(i)], .rope_index = i});
  }
  return absl::OkStatus();
}

absl::Status LayerRun::Forward(const std::function<void()>& before,
                               const std::function<void(int64_t layer)>& after) {
  return Forward(*stream_, before, after);
}

absl::Status LayerRun::Forward(LayerStream& stream, const std::function<void()>& before,
                               const std::function<void(int64_t layer)>& after) {
  std::vector<VideoItem> items;
  for (std::vector<float>& flow : flows_) {
    items.push_back({.latents = latents_.data(),
                     .frames = grid_.frames,
                     .height = grid_.height,
                     .width = grid_.width,
                     .timesteps = timesteps_,
                     .query_index = query_index_,
                     .context = context_,
                     .text = text_.get(),
                     .writes = {},
                     .flow = flow.data()});
  }
  LT_ASSIGN_OR_RETURN(const auto model_sweep, model_->NewSweep(items));
  LT_RETURN_IF_ERROR(model_sweep->Embed());
  for (int64_t layer = 0; layer < layers(); ++layer) {
    LT_ASSIGN_OR_RETURN(LayerLease lease, stream.Next());
    if (before) before();
    {
      LT_ASSIGN_OR_RETURN(const auto weights, model_sweep->Lend(lease));
      LT_RETURN_IF_ERROR(model_sweep->RunLayer(layer, *weights));
    }
    if (after) after(layer);
  }
  return model_sweep->Head();
}

int64_t LayerRun::rows() const {
  return options_.sessions * grid_.frames *
         TokenGrid::FromLatents(grid_.height, grid_.width).tokens();
}

double LayerRun::LinearOperations() const {
  const auto d = static_cast<double>(width());
  const auto f = static_cast<double>(model_->config().ffn_dim);
  return 2.0 * static_cast<double>(rows() / options_.sessions) * (6 * d * d + 2 * d * f);
}

double LayerRun::AttentionOperations() const {
  const int64_t rows_each = rows() / options_.sessions;
  const double keys =
      static_cast<double>(rows_each / options_.frames * (options_.frames + options_.context));
  return 4.0 * static_cast<double>(rows_each * width()) *
         (keys + static_cast<double>(text_->rows()));
}

}  // namespace longtake
