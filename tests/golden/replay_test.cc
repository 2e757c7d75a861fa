// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Replay: a take goes on from what it was at one boundary to another by the latents that it made in
// between, and is then, field by field and bit by bit, what it was there.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/philox.h"
#include "tests/golden/golden_backend.h"
#include "tests/golden/table_roll.h"
#include "tests/golden/tiny_model.h"

namespace longtake {
namespace {

constexpr int64_t kRows = 4;  // of a frame
constexpr int64_t kSide = 4;
constexpr int64_t kTextRows = 5;
constexpr int64_t kTokensMax = 512;
constexpr uint64_t kSeeds = 24;  // for each policy
constexpr char kConfig[] = R"({"num_attention_heads": 2, "attention_head_dim": 24, "ffn_dim": 64,
    "num_layers": 3, "text_dim": 24, "cross_attn_norm": true})";

struct Policy {
  std::string name;
  int64_t chunks = 8;
  std::function<void(RolloutSpec&)> change = {};
  std::vector<int64_t> switches = {};  // chunks before which the prompt becomes another
  int64_t start_chunks = 0;
};

void PrintTo(const Policy& policy, std::ostream* out) { *out << policy.name; }

std::function<void(RolloutSpec&)> With(KeyPlanSpec plan,
                                       PromptSwitch prompt_switch = PromptSwitch::kSwap) {
  return [=](RolloutSpec& spec) {
    spec.key_plan = plan;
    spec.prompt_switch = prompt_switch;
  };
}

std::function<void(RolloutSpec&)> Also(std::function<void(RolloutSpec&)> first,
                                       std::function<void(RolloutSpec&)> then) {
  return [=](RolloutSpec& spec) {
    first(spec);
    then(spec);
  };
}

std::vector<Policy> ReplayedPolicies() {
  using enum KeyPlanKind;
  const auto guided = [](RolloutSpec& spec) { spec.guidance = 3.0; };
  const PromptSwitch recache = PromptSwitch::kRecache;
  const PromptSwitch moves_sink = PromptSwitch::kRecacheAndSink;
  return {
      {"global", 5, With({kGlobal, 15, 0}), {2}},
      {"window", 8, With({kWindow, 9, 0}), {2, 5, 5, 6}},
      {"window_sink", 8, With({kWindow, 9, 3}), {4}},
      {"slots", 8, With({kSlotWindow, 9, 3}), {3}},
      {"rolling_sink", 9, With({kRollingSink, 9, 0}), {2, 6}},
      {"recache", 9, With({kWindow, 9, 3}, recache), {2, 5, 6}},
      {"recache_and_sink", 10, With({kWindow, 9, 3}, moves_sink), {4, 5, 8}},
      {"recache_slots", 8, With({kSlotWindow, 9, 3}, recache), {5}},
      {"recache_and_sink_slots", 8, With({kSlotWindow, 9, 3}, moves_sink), {4, 6}},
      {"guidance", 7, Also(With({kWindow, 9, 3}), guided), {3}},
      {"guidance_recache", 8, Also(With({kWindow, 9, 3}, moves_sink), guided), {3, 5}},
      {"start", 8, With({kWindow, 9, 3}), {2, 5}, 4},
      {"start_recache", 8, With({kWindow, 9, 3}, moves_sink), {1, 2, 6}, 3},
      {"single_frames",
       9,
       Also(With({kWindow, 5, 1}), [](RolloutSpec& spec) { spec.chunk.frames = 1; }),
       {4}},
      {"context_noise", 7, [](RolloutSpec& spec) { spec.context_noise = 100; }},
      {"bidirectional", 1, With({kGlobal, 3, 0})},
  };
}

// Their chunks in work need every forward, so the way from one boundary to another is to make them
// again.
std::vector<Policy> RollingPolicies() {
  const auto rolling = [](RolloutSpec& spec) {
    spec.kind = RolloutKind::kRolling;
    spec.key_plan = {KeyPlanKind::kWindow, 12, 3};
    spec.levels.push_back({.sigma = 0.2, .timestep = 200});
  };
  return {{"rolling", 9, rolling, {3, 4}}, {"rolling_start", 8, rolling, {1, 5}, 2}};
}

