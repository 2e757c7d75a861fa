// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Prints the digest of one take for every recipe and policy a test can make. A change that is meant
// to leave the bits alone prints the same table before and after.
//
// usage: longtake_take_digests [--moving|--resumed|--resumed-snapshots|--late] [--staged] [TABLE]
//
// With --moving each take moves to a fresh engine at every boundary and must come to the same. With
// --resumed its process is killed over and over, at any moment, and it comes back from the store;
// with --resumed-snapshots a snapshot is made at every boundary at which none is on its way, and
// when a process ends in peace. With --late it is made on late devices (tests/late/late_device.h).
// With --staged the transformer is cut into several stages, after each move into others.
//
// With a table (tests/engine/take_digests.txt) each line is compared with it; a take that this
// processor cannot make is left out. Exits with 1 when a line differs or a take fails.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/model/vae/tiny_decoder.h"
#include "nlohmann/json.hpp"
#include "pack/synthetic_weights.h"
#include "tests/engine/engine_fixture.h"
#include "tests/engine/late_model.h"

namespace longtake {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Pixel frames of a take of so many chunks of three latents: the first latent is one frame.
constexpr int64_t Frames(int64_t chunks) { return 12 * chunks - 3; }

struct Change {
  int64_t chunk = 0;  // an even one: two chunks fill the outbox
  std::string prompt;
};

// The same in the spec: whoever is asked when must not show.
std::function<void(SessionSpec& spec)> Timed(std::function<void(SessionSpec& spec)> also,
                                             const std::vector<Change>& changes) {
  return [=](SessionSpec& spec) {
    if (also) also(spec);
    for (const Change& change : changes) {
      spec.prompt_changes.push_back({.frame = Frames(change.chunk), .prompt = change.prompt});
    }
  };
}

// One line of the table.
struct TakeCase {
  std::string name;
  std::string recipe = "self-forcing";  // of RecipeNames
  json recipe_changes = json::object();
  bool int8 = false;
  bool tiny_decoder = false;
  int64_t chunks = 10;
  std::function<void(EngineSetup& setup)> setup = {};
  std::function<void(SessionSpec& spec)> spec = {};
  std::vector<Change> changes = {};
};

KeyPlanSpec Plan(KeyPlanKind kind, int64_t window, int64_t sink) {
  return {.kind = kind, .window_frames = window, .sink_frames = sink};
}

std::function<void(SessionSpec& spec)> WithPlan(KeyPlanSpec plan,
                                                PromptSwitch prompt_switch = PromptSwitch::kSwap) {
  return [=](SessionSpec& spec) {
    spec.key_plan = plan;
    spec.prompt_switch = prompt_switch;
  };
}

void FromFile(EngineSetup& setup) {
  setup.engine.kv_bytes_max = 384 << 10;  // too little for a session
  setup.engine.files = &PosixFileSystem();
  setup.engine.kv_file_directory = fs::temp_directory_path().string();
  setup.engine.kv_file_bytes_max = 64 << 20;
  setup.engine.kv_stream.bytes = 4 << 20;
}

void Streamed(EngineSetup& setup) {
  setup.model.kept_bytes_max = 0;
  setup.model.slot_count = 2;
}

std::vector<TakeCase> PlanCases() {
  return {
      {.name = "window"},
      {.name = "window-160x96",
       .chunks = 3,
       .spec =
           [](SessionSpec& spec) {
             spec.width = 160;
             spec.height = 96;
           }},
      {.name = "window-sink", .spec = WithPlan(Plan(KeyPlanKind::kWindow, 12, 3))},
      {.name = "slot-window", .spec = WithPlan(Plan(KeyPlanKind::kSlotWindow, 12, 3))},
      {.name = "rolling-sink", .recipe = "rolling-sink", .chunks = 24},
      {.name = "global", .chunks = 7, .spec = WithPlan(Plan(KeyPlanKind::kGlobal, 21, 0))},
      {.name = "context-noise", .recipe_changes = {{"context_noise", 100}}},
      {.name = "six-steps",
       .spec = [](SessionSpec& spec) { spec.steps = {1000, 900, 700, 500, 300, 100}; }},
  };
}

std::vector<TakeCase> PromptCases() {
  const Change square{2, "a blue square on a black background"};
  const Change triangle{6, "a green triangle going up"};
  const KeyPlanSpec window = Plan(KeyPlanKind::kWindow, 12, 3);
  const KeyPlanSpec slots = Plan(KeyPlanKind::kSlotWindow, 12, 3);
  return {
      {.name = "swap", .changes = {square}},
      {.name = "recache-sink-kept",
       .spec = WithPlan(window, PromptSwitch::kRecache),
       .changes = {triangle}},
      {.name = "recache-sink-moved",
       .spec = WithPlan(window, PromptSwitch::kRecacheAndSink),
       .changes = {triangle}},
      {.name = "recache-slots",
       .spec = WithPlan(slots, PromptSwitch::kRecache),
       .changes = {triangle}},
      {.name = "recache-slots-sink-moved",
       .spec = WithPlan(slots, PromptSwitch::kRecacheAndSink),
       .changes = {triangle}},
      {.name = "recache-twice",
       .spec = WithPlan(window, PromptSwitch::kRecacheAndSink),
       .changes = {square, triangle}},
      {.name = "rolling-changed", .recipe = "rolling-forcing", .changes = {square, triangle}},
      {.name = "timed-swap", .spec = Timed({}, {square})},
      {.name = "timed-recache-twice",
       .spec = Timed(WithPlan(window, PromptSwitch::kRecacheAndSink), {square, triangle})},
      {.name = "timed-rolling", .recipe = "rolling-forcing", .spec = Timed({}, {square, triangle})},
  };
}

std::vector<TakeCase> SamplerCases() {
  const json unipc = {{"sampler", "unipc"}, {"steps", json::array()}};
  const json unipc_diffusers = {
      {"sampler", "unipc"}, {"steps", json::array()}, {"sigma_spacing", "diffusers"}};
  const auto guided = [](SessionSpec& spec) {
    spec.guidance = 3.0;
    spec.negative_prompt = "a red circle";
    spec.step_count = 5;
  };
  std::vector<TakeCase> cases = {
      {.name = "guidance",
       .spec =
           [](SessionSpec& spec) {
             spec.guidance = 3.0;
             spec.negative_prompt = "a red circle";
           }},
      {.name = "euler", .recipe_changes = {{"sampler", "euler"}}},
      {.name = "unipc-wan-guidance", .recipe_changes = unipc, .spec = guided},
      {.name = "unipc-diffusers-guidance", .recipe_changes = unipc_diffusers, .spec = guided},
      {.name = "bidirectional", .recipe = "wan-base", .chunks = 7, .spec = guided},
      {.name = "bidirectional-diffusers",
       .recipe = "wan-base",
       .recipe_changes = {{"sigma_spacing", "diffusers"}},
       .chunks = 7,
       .spec = guided},
      {.name = "rolling-long", .recipe = "rolling-forcing", .chunks = 14},
      {.name = "rolling-short", .recipe = "rolling-forcing", .chunks = 3},
      {.name = "rolling-fewer-steps",
       .recipe = "rolling-forcing",
       .spec = [](SessionSpec& spec) { spec.steps = {1000, 700, 400}; }},
  };
  return cases;
}

std::vector<TakeCase> OtherCases() {
  const auto start = [](SessionSpec& spec) { spec.start_frames = Frames(2); };
  const auto tiny = [](SessionSpec& spec) { spec.decoder = DecoderKind::kTiny; };
  const auto amx = [](EngineSetup& setup) { setup.model.numerics_profile = kAmxBf16Profile; };
  return {
      {.name = "start-frames", .chunks = 5, .spec = start},
      {.name = "start-frames-rolling", .recipe = "rolling-forcing", .chunks = 8, .spec = start},
      {.name = "tiny-decoder", .tiny_decoder = true, .chunks = 4, .spec = tiny},
      {.name = "tiled",
       .chunks = 3,
       .spec =
           [](SessionSpec& spec) {
             spec.tiled_decode = true;
             spec.width = 320;
             spec.height = 288;
           }},
      {.name = "int8", .int8 = true},
      {.name = "int8-streamed", .int8 = true, .setup = Streamed},
      {.name = "streamed", .setup = Streamed},
      {.name = "kv-file", .setup = FromFile},
      {.name = "kv-file-recache",
       .setup = FromFile,
       .spec = WithPlan(Plan(KeyPlanKind::kWindow, 12, 3), PromptSwitch::kRecacheAndSink),
       .changes = {{6, "a green triangle going up"}}},
      {.name = "kv-file-rolling", .recipe = "rolling-forcing", .setup = FromFile},
      {.name = "amx", .setup = amx},
      {.name = "amx-int8", .int8 = true, .setup = amx},
  };
}

// The embedded model, with a decoder of random weights beside its own where one is asked for.
std::string ModelDirectory(const ScratchPack& scratch, bool tiny_decoder) {
  const std::string model =
      std::string(std::getenv("LONGTAKE_SOURCE_DIR")) + "/models/shapes-small";
  if (!tiny_decoder) return model;
  const std::string copy = scratch.directory() + "/model";
  fs::copy(model, copy, fs::copy_options::recursive);
  WorkerPool workers(1);
  const absl::Status written = WriteSyntheticComponent(
      PosixFileSystem(), copy + "/tiny_decoder",
      {.layout = TinyDecoderLayout(), .config_json = "{}", .rule = {.seed = 3}}, workers);
  LT_CHECK(written.ok());
  return copy;
}

// Packs are made once for all cases that share one.
std::string PackOf(const TakeCase& take) {
  static auto& packs = *new std::map<std::string, std::unique_ptr<ScratchPack>>;
  static const ScratchPack scratch;
  json document = json::parse(SmallRecipe(take.recipe));
  document.update(take.recipe_changes);
  const std::string recipe = document.dump();
  auto& pack = packs[absl::StrCat(recipe, take.int8, take.tiny_decoder)];
  if (pack == nullptr) {
    pack = std::make_unique<ScratchPack>(
        PackModelOptions{.recipe = recipe, .quantize_int8 = take.int8, .progress = {}},
        ModelDirectory(scratch, take.tiny_decoder));
  }
  return pack->directory();
}

// Frames that no model made: ramps that move.
std::string StartFrames(const SessionSpec& spec) {
  std::string rgb;
  for (int64_t frame = 0; frame < spec.start_frames; ++frame) {
    for (int64_t y = 0; y < spec.height; ++y) {
      for (int64_t x = 0; x < spec.width; ++x) {
        for (int64_t value : {4 * x + 3 * frame, 7 * y, 2 * (x + y) + 5 * frame}) {
          rgb.push_back(static_cast<char>(value % 256));
        }
      }
    }
  }
  return rgb;
}

// Turns until nothing is left to do. Chunks that nobody takes fill the outbox, which stops the
// session at a chunk that does not depend on anybody's speed.
absl::StatusOr<Hash128> Run(TestEngine& engine, const SessionSpec& spec,
                            const std::vector<Change>& changes) {
  LT_ASSIGN_OR_RETURN(const std::shared_ptr<Session> session, engine.CreateSession(spec, ""));
  if (spec.start_frames != 0) {
    LT_RETURN_IF_ERROR(session->PutStart(0, 0, StartFrames(spec)));
  }
  const uint64_t reader = *session->Attach(-1, nullptr);
  Received received;
  size_t changed = 0;
  while (!received.end.has_value()) {
    engine.RunUntilIdle();
    if (changed < changes.size() && session->Info().chunk_count == changes[changed].chunk) {
      LT_RETURN_IF_ERROR(
          engine->Submit(*session, {EventKind::kPrompt, changes[changed].prompt}).status());
      engine.RunUntilIdle();
      ++changed;
    }
    const size_t before = received.chunks.size();
    PollAll(*session, reader, &received);
    LT_CHECK(received.end.has_value() || received.chunks.size() > before);
  }
  LT_RETURN_IF_ERROR(*received.end);
  LT_CHECK(received.applied.size() == changes.size());
  for (size_t i = 0; i < changes.size(); ++i) {
    LT_CHECK(received.applied[i].chunk == changes[i].chunk);
  }
  return received.chunks.back()->chain;
}

// The same take, which moves at every boundary: what is saved there goes on in a fresh engine,
// while the old one went on for some turns in vain.
absl::StatusOr<Hash128> RunMoving(TestEngine& engine, const EngineOptions& options,
                                  const SessionSpec& spec, const std::vector<Change>& changes) {
  LT_ASSIGN_OR_RETURN(std::shared_ptr<Session> session, engine.CreateSession(spec, "moved"));
  if (spec.start_frames != 0) {
    LT_RETURN_IF_ERROR(session->PutStart(0, 0, StartFrames(spec)));
  }
  uint64_t reader = *session->Attach(-1, nullptr);
  Received received;
  size_t changed = 0;
  std::optional<RolloutState> last;
  int moves = 0;
  while (engine->Step() || engine->Step()) {  // a turn may only hand something over
    PollAll(*session, reader, &received);
    if (received.end.has_value()) break;
    absl::StatusOr<SavedTake> saved = engine->Save(*session);
    if (!saved.ok() || !saved->rollout.has_start) continue;
    if (changed < changes.size() && saved->rollout.chunk == changes[changed].chunk) {
      LT_RETURN_IF_ERROR(
          engine->Submit(*session, {EventKind::kPrompt, changes[changed].prompt}).status());
      ++changed;
      continue;
    }
    if (last == saved->rollout) continue;
    last = saved->rollout;
    for (int i = 0; i < moves % 4; ++i) engine->Step();
    LT_RETURN_IF_ERROR(engine.Renew(options));
    LT_ASSIGN_OR_RETURN(session, engine->Restore(*saved));
    reader = *session->Attach(-1, nullptr);
    ++moves;
  }
  LT_CHECK(received.end.has_value() && moves > 1);
  LT_RETURN_IF_ERROR(*received.end);
  LT_CHECK(received.applied.size() == changes.size());
  return received.chunks.back()->chain;
}

// The same take in processes that are killed: of each nothing is left but what it had committed.
// The client attaches with what it has, and repeats what it got no receipt for.
class KilledTake {
 public:
  KilledTake(TestEngine& engine, EngineOptions options, SessionSpec spec,
             const std::vector<Change>& changes, uint64_t seed)
      : engine_(engine),
        options_(std::move(options)),
        spec_(std::move(spec)),
        changes_(changes),
        random_(seed) {}

