// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What must hold for any weights (docs/spec 7.4): who shares a sweep, how weights arrive and how a
// prompt's padding is written down change nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "tests/golden/golden_backend.h"
#include "tests/model/sweep_case.h"

namespace longtake {
namespace {

using testing::HasSubstr;

class WanSweepTest : public testing::Test {
 protected:
  static TinyTransformer::Options Options() {
    return {.config_json = kTinyTransformerConfig, .seed = 7, .stream = {}};
  }

  std::vector<float> RunAlone(TinyTransformer& tiny, SweepCase& one) {
    MustBeOk(tiny.Run({one.Item()}));
    return one.Output();
  }

  GoldenBackend backend_{""};
};

// Different sizes, timesteps, prompts, contexts, and two that only fill K/V.
std::vector<SweepCaseOptions> Company() {
  return {{.seed = 1, .clean = true},
          {.seed = 2, .height = 6, .width = 8, .context_frames = 4, .prompt_tokens = 12},
          {.seed = 3, .frames = 5, .context_frames = 2},
          {.seed = 4, .frames = 1, .height = 2, .width = 10, .context_frames = 3, .clean = true},
          {.seed = 5, .frames = 2, .context_frames = 7, .prompt_tokens = 1}};
}

TEST_F(WanSweepTest, CompanyChangesNoBit) {
  TinyTransformer tiny(Options(), backend_.get());
  std::vector<std::unique_ptr<SweepCase>> together;
  std::vector<VideoItem> items;
  for (const SweepCaseOptions& options : Company()) {
    together.push_back(std::make_unique<SweepCase>(options, *tiny.model));
    items.push_back(together.back()->Item());
  }
  MustBeOk(tiny.Run(items));
  for (size_t i = 0; i < together.size(); ++i) {
    SweepCase alone(Company()[i], *tiny.model);
    EXPECT_EQ(RunAlone(tiny, alone), together[i]->Output()) << "item " << i;
  }
}

// Each with its own layers and their K/V; only activations go from one to the next.
class DividedStack {
 public:
  DividedStack(TinyTransformer::Options options, int64_t first_of_second, Backend& backend) {
    for (const LayerRange& layers :
         {LayerRange{.end = first_of_second}, LayerRange{.first = first_of_second}}) {
      options.model.layers = layers;
      options.stream.layers = layers;
      stages_.push_back(std::make_unique<TinyTransformer>(options, backend));
      for (const SweepCaseOptions& item : Company()) {
        cases_.emplace_back(item, *stages_.back()->model);
      }
    }
  }

  void Run() {
    const auto first = NewSweep(0);
    const auto second = NewSweep(1);
    std::vector<float> activations;
    MustBeOk(first->Embed());
    EXPECT_FALSE(first->Send(&activations).ok()) << "before its layers";
    MustBeOk(RunLayers(*first, *stages_[0]->layers));
    EXPECT_FALSE(first->Head().ok()) << "that is the last stage's";
    MustBeOk(first->Send(&activations));
    EXPECT_FALSE(second->Embed().ok());
    EXPECT_EQ(second->Receive(std::span(activations).first(5)).code(),
              absl::StatusCode::kInvalidArgument);
    MustBeOk(second->Receive(activations));
    MustBeOk(RunLayers(*second, *stages_[1]->layers));
    MustBeOk(second->Head());
  }

  // Of the item, as one that was not divided gives it: frames in turn, of each all layers.
  std::vector<float> Output(size_t item) const {
    const SweepCase& second = cases_[Company().size() + item];
    if (!Company()[item].clean) return second.flow;
    std::vector<float> out;
    for (size_t frame = 0; frame < second.written.size(); ++frame) {
      cases_[item].AppendFrame(cases_[item].written[frame], &out);
      second.AppendFrame(second.written[frame], &out);
    }
    return out;
  }

 private:
  std::unique_ptr<ModelSweep> NewSweep(size_t stage) {
    std::vector<VideoItem> items;
    const size_t count = Company().size();
    for (size_t i = 0; i < count; ++i) items.push_back(cases_[stage * count + i].Item());
    return Must(stages_[stage]->model->NewSweep(items));
  }

