// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Takes over stages that have a range of the layers each, with workers, layer stream and K/V of
// their own: wherever the layers are cut, every bit is that of one stage.
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/philox.h"
#include "engine/kv/kv_table.h"
#include "engine/model/wan/layout.h"
#include "engine/serve/sweep.h"
#include "engine/video/layer_stage.h"
#include "engine/video/rollout.h"
#include "engine/video/sweep_items.h"
#include "tests/golden/tiny_model.h"
#include "tests/storage/fault_file.h"

namespace longtake {
namespace {

constexpr int64_t kLayers = 5;
constexpr int64_t kSide = 4;
constexpr int64_t kTextRows = 5;
constexpr int64_t kTokensMax = 512;
constexpr uint64_t kSession = 3;
constexpr char kConfig[] = R"({"num_attention_heads": 2, "attention_head_dim": 24, "ffn_dim": 64,
    "num_layers": 5, "text_dim": 24, "cross_attn_norm": true})";

struct Policy {
  std::string name;
  int64_t chunks = 6;
  std::function<void(RolloutSpec&)> change = {};
  std::vector<int64_t> switches = {};  // chunks before which the prompt becomes another
};

void PrintTo(const Policy& policy, std::ostream* out) { *out << policy.name; }

std::vector<Policy> Policies() {
  using enum KeyPlanKind;
  const auto with = [](KeyPlanSpec plan, PromptSwitch prompt_switch = PromptSwitch::kSwap) {
    return [=](RolloutSpec& spec) {
      spec.key_plan = plan;
      spec.prompt_switch = prompt_switch;
    };
  };
  return {{"global", 4, with({kGlobal, 12, 0}), {2}},
          {"window", 6, with({kWindow, 9, 3}), {2, 3}},
          {"slots", 6, with({kSlotWindow, 9, 3}), {4}},
          {"rolling_sink", 7, with({kRollingSink, 9, 0}), {2}},
          {"recache", 6, with({kWindow, 9, 3}, PromptSwitch::kRecacheAndSink), {3, 4}},
          {"guidance", 5,
           [](RolloutSpec& spec) {
             spec.key_plan = {kWindow, 9, 3};
             spec.guidance = 3.0;
           }},
          {"rolling", 6, [](RolloutSpec& spec) {
             spec.kind = RolloutKind::kRolling;
             spec.key_plan = {kWindow, 12, 3};
             spec.levels.push_back({.sigma = 0.2, .timestep = 200});
           }}};
}

struct Model {
  Model() : directory("staged") {
    config = Must(ParseWanConfig(kConfig, "config.json"));
    const std::unique_ptr<PackReader> made = MakePack(
        directory.path(),
        {.layout = WanLayout(config), .config_json = kConfig, .rule = {.seed = 11}}, DType::kF32);
    pack = Must(PackReader::Open(files, made->path()));
  }
  // Where a layer of its file begins.
  uint64_t OffsetOf(size_t layer) const {
    return pack->header().payload_offset + pack->layer(layer).parts[0].offset;
  }
  ScratchDirectory directory;
  FaultFileSystem files{PosixFileSystem()};
  WanConfig config;
  std::unique_ptr<PackReader> pack;
};

// Stages with these layers, one thread more on each.
class Pipeline {
 public:
  Pipeline(const Model& model, const std::vector<LayerRange>& ranges, uint64_t kept_bytes_max)
      : model_(model) {
    for (const LayerRange& range : ranges) {
      LayerStage::Machine machine;
      machine.workers = std::make_unique<WorkerPool>(static_cast<int>(stages_.size()) + 1);
      machine.backend = Must(CreateCpuBackend(*machine.workers));
      stages_.push_back(Must(LayerStage::Open(
          *model.pack, model.config, std::move(machine),
          {.transformer = {.tokens_max = kTokensMax, .text_rows = 8, .layers = range},
           .stream = {.kept_bytes_max = kept_bytes_max}})));
      pools_.push_back(Must(KvPool::Create(stages_.back()->backend().device(), 8 << 20)));
    }
  }