// A take at a boundary.
struct Cut {
  RolloutState state;
  KvImage kv;
  size_t changes = 0;  // of the prompt, so far
};

// A boundary: when its chunk came, when its prompts were changed, when no clean pass waited.
struct Boundary {
  Cut fresh;
  Cut changed;
  Cut written;
};

void ExpectSame(const Cut& cut, const Cut& expected, const std::string& when) {
  EXPECT_EQ(cut.state.chunk, expected.state.chunk) << when;
  EXPECT_EQ(cut.state.unwritten, expected.state.unwritten) << when;
  EXPECT_EQ(cut.state.frames, expected.state.frames) << when;
  EXPECT_EQ(cut.state.sink_start, expected.state.sink_start) << when;
  EXPECT_TRUE(cut.state == expected.state) << when;
  EXPECT_TRUE(cut.kv == expected.kv) << when;
}

class Model {
 public:
  Model()
      : backend_(""),
        tiny({.config_json = kConfig,
              .seed = 11,
              .stream = {},
              .model = {.tokens_max = kTokensMax, .text_rows = 8, .kv_dtype = DType::kBf16}},
             backend_.get()),
        pool(Must(KvPool::Create(tiny.model->device(), 32 << 20))) {}

  std::unique_ptr<TextContext> Text(size_t number) {
    std::vector<float> states(static_cast<size_t>(kTextRows * tiny.model->config().text_dim));
    PhiloxNormal(5, number, 0, states);
    return Must(tiny.model->NewTextContext(states, kTextRows));
  }

 private:
  GoldenBackend backend_;

 public:
  TinyTransformer tiny;
  std::unique_ptr<KvPool> pool;
};

// A take of a policy on its way.
class Player {
 public:
  Player(const Policy& policy, Model& model)
      : policy_(policy), model_(model), roll_(Spec(policy, model), model.tiny, *model.pool) {
    if (policy.start_chunks > 0) {
      const RolloutSpec& spec = rollout().spec();
      Latents start(spec.channels, spec.chunk.WithFrames(spec.start_latents));
      PhiloxNormal(6, 0, 0, start.values());
      rollout().SetStart(std::move(start));
    }
    SetTexts();
  }
  Player(const Policy& policy, Model& model, const Cut& cut) : Player(policy, model) {
    changes_ = cut.changes;
    roll_.GoOnFrom(cut.state, cut.kv);
    SetTexts();
  }

  Rollout& rollout() { return *roll_.rollout; }
  Cut Copy() { return {.state = rollout().state(), .kv = roll_.Kv(), .changes = changes_}; }
  void Move() {
    roll_.Move();
    SetTexts();
  }
  // The prompts that were changed at this boundary.
  void ChangeTexts() {
    while (changes_ < policy_.switches.size() && policy_.switches[changes_] == rollout().chunk()) {
      ++changes_;
      roll_.ChangeText(model_.Text(TextNumber(changes_)));
    }
  }
  std::optional<FinishedChunk> TakeGiven() { return roll_.TakeGiven(); }
  std::optional<FinishedChunk> Sweep(int64_t rows_max) {
    ++sweeps;
    roll_.Sweep(rows_max);
    return roll_.Settle();
  }
  void DropSweep(int64_t layers) { roll_.DropSweep(kTokensMax, layers); }
  void WriteAll() {
    while (!rollout().state().unwritten.empty()) Sweep(0);
  }
  // Until the next chunk is finished.
  FinishedChunk MakeChunk(int64_t rows_max) {
    for (;;) {
      std::optional<FinishedChunk> chunk = TakeGiven();
      if (!chunk.has_value()) chunk = Sweep(rows_max);
      if (chunk.has_value()) return *std::move(chunk);
    }
  }

  int64_t sweeps = 0;