  ~KilledTake() { Kill(); }
  KilledTake(const KilledTake&) = delete;
  KilledTake& operator=(const KilledTake&) = delete;

  absl::StatusOr<Hash128> Run() {
    LT_RETURN_IF_ERROR(Begin());
    LT_RETURN_IF_ERROR(Create());
    // Each process may live longer than the one before, so that the take comes to its end.
    uint64_t kills = 0;
    for (;; ++kills) {
      const uint64_t turns = random_() % (10 + 5 * kills);
      for (uint64_t turn = 0; turn < turns && !received_.end.has_value(); ++turn) {
        LT_RETURN_IF_ERROR(Turn());
      }
      if (received_.end.has_value()) break;
      if (random_() % 4 == 0) EndInPeace();
      LT_RETURN_IF_ERROR(Begin());
      LT_RETURN_IF_ERROR(Attach());
    }
    LT_RETURN_IF_ERROR(*received_.end);
    LT_CHECK(kills > 1);
    // A take of few chunks may be done before it is killed at a later one.
    LT_CHECK(options_.resume_seconds_max != 0 || received_.chunks.size() < 7 ||
             from_snapshots_ > 0);
    LT_RETURN_IF_ERROR(CheckReceipts());
    const std::shared_ptr<const MediaChunk> last = received_.chunks.back();
    LT_CHECK(last->index + 1 == std::ssize(received_.chunks));
    return last->chain;
  }

