// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Whole layers of a packed Wan transformer (longtake-pack synth writes one), as a session asks for
// them: a chunk of frames at a size, attending to frames of K/V memory and to a prompt. Seconds are
// of the last layer, by kind of op, wall time.
//
// Prints a line per round; with --ask it runs a round for each line it reads, so that another
// program can take turns with it.
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "base/dtype.h"
#include "base/status_macros.h"
#include "base/worker_pool.h"
#include "engine/model/wan_transformer.h"
#include "loadtest/bench/timed_backend.h"
#include "storage/layer_stream.h"

namespace longtake {
namespace {

struct Options {
  std::string pack;
  int threads = 2;
  int64_t width = 832;
  int64_t height = 480;
  int64_t frames = 3;
  int64_t context = 18;
  int64_t text_tokens = 512;
  int rounds = 3;
  std::string profile;
  std::string instruction_set_max;
  bool ask = false;
};

constexpr int64_t kPixelsPerToken = 16;

std::vector<float> Waves(int64_t count) {
  std::vector<float> out(static_cast<size_t>(count));
  for (size_t i = 0; i < out.size(); ++i) out[i] = std::sin(static_cast<float>(i % 8191));
  return out;
}

class LayerBench {
 public:
  static absl::StatusOr<std::unique_ptr<LayerBench>> Create(const Options& options) {
    auto bench = std::unique_ptr<LayerBench>(new LayerBench(options));
    LT_RETURN_IF_ERROR(bench->Open());
    return bench;
  }

  // Seconds of the last layer.
  absl::StatusOr<TimedBackend::Seconds> Round() {
    const VideoItem item = {.latents = latents_.data(),
                            .frames = options_.frames,
                            .height = options_.height / 8,
                            .width = options_.width / 8,
                            .timesteps = timesteps_,
                            .query_index = query_index_,
                            .context = context_,
                            .text = text_.get(),
                            .keep = {},
                            .flow = flow_.data()};
    LT_ASSIGN_OR_RETURN(const auto pass, model_->NewPass({&item, 1}));
    LT_RETURN_IF_ERROR(pass->Embed());
    TimedBackend::Seconds last;
    for (size_t i = 0; i < layers_->layer_count(); ++i) {
      LT_ASSIGN_OR_RETURN(LayerLease lease, layers_->Next());
      backend_->TakeSeconds();
      LT_RETURN_IF_ERROR(pass->RunLayer(static_cast<int64_t>(lease.layer()), lease));
      last = backend_->TakeSeconds();
    }
    LT_RETURN_IF_ERROR(pass->Head());
    return last;
  }

  // Multiply-adds count as two.
  double LinearOperations() const {
    const double d = static_cast<double>(model_->config().width());
    const double f = static_cast<double>(model_->config().ffn_dim);
    return 2.0 * Rows() * (6 * d * d + 2 * d * f);
  }
  double AttentionOperations() const {
    const double d = static_cast<double>(model_->config().width());
    const double keys = Rows() / static_cast<double>(options_.frames) *
                        static_cast<double>(options_.frames + options_.context);
    return 4.0 * Rows() * d * (keys + static_cast<double>(text_->rows()));
  }
  double Rows() const {
    return static_cast<double>(options_.frames * options_.height * options_.width) /
           (kPixelsPerToken * kPixelsPerToken);
  }

 private:
  explicit LayerBench(const Options& options) : options_(options), workers_(options.threads) {}

  absl::Status Open() {
    LT_ASSIGN_OR_RETURN(pack_, PackReader::Open(PosixFileSystem(), options_.pack));
    LT_ASSIGN_OR_RETURN(
        auto backend,
        CreateCpuBackend(workers_, {.instruction_set_max = options_.instruction_set_max,
                                    .numerics_profile = options_.profile}));
    backend_ = std::make_unique<TimedBackend>(std::move(backend));
    LT_ASSIGN_OR_RETURN(const WanConfig config, ParseWanConfig(pack_->config(), options_.pack));
    LT_ASSIGN_OR_RETURN(ResidentSection resident, pack_->LoadResident());
    LT_ASSIGN_OR_RETURN(model_,
                        WanTransformer::Create(config, std::move(resident), *backend_,
                                               {.tokens_max = static_cast<int64_t>(Rows())}));
    LT_ASSIGN_OR_RETURN(layers_,
                        LayerStream::Open(*pack_, {.pinned_bytes_max = uint64_t{1} << 40}));
    const std::vector<float> states = Waves(options_.text_tokens * config.text_dim);
    LT_ASSIGN_OR_RETURN(text_, model_->NewTextContext(states, options_.text_tokens));
    return MakeItem(config);
  }

