// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "tests/engine/hash_model.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "engine/backend/host_device.h"
#include "engine/model/umt5/config.h"
#include "engine/model/umt5/layout.h"
#include "engine/model/vae/config.h"
#include "engine/model/vae/layers.h"
#include "engine/model/wan/config.h"
#include "engine/model/wan/layout.h"
#include "nlohmann/json.hpp"
#include "pack/synthetic_weights.h"

namespace longtake {
namespace {

using nlohmann::json;

constexpr int64_t kChannels = 4;
// A decoder remembers so many latents; no multiple of a chunk's.
constexpr size_t kRemembered = 5;

// The hash of all that was added.
class Mix {
 public:
  template <typename T>
  Mix& Values(std::span<const T> values) {
    Bytes(values.data(), values.size_bytes());
    return *this;
  }
  template <typename T>
  Mix& Value(const T& value) {
    Bytes(&value, sizeof(value));
    return *this;
  }
  Mix& Rows(const KeySegment& segment, int64_t width) {
    const auto bytes = static_cast<size_t>(segment.rows * width) * DTypeBytes(segment.dtype);
    Bytes(segment.k.address(), bytes);
    Bytes(segment.v.address(), bytes);
    return *this;
  }
  Hash128 Get() const { return Xxh3Hash128(std::as_bytes(std::span(bytes_))); }

 private:
  void Bytes(const void* data, size_t bytes) {
    const auto* begin = static_cast<const std::byte*>(data);
    bytes_.insert(bytes_.end(), begin, begin + bytes);
  }
  std::vector<std::byte> bytes_;
};

// Small whole numbers, which every type of K/V holds exactly.
void Fill(const Hash128& hash, std::span<float> out) {
  uint64_t state = hash.low ^ 0x9e3779b97f4a7c15u;
  for (size_t i = 0; i < out.size(); ++i) {
    if (i % 8 == 0) {
      state = (state ^ (state >> 29)) * 0xbf58476d1ce4e5b9u + hash.high;
      state ^= state >> 32;
    }
    out[i] = static_cast<float>((state >> (8 * (i % 8))) & 255);
  }
}

// What the networks have to an inner width.
constexpr int64_t kInner = 1;

// Asks for the last matrix of a layer; what was lent once stays in memory.
absl::Status AskFor(LayerWeights& weights, size_t last, int64_t width) {
  return weights.Matrix(last, {.out_features = width, .in_features = kInner}, {}).status();
}

class HashSweep final : public ModelSweep {
 public:
  HashSweep(Backend& backend, std::span<const VideoItem> items, int64_t channels, int64_t width)
      : backend_(backend),
        items_(items),
        channels_(channels),
        width_(width),
        states_(items.size()) {}

  absl::Status Embed() override {
    for (size_t i = 0; i < items_.size(); ++i) {
      const VideoItem& item = items_[i];
      states_[i] = Mix()
                       .Values(std::span(item.latents, Values(item)))
                       .Values(item.timesteps)
                       .Values(item.query_index)
                       .Get();
      if (!item.text->ready()) PutText(*item.text);
    }
    return absl::OkStatus();
  }

  // In order, so that what an item writes is there for those behind it.
  absl::Status RunLayer(int64_t layer, LayerWeights& weights) override {
    LT_RETURN_IF_ERROR(AskFor(weights, kWanFfnDown, width_));
    for (size_t i = 0; i < items_.size(); ++i) {
      const VideoItem& item = items_[i];
      Mix mix;
      mix.Value(states_[i]).Value(layer).Rows(item.text->Segment(layer), width_);
      for (const ContextFrame& key : item.context) {
        segments_.clear();
        key.frame->pages()->AppendSegments(layer, nullptr, 0, &segments_);
        mix.Value(key.rope_index);
        for (const KeySegment& segment : segments_) mix.Rows(segment, width_);
      }
      states_[i] = mix.Get();
      Write(item, layer, states_[i]);
    }
    return absl::OkStatus();
  }

  absl::Status Head() override {
    for (size_t i = 0; i < items_.size(); ++i) {
      const VideoItem& item = items_[i];
      if (!item.text->ready()) item.text->MarkReady();
      if (item.flow == nullptr) continue;
      const std::span flow(item.flow, Values(item));
      Fill(states_[i], flow);
      for (float& value : flow) value = (value - 127.5f) / 64.0f;
    }
    return absl::OkStatus();
  }

  Backend& backend() override { return backend_; }

 private:
  size_t Values(const VideoItem& item) const {
    return static_cast<size_t>(channels_ * item.frames * item.height * item.width);
  }

  void Write(const VideoItem& item, int64_t layer, const Hash128& state) {
    for (size_t frame = 0; frame < item.writes.size(); ++frame) {
      KvFrame* to = item.writes[frame];
      if (to == nullptr) continue;
      const std::vector<float> keys = Rows(state, frame, 'k', to->layout().rows);
      const std::vector<float> values = Rows(state, frame, 'v', to->layout().rows);
      to->pages()->Rows(layer).Store(backend_, to->layout(), DevicePtr(keys.data()),
                                     DevicePtr(values.data()));
    }
  }

