// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "tests/engine/session_simulation.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"

namespace longtake {
namespace {

constexpr int64_t kSecondNanos = 1'000'000'000;
constexpr uint64_t kSectorBytes = 512;
constexpr uint64_t kChunkBytes = 12 * 16 * 16 * 3;
// May wait for a disk that fails: some chunks.
constexpr uint64_t kFewBytes = 32 << 10;
// Of history: some chunks.
constexpr uint64_t kLittleBytes = 1 << 10;

const char* const kPrompts[] = {"a red circle", "a blue square", "a green triangle",
                                "an orange ball", "two stars"};

EngineOptions OptionsOf(SessionStore& store, double resume_seconds_max) {
  EngineOptions options;
  options.kv_page_bytes = 64;
  options.kv_bytes_max = 256 << 10;
  options.predict_sweep = [](const SweepLoad&) { return SweepTime{.seconds = 0.5}; };
  options.prompt_cache_bytes_max = 4 << 10;
  options.session.outbox_bytes_max = 3 * kChunkBytes;
  options.session.attaches = {.at_once_max = 1 << 20, .interval_nanos = 1};
  options.store = &store;
  options.resume_seconds_max = resume_seconds_max;
  return options;
}

}  // namespace

struct SessionSimulation::Process {
  explicit Process(SimulatedDisk& disk, uint32_t seed) : vfs(disk, seed) {}
  ~Process() {
    if (store != nullptr) store->Stop();
    engine = nullptr;
  }
  int64_t forgotten() const { return store == nullptr ? 0 : store->stats().forgotten; }