 private:
  static RolloutSpec Spec(const Policy& policy, Model& model) {
    RolloutSpec spec;
    spec.levels = {{.sigma = 1.0, .timestep = 1000}, {.sigma = 0.6, .timestep = 600}};
    spec.key_plan = {KeyPlanKind::kWindow, 9, 3};
    spec.seed = 3;
    spec.chunk.height = spec.chunk.width = kSide;
    spec.chunk_count = policy.chunks;
    spec.kv_layout = model.tiny.model->kv_layout(kSide, kSide);
    policy.change(spec);
    spec.start_latents = policy.start_chunks * spec.chunk.frames;
    return spec;
  }

  // Of the first branch after so many changes.
  size_t TextNumber(size_t changes) {
    return changes == 0 ? 0 : rollout().branch_count() - 1 + changes;
  }
  void SetTexts() {
    if (rollout().HasText(0)) return;
    rollout().SetText(0, PromptTexts(model_.Text(TextNumber(changes_))));
    if (rollout().branch_count() == 2) rollout().SetText(1, PromptTexts(model_.Text(1)));
    if (!rollout().needs_old_text()) return;
    // Clean passes wait for the text from before this boundary.
    const auto& switches = policy_.switches;
    const auto before = std::count_if(switches.begin(), switches.end(),
                                      [&](int64_t chunk) { return chunk < rollout().chunk(); });
    rollout().SetOldText(PromptTexts(model_.Text(TextNumber(static_cast<size_t>(before)))));
  }

  const Policy& policy_;
  Model& model_;
  TableRoll roll_;
  size_t changes_ = 0;
};

// A take that nothing interrupts.
struct Whole {
  std::vector<Boundary> boundaries;  // before each chunk, and at the end
  std::deque<Latents> log;
};

Whole MakeWhole(const Policy& policy, Model& model) {
  Whole whole;
  Player player(policy, model);
  for (;;) {
    Boundary& boundary = whole.boundaries.emplace_back();
    boundary.fresh = player.Copy();
    player.ChangeTexts();
    boundary.changed = player.Copy();
    player.WriteAll();
    boundary.written = player.Copy();
    if (player.rollout().done()) return whole;
    FinishedChunk chunk = player.MakeChunk(kTokensMax);
    EXPECT_EQ(chunk.index, std::ssize(whole.log));
    whole.log.push_back(std::move(chunk.latents));
  }
}

class ReplayTest : public testing::TestWithParam<Policy> {
 protected:
  ReplayTest() : whole_(MakeWhole(GetParam(), model_)) {}

  // One of the cuts of a boundary.
  const Cut& AnyCut(int64_t chunk) {
    const Boundary& boundary = whole_.boundaries[static_cast<size_t>(chunk)];
    const Cut* cuts[] = {&boundary.fresh, &boundary.changed, &boundary.written};
    return *cuts[random_() % std::size(cuts)];
  }
  int64_t Draw(int64_t from, int64_t to) {
    return from + static_cast<int64_t>(random_() % static_cast<uint64_t>(to - from + 1));
  }
  int64_t DrawRows() { return std::vector<int64_t>{0, 24, 36, 60, kTokensMax}[random_() % 5]; }
  std::deque<Latents> Logged(int64_t first, int64_t end) {
    return {whole_.log.begin() + first, whole_.log.begin() + end};
  }
  void ExpectLogged(const FinishedChunk& chunk) {
    EXPECT_TRUE(chunk.latents == whole_.log[static_cast<size_t>(chunk.index)])
        << "chunk " << chunk.index;
  }