  // Rows of the prompt that are new to the next sweep: at first, after one that is dropped behind
  // so many layers, and after one that is not.
  std::vector<int64_t> NewTextRows(const Policy& policy, size_t layers) {
    const std::unique_ptr<Rollout> rollout = Rollout::Create(Spec(policy));
    std::deque<KvTable> tables = OpenTables(*rollout);
    rollout->SetText(0, Texts(0));
    std::vector<int64_t> rows = {rollout->needs(kTokensMax).text_rows};
    for (const std::optional<size_t>& run : {std::optional(layers), std::optional<size_t>()}) {
      EXPECT_EQ(Sweep(*rollout, tables, run).ok(), !run.has_value());
      rows.push_back(rollout->needs(kTokensMax).text_rows);
    }
    return rows;
  }

  // A first sweep of a take.
  absl::Status SweepOnce(const Policy& policy) {
    const std::unique_ptr<Rollout> rollout = Rollout::Create(Spec(policy));
    std::deque<KvTable> tables = OpenTables(*rollout);
    rollout->SetText(0, Texts(0));
    return Sweep(*rollout, tables, std::nullopt);
  }

  // The latents of a whole take. With a seed sweeps are dropped now and then, after some layers.
  std::vector<float> Roll(const Policy& policy, uint64_t drop_seed = 0) {
    const std::unique_ptr<Rollout> rollout = Rollout::Create(Spec(policy));
    std::deque<KvTable> tables = OpenTables(*rollout);
    for (size_t branch = 0; branch < rollout->branch_count(); ++branch) {
      rollout->SetText(branch, Texts(branch));
    }
    std::mt19937_64 random(drop_seed);
    std::vector<float> latents;
    size_t switched = 0;
    while (!rollout->done()) {
      while (switched < policy.switches.size() && rollout->at_chunk_start() &&
             rollout->chunk() == policy.switches[switched]) {
        rollout->ChangeText(Texts(10 + switched++));
        Hold(*rollout, tables);
      }
      if (drop_seed != 0 && random() % 2 == 0) {
        EXPECT_TRUE(absl::IsCancelled(Sweep(*rollout, tables, random() % kLayers)));
      }
      MustBeOk(Sweep(*rollout, tables, std::nullopt));
      const std::optional<FinishedChunk> chunk = Must(rollout->Settle());
      Hold(*rollout, tables);
      if (!chunk.has_value()) continue;
      const std::span<const float> values = chunk->latents.values();
      latents.insert(latents.end(), values.begin(), values.end());
    }
    return latents;
  }

 private:
  RolloutSpec Spec(const Policy& policy) {
    RolloutSpec spec;
    spec.levels = {{.sigma = 1.0, .timestep = 1000}, {.sigma = 0.6, .timestep = 600}};
    spec.chunk.height = spec.chunk.width = kSide;
    spec.seed = 5;
    policy.change(spec);
    spec.chunk_count = policy.chunks;
    spec.kv_layout = stages_[0]->transformer().kv_layout(kSide, kSide);
    return spec;
  }

  std::deque<KvTable> OpenTables(const Rollout& rollout) {
    const KvNeeds needs = Must(Rollout::FramesNeeded(rollout.spec()));
    std::deque<KvTable> tables(stages_.size());
    for (size_t i = 0; i < stages_.size(); ++i) {
      const KvLayout layout = stages_[i]->transformer().kv_layout(kSide, kSide);
      EXPECT_EQ(layout.layers, stages_[i]->range().count());
      tables[i].Open(kSession, Must(KvShare::Create(KvMemory(*pools_[i]), layout, needs)));
    }
    return tables;
  }

  PromptTexts Texts(size_t number) {
    std::vector<float> states(static_cast<size_t>(kTextRows * model_.config.text_dim));
    PhiloxNormal(5, number, 0, states);
    std::vector<std::unique_ptr<TextContext>> texts;
    for (const auto& stage : stages_) {
      texts.push_back(Must(stage->transformer().NewTextContext(states, kTextRows)));
    }
    return PromptTexts(std::move(texts));
  }

  static void Hold(const Rollout& rollout, std::deque<KvTable>& tables) {
    for (KvTable& table : tables) {
      for (size_t branch = 0; branch < rollout.branch_count(); ++branch) {
        table.Hold({.session = kSession, .branch = branch}, rollout.frames(branch));
      }
    }
  }