  absl::Status MakeItem(const WanConfig& config) {
    const int64_t height = options_.height / 8;
    const int64_t width = options_.width / 8;
    latents_ = Waves(config.channels * options_.frames * height * width);
    flow_.resize(latents_.size());
    timesteps_.assign(static_cast<size_t>(options_.frames), 500.0f);
    for (int64_t i = 0; i < options_.frames; ++i) query_index_.push_back(options_.context + i);
    const KvLayout layout = model_->kv_layout(height, width);
    const uint64_t frame_bytes =
        2 * static_cast<uint64_t>(layout.layers * layout.rows) * layout.row_bytes();
    const auto frames = static_cast<uint64_t>(options_.context);
    LT_ASSIGN_OR_RETURN(pool_,
                        KvPool::Create((frames + 1) * (frame_bytes + frame_bytes / 8) + (8 << 20)));
    LT_ASSIGN_OR_RETURN(const uint64_t pages, pool_->PagesPerFrame(layout));
    LT_RETURN_IF_ERROR(pool_->Reserve(pages * frames));
    const std::vector<float> rows = Waves(layout.rows * layout.width);
    for (int64_t i = 0; i < options_.context; ++i) {
      memory_.push_back(KvFrame::Allocate(*pool_, layout));
      for (int64_t layer = 0; layer < layout.layers; ++layer) {
        memory_.back().Write(layer, rows.data(), rows.data());
      }
    }
    for (int64_t i = 0; i < options_.context; ++i) {
      context_.push_back({.frame = &memory_[static_cast<size_t>(i)], .rope_index = i});
    }
    return absl::OkStatus();
  }

  const Options options_;
  WorkerPool workers_;
  std::unique_ptr<PackReader> pack_;
  std::unique_ptr<TimedBackend> backend_;
  std::unique_ptr<LayerStream> layers_;
  std::unique_ptr<WanTransformer> model_;
  std::unique_ptr<TextContext> text_;
  std::unique_ptr<KvPool> pool_;
  std::vector<KvFrame> memory_;
  std::vector<ContextFrame> context_;
  std::vector<float> latents_;
  std::vector<float> flow_;
  std::vector<float> timesteps_;
  std::vector<int64_t> query_index_;
};

absl::Status Run(const Options& options) {
  LT_ASSIGN_OR_RETURN(const auto bench, LayerBench::Create(options));
  LT_RETURN_IF_ERROR(bench->Round().status());  // warms up, encodes the prompt
  std::string line;
  for (int i = 0;
       options.ask ? static_cast<bool>(std::getline(std::cin, line)) : i < options.rounds; ++i) {
    LT_ASSIGN_OR_RETURN(const TimedBackend::Seconds seconds, bench->Round());
    std::printf(
        "rows %.0f  layer %.4f s  linear %.4f s %.0f Gop/s  attention %.4f s %.0f Gop/s  other "
        "%.4f s %.1f %%\n",
        bench->Rows(), seconds.total(), seconds.linear,
        bench->LinearOperations() / seconds.linear * 1e-9, seconds.attention,
        bench->AttentionOperations() / seconds.attention * 1e-9, seconds.other,
        100 * seconds.other / seconds.total());
    std::fflush(stdout);
  }
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("Times the layers of a packed Wan transformer.");
  app.add_option("pack", options.pack, "transformer.pack")->required();
  app.add_option("--threads", options.threads)->capture_default_str();
  app.add_option("--width", options.width)->capture_default_str();
  app.add_option("--height", options.height)->capture_default_str();
  app.add_option("--frames", options.frames, "Latent frames of the chunk")->capture_default_str();
  app.add_option("--context", options.context, "Latent frames attended to")->capture_default_str();
  app.add_option("--text-tokens", options.text_tokens)->capture_default_str();
  app.add_option("--rounds", options.rounds)->capture_default_str();
  app.add_option("--numerics-profile", options.profile);
  app.add_option("--instruction-set-max", options.instruction_set_max);
  app.add_flag("--ask", options.ask, "A round for each line on standard input");
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = Run(options);
  if (status.ok()) return 0;
  std::fprintf(stderr, "layer_bench: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace
}  // namespace longtake

int main(int argc, char** argv) { return longtake::Main(argc, argv); }