  // To the boundary before chunk end; with as few or as many clean passes a sweep as it comes.
  void Replay(Player& player, int64_t end) {
    int64_t handed = player.rollout().chunk();  // up to which chunk
    while (player.rollout().chunk() < end) {
      const bool at_start = player.rollout().at_chunk_start();
      if (at_start && random_() % 4 == 0) {
        player.Move();
        handed = player.rollout().chunk();
      }
      if (at_start && handed <= player.rollout().chunk()) {
        handed = Draw(player.rollout().chunk() + 1, end);
        player.rollout().SetLogged(Logged(player.rollout().chunk(), handed), Draw(0, 9));
      }
      player.ChangeTexts();
      if (const auto chunk = player.TakeGiven(); chunk.has_value()) {
        ExpectLogged(*chunk);
        continue;
      }
      if (random_() % 4 == 0) player.DropSweep(Draw(0, 3));
      EXPECT_FALSE(player.Sweep(DrawRows()).has_value()) << "a chunk was made";
    }
  }
  // From a boundary to the end, where it is what it was.
  void GoOn(Player& player) {
    const int64_t chunk = player.rollout().chunk();
    player.ChangeTexts();
    player.WriteAll();
    ExpectSame(player.Copy(), whole_.boundaries[static_cast<size_t>(chunk)].written, "written");
    while (!player.rollout().done()) {
      player.ChangeTexts();
      ExpectLogged(player.MakeChunk(DrawRows()));
    }
    ExpectSame(player.Copy(), whole_.boundaries.back().fresh, "at the end");
  }

  Model model_;
  Whole whole_;
  std::mt19937_64 random_;
};

class LoggedReplayTest : public ReplayTest {};
class RollingReplayTest : public ReplayTest {};

TEST_P(LoggedReplayTest, ComesToWhatTheTakeWas) {
  const int64_t chunks = GetParam().chunks;
  for (uint64_t seed = 1; seed <= kSeeds && !HasFailure(); ++seed) {
    random_.seed(seed);
    const int64_t first = Draw(0, chunks - 1);
    const int64_t end = Draw(first + 1, chunks);
    SCOPED_TRACE(testing::Message() << "seed " << seed << ", chunks " << first << " to " << end);
    Player player(GetParam(), model_, AnyCut(first));
    Replay(player, end);
    GoOn(player);
  }
}

// At its own pace the take itself has no other state at any boundary.
TEST_P(LoggedReplayTest, IsTheTakeAtEveryBoundaryOnItsWay) {
  const int64_t chunks = GetParam().chunks;
  for (int64_t first = 0; first < chunks; ++first) {
    random_.seed(static_cast<uint64_t>(first));
    Player player(GetParam(), model_, AnyCut(first));
    player.rollout().SetLogged(Logged(first, chunks));
    while (!player.rollout().done()) {
      player.ChangeTexts();
      player.WriteAll();
      ExpectLogged(player.MakeChunk(kTokensMax));
      const Boundary& boundary = whole_.boundaries[static_cast<size_t>(player.rollout().chunk())];
      ExpectSame(player.Copy(), boundary.fresh, "fresh");
      player.ChangeTexts();
      ExpectSame(player.Copy(), boundary.changed, "changed");
      player.WriteAll();
      ExpectSame(player.Copy(), boundary.written, "written");
    }
  }
}

TEST_P(RollingReplayTest, IsMadeAgain) {
  const int64_t chunks = GetParam().chunks;
  for (uint64_t seed = 1; seed <= kSeeds && !HasFailure(); ++seed) {
    random_.seed(seed);
    const int64_t first = Draw(0, chunks - 1);
    const int64_t end = Draw(first + 1, chunks);
    SCOPED_TRACE(testing::Message() << "seed " << seed << ", chunks " << first << " to " << end);
    Player player(GetParam(), model_, AnyCut(first));
    while (player.rollout().chunk() < end) {
      player.ChangeTexts();
      std::optional<FinishedChunk> chunk = player.TakeGiven();
      if (!chunk.has_value()) {
        if (random_() % 4 == 0) player.DropSweep(Draw(0, 3));
        chunk = player.Sweep(DrawRows());
      }
      if (chunk.has_value()) ExpectLogged(*chunk);
    }
    GoOn(player);
  }
}