  // Of all layers, or of so many before it is dropped.
  absl::Status Sweep(Rollout& rollout, std::deque<KvTable>& tables, std::optional<size_t> layers) {
    std::vector<RolloutItem> brought;
    rollout.AppendItems(kTokensMax, &brought);
    std::deque<SweepItems> items;
    std::vector<std::unique_ptr<ModelSweep>> models;
    std::vector<StageSweep> sweeps;
    for (size_t i = 0; i < stages_.size(); ++i) {
      items.emplace_back(tables[i], i);
      MustBeOk(items.back().Add(kSession, brought));
      models.push_back(Must(stages_[i]->transformer().NewSweep(items.back().items())));
      sweeps.push_back({.model = *models.back(),
                        .layers = stages_[i]->layers(),
                        .received = &stages_[i]->received()});
    }
    ManualClock clock;
    return RunSweep(sweeps, [&] { return !layers.has_value() || (*layers)-- > 0; },
                    {.clock = clock});
  }

  const Model& model_;
  std::vector<std::unique_ptr<LayerStage>> stages_;
  std::vector<std::unique_ptr<KvPool>> pools_;
};

std::vector<LayerRange> Ranges(const std::vector<int64_t>& cuts) {
  std::vector<LayerRange> ranges;
  int64_t first = 0;
  for (const int64_t cut : cuts) ranges.push_back({.first = std::exchange(first, cut), .end = cut});
  ranges.push_back({.first = first, .end = kLayers});
  return ranges;
}

class StagedRolloutTest : public testing::TestWithParam<Policy> {};

TEST_P(StagedRolloutTest, AnyCutOfTheLayersGivesTheSameBits) {
  const Model model;
  const std::vector<float> whole = Pipeline(model, Ranges({}), 1 << 30).Roll(GetParam());
  ASSERT_FALSE(whole.empty());
  for (const std::vector<int64_t>& cuts :
       std::vector<std::vector<int64_t>>{{1}, {2}, {3}, {4}, {2, 3}, {1, 4}, {1, 2, 3, 4}}) {
    for (const uint64_t kept : {uint64_t{0}, uint64_t{1} << 30}) {
      Pipeline pipeline(model, Ranges(cuts), kept);
      EXPECT_TRUE(pipeline.Roll(GetParam()) == whole)
          << cuts.size() + 1 << " stages, the second from layer " << cuts[0];
    }
  }
}

// Between any two layers of any stage.
TEST_P(StagedRolloutTest, ADroppedSweepLeavesNoTrace) {
  const Model model;
  Pipeline pipeline(model, Ranges({2, 3}), 0);
  const std::vector<float> take = pipeline.Roll(GetParam());
  for (const uint64_t seed : {1, 2, 3}) EXPECT_TRUE(pipeline.Roll(GetParam(), seed) == take);
}

TEST(StagesTest, APromptIsKnownWhenAllStagesHaveIt) {
  const Model model;
  Pipeline pipeline(model, Ranges({2}), 0);
  const int64_t rows = kTextRows + 1;  // one stands for the padding
  EXPECT_EQ(pipeline.NewTextRows(Policies()[1], 3), std::vector<int64_t>({rows, rows, 0}));
}

// Of a later stage, too, a layer that cannot be read is everybody's, and the next sweep begins
// anew.
TEST(StagesTest, ALayerThatAnyStageCannotReadIsMarked) {
  Model model;
  const Policy policy = Policies()[1];
  Pipeline pipeline(model, Ranges({2}), 0);
  const std::vector<float> take = pipeline.Roll(policy);
  for (const size_t broken : {size_t{1}, size_t{2}, size_t{4}}) {
    model.files.set_decide([&](const FaultFileSystem::Attempt& attempt) {
      const bool fails = attempt.offset >= model.OffsetOf(broken);
      return fails ? ReadFault{.error = EIO} : ReadFault{};
    });
    absl::Status status;
    for (int sweep = 0; sweep < 2; ++sweep) {  // of which the first may have been read ahead
      status = pipeline.SweepOnce(policy);
    }
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_TRUE(IsLayerFault(status)) << broken;
    model.files.set_decide(nullptr);
    for (int sweep = 0; sweep < 2; ++sweep) status = pipeline.SweepOnce(policy);
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_TRUE(pipeline.Roll(policy) == take);
  }
}

INSTANTIATE_TEST_SUITE_P(Policies, StagedRolloutTest, testing::ValuesIn(Policies()),
                         [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace longtake