 private:
  void Kill() {
    session_ = nullptr;
    if (store_ != nullptr) store_->Stop();
    engine_.Stop();
    store_ = nullptr;
  }
  // Also with chunks that are never finished, for there is nobody to take those before them.
  void EndInPeace() {
    engine_->Drain(INT64_MAX);
    while (engine_->Step() || store_->Step() || !engine_->at_rest()) {
    }
  }
  // Another process with the same directory.
  absl::Status Begin() {
    Kill();
    LT_ASSIGN_OR_RETURN(store_, SessionStore::Open({.files = &PosixFileSystem(),
                                                    .directory = scratch_.directory() + "/state",
                                                    .holder = "the test"},
                                                   engine_.clock()));
    options_.store = store_.get();
    options_.on_resume = [this](const ResumeReport& report) {
      LT_CHECK(report.damaged.empty());
      from_snapshots_ += report.snapshot != 0 ? 1 : 0;
    };
    return engine_.Renew(options_);
  }
  absl::Status Create() {
    LT_ASSIGN_OR_RETURN(session_, engine_.CreateSession(spec_, "killed"));
    return Attach();
  }
  absl::Status Attach() {
    const int64_t next_chunk = std::ssize(received_.chunks);
    LT_ASSIGN_OR_RETURN(session_, engine_->Wake("killed", next_chunk));
    LT_ASSIGN_OR_RETURN(reader_, session_->Attach(next_chunk, nullptr));
    if (spec_.start_frames == 0) return absl::OkStatus();
    const std::string frames = StartFrames(spec_);
    const uint64_t there = session_->Info().start_bytes;
    if (there == frames.size()) return absl::OkStatus();
    return session_->PutStart(reader_, static_cast<int64_t>(there), frames.substr(there));
  }
  // Chunks that nobody takes stop the session at one that does not depend on anybody's speed.
  absl::Status Turn() {
    const bool idle = !engine_->Step() && !engine_->Step();
    const bool written = (idle || random_() % 3 == 0) && !store_->Step();
    if (!idle || !written) return absl::OkStatus();
    const bool due =
        changed_ < changes_.size() && session_->Info().chunk_count == changes_[changed_].chunk;
    if (due) {
      Submit();
    } else {
      PollAll(*session_, reader_, &received_);
    }
    return absl::OkStatus();
  }
  void Submit() {
    engine_->Submit(session_,
                    {.kind = EventKind::kPrompt,
                     .prompt = changes_[changed_].prompt,
                     .control_id = changed_ + 1},
                    reader_, [this](const absl::StatusOr<EventAccepted>& accepted) {
                      LT_CHECK(accepted.ok());
                      ++changed_;
                    });
  }
  // What was accepted holds, once, from the chunk on at which it was asked for.
  absl::Status CheckReceipts() {
    LT_ASSIGN_OR_RETURN(const StoredSession stored, store_->Load("killed"));
    LT_CHECK(stored.events.size() == changes_.size());
    for (size_t i = 0; i < changes_.size(); ++i) {
      LT_CHECK(stored.events[i].applied_chunk == changes_[i].chunk);
    }
    return absl::OkStatus();
  }

