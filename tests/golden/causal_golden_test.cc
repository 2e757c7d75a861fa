// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Chunks with a K/V cache against an independent float64 reference: fixture F5. Each chunk runs at
// t = 1000, 625 and 0 over the same context; the last forward writes the K/V that later chunks see.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <string>
#include <tuple>
#include <vector>

#include "engine/kv/kv_image.h"
#include "engine/kv/kv_memory.h"
#include "tests/golden/golden_backend.h"
#include "tests/golden/golden_table.h"
#include "tests/golden/tiny_model.h"

namespace longtake {
namespace {

constexpr double kLimit = 1e-5;
constexpr size_t kChunkFrames = 3;
constexpr size_t kForwards = 3;
constexpr size_t kPlanRows = 18;
constexpr int64_t kLatentSide = 4;
constexpr size_t kLatentValues = 16 * kChunkFrames * kLatentSide * kLatentSide;
constexpr int64_t kRealTextRows = 7;

std::vector<float> ReadKeys(const KvFrame& frame, int64_t layer, bool values) {
  const std::vector<std::byte> image = Must(CopyKvFrame(frame, nullptr));
  const int64_t side = frame.layout().rows * frame.layout().width;
  const float* from =
      reinterpret_cast<const float*>(image.data()) + (2 * layer + (values ? 1 : 0)) * side;
  return {from, from + side};
}

struct Case {
  std::string name;
  size_t chunks;
  size_t first_stored;  // chunks before it are those of "global"
};

void PrintTo(const Case& value, std::ostream* out) { *out << value.name; }

class Rollout5 {
 public:
  Rollout5(const Case& which, const Fixture& fixture, Backend& backend)
      : tiny_({.config_json = fixture.Metadata("transformer"),
               .seed = fixture.Seed("weight_seed"),
               .stream = {}},
              backend),
        inputs_(fixture.Floats("x")),
        times_(fixture.Floats("t")),
        plan_(fixture.Ints(which.name + ".plan")) {
    layout_ = tiny_.model->kv_layout(kLatentSide, kLatentSide);
    pool = Must(KvPool::Create(tiny_.model->device(), 8 << 20));
    MustBeOk(pool->Reserve(pool->page_count()));
    const std::vector<float> states = fixture.Floats("text");
    text_ = Must(tiny_.model->NewTextContext(std::span(states).first(static_cast<size_t>(
                                                 kRealTextRows * tiny_.model->config().text_dim)),
                                             kRealTextRows));
  }

  // Frame of every key whose frame and index are given.
  void MutatePlan(const std::function<int32_t(int32_t frame, int32_t index)>& frame_of) {
    for (size_t i = 0; i < plan_.size(); i += 2) {
      if (plan_[i] >= 0) plan_[i] = frame_of(plan_[i], plan_[i + 1]);
    }
  }

  void RunChunk(size_t chunk) {
    flows.assign(kForwards * kLatentValues, 0.0f);
    for (size_t i = 0; i < kChunkFrames; ++i) {
      frames.emplace_back(KvPages(*pool, layout_));
    }
    SetPlan(chunk);
    std::vector<KvFrame*> writes;
    for (size_t i = 0; i < kChunkFrames; ++i) {
      writes.push_back(&frames[chunk * kChunkFrames + i]);
    }
    for (size_t forward = 0; forward < kForwards; ++forward) {
      float* flow = flows.data() + forward * kLatentValues;
      Forward(chunk, forward, forward + 1 == kForwards ? writes : std::vector<KvFrame*>(), flow);
    }
    ExpectCleanPassKeepsTheSame(chunk);
  }

  std::unique_ptr<KvPool> pool;  // outlives the frames
  std::vector<float> flows;      // of the last chunk, [forwards, latents]
  std::vector<KvFrame> frames;   // of all chunks

 private:
  void SetPlan(size_t chunk) {
    query_index_.clear();
    context_.clear();
    for (size_t i = 0; i < kChunkFrames; ++i) {
      query_index_.push_back(static_cast<int64_t>(chunk * kChunkFrames + i));
    }
    for (size_t row = 0; row < kPlanRows; ++row) {
      const int32_t* entry = plan_.data() + (chunk * kPlanRows + row) * 2;
      if (entry[0] < 0) break;
      context_.push_back({&frames[static_cast<size_t>(entry[0])], entry[1]});
    }
  }

  void Forward(size_t chunk, size_t forward, const std::vector<KvFrame*>& writes, float* flow) {
    const std::vector<float> timesteps(kChunkFrames, times_[forward]);
    MustBeOk(tiny_.Run({{.latents = inputs_.data() + (chunk * kForwards + forward) * kLatentValues,
                         .frames = kChunkFrames,
                         .height = kLatentSide,
                         .width = kLatentSide,
                         .timesteps = timesteps,
                         .query_index = query_index_,
                         .context = context_,
                         .text = text_.get(),
                         .writes = writes,
                         .flow = flow}}));
  }