  std::vector<std::unique_ptr<TinyTransformer>> stages_;
  std::deque<SweepCase> cases_;  // of the first stage, then of the second
};

TEST_F(WanSweepTest, ARangeOfLayersOnEachOfTwoStagesChangesNoBit) {
  TinyTransformer whole(Options(), backend_.get());
  for (const int64_t first_of_second : {1, 2}) {
    DividedStack divided(Options(), first_of_second, backend_.get());
    for (int sweep = 0; sweep < 2; ++sweep) divided.Run();
    for (size_t i = 0; i < Company().size(); ++i) {
      SweepCase alone(Company()[i], *whole.model);
      EXPECT_EQ(divided.Output(i), RunAlone(whole, alone)) << "item " << i;
    }
  }
}

TEST_F(WanSweepTest, ARangeWithoutLayersIsRefused) {
  TinyTransformer whole(Options(), backend_.get());
  for (const LayerRange& layers : {LayerRange{3, 9}, LayerRange{1, 1}, LayerRange{-1, 2}}) {
    WanTransformerOptions options = Options().model;
    options.layers = layers;
    EXPECT_EQ(WanTransformer::Create(whole.model->config(), Must(whole.pack->LoadResident()),
                                     backend_.get(), options)
                  .status()
                  .code(),
              absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(LayerStream::Open(*whole.pack, {.layers = layers}).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

TEST_F(WanSweepTest, StreamedIsResident) {
  for (const DType dtype : {DType::kF32, DType::kBf16}) {
    TinyTransformer::Options options = Options();
    options.dtype = dtype;
    options.stream = {.slot_count = 1, .kept_bytes_max = 0, .io = IoChoice::kPread};
    TinyTransformer streamed(options, backend_.get());
    options.stream = {.kept_bytes_max = 1 << 30};
    TinyTransformer resident(options, backend_.get());
    EXPECT_GT(streamed.layers->bytes_per_sweep(), 0u);
    EXPECT_EQ(resident.layers->bytes_per_sweep(), 0u);
    SweepCase first({.seed = 3, .context_frames = 4}, *streamed.model);
    SweepCase second({.seed = 3, .context_frames = 4}, *resident.model);
    EXPECT_EQ(RunAlone(streamed, first), RunAlone(resident, second));
    // And again, when text keys are there and the resident layers are only lent.
    EXPECT_EQ(RunAlone(streamed, first), RunAlone(resident, second));
  }
}

TEST_F(WanSweepTest, TextKeysAreComputedOnce) {
  TinyTransformer tiny(Options(), backend_.get());
  SweepCase one({.seed = 3}, *tiny.model);
  EXPECT_FALSE(one.text->ready());
  const std::vector<float> first = RunAlone(tiny, one);
  EXPECT_TRUE(one.text->ready());
  EXPECT_EQ(RunAlone(tiny, one), first);
}

// The first sweep of a prompt may be a clean one, whose last block is cut short.
TEST_F(WanSweepTest, CleanPassFillsTextKeysOfAllLayers) {
  TinyTransformer tiny(Options(), backend_.get());
  SweepCase noisy({.seed = 3}, *tiny.model);
  const std::vector<float> expected = RunAlone(tiny, noisy);
  SweepCase clean({.seed = 3, .clean = true}, *tiny.model);
  RunAlone(tiny, clean);
  noisy.text = std::move(clean.text);
  EXPECT_EQ(RunAlone(tiny, noisy), expected);
}

TEST_F(WanSweepTest, DroppedSweepLeavesNoTrace) {
  TinyTransformer tiny(Options(), backend_.get());
  SweepCase one({.seed = 3, .context_frames = 2}, *tiny.model);
  const std::vector<float> expected = RunAlone(tiny, one);
  one.NewText(*tiny.model);
  const std::vector<VideoItem> items = {one.Item()};
  {
    const auto model_sweep = Must(tiny.model->NewSweep(items));
    MustBeOk(model_sweep->Embed());
    LayerLease lease = Must(tiny.layers->Next());
    LeasedWeights weights(model_sweep->backend(), lease);
    MustBeOk(model_sweep->RunLayer(0, weights));
  }
  tiny.layers->Rewind();
  EXPECT_FALSE(one.text->ready());
  EXPECT_EQ(RunAlone(tiny, one), expected);
}

TEST_F(WanSweepTest, ItemsMayShareAPrompt) {
  TinyTransformer tiny(Options(), backend_.get());
  SweepCase a({.seed = 3}, *tiny.model);
  SweepCase b({.seed = 3}, *tiny.model);
  b.text = std::move(a.text);
  a.text = nullptr;
  VideoItem item_a = a.Item();
  item_a.text = b.text.get();
  MustBeOk(tiny.Run({item_a, b.Item()}));
  EXPECT_EQ(a.flow, b.flow);
}

TEST_F(WanSweepTest, OnePaddingKeyStandsForAll) {
  TinyTransformer::Options options = Options();
  options.model.text_rows = 40;
  TinyTransformer tiny(options, backend_.get());
  SweepCase collapsed({.seed = 3, .context_frames = 2, .prompt_tokens = 5}, *tiny.model);
  const std::vector<float> flow = RunAlone(tiny, collapsed);
  EXPECT_EQ(collapsed.text->rows(), 6);

  std::vector<float> states = RandomFloats(103, 5 * 24);
  states.resize(40 * 24);  // explicit zero rows
  collapsed.text = Must(tiny.model->NewTextContext(states, 40));
  EXPECT_LT(RelativeError(RunAlone(tiny, collapsed), flow), 1e-6);

  // The weight of the padding matters: a wrong count is far off.
  options.model.text_rows = 12;
  TinyTransformer other(options, backend_.get());
  SweepCase fewer({.seed = 3, .context_frames = 2, .prompt_tokens = 5}, *other.model);
  EXPECT_GT(RelativeError(RunAlone(other, fewer), flow), 1e-4);
}

TEST_F(WanSweepTest, OrderOfThePlanIsFree) {
  TinyTransformer tiny(Options(), backend_.get());
  SweepCase one({.seed = 3, .context_frames = 6}, *tiny.model);
  const std::vector<float> flow = RunAlone(tiny, one);
  std::reverse(one.plan.begin(), one.plan.end());
  EXPECT_LT(RelativeError(RunAlone(tiny, one), flow), 1e-6);
  std::swap(one.plan[0].frame, one.plan[3].frame);  // but not which index a frame has
  EXPECT_GT(RelativeError(RunAlone(tiny, one), flow), 1e-4);
}

TEST_F(WanSweepTest, OnlyIndexDifferencesMatter) {
  TinyTransformer tiny(Options(), backend_.get());
  SweepCase one({.seed = 3, .context_frames = 6}, *tiny.model);
  const std::vector<float> flow = RunAlone(tiny, one);
  constexpr int64_t kFar = 100'000;  // beyond any published table
  for (ContextFrame& frame : one.plan) frame.rope_index += kFar;
  for (int64_t& index : one.query_index) index += kFar;
  EXPECT_LT(RelativeError(RunAlone(tiny, one), flow), 1e-5);
}

TEST_F(WanSweepTest, Bf16KeysRoundWhatIsWrittenAndNothingElse) {
  TinyTransformer exact(Options(), backend_.get());
  TinyTransformer::Options options = Options();
  options.model.kv_dtype = DType::kBf16;
  TinyTransformer rounded(options, backend_.get());

  // Without context only the text keys differ.
  SweepCase written({.seed = 3, .clean = true}, *exact.model);
  SweepCase written16({.seed = 3, .clean = true}, *rounded.model);
  const double error = RelativeError(RunAlone(rounded, written16), RunAlone(exact, written));
  EXPECT_GT(error, 1e-4);
  EXPECT_LT(error, 1e-2);

  SweepCase flow({.seed = 4, .context_frames = 6}, *exact.model);
  SweepCase flow16({.seed = 4, .context_frames = 6}, *rounded.model);
  EXPECT_LT(RelativeError(RunAlone(rounded, flow16), RunAlone(exact, flow)), 1e-2);
}

TEST_F(WanSweepTest, RefusesWhatDoesNotFit) {
  TinyTransformer tiny(Options(), backend_.get());
  const auto refusal = [&](const VideoItem& item) {
    const std::vector<VideoItem> items = {item};
    const auto model_sweep = tiny.model->NewSweep(items);
    return model_sweep.ok() ? std::string("accepted") : std::string(model_sweep.status().message());
  };
  SweepCase one({.seed = 3, .context_frames = 1, .clean = true}, *tiny.model);
  SweepCase wide({.seed = 3, .width = 8, .context_frames = 1}, *tiny.model);
  const VideoItem good = one.Item();
  VideoItem item = good;
  item.height = 3;
  EXPECT_THAT(refusal(item), HasSubstr("even"));
  item = good;
  item.frames = INT64_MAX;
  EXPECT_THAT(refusal(item), HasSubstr("tokens"));
  item = good;
  item.timesteps = item.timesteps.first(1);
  EXPECT_THAT(refusal(item), HasSubstr("timesteps"));
  item = good;
  item.query_index = {};
  EXPECT_THAT(refusal(item), HasSubstr("query_index"));
  item = good;
  item.writes = item.writes.first(1);
  EXPECT_THAT(refusal(item), HasSubstr("writes"));
  item = good;
  item.context = wide.Item().context;
  EXPECT_THAT(refusal(item), HasSubstr("context"));
  item = good;
  item.text = nullptr;
  EXPECT_THAT(refusal(item), HasSubstr("text"));
  item = good;
  item.latents = nullptr;
  EXPECT_THAT(refusal(item), HasSubstr("latents"));
  one.timesteps[1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(refusal(good), HasSubstr("not finite"));
  one.timesteps[1] = 0;
  EXPECT_EQ(refusal(good), "accepted");
  EXPECT_THAT(std::string(tiny.model->NewSweep({}).status().message()), HasSubstr("without items"));
}

TEST_F(WanSweepTest, BoundsTokensPromptsAndSweeps) {
  TinyTransformer::Options options = Options();
  options.model.tokens_max = 24;
  options.model.prompt_rows_max = 10;
  TinyTransformer tiny(options, backend_.get());
  SweepCase a({.seed = 1}, *tiny.model);  // 12 tokens, 6 rows of text
  SweepCase b({.seed = 2}, *tiny.model);
  SweepCase c({.seed = 3}, *tiny.model);
  using absl::StatusCode;
  EXPECT_EQ(tiny.Run({a.Item(), b.Item(), c.Item()}).code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(tiny.Run({a.Item(), b.Item()}).code(), StatusCode::kResourceExhausted);
  MustBeOk(tiny.Run({a.Item()}));
  MustBeOk(tiny.Run({a.Item(), b.Item()}));  // one new prompt at a time fits

  const std::vector<VideoItem> items = {a.Item()};
  const auto model_sweep = Must(tiny.model->NewSweep(items));
  EXPECT_EQ(tiny.Run(items).code(), StatusCode::kFailedPrecondition);
  LayerLease lease = Must(tiny.layers->Next());
  LeasedWeights weights(model_sweep->backend(), lease);
  EXPECT_EQ(model_sweep->RunLayer(1, weights).code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(model_sweep->Head().code(), StatusCode::kFailedPrecondition);
}

TEST_F(WanSweepTest, RefusesAPackOfAnotherShape) {
  const TinyTransformer tiny(Options(), backend_.get());
  WanConfig config = tiny.model->config();
  config.layers = 4;
  const WanTransformerOptions options{.tokens_max = 10};
  const auto missing =
      WanTransformer::Create(config, Must(tiny.pack->LoadResident()), backend_.get(), options);
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("blocks.3."));
  config = tiny.model->config();
  config.ffn_dim = 65;
  const auto wrong =
      WanTransformer::Create(config, Must(tiny.pack->LoadResident()), backend_.get(), options);
  EXPECT_THAT(std::string(wrong.status().message()),
              HasSubstr("blocks.0.ffn.net.0.proj.bias: expected 65"));
}

TEST(TextContext, BytesAreKnownBefore) {
  const TextContextShape shape{.layers = 30, .width = 1536, .text_dim = 4096, .tokens = 511};
  // 94.4 MB of keys and values for 512 rows (docs/spec 2.3), and the states.
  EXPECT_EQ(Must(TextContextBytes(shape)), 94'371'840u + 512 * 4096 * 4);
  TextContextShape long_prompt = shape;
  long_prompt.tokens = 513;
  EXPECT_EQ(TextContextBytes(long_prompt).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace longtake