  FileSystemVfs vfs;
  std::unique_ptr<SessionStore> store;
  std::unique_ptr<Engine> engine;
};

SessionSimulation::SessionSimulation(SimulatedModels& models, uint64_t seed, const Options& options)
    : model_(seed % 4 == 0 ? *models.rolling : *models.chunks),
      world_(seed),
      options_(options),
      events_max_(EventsMax()) {
  constexpr double kResumeSeconds[] = {0, 2, 120};
  resume_seconds_max_ = kResumeSeconds[Below(3)];
  constexpr size_t kClients[] = {1, 2, 5};
  clients_max_ = kClients[Below(3)];
  turns_max_ = Chance(500) ? 4 : 16;
  if (Chance(300)) scrub_bytes_per_second_ = 1 << 22;
  if (options_.faults && Chance(500)) waiting_bytes_max_ = kFewBytes;
  world_.forgets = Chance(400);
  if (world_.forgets) {
    history_bytes_max_ = kLittleBytes;
    resume_seconds_max_ = 0;  // a snapshot at every boundary
  }
}

int SessionSimulation::EventsMax() { return options_.events * (Chance(100) ? 4 : 1); }

SessionSimulation::~SessionSimulation() {
  for (auto& [id, client] : clients_) client->Leave(false);
  process_ = nullptr;
}

DiskFault SessionSimulation::Decide(const DiskCall& call) {
  if (world_.dead) return {.error = EIO};
  if (call.number == calls_to_live_) {
    world_.dead = true;
    const uint64_t seed = world_.random();
    left_ = loses_power_ ? disk_->CrashedCopy(seed) : disk_->KilledCopy();
    return {.error = EIO};
  }
  if (full_events_ > 0 && call.op == DiskOp::kWrite) {
    world_.disk_failed = true;
    return {.error = ENOSPC};
  }
  if (faults_left_ == 0 || call.op == DiskOp::kAsk || Chance(500)) return {};
  --faults_left_;
  world_.disk_failed = true;
  // A write that ends early ends with a sector, as one does that a crash cuts short.
  const uint64_t sector_end = (call.offset / kSectorBytes + 1) * kSectorBytes;
  if (call.op == DiskOp::kWrite && sector_end < call.offset + call.bytes && Chance(300)) {
    return {.bytes_max = sector_end - call.offset};
  }
  return {.error = disk_is_full_ && call.op == DiskOp::kWrite ? ENOSPC : EIO};
}

void SessionSimulation::Begin() {
  for (;;) {
    world_.dead = false;
    world_.disk_failed = false;
    faults_left_ = 0;
    full_events_ = 0;
    // Most processes die young, some while they recover.
    calls_to_live_ = healthy_ || Chance(200) ? UINT64_MAX : Below(Chance(300) ? 60 : 1200);
    loses_power_ = Chance(500);
    disk_->set_decide([this](const DiskCall& call) { return Decide(call); });
    process_ = std::make_unique<Process>(*disk_, static_cast<uint32_t>(world_.random()));
    auto store = SessionStore::Open(
        {.files = disk_.get(),
         .directory = "state",
         .holder = "simulation",
         .vfs = process_->vfs.name(),
         .retention_nanos = 1000 * 3600 * kSecondNanos,
         .history_bytes_max = history_bytes_max_,
         .waiting_bytes_max = waiting_bytes_max_,
         .scrub_bytes_per_second = scrub_bytes_per_second_,
         .on_damage = [this](const std::string& id,
                             const std::string& damage) { HearDamage(id, damage); },
         .on_disk = [this](const absl::Status& now) { HearDisk(now); },
         .on_gap = [this](const std::string& id, bool has_gap) { HearGap(id, has_gap); }},
        world_.clock);
    if (!store.ok() && !world_.dead) return RefuseStore(store.status());
    if (store.ok()) process_->store = *std::move(store);
    if (world_.dead) {
      Crash();
      continue;
    }
    EngineOptions options = OptionsOf(*process_->store, resume_seconds_max_);
    options.on_resume = [this](const ResumeReport& report) {
      ++counts_.resumed;
      if (report.snapshot != 0) ++counts_.from_snapshots;
      const bool unread = world_.dead || world_.disk_failed || world_.damaged;
      if (!report.damaged.empty() && !unread) world_.Fail("damaged: " + report.damaged.front());
    };
    auto engine = Engine::Create(model_, options, world_.clock);
    LT_CHECK(engine.ok());
    process_->engine = *std::move(engine);
    return;
  }
}

void SessionSimulation::Crash() {
  ++counts_.crashes;
  if (left_ == nullptr) {
    const uint64_t seed = world_.random();
    left_ = loses_power_ ? disk_->CrashedCopy(seed) : disk_->KilledCopy();
  }
  world_.dead = true;  // what it does on its way out, nobody sees
  for (auto& [id, client] : clients_) client->ServerIsGone();
  counts_.forgotten += process_->forgotten();
  process_ = nullptr;
  disk_ = std::move(left_);
}

// As a server that is asked to: chunks in work are finished, and all is written.
void SessionSimulation::Stop() {
  Engine& engine = *process_->engine;
  engine.Drain(INT64_MAX);
  for (int turn = 0; turn < 1000 && !engine.at_rest() && !world_.dead; ++turn) engine.Step();
  engine.Stop();
  for (int turn = 0; turn < 100 && process_->store->Step() && !world_.dead; ++turn) {
  }
  if (world_.dead) return Crash();
  for (auto& [id, client] : clients_) client->ServerIsGone();
  counts_.forgotten += process_->forgotten();
  process_ = nullptr;
  if (left_ != nullptr) disk_ = std::move(left_);  // it died while it closed its files
}

std::string SessionSimulation::Run() {
  Begin();
  bool half = false;
  while (events_ < events_max_ && world_.problem.empty()) {
    Event();
    const bool now_half = !std::exchange(half, events_ >= events_max_ / 2) && half;
    if (now_half && options_.damage) older_ = disk_->KilledCopy();
    if (world_.dead || now_half || Chance(3)) {
      Crash();
      Begin();
    } else if (Chance(3)) {
      Stop();
      Begin();
    }
  }
  healthy_ = true;
  if (world_.problem.empty()) {
    Crash();
    if (options_.damage) Damage();
    const bool scrubs = options_.damage && Chance(500);
    if (scrubs) scrub_bytes_per_second_ = uint64_t{1} << 30;
    Begin();
    if (scrubs && !counts_.store_refused) Scrub(*process_->store);
  }
  if (world_.problem.empty() && !counts_.store_refused) CheckAll();
  if (process_ != nullptr) counts_.forgotten += process_->forgotten();
  counts_.chunks = world_.chunks_read;
  counts_.refused = world_.refused;
  counts_.missed = world_.missed;
  return world_.problem;
}

void SessionSimulation::Event() {
  PassTime();
  if (options_.faults && faults_left_ == 0 && Chance(8)) {
    faults_left_ = static_cast<int>(Below(6)) + 1;
    disk_is_full_ = Chance(300);
  }
  if (full_events_ > 0) --full_events_;
  if (options_.faults && full_events_ == 0 && Chance(8)) {
    full_events_ = static_cast<int>(Below(120));
  }
  const uint64_t what = Below(100);
  if (what < 50) {
    Turn();
  } else if (what < 66) {
    ++events_;
    process_->store->Step();
  } else if (clients_.size() < clients_max_ && (clients_.empty() || Chance(60))) {
    ++events_;
    Create();
  } else {
    ClientEvent();
  }
}

void SessionSimulation::Turn() {
  for (uint64_t turns = Below(turns_max_) + 1; turns > 0 && !world_.dead; --turns) {
    ++events_;
    if (!process_->engine->Step()) return;  // nothing is to be done
  }
}

void SessionSimulation::PassTime() {
  world_.clock.Advance(static_cast<int64_t>(Below(2'000'000)));
  if (Chance(5)) world_.clock.Advance(static_cast<int64_t>(Below(200)) * kSecondNanos);
}

SimulatedClient* SessionSimulation::Any() {
  std::vector<SimulatedClient*> there;
  for (const auto& [id, client] : clients_) {
    if (!client->gone()) there.push_back(client.get());
  }
  return there.empty() ? nullptr : there[Below(there.size())];
}

void SessionSimulation::ClientEvent() {
  ++events_;
  SimulatedClient* client = Any();
  if (client == nullptr) return Create();
  const uint64_t what = Below(100);
  if (what < 3) return Fork(*client);
  if (what < 6) return Rewind(*client);
  if (what < 10) return Park(*client);
  if (what < 12) return Delete(*client);
  if (!client->attached() || what < 15) {
    const int64_t chunks = client->chunks();
    const bool again = Chance(150);
    return client->Attach(
        *process_->engine,
        again ? static_cast<int64_t>(Below(static_cast<uint64_t>(chunks) + 1)) : chunks);
  }
  if (what < 75) {
    client->Read(Below(6) + 1);
  } else if (what < 94) {
    Steer(*client);
  } else {
    client->Leave(Chance(500));
  }
}

// Of a session either all prompts name their frame or none does, so that it is known which of two
// for the same chunk is the later one.
void SessionSimulation::Steer(SimulatedClient& client) {
  const uint64_t what = Below(100);
  SessionEvent event;
  if (what < 60) {
    event.prompt = kPrompts[Below(std::size(kPrompts))];
    const bool timed = client.spec().seed % 2 == 0;
    const int64_t chunk = client.chunks() + static_cast<int64_t>(Below(5));
    if (timed) event.frame = std::max<int64_t>(0, 12 * chunk - static_cast<int64_t>(Below(12)));
    if (timed && client.spec().frame_count != 0) {
      event.frame = std::min(*event.frame, client.spec().frame_count - 12);
      if (*event.frame < 0) return;
    }
  } else if (what < 75) {
    event.kind = EventKind::kPause;
  } else if (what < 97) {
    event.kind = EventKind::kResume;
  } else {
    event.kind = EventKind::kEnd;
  }
  client.Ask(*process_->engine, event);
}

SessionSpec SessionSimulation::RandomSpec() {
  SessionSpec spec;
  spec.prompt = kPrompts[Below(std::size(kPrompts))];
  spec.seed = Below(4);
  const uint64_t chunks_max = Chance(500) ? 10 : 40;
  spec.frame_count = Chance(400) ? 0 : 12 * (static_cast<int64_t>(Below(chunks_max)) + 3) - 3;
  spec.ttl_nanos = 100 * kSecondNanos;
  if (Chance(150)) spec.guidance = 3.0;
  if (Chance(100)) spec.start_frames = Chance(500) ? 9 : 21;
  if (spec.seed % 2 == 0 && Chance(300)) {
    spec.prompt_changes.push_back({.frame = 9 + 12 * static_cast<int64_t>(Below(2)),
                                   .prompt = kPrompts[Below(std::size(kPrompts))]});
  }
  if (model_.recipe().rollout == RolloutKind::kRolling) return spec;
  constexpr KeyPlanSpec kPlans[] = {
      {.kind = KeyPlanKind::kWindow, .window_frames = 9},
      {.kind = KeyPlanKind::kWindow, .window_frames = 9, .sink_frames = 3},
      {.kind = KeyPlanKind::kSlotWindow, .window_frames = 9, .sink_frames = 3},
      {.kind = KeyPlanKind::kRollingSink, .window_frames = 9},
      {.kind = KeyPlanKind::kGlobal, .window_frames = 36}};
  spec.key_plan = kPlans[Below(std::size(kPlans))];
  if (spec.key_plan->kind == KeyPlanKind::kGlobal) spec.frame_count = 12 * 12 - 3;
  if (spec.key_plan->sink_frames != 0 && Chance(600)) {
    spec.prompt_switch = Chance(500) ? PromptSwitch::kRecache : PromptSwitch::kRecacheAndSink;
  }
  return spec;
}

void SessionSimulation::Create() {
  const absl::StatusOr<ResolvedSpec> spec = process_->engine->Resolve(RandomSpec());
  if (!spec.ok()) return world_.Fail("spec: " + spec.status().ToString());
  const std::string id = absl::StrCat("s", next_id_++);
  std::vector<uint8_t> start(spec->start_bytes());
  for (size_t i = 0; i < start.size(); i += 97) start[i] = static_cast<uint8_t>(world_.random());
  auto& client = clients_[id];
  client = std::make_unique<SimulatedClient>(world_, id, *spec, std::move(start));
  client->MayBeGone();
  const absl::Status created = process_->engine->CreateSession(*spec, id).status();
  if (Happened(*client, created, "create")) client->IsThere();
}

bool SessionSimulation::Happened(const SimulatedClient& client, const absl::Status& status,
                                 const char* what) {
  if (world_.dead) return false;
  if (!status.ok() && !ReasonOf(status).has_value()) {
    world_.Fail(absl::StrCat(what, ", without a reason: ", status.ToString()));
  }
  if (client.may_begin_later() && absl::IsOutOfRange(status)) return false;
  // Too much waits for the disk.
  if (waiting_bytes_max_ == kFewBytes && ReasonFor(status) == Reason::kStorageUnavailable) {
    return false;
  }
  if (status.ok() || (world_.disk_failed && !absl::IsInternal(status))) return status.ok();
  world_.Fail(absl::StrCat(what, ": ", status.ToString()));
  return false;
}

void SessionSimulation::Fork(SimulatedClient& client) {
  if (clients_.size() >= clients_max_ || !client.attached()) return;
  const auto chunk = static_cast<int64_t>(Below(static_cast<uint64_t>(client.chunks()) + 1));
  const bool ended = Chance(200);
  const std::string id = absl::StrCat("s", next_id_++);
  auto& fork = clients_[id];
  fork = std::make_unique<SimulatedClient>(client.Fork(id, chunk, ended));
  fork->MayBeGone();
  const auto made = process_->engine->Fork(client.id(), {.id = id, .chunk = chunk, .ended = ended});
  // Before its start is there nothing can be forked.
  if (chunk == 0 && client.spec().start_frames != 0 &&
      ReasonFor(made.status()) == Reason::kChunkNotHeld) {
    clients_.erase(id);
    return;
  }
  if (Happened(client, made.status(), "fork")) fork->IsThere();
}

void SessionSimulation::Rewind(SimulatedClient& client) {
  if (!client.attached() || client.may_be_rewound()) return;
  const auto chunk = static_cast<int64_t>(Below(static_cast<uint64_t>(client.chunks()) + 1));
  client.CheckFrames(model_);
  const absl::Status rewound = process_->engine->Rewind(client.id(), chunk);
  if (Happened(client, rewound, "rewind")) {
    client.Rewound(chunk);
  } else {
    client.MayBeRewound(chunk);
  }
}

void SessionSimulation::Park(SimulatedClient& client) {
  if (client.attached()) Happened(client, process_->engine->Park(client.id()), "park");
}

void SessionSimulation::Delete(SimulatedClient& client) {
  if (!client.attached()) return;
  client.CheckFrames(model_);
  client.MayBeGone();
  if (!Happened(client, process_->engine->DeleteSession(client.id()), "delete")) return;
  client.Leave(false);
  if (process_->engine->Describe(client.id()).ok()) world_.Fail(client.id() + " was deleted");
  client.Attach(*process_->engine, 0);
}

void SessionSimulation::RunUntilIdle() {
  // A disk that fails is asked again and again.
  const int turns_max = world_.disk_failed ? 100 : 100'000;
  bool busy = true;
  for (int turn = 0; busy && turn < turns_max && world_.problem.empty(); ++turn) {
    busy = process_->engine->Step() || process_->engine->Step() || process_->store->Step();
  }
}

// Whoever is there goes on from anywhere, and comes to what the model makes of its receipts.
void SessionSimulation::CheckAll() {
  for (auto& [id, client] : clients_) {
    if (client->gone()) continue;
    const int64_t chunks = client->chunks();
    client->Attach(
        *process_->engine,
        Chance(500) ? chunks : static_cast<int64_t>(Below(static_cast<uint64_t>(chunks) + 1)));
    if (!client->attached()) continue;  // it was refused
    client->SendStart(SIZE_MAX);
    client->Ask(*process_->engine, {.kind = EventKind::kResume});
    while (client->chunks() <= chunks && !client->ended() && client->attached()) {
      RunUntilIdle();
      if (!client->Read(4) || !world_.problem.empty()) break;
    }
    if (client->gone()) continue;
    if (client->chunks() <= chunks && !client->ended() && !world_.disk_failed) {
      world_.Fail(id + " does not go on");
    }
    ++counts_.checked;
    client->CheckFrames(model_);
    client->Leave(true);
  }
  if (!world_.damaged && world_.problem.empty()) CheckMemory();
}

// Nobody is there whom nobody knows, and memory of those who go comes back.
void SessionSimulation::CheckMemory() {
  size_t there = 0;
  for (const auto& [id, client] : clients_) there += client->gone() ? 0 : 1;
  if (process_->engine->Names().size() != there) world_.Fail("there are other sessions");
  for (const auto& [id, client] : clients_) {
    if (client->gone()) continue;
    const absl::Status deleted = process_->engine->DeleteSession(id);
    if (!deleted.ok()) world_.Fail("delete: " + deleted.ToString());
  }
  RunUntilIdle();
  const EngineStats stats = process_->engine->stats();
  if (stats.kv_bytes != 0 || stats.session_bytes != 0) {
    world_.Fail(absl::StrCat("without a session, ", stats.kv_bytes, " bytes of K/V and ",
                             stats.session_bytes, " others are taken"));
  }
}

}  // namespace longtake
