// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The transformer against diffusers in float64: fixtures F1, F2, F3, F7.
#include <gtest/gtest.h>

#include <algorithm>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "tests/golden/golden_backend.h"
#include "tests/golden/golden_table.h"
#include "tests/golden/tiny_model.h"

namespace longtake {
namespace {

constexpr double kLimit = 1e-5;
constexpr int64_t kRealTextRows = 7;

// One forward of a fixture that has latent, t, text and flow.
class OneForward {
 public:
  explicit OneForward(const std::string& name)
      : fixture(name),
        flow(fixture.Floats("flow").size()),
        shape_(fixture.Shape("latent")),
        latents_(fixture.Floats("latent")),
        text_(fixture.Floats("text")),
        timesteps_(fixture.Floats("t")) {
    const auto frames = static_cast<size_t>(shape_[1]);
    if (timesteps_.size() == 1) timesteps_.resize(frames, timesteps_[0]);
    for (size_t i = 0; i < frames; ++i) query_index_.push_back(static_cast<int64_t>(i));
  }

  void Run(Backend& backend, DType dtype = DType::kF32) {
    TinyTransformer tiny({.config_json = fixture.Metadata("transformer"),
                          .seed = fixture.Seed("weight_seed"),
                          .dtype = dtype,
                          .stream = {}},
                         backend);
    const auto states =
        std::span(text_).first(static_cast<size_t>(kRealTextRows * tiny.model->config().text_dim));
    const auto text = Must(tiny.model->NewTextContext(states, kRealTextRows));
    MustBeOk(tiny.Run({{.latents = latents_.data(),
                        .frames = shape_[1],
                        .height = shape_[2],
                        .width = shape_[3],
                        .timesteps = timesteps_,
                        .query_index = query_index_,
                        .context = {},
                        .text = text.get(),
                        .writes = {},
                        .flow = flow.data()}}));
  }

  Fixture fixture;
  std::vector<float> flow;