  void PutText(TextContext& text) {
    const std::span states(text.states().address(),
                           static_cast<size_t>(text.rows() * text.shape().text_dim));
    const Hash128 hash = Mix().Values(states).Get();
    for (int64_t layer = 0; layer < text.shape().layers; ++layer) {
      const std::vector<float> keys = Rows(hash, static_cast<size_t>(layer), 'k', text.rows());
      const std::vector<float> values = Rows(hash, static_cast<size_t>(layer), 'v', text.rows());
      text.Write(backend_, layer, DevicePtr(keys.data()), DevicePtr(values.data()));
    }
  }

  std::vector<float> Rows(const Hash128& of, size_t number, char side, int64_t rows) const {
    std::vector<float> out(static_cast<size_t>(rows * width_));
    Fill(Mix().Value(of).Value(number).Value(side).Get(), out);
    return out;
  }

  Backend& backend_;  // rounds and stores
  const std::span<const VideoItem> items_;
  const int64_t channels_;
  const int64_t width_;  // of keys and values
  std::vector<Hash128> states_;
  std::vector<KeySegment> segments_;
};

class HashTextSweep final : public ModelSweep {
 public:
  HashTextSweep(Backend& backend, std::span<const TextItem> items, size_t text_dim)
      : backend_(backend), items_(items), text_dim_(text_dim) {}
  absl::Status Embed() override { return absl::OkStatus(); }
  absl::Status RunLayer(int64_t, LayerWeights& weights) override {
    return AskFor(weights, kUmt5Down, static_cast<int64_t>(text_dim_));
  }
  absl::Status Head() override {
    for (const TextItem& item : items_) {
      Fill(Mix().Values(item.ids).Get(), std::span(item.out, item.ids.size() * text_dim_));
    }
    return absl::OkStatus();
  }

  Backend& backend() override { return backend_; }

 private:
  Backend& backend_;
  const std::span<const TextItem> items_;
  const size_t text_dim_;
};

class HashDecoder final : public ChunkDecoder {
 public:
  absl::Status Decode(const Latents& latent, const DecodeChoice& choice,
                      const std::function<bool()>& keep_going, std::vector<VaeCache>& caches,
                      std::vector<uint8_t>* media) override {
    if (!keep_going()) return absl::CancelledError("nobody waits for it");
    caches.resize(1);
    VaeCache& cache = caches.front();
    cache.entries.resize(1);
    std::vector<VaeFrame>& remembered = cache.entries.front().frames;
    LT_ASSIGN_OR_RETURN(VaeFrame frame, device_.Allocate(latent.values().size_bytes(), nullptr));
    std::ranges::copy(latent.values(), frame.As<float>().address());
    remembered.push_back(std::move(frame));
    Mix mix;
    mix.Value(choice.tiled).Value(cache.calls);
    for (const VaeFrame& seen : remembered) {
      mix.Values(std::span<const float>(seen.As<float>().address(), seen.size() / sizeof(float)));
    }
    const Hash128 hash = mix.Get();
    if (remembered.size() > kRemembered) remembered.erase(remembered.begin());
    const int64_t frames = cache.calls++ == 0 ? 1 : kVaeTimeFactor;
    media->assign(
        static_cast<size_t>(frames * latent.grid().area() * kVaeSpaceFactor * kVaeSpaceFactor * 3),
        0);
    std::memcpy(media->data(), &hash, sizeof(hash));
    return absl::OkStatus();
  }

  int64_t warm_up_latents(const DecodeChoice&) const override { return kRemembered; }

  std::vector<VaeCache> StartInMidStream(const DecodeChoice&, int64_t latents,
                                         const LatentGrid& grid) const override {
    VaeCache cache = {.calls = latents, .height = grid.height, .width = grid.width, .entries = {}};
    VaeCacheEntry& unknown = cache.entries.emplace_back();
    for (int64_t i = 0; i < std::min<int64_t>(kRemembered, latents); ++i) {
      const uint64_t bytes = static_cast<uint64_t>(kChannels * grid.area()) * sizeof(float);
      unknown.frames.push_back(*device_.Allocate(bytes, nullptr));
    }
    std::vector<VaeCache> caches;
    caches.push_back(std::move(cache));
    return caches;
  }

  absl::Status EncodeNext(const StartClip& clip, const std::function<bool()>& keep_going,
                          StartProgress& progress) override {
    if (!keep_going()) return absl::CancelledError("nobody waits for it");
    const LatentGrid grid = LatentGrid::FromPixels(clip.width, clip.height);
    if (progress.next_frame == 0) {
      progress.latents = {kChannels, grid.WithFrames(LatentGrid::LatentFrames(clip.frames))};
    }
    const int64_t end = progress.next_frame + (progress.next_frame == 0 ? 1 : kVaeTimeFactor);
    const auto seen = static_cast<size_t>(end * clip.width * clip.height * 3);
    Latents latent(kChannels, grid);
    Fill(Mix().Values(clip.rgb.first(seen)).Get(), latent.values());
    progress.latents.SetFrames(LatentGrid::LatentFrames(progress.next_frame), latent);
    progress.next_frame = end;
    return absl::OkStatus();
  }

