// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Whole rollouts of every policy against an independent float64 reference: fixture F6. The engine's
// own Rollout decides the forwards, draws the noise, keeps and remakes the K/V.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "tests/golden/golden_backend.h"
#include "tests/golden/golden_table.h"
#include "tests/golden/table_roll.h"
#include "tests/golden/tiny_model.h"

namespace longtake {
namespace {

constexpr double kLimit = 1e-5;
constexpr int64_t kLatentSide = 4;
constexpr int64_t kRealTextRows = 7;
constexpr int64_t kTokensMax = 512;      // of a sweep
constexpr uint64_t kGroupingSeeds = 40;  // for each of 16 policies, twice

struct Case {
  std::string name;
  int64_t chunks = 0;
  int64_t first_stored = 0;
  std::function<void(RolloutSpec&)> change;
  std::vector<int64_t> switches = {};  // chunks before which the prompt becomes the next text
};

void PrintTo(const Case& value, std::ostream* out) { *out << value.name; }

void UniPc(RolloutSpec& spec, SigmaSpacing spacing, int64_t count) {
  Recipe recipe;
  recipe.sampler = SamplerKind::kUniPc;
  recipe.spacing = spacing;
  recipe.shift = 5.0;
  spec.sampler = SamplerKind::kUniPc;
  spec.levels = NoiseLevels(recipe, {.step_count = count});
}

void FewStep(RolloutSpec& spec, std::vector<double> steps) {
  Recipe recipe;
  recipe.shift = 5.0;
  spec.levels = NoiseLevels(recipe, {.steps = std::move(steps)});
}

struct How {
  bool drop_every_other_sweep = false;
  // What a sweep may bring, drawn anew for each; 0: as much as there is to do.
  uint64_t grouping_seed = 0;
  std::vector<float> start = {};  // latents of the chunks it begins with
  bool moves = false;             // goes on from copies at every chance
};

class RolloutGolden {
 public:
  RolloutGolden(const Fixture& fixture, Backend& backend, DType kv_dtype = DType::kF32)
      : fixture_(fixture),
        tiny_({.config_json = fixture.Metadata("transformer"),
               .seed = fixture.Seed("weight_seed"),
               .stream = {},
               .model = {.tokens_max = kTokensMax, .text_rows = 12, .kv_dtype = kv_dtype}},
              backend),
        pool_(Must(KvPool::Create(tiny_.model->device(), 32 << 20))) {}

  // Latents of the chunks from first_stored on.
  std::vector<float> Roll(const Case& which, const How& how = {}) {
    const std::vector<float>& start = how.start;
    RolloutSpec spec;
    FewStep(spec, {1000, 500});
    spec.key_plan = {KeyPlanKind::kWindow, 9, 3};
    spec.seed = fixture_.Seed("session_seed");
    spec.chunk.height = spec.chunk.width = kLatentSide;
    spec.chunk_count = which.chunks;
    spec.kv_layout = tiny_.model->kv_layout(kLatentSide, kLatentSide);
    which.change(spec);
    const size_t chunk_values = static_cast<size_t>(spec.frame_values() * spec.chunk.frames);
    spec.start_latents = static_cast<int64_t>(start.size() / chunk_values) * spec.chunk.frames;
    TableRoll roll(spec, tiny_, *pool_);
    Rollout* rollout = roll.rollout.get();
    if (!start.empty()) rollout->SetStart(StartOf(spec, start));
    std::vector<int> texts;  // in force, by branch
    for (size_t branch = 0; branch < rollout->branch_count(); ++branch) {
      texts.push_back(static_cast<int>(branch));
      rollout->SetText(branch, PromptTexts(Text(texts[branch])));
    }
    int next_text = static_cast<int>(texts.size());
    int old_text = 0;
    std::vector<float> stored;
    size_t next_switch = 0;
    std::mt19937_64 random(how.grouping_seed);
    while (!rollout->done()) {
      if (next_switch < which.switches.size() && rollout->at_chunk_start() &&
          rollout->chunk() == which.switches[next_switch]) {
        old_text = texts[0];
        texts[0] = next_text++;
        roll.ChangeText(Text(texts[0]));
        ++next_switch;
      }
      if (how.moves && rollout->at_chunk_start()) {
        roll.Move();
        rollout = roll.rollout.get();
        for (size_t branch = 0; branch < texts.size(); ++branch) {
          rollout->SetText(branch, PromptTexts(Text(texts[branch])));
        }
        if (rollout->needs_old_text()) rollout->SetOldText(PromptTexts(Text(old_text)));
      }
      std::optional<FinishedChunk> chunk = rollout->TakeGiven();
      if (!chunk.has_value()) {
        const int64_t rows_max = how.grouping_seed == 0 ? kTokensMax : DrawRowsMax(random);
        if (how.drop_every_other_sweep) {
          const auto layers = static_cast<uint64_t>(spec.kv_layout.layers);
          const auto run = how.grouping_seed == 0 ? layers : random() % (layers + 1);
          roll.DropSweep(kTokensMax, static_cast<int64_t>(run));
        }
        const int64_t tokens = rollout->needs(rows_max).rows;
        EXPECT_EQ(roll.Sweep(rows_max), tokens);
        EXPECT_LE(tokens, std::max(ShapeOf(spec).tokens_max, rows_max));
        chunk = roll.Settle();
        ++sweeps;
      }
      if (!chunk.has_value() || chunk->index < which.first_stored) continue;
      const std::span<const float> latents = chunk->latents.values();
      stored.insert(stored.end(), latents.begin(), latents.end());
    }
    return stored;
  }

