// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Items with random contents for property tests of the transformer; each owns what its item
// borrows.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/philox.h"
#include "engine/kv/kv_image.h"
#include "engine/kv/kv_memory.h"
#include "engine/model/wan/transformer.h"
#include "tests/golden/fixture.h"
#include "tests/golden/tiny_model.h"
#include "tests/model/reference_backend.h"

namespace longtake {

inline constexpr char kTinyTransformerConfig[] = R"({"num_attention_heads": 2,
  "attention_head_dim": 24, "ffn_dim": 64, "num_layers": 3, "text_dim": 24})";

inline std::vector<float> RandomFloats(uint64_t seed, size_t count) {
  std::vector<float> values(count);
  PhiloxNormal(seed, /*stream=*/1, 0, values);
  return values;
}

struct SweepCaseOptions {
  uint64_t seed = 1;
  int64_t frames = 3;
  int64_t height = 4;
  int64_t width = 4;
  int64_t context_frames = 0;
  int64_t prompt_tokens = 5;
  bool clean = false;  // keeps K/V and asks for no flow
};

// One item for a transformer, with context frames of random K/V.
class SweepCase {
 public:
  SweepCase(const SweepCaseOptions& options, const WanTransformer& model)
      : options_(options),
        layout_(model.kv_layout(options.height, options.width)),
        first_layer_(model.layers().first) {
    const auto frames = static_cast<size_t>(options.frames);
    latents_ = RandomFloats(options.seed, frames * 16 * Area());
    if (!options.clean) flow.resize(latents_.size());
    for (size_t i = 0; i < frames; ++i) {
      timesteps.push_back(options.clean ? 0.0f : 1000.0f - 100.0f * static_cast<float>(i / 2));
      query_index.push_back(options.context_frames + static_cast<int64_t>(i));
    }
    pool = Must(KvPool::Create(model.device(), 8 << 20));
    MustBeOk(pool->Reserve(pool->page_count()));
    for (int64_t i = 0; i < options.context_frames; ++i) context_.push_back(RandomFrame(i));
    for (int64_t i = 0; i < options.context_frames; ++i) {
      plan.push_back({&context_[static_cast<size_t>(i)], i});
    }
    for (size_t i = 0; i < frames; ++i) written.emplace_back(KvPages(*pool, layout_));
    NewText(model);
  }

  // Forgets the text keys, so that the next sweep computes them.
  void NewText(const WanTransformer& model) {
    const auto states = RandomFloats(
        options_.seed + 100, static_cast<size_t>(options_.prompt_tokens * model.config().text_dim));
    text = Must(model.NewTextContext(states, options_.prompt_tokens));
  }

  VideoItem Item() {
    targets_.clear();
    if (options_.clean) {
      for (KvFrame& frame : written) targets_.push_back(&frame);
    }
    return {.latents = latents_.data(),
            .frames = options_.frames,
            .height = options_.height,
            .width = options_.width,
            .timesteps = timesteps,
            .query_index = query_index,
            .context = plan,
            .text = text.get(),
            .writes = targets_,
            .flow = options_.clean ? nullptr : flow.data()};
  }

  // Everything the item's sweep produced: its flow, or the K/V it wrote, in fp32.
  std::vector<float> Output() const {
    if (!options_.clean) return flow;
    std::vector<float> out;
    for (const KvFrame& frame : written) AppendFrame(frame, &out);
    return out;
  }

  static void AppendFrame(const KvFrame& frame, std::vector<float>* out) {
    const std::vector<std::byte> image = Must(CopyKvFrame(frame, nullptr));
    const DType dtype = frame.layout().dtype;
    for (size_t i = 0; i < image.size() / DTypeBytes(dtype); ++i) {
      out->push_back(dtype == DType::kF32
                         ? reinterpret_cast<const float*>(image.data())[i]
                         : Bf16ToFloat(reinterpret_cast<const uint16_t*>(image.data())[i]));
    }
  }

  std::unique_ptr<KvPool> pool;  // outlives the frames
  std::vector<float> timesteps;
  std::vector<int64_t> query_index;
  std::vector<ContextFrame> plan;
  std::unique_ptr<TextContext> text;
  std::vector<KvFrame> written;
  std::vector<float> flow;

 private:
  size_t Area() const { return static_cast<size_t>(options_.height * options_.width); }

  KvFrame RandomFrame(int64_t index) {
    KvPages pages(*pool, layout_);
    const auto side = static_cast<size_t>(layout_.rows * layout_.width);
    const auto add = [this](float value, std::vector<std::byte>& out) {
      const uint16_t half = FloatToBf16(value);
      const auto bytes = layout_.dtype == DType::kF32 ? std::as_bytes(std::span(&value, 1))
                                                      : std::as_bytes(std::span(&half, 1));
      out.insert(out.end(), bytes.begin(), bytes.end());
    };
    for (int64_t layer = 0; layer < layout_.layers; ++layer) {
      const auto values = RandomFloats(
          options_.seed * 1000 + static_cast<uint64_t>(index * 10 + first_layer_ + layer),
          2 * side);
      std::vector<std::byte> image;
      for (const float value : values) add(value, image);
      std::span<const std::byte> from(image);
      for (const KvRun& run : pages.Runs(layer)) {
        pool->device().CopyIn(Lane::kCopyIn, run.begin, from.first(run.bytes));
        from = from.subspan(run.bytes);
      }
      MustBeOk(pool->device().Wait(pool->device().Mark(Lane::kCopyIn), kOpsTimeoutNanos));
    }
    return KvFrame(std::move(pages));
  }

  SweepCaseOptions options_;
  KvLayout layout_;
  int64_t first_layer_;  // of the stage, so that all stages see parts of the same frames
  std::vector<float> latents_;
  std::vector<KvFrame> context_;
  std::vector<KvFrame*> targets_;
};

}  // namespace longtake