  // Without a flow the last layer stops early; K/V must not notice.
  void ExpectCleanPassKeepsTheSame(size_t chunk) {
    std::vector<KvFrame> again;
    std::vector<KvFrame*> writes;
    for (size_t i = 0; i < kChunkFrames; ++i) again.emplace_back(KvPages(*pool, layout_));
    for (KvFrame& frame : again) writes.push_back(&frame);
    Forward(chunk, kForwards - 1, writes, nullptr);
    for (size_t i = 0; i < kChunkFrames; ++i) {
      const KvFrame& first = frames[chunk * kChunkFrames + i];
      for (int64_t layer = 0; layer < layout_.layers; ++layer) {
        EXPECT_EQ(ReadKeys(again[i], layer, false), ReadKeys(first, layer, false));
        EXPECT_EQ(ReadKeys(again[i], layer, true), ReadKeys(first, layer, true));
      }
    }
  }

  TinyTransformer tiny_;
  std::vector<float> inputs_;
  std::vector<float> times_;
  std::vector<int32_t> plan_;
  KvLayout layout_;
  std::unique_ptr<TextContext> text_;
  std::vector<int64_t> query_index_;
  std::vector<ContextFrame> context_;
};

// [chunks, layers, frames, tokens, width] of a chunk's clean pass.
std::vector<float> ChunkKeys(const Rollout5& rollout, size_t chunk, bool values) {
  std::vector<float> all;
  const int64_t layers = rollout.frames[0].layout().layers;
  for (int64_t layer = 0; layer < layers; ++layer) {
    for (size_t i = 0; i < kChunkFrames; ++i) {
      const auto part = ReadKeys(rollout.frames[chunk * kChunkFrames + i], layer, values);
      all.insert(all.end(), part.begin(), part.end());
    }
  }
  return all;
}

class CausalGolden : public testing::TestWithParam<std::tuple<Case, std::string>> {};

TEST_P(CausalGolden, FlowsAndKeysOfEveryChunk) {
  const auto& [which, backend_name] = GetParam();
  const Fixture fixture("f5");
  GoldenBackend backend(backend_name);
  Rollout5 rollout(which, fixture, backend.get());
  const std::vector<float> flow = fixture.Floats(which.name + ".flow");
  const std::vector<float> k = fixture.Floats(which.name + ".k");
  const std::vector<float> v = fixture.Floats(which.name + ".v");
  const size_t stored = which.chunks - which.first_stored;
  for (size_t chunk = 0; chunk < which.chunks; ++chunk) {
    rollout.RunChunk(chunk);
    if (chunk < which.first_stored) continue;
    const auto expect = [&, slot = chunk - which.first_stored](const std::string& name,
                                                               const std::vector<float>& actual,
                                                               const std::vector<float>& all) {
      SCOPED_TRACE(chunk);
      const size_t size = all.size() / stored;
      ExpectClose("f5 " + which.name + name, actual, std::span(all).subspan(slot * size, size),
                  kLimit);
    };
    expect(" flow", rollout.flows, flow);
    expect(" k", ChunkKeys(rollout, chunk, false), k);
    expect(" v", ChunkKeys(rollout, chunk, true), v);
  }
}

// The comparison can tell (spec 7.4): a history that scrolls over 19 frames instead of 18 is far
// off.
TEST(CausalGoldenMutation, AHistoryOfAnotherLengthIsSeen) {
  const Fixture fixture("f5");
  GoldenBackend backend("");
  const Case which{"rolling_sink", 9, 7};
  Rollout5 rollout(which, fixture, backend.get());
  rollout.MutatePlan([](int32_t frame, int32_t index) {
    if (frame == index || index < 18) return frame;
    const int32_t offset = index % 19;
    return (index / 19) % 2 == 0 ? offset : 18 - offset;
  });
  for (size_t chunk = 0; chunk < which.chunks; ++chunk) rollout.RunChunk(chunk);
  const std::vector<float> flow = fixture.Floats("rolling_sink.flow");
  EXPECT_GT(RelativeError(rollout.flows,
                          std::span(flow).subspan(rollout.flows.size(), rollout.flows.size())),
            1e-2);
}

INSTANTIATE_TEST_SUITE_P(
    Fixtures, CausalGolden,
    testing::Combine(testing::Values(Case{"global", 7, 0}, Case{"window9", 8, 0},
                                     Case{"window9_sink3", 8, 0}, Case{"rolling_sink", 20, 7}),
                     testing::Values("reference", "", "late")));

}  // namespace
}  // namespace longtake