 private:
  std::vector<int64_t> shape_;
  std::vector<float> latents_;
  std::vector<float> text_;
  std::vector<float> timesteps_;
  std::vector<int64_t> query_index_;
};

class WanGolden : public testing::TestWithParam<std::tuple<std::string, std::string>> {};

TEST_P(WanGolden, FlowIsThePublishedModels) {
  OneForward forward(std::get<0>(GetParam()));
  GoldenBackend backend(std::get<1>(GetParam()));
  forward.Run(backend.get());
  ExpectClose(std::get<0>(GetParam()) + " flow", forward.flow, forward.fixture.Floats("flow"),
              kLimit);
}

INSTANTIATE_TEST_SUITE_P(Fixtures, WanGolden,
                         testing::Combine(testing::Values("f1", "f2", "f3", "f7"),
                                          testing::Values("reference", "x86-64-v3", "", "late")));

class WanBf16 : public testing::TestWithParam<std::string> {};

TEST_P(WanBf16, NarrowedMatricesStayClose) {
  OneForward forward(GetParam());
  GoldenBackend backend("");
  forward.Run(backend.get(), DType::kBf16);
  const double error = RelativeError(forward.flow, forward.fixture.Floats("flow"));
  const bool deep = GetParam() == "f7";
  ExpectError(GetParam() + " flow, bf16 weights", error, deep ? 3e-2 : 1.5e-2);
  EXPECT_GT(error, 1e-4);  // the weights really were narrowed
  EXPECT_GT(Cosine(forward.flow, forward.fixture.Floats("flow")), deep ? 0.9995 : 0.9998);
}

INSTANTIATE_TEST_SUITE_P(Fixtures, WanBf16, testing::Values("f1", "f2", "f3", "f7"));

// Spec 7.3: quantised weights have no golden equality; what they cost is printed.
TEST_P(WanBf16, Int8LayersStayClose) {
  OneForward forward(GetParam());
  GoldenBackend backend("");
  forward.Run(backend.get(), DType::kI8);
  const std::vector<float> golden = forward.fixture.Floats("flow");
  const double error = RelativeError(forward.flow, golden);
  ExpectError(GetParam() + " flow, int8 layers", error, 6e-2);
  EXPECT_GT(error, 1e-4);
  EXPECT_GT(Cosine(forward.flow, golden), 0.998);
}

// The bf16 profile must not be worse than the published model run in bf16 altogether.
TEST_P(WanBf16, AmxProfileStaysClose) {
  const auto profiles = CpuNumericsProfiles();
  if (std::find(profiles.begin(), profiles.end(), kAmxBf16Profile) == profiles.end()) {
    GTEST_SKIP() << "no AMX";
  }
  OneForward forward(GetParam());
  GoldenBackend backend{std::string(kAmxBf16Profile)};
  forward.Run(backend.get(), DType::kBf16);
  const std::vector<float> golden = forward.fixture.Floats("flow");
  const bool deep = GetParam() == "f7";
  ExpectError(GetParam() + " flow, cpu-amx-bf16-v1", RelativeError(forward.flow, golden),
              deep ? 3e-2 : 1.5e-2);
  EXPECT_GT(Cosine(forward.flow, golden), deep ? 0.9995 : 0.9998);
}

// Every Linear of F1, by the order of the verbs: a mistake is named by the first tensor that is
// off.
TEST(WanGolden, EveryStageOfF1) {
  OneForward forward("f1");
  ReferenceBackend backend;
  std::vector<std::vector<float>> outputs;
  backend.on_linear = [&outputs](const LinearArgs& args) {
    outputs.emplace_back(args.out.address(),
                         (args.out + args.rows * args.weight.out_features).address());
  };
  forward.Run(backend);
  constexpr size_t kGlobal = 6;     // patches, three of time, two of text
  constexpr size_t kPerBlock = 10;  // as in WanMatrix
  ASSERT_EQ(outputs.size(), kGlobal + 2 * kPerBlock + 1);
  const auto expect = [&](size_t index, const std::string& name) {
    std::vector<float> stored = forward.fixture.Floats(name);
    stored.resize(std::min(stored.size(), outputs[index].size()));  // T: one row for all padding
    ExpectClose("f1 " + name, outputs[index], stored, kLimit);
  };
  expect(0, "patch_embedding");
  expect(2, "e");
  expect(3, "E");
  expect(5, "T");
  for (size_t block = 0; block < 2; ++block) {
    const std::string name = "block." + std::to_string(block);
    const size_t first = kGlobal + block * kPerBlock;
    expect(first + 5, name + ".attn1");
    expect(first + 7, name + ".attn2");
    expect(first + 9, name + ".ffn");
  }
}

// Queries and keys of F2 as self-attention sees them: normed and rotated.
TEST(WanGolden, RotatedQueriesAndKeysOfF2) {
  OneForward forward("f2");
  ReferenceBackend backend;
  std::vector<float> q;
  std::vector<float> k;
  backend.on_attention = [&](const AttentionArgs& args) {
    if (!q.empty()) return;  // self-attention comes first
    const int64_t width = args.heads * args.head_dim;
    q.assign(args.q.address(), (args.q + args.rows * width).address());
    for (const KeySegment& segment : args.keys) {
      for (int64_t row = 0; row < segment.rows; ++row) {
        const float* from = static_cast<const float*>(segment.k.address()) + row * width;
        std::vector<double> rotated(from, from + width);
        RotateRow(rotated.data(), args.heads, args.head_dim,
                  (segment.rotary + row * args.head_dim).address());
        k.insert(k.end(), rotated.begin(), rotated.end());
      }
    }
  };
  forward.Run(backend);
  ExpectClose("f2 q, normed and rotated", q, forward.fixture.Floats("q"), 1e-6);
  ExpectClose("f2 k, normed and rotated", k, forward.fixture.Floats("k"), 1e-6);
}

// Rounding grows with depth: the kernels against plain double loops on a deep model.
TEST(WanGolden, ThirtyLayersAgainstDoubles) {
  ReferenceBackend doubles;
  TinyTransformer tiny({.config_json = R"({"num_attention_heads": 2, "attention_head_dim": 64,
                          "ffn_dim": 256, "num_layers": 30, "text_dim": 24})",
                        .seed = 3,
                        .stream = {}},
                       doubles);
  GoldenBackend kernels("");
  const auto fast = Must(
      WanTransformer::Create(tiny.model->config(), Must(tiny.pack->LoadResident()), kernels.get(),
                             {.tokens_max = 16, .text_rows = 12, .kv_dtype = DType::kF32}));
  const std::vector<float> latents =
      SyntheticTensor({.seed = 3}, "x", std::vector<int64_t>{1, 16, 4, 4});
  const std::vector<float> states(3 * 24, 0.5f);
  const std::vector<float> timesteps = {625.0f};
  const std::vector<int64_t> query_index = {40};
  std::vector<std::vector<float>> flows;
  for (WanTransformer* model : {tiny.model.get(), fast.get()}) {
    const auto text = Must(model->NewTextContext(states, 3));
    std::vector<float>& flow = flows.emplace_back(latents.size());
    const std::vector<VideoItem> items = {{.latents = latents.data(),
                                           .frames = 1,
                                           .height = 4,
                                           .width = 4,
                                           .timesteps = timesteps,
                                           .query_index = query_index,
                                           .context = {},
                                           .text = text.get(),
                                           .writes = {},
                                           .flow = flow.data()}};
    const auto model_sweep = Must(model->NewSweep(items));
    MustBeOk(RunWholeSweep(*model_sweep, *tiny.layers));
  }
  ExpectClose("30 layers, kernels against doubles", flows[1], flows[0], kLimit);
}

}  // namespace
}  // namespace longtake