std::string NameOf(const testing::TestParamInfo<Policy>& info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(Policies, LoggedReplayTest, testing::ValuesIn(ReplayedPolicies()), NameOf);
INSTANTIATE_TEST_SUITE_P(Policies, RollingReplayTest, testing::ValuesIn(RollingPolicies()), NameOf);

TEST(ReplayDeathTest, ARollingTakeHasNoUseForALog) {
  RolloutSpec spec;
  spec.kind = RolloutKind::kRolling;
  const std::unique_ptr<Rollout> rollout = Rollout::Create(spec);
  EXPECT_FALSE(rollout->can_replay());
  EXPECT_DEATH(rollout->SetLogged({}), "");
}

// What the sweeps from a boundary, where no clean pass waits, to another one bring, without the
// next chunk's step.
std::vector<int64_t> RowsOfReplay(Player& player, const Whole& whole, const ReplaySpan& span,
                                  int64_t rows_max) {
  const Rollout& rollout = player.rollout();
  const int64_t clean_rows =
      static_cast<int64_t>(rollout.branch_count()) * rollout.spec().chunk.frames * kRows;
  player.rollout().SetLogged({whole.log.begin() + span.first, whole.log.begin() + span.end},
                             span.spare_frames);
  std::vector<int64_t> rows;
  while (rollout.chunk() < span.end || !rollout.state().unwritten.empty()) {
    const bool there = rollout.chunk() == span.end;
    if (!there) player.ChangeTexts();
    if (player.TakeGiven().has_value()) continue;
    const int64_t most =
        there ? std::min(rows_max, clean_rows * std::ssize(rollout.state().unwritten)) : rows_max;
    rows.push_back(rollout.needs(most).rows);
    player.Sweep(most);
  }
  return rows;
}

// A clean pass for each chunk and nothing else: in as few sweeps as rows and K/V allow.
TEST(ReplaySweeps, CleanPassesShareThem) {
  Model model;
  const Policy policy = {"", 20, With({KeyPlanKind::kWindow, 9, 3}), {}};
  const Whole whole = MakeWhole(policy, model);
  const auto sweeps = [&](int64_t rows_max, int64_t spare_frames) {
    Player player(policy, model, whole.boundaries[6].written);
    const auto rows = RowsOfReplay(player, whole,
                                   {.first = 6, .end = 18, .spare_frames = spare_frames}, rows_max);
    ExpectSame(player.Copy(), whole.boundaries[18].written, "written");
    return rows.size();
  };
  EXPECT_EQ(sweeps(kTokensMax, 0), 12u) << "a full window has room for the frames of one chunk";
  EXPECT_EQ(sweeps(kTokensMax, 9), 3u);
  EXPECT_EQ(sweeps(kTokensMax, 33), 1u);
  EXPECT_EQ(sweeps(3 * 3 * kRows, 33), 4u) << "three chunks' rows fit a sweep";
  EXPECT_EQ(sweeps(0, 33), 12u);
}

TEST_P(LoggedReplayTest, ItsSweepsAreForeseen) {
  const Policy& policy = GetParam();
  for (uint64_t seed = 1; seed <= kSeeds && policy.chunks > 1; ++seed) {
    random_.seed(seed);
    ReplaySpan span = {.first = Draw(0, policy.chunks - 2)};
    // The start goes on being given, with or without a log.
    span.end = Draw(std::max(span.first, policy.start_chunks), policy.chunks - 1);
    span.spare_frames = Draw(0, 9);
    for (const int64_t change : policy.switches) {
      if (change >= span.first && change < span.end) span.changes.push_back(change);
    }
    const int64_t rows_max = DrawRows();
    Player player(policy, model_, whole_.boundaries[static_cast<size_t>(span.first)].written);
    const RolloutSpec spec = player.rollout().spec();
    std::vector<int64_t> foreseen;
    for (const SweepLoad& sweep : SweepsOfReplay(spec, span, rows_max, false)) {
      foreseen.push_back(sweep.tokens);
    }
    EXPECT_EQ(RowsOfReplay(player, whole_, span, rows_max), foreseen)
        << "seed " << seed << ", chunks " << span.first << " to " << span.end;
  }
}

}  // namespace
}  // namespace longtake