  int64_t sweeps = 0;  // of all takes

 private:
  // None, one, some or all of what there is to do.
  static int64_t DrawRowsMax(std::mt19937_64& random) {
    constexpr int64_t kChoices[] = {0, 24, 36, 48, 60, 84, kTokensMax};
    return kChoices[random() % std::size(kChoices)];
  }

  // Chunks one after another as latents of all their frames.
  static Latents StartOf(const RolloutSpec& spec, std::span<const float> chunks) {
    Latents start(spec.channels, spec.chunk.WithFrames(spec.start_latents));
    const auto chunk_values = static_cast<size_t>(spec.channels * spec.chunk.volume());
    for (int64_t first = 0; first < start.frames(); first += spec.chunk.frames) {
      const std::span<const float> chunk = chunks.first(chunk_values);
      start.SetFrames(first, {spec.channels, spec.chunk, {chunk.begin(), chunk.end()}});
      chunks = chunks.subspan(chunk_values);
    }
    return start;
  }

  std::unique_ptr<TextContext> Text(int number) {
    const std::vector<float> states = fixture_.Floats("text." + std::to_string(number));
    return Must(tiny_.model->NewTextContext(std::span(states).first(static_cast<size_t>(
                                                kRealTextRows * tiny_.model->config().text_dim)),
                                            kRealTextRows));
  }