  Device& device() override { return device_; }
  void Release() override {}

 private:
  mutable HostDevice device_;  // outlives the sessions' caches, as the model does
};

// The embedded model with the smallest networks that there are, which nobody runs.
class SmallestModel {
 public:
  explicit SmallestModel(const std::string& directory)
      : source_(std::string(std::getenv("LONGTAKE_SOURCE_DIR")) + "/models/shapes-small"),
        directory_(directory) {
    for (const char* part : {"model_index.json", "longtake.json", "tokenizer", "scheduler"}) {
      std::filesystem::copy(JoinPath(source_, part), JoinPath(directory_, part),
                            std::filesystem::copy_options::recursive);
    }
    PutTransformer();
    PutTextEncoder();
    PutVae();
  }

 private:
  void PutTransformer() {
    const json config = Config("transformer", {{"num_attention_heads", 1},
                                               {"attention_head_dim", 8},
                                               {"in_channels", kChannels},
                                               {"out_channels", kChannels},
                                               {"text_dim", 8},
                                               {"freq_dim", 2},
                                               {"ffn_dim", kInner},
                                               {"num_layers", 2}});
    Write(WanLayout(*ParseWanConfig(config.dump(), "transformer")), config,
          "diffusion_pytorch_model.safetensors");
  }
  void PutTextEncoder() {
    const json config = Config(
        "text_encoder",
        {{"d_model", 8}, {"d_kv", 2}, {"d_ff", kInner}, {"num_layers", 1}, {"num_heads", 1}});
    Write(Umt5Layout(*ParseUmt5Config(config.dump(), "text_encoder")), config, "model.safetensors");
  }
  void PutVae() {
    const json config = Config("vae", {{"base_dim", 2},
                                       {"z_dim", kChannels},
                                       {"dim_mult", {1, 1, 1, 1}},
                                       {"latents_mean", std::vector<double>(kChannels, 0)},
                                       {"latents_std", std::vector<double>(kChannels, 1)}});
    Write(WanVaeLayout(*ParseVaeConfig(config.dump(), "vae")), config,
          "diffusion_pytorch_model.safetensors");
  }
  json Config(const std::string& component, const json& changes) const {
    const auto text = ReadTextFile(PosixFileSystem(), source_ + "/" + component + "/config.json",
                                   /*bytes_max=*/1 << 20);
    LT_CHECK(text.ok());
    json config = json::parse(*text);
    config.update(changes);
    return config;
  }
  void Write(const ComponentLayout& layout, const json& config,
             const std::string& file_name) const {
    WorkerPool workers(1);
    const absl::Status written =
        WriteSyntheticComponent(PosixFileSystem(), JoinPath(directory_, layout.component),
                                {.layout = layout,
                                 .config_json = config.dump(),
                                 .rule = {.seed = 1, .d_kv = 2},
                                 .file_name = file_name},
                                workers);
    LT_CHECK(written.ok());
  }

  const std::string source_;
  const std::string directory_;
};

std::string ShortRecipe(const std::string& name) {
  json recipe = json::parse(*NamedRecipeJson(name));
  recipe.update({{"width", 16}, {"height", 16}, {"steps", {1000, 500}}});
  return recipe.dump();
}

}  // namespace

HashModel::HashModel()
    : backend_(*CreateCpuBackend(workers_)), decoder_(std::make_unique<HashDecoder>()) {}

std::unique_ptr<HashModel> HashModel::Open(const std::string& recipe) {
  const ScratchDirectory scratch;
  const SmallestModel model(scratch.directory());
  auto out = std::unique_ptr<HashModel>(new HashModel);
  out->scratch_pack_ = std::make_unique<ScratchPack>(
      PackModelOptions{.recipe = ShortRecipe(recipe), .dtype = DType::kF32, .progress = {}},
      scratch.directory());
  VideoModelOptions options;
  options.tokens_max = 512;
  const absl::Status loaded =
      out->Load(PosixFileSystem(), out->scratch_pack_->directory(), options, out->workers_);
  if (!loaded.ok()) std::fprintf(stderr, "%s\n", loaded.ToString().c_str());
  LT_CHECK(loaded.ok());
  return out;
}

absl::StatusOr<std::unique_ptr<ModelSweep>> HashModel::NewVideoSweep(
    size_t /*stage*/, std::span<const VideoItem> items, KvStream*) {
  return std::make_unique<HashSweep>(*backend_, items, config().channels, config().width());
}

absl::StatusOr<std::unique_ptr<ModelSweep>> HashModel::NewTextSweep(
    std::span<const TextItem> items) {
  return std::make_unique<HashTextSweep>(*backend_, items, static_cast<size_t>(config().text_dim));
}

}  // namespace longtake