  TestEngine& engine_;
  EngineOptions options_;
  const SessionSpec spec_;
  const std::vector<Change>& changes_;
  std::mt19937_64 random_;
  const ScratchDirectory scratch_;
  std::unique_ptr<SessionStore> store_;
  std::shared_ptr<Session> session_;
  uint64_t reader_ = 0;
  Received received_;
  size_t changed_ = 0;  // changes that were accepted
  int from_snapshots_ = 0;
};

enum class Way { kStraight, kMoving, kResumed, kResumedSnapshots, kLate };

const std::vector<std::vector<ModelStage>> kCuts = {
    {{.layers = {0, 2}}, {.layers = {2, 6}}},
    {{.layers = {0, 1}}, {.layers = {1, 4}}, {.layers = {4, 6}}},
    {},
    {{.layers = {0, 5}}, {.layers = {5, 6}}}};

absl::StatusOr<Hash128> Digest(const TakeCase& take, Way way, bool staged) {
  EngineSetup setup;
  setup.pack = PackOf(take);
  if (staged) setup.cuts = kCuts;
  if (take.setup) take.setup(setup);
  if (way == Way::kLate) setup.open = &LateModel::Open;
  SessionSpec spec = SmallSpec("a red circle moving to the right", 42, Frames(take.chunks));
  if (take.spec) take.spec(spec);
  const auto chunk_bytes = static_cast<uint64_t>(12 * spec.width * spec.height * 3);
  setup.engine.session.outbox_bytes_max = 2 * chunk_bytes;
  TestEngine engine(setup);
  if (way == Way::kMoving) return RunMoving(engine, setup.engine, spec, take.changes);
  if (way == Way::kResumed || way == Way::kResumedSnapshots) {
    if (way == Way::kResumedSnapshots) setup.engine.resume_seconds_max = 0;
    return KilledTake(engine, setup.engine, spec, take.changes, std::hash<std::string>()(take.name))
        .Run();
  }
  return Run(engine, spec, take.changes);
}

bool CanMake(const TakeCase& take) {
  const auto profiles = CpuNumericsProfiles();
  return !take.name.starts_with("amx") ||
         std::find(profiles.begin(), profiles.end(), kAmxBf16Profile) != profiles.end();
}

std::map<std::string, std::string> ReadTable(const char* path) {
  std::map<std::string, std::string> table;
  std::ifstream file(path);
  for (std::string name, digest; file >> name >> digest;) table[name] = digest;
  return table;
}

// Whether the take could be made and is what the table says, where there is one.
bool Print(const TakeCase& take, Way way, bool staged,
           const std::map<std::string, std::string>& expected) {
  const absl::StatusOr<Hash128> digest = Digest(take, way, staged);
  const std::string text = digest.ok() ? digest->ToHex() : digest.status().ToString();
  std::printf("%-26s %s\n", take.name.c_str(), text.c_str());
  std::fflush(stdout);
  if (!digest.ok() || expected.empty()) return digest.ok();
  const auto row = expected.find(take.name);
  const std::string wanted = row == expected.end() ? "no digest" : row->second;
  if (wanted == text) return true;
  std::printf("%-26s %s is in the table\n", "", wanted.c_str());
  return false;
}

int Main(int argc, char** argv) {
  const std::map<std::string, Way> ways = {{"--moving", Way::kMoving},
                                           {"--resumed", Way::kResumed},
                                           {"--resumed-snapshots", Way::kResumedSnapshots},
                                           {"--late", Way::kLate}};
  Way way = Way::kStraight;
  bool staged = false;
  for (; argc > 1 && std::string(argv[1]).starts_with("--"); ++argv, --argc) {
    const auto found = ways.find(argv[1]);
    if (found != ways.end()) way = found->second;
    staged |= std::string(argv[1]) == "--staged";
  }
  std::map<std::string, std::string> expected;
  if (argc > 1) {
    expected = ReadTable(argv[1]);
    if (expected.empty()) {
      std::printf("no table in %s\n", argv[1]);
      return 1;
    }
  }
  int wrong = 0;
  for (const auto& cases : {PlanCases(), PromptCases(), SamplerCases(), OtherCases()}) {
    for (const TakeCase& take : cases) {
      if (CanMake(take) && !Print(take, way, staged, expected)) ++wrong;
    }
  }
  if (wrong != 0) std::printf("%d takes are wrong\n", wrong);
  return wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace longtake

int main(int argc, char** argv) { return longtake::Main(argc, argv); }