  const Fixture& fixture_;
  TinyTransformer tiny_;
  std::unique_ptr<KvPool> pool_;
};

std::vector<Case> Cases() {
  const auto slots = [](RolloutSpec& spec) { spec.key_plan.kind = KeyPlanKind::kSlotWindow; };
  std::vector<Case> cases = {{"slot_window", 6, 2, slots}};
  for (PromptSwitch change : {PromptSwitch::kRecache, PromptSwitch::kRecacheAndSink}) {
    const std::string name(PromptSwitchName(change));
    const auto window = [change](RolloutSpec& spec) { spec.prompt_switch = change; };
    for (int64_t chunk : {2, 4, 6}) {
      cases.push_back({name + "." + std::to_string(chunk), chunk + 4, chunk, window, {chunk}});
    }
    cases.push_back({name + ".twice", 9, 4, window, {4, 5}});
    cases.push_back({name + ".slots",
                     8,
                     4,
                     [change](RolloutSpec& spec) {
                       spec.key_plan.kind = KeyPlanKind::kSlotWindow;
                       spec.prompt_switch = change;
                     },
                     {4}});
  }
  for (const auto& [name, spacing] : {std::pair("guided.wan", SigmaSpacing::kWan),
                                      {"guided.diffusers", SigmaSpacing::kDiffusers}}) {
    cases.push_back({name, 3, 0, [chosen = spacing](RolloutSpec& spec) {
                       UniPc(spec, chosen, 4);
                       spec.key_plan.sink_frames = 0;
                       spec.guidance = 3.0;
                     }});
  }
  cases.push_back({"bidirectional", 1, 0, [](RolloutSpec& spec) {
                     UniPc(spec, SigmaSpacing::kWan, 5);
                     spec.key_plan = {KeyPlanKind::kGlobal, 9, 0};
                     spec.chunk.frames = 9;
                     spec.guidance = 5.0;
                   }});
  for (const auto& [name, chunks] : {std::pair("rolling", 12), {"rolling.short", 3}}) {
    cases.push_back({name, chunks, 0, [](RolloutSpec& spec) {
                       FewStep(spec, {1000, 800, 600, 400, 200});
                       spec.kind = RolloutKind::kRolling;
                       spec.key_plan = {KeyPlanKind::kWindow, 21, 3};
                     }});
  }
  return cases;
}

class RolloutGoldenTest : public testing::TestWithParam<Case> {};

TEST_P(RolloutGoldenTest, LatentsAreTheReferences) {
  const Fixture fixture("f6");
  GoldenBackend backend("");
  RolloutGolden rollouts(fixture, backend.get());
  const std::vector<float> latents = rollouts.Roll(GetParam());
  ExpectClose("f6 " + GetParam().name, latents, fixture.Floats(GetParam().name), kLimit);
  // A dropped sweep leaves no trace, even one that makes K/V again in place.
  EXPECT_EQ(rollouts.Roll(GetParam(), {.drop_every_other_sweep = true}), latents);
}

// Which clean passes and steps share a sweep is free: where there is room, whoever else is in it.
TEST_P(RolloutGoldenTest, GroupingIntoSweepsLeavesNoTrace) {
  const Fixture fixture("f6");
  GoldenBackend backend("");
  RolloutGolden rollouts(fixture, backend.get(), DType::kBf16);  // so that rounding would show
  const std::vector<float> latents = rollouts.Roll(GetParam());
  for (uint64_t seed = 1; seed <= kGroupingSeeds; ++seed) {
    ASSERT_EQ(rollouts.Roll(GetParam(), {.grouping_seed = seed}), latents) << "seed " << seed;
    ASSERT_EQ(rollouts.Roll(GetParam(), {.drop_every_other_sweep = true, .grouping_seed = seed}),
              latents)
        << "seed " << seed << ", sweeps dropped at some layer";
  }
}

INSTANTIATE_TEST_SUITE_P(Policies, RolloutGoldenTest, testing::ValuesIn(Cases()),
                         [](const auto& param) {
                           std::string name = param.param.name;
                           for (char& letter : name) letter = letter == '.' ? '_' : letter;
                           return name;
                         });

// A take that begins with a take's own first chunks goes on as that take did, bit for bit: given
// frames are remembered as generated ones are (spec 3.5).
TEST(RolloutStart, GivenChunksGoOnAsTheirTake) {
  const Fixture fixture("f6");
  GoldenBackend backend("");
  RolloutGolden rollouts(fixture, backend.get());
  int policies = 0;
  for (const Case& which : Cases()) {
    if (which.name.starts_with("rolling") || which.name == "bidirectional") continue;
    ++policies;
    Case whole = which;
    whole.first_stored = 0;
    const std::vector<float> take = rollouts.Roll(whole);
    const size_t chunk = take.size() / static_cast<size_t>(which.chunks);
    for (size_t given : {size_t{1}, size_t{2}}) {
      const std::vector<float> start(take.begin(),
                                     take.begin() + static_cast<ptrdiff_t>(given * chunk));
      EXPECT_EQ(rollouts.Roll(whole, {.start = start}), take) << which.name;
      EXPECT_EQ(rollouts.Roll(whole, {.drop_every_other_sweep = true, .start = start}), take)
          << which.name << ", sweeps dropped";
    }
  }
  EXPECT_EQ(policies, 13);
}

// A state between two chunks is all there is to know: with new K/V pending, with an old text that a
// clean pass still needs, with given chunks that are not remembered yet.
TEST_P(RolloutGoldenTest, GoesOnFromACopyAtEveryBoundary) {
  const Fixture fixture("f6");
  GoldenBackend backend("");
  RolloutGolden rollouts(fixture, backend.get(), DType::kBf16);
  Case whole = GetParam();
  whole.first_stored = 0;
  const std::vector<float> take = rollouts.Roll(whole);
  const bool takes_start = whole.chunks > 2;
  const size_t given = takes_start ? take.size() * 2 / static_cast<size_t>(whole.chunks) : 0;
  const std::vector<float> start(take.begin(), take.begin() + static_cast<ptrdiff_t>(given));
  const std::vector<float> begun =
      takes_start ? rollouts.Roll(whole, {.start = start}) : std::vector<float>();
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const How how = {.drop_every_other_sweep = seed % 2 == 1, .grouping_seed = seed, .moves = true};
    ASSERT_EQ(rollouts.Roll(whole, how), take) << "seed " << seed;
    if (!takes_start) continue;
    How begins = how;
    begins.start = start;
    ASSERT_EQ(rollouts.Roll(whole, begins), begun) << "seed " << seed << ", with a start";
  }
}

// As many sweeps as forwards that take noise away, whatever is remembered beside them.
TEST(RolloutSweeps, CleanPassesCostNone) {
  const Fixture fixture("f6");
  GoldenBackend backend("");
  const auto sweeps_of = [&](const Case& which, size_t given) {
    RolloutGolden rollouts(fixture, backend.get());
    const std::vector<float> take = rollouts.Roll(which);
    const std::span<const float> start = std::span(take).first(take.size() * given / 8);
    rollouts.sweeps = 0;
    rollouts.Roll(which, {.start = {start.begin(), start.end()}});
    return rollouts.sweeps;
  };
  const Case chunks = {"", 8, 0, [](RolloutSpec& spec) {
                         spec.key_plan = {KeyPlanKind::kWindow, 21, 0};  // seven chunks
                       }};
  const Case rolling = {"", 8, 0, [](RolloutSpec& spec) {
                          FewStep(spec, {1000, 800, 600});
                          spec.kind = RolloutKind::kRolling;
                          spec.key_plan = {KeyPlanKind::kWindow, 21, 3};
                        }};
  EXPECT_EQ(sweeps_of(chunks, 0), 8 * 2);
  EXPECT_EQ(sweeps_of(chunks, 6), 2 * 2);
  EXPECT_EQ(sweeps_of(chunks, 7), 1 * 2) << "a full window of given chunks";
  EXPECT_EQ(sweeps_of(rolling, 0), 8 + 2);
  EXPECT_EQ(sweeps_of(rolling, 5), 3 + 2);
}

// Several chunks at once: the given ones come first as they are, then others that saw them.
TEST(RolloutStart, RollingChunksFollowGivenOnes) {
  const Fixture fixture("f6");
  GoldenBackend backend("");
  RolloutGolden rollouts(fixture, backend.get());
  int policies = 0;
  for (const Case& which : Cases()) {
    if (which.name != "rolling") continue;
    ++policies;
    const std::vector<float> take = rollouts.Roll(which);
    const size_t chunk = take.size() / static_cast<size_t>(which.chunks);
    const auto part = [&](size_t index) {
      const auto from = take.begin() + static_cast<ptrdiff_t>(index * chunk);
      return std::vector<float>(from, from + static_cast<ptrdiff_t>(chunk));
    };
    const std::vector<float> after_first = rollouts.Roll(which, {.start = part(0)});
    const std::vector<float> after_other =
        rollouts.Roll(which, {.drop_every_other_sweep = true, .start = part(3)});
    ASSERT_EQ(after_first.size(), take.size());
    EXPECT_TRUE(std::equal(take.begin(), take.begin() + static_cast<ptrdiff_t>(chunk),
                           after_first.begin()));
    EXPECT_EQ(rollouts.Roll(which, {.drop_every_other_sweep = true, .start = part(0)}),
              after_first);
    EXPECT_NE(after_first, after_other);
  }
  EXPECT_EQ(policies, 1);
}

// The comparison can tell a re-cache from a plain swap, and one sink from the other.
TEST(RolloutGoldenMutation, AnotherPromptSwitchIsSeen) {
  const Fixture fixture("f6");
  GoldenBackend backend("");
  RolloutGolden rollouts(fixture, backend.get());
  const std::vector<float> expected = fixture.Floats("recache.6");
  for (PromptSwitch change : {PromptSwitch::kSwap, PromptSwitch::kRecacheAndSink}) {
    const Case which{"", 10, 6, [change](RolloutSpec& spec) { spec.prompt_switch = change; }, {6}};
    EXPECT_GT(RelativeError(rollouts.Roll(which), expected), 1e-3);
  }
}

}  // namespace
}  // namespace longtake
