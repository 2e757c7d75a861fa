// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A park, a rewind, a fork, a delete or another client, each at every moment at which a session is
// made, is uploading its start, runs, wakes, leaves or ends, and each followed by another one: all
// are answered, and nothing is lost of what a client was told. With the model of hashes on the
// scripted disk, in one thread.
#include <gtest/gtest.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"
#include "engine/serve/engine.h"
#include "engine/serve/resolve.h"
#include "tests/engine/hash_model.h"
#include "tests/engine/take_oracle.h"
#include "tests/storage/file_system_vfs.h"
#include "tests/storage/simulated_disk.h"

namespace longtake {
namespace {

constexpr int64_t kChunks = 7;
constexpr int64_t kStartFrames = 21;
constexpr uint64_t kChunkBytes = 12 * 16 * 16 * 3;
constexpr int kTurnsMax = 3000;
const char kId[] = "one";

HashModel& Model() {
  static const std::unique_ptr<HashModel> model = HashModel::Open("self-forcing");
  return *model;
}

SessionSpec Spec(bool with_start) {
  SessionSpec spec = SmallSpec("a red circle", 1, 12 * kChunks - 3);
  spec.width = spec.height = 16;
  if (with_start) spec.start_frames = kStartFrames;
  return spec;
}

std::string Clip() {
  std::string clip;
  for (int64_t i = 0; i < kStartFrames * 16 * 16 * 3; ++i) {
    clip.push_back(static_cast<char>(i * i % 251));
  }
  return clip;
}

// All chunks, straight from the model.
const std::vector<Hash128>& Expected(bool with_start) {
  const auto compute = [](bool start) {
    const std::string clip = start ? Clip() : "";
    const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(clip.data()),
                                         clip.size());
    return TakeOracle(Model(), *ResolveSpec(Spec(start), Model()), {}, bytes).Digests(kChunks);
  };
  static const std::vector<Hash128> expected[] = {compute(false), compute(true)};
  return expected[with_start ? 1 : 0];
}

enum class Phase { kUploading, kRunning, kWaking, kLeaving, kEnding };
enum class Action { kPark, kRewind, kFork, kDelete, kAttach };
constexpr Phase kPhases[] = {Phase::kUploading, Phase::kRunning, Phase::kWaking, Phase::kLeaving,
                             Phase::kEnding};
constexpr Action kActions[] = {Action::kPark, Action::kRewind, Action::kFork, Action::kDelete,
                               Action::kAttach};

// A server with one session, its client, and forks of it.
class World {
 public:
  // The store has a turn after so many of the engine's.
  World(Phase phase, int store_every) : phase_(phase), store_every_(store_every) {
    auto store = SessionStore::Open({.files = &disk_,
                                     .directory = "state",
                                     .holder = "the test",
                                     .vfs = vfs_.name(),
                                     .snapshot_turn_bytes = 1},
                                    clock_);
    LT_CHECK(store.ok());
    store_ = *std::move(store);
    EngineOptions options;
    options.kv_page_bytes = 64;
    options.kv_bytes_max = 256 << 10;
    options.session.outbox_bytes_max = 3 * kChunkBytes;
    options.store = store_.get();
    options.resume_seconds_max = phase == Phase::kLeaving ? 0 : 120;
    options.snapshot_bytes_per_hour = phase == Phase::kLeaving ? 1 : 0;  // those that leave
    auto engine = Engine::Create(Model(), options, clock_);
    LT_CHECK(engine.ok());
    engine_ = *std::move(engine);
  }
  ~World() {
    store_->Stop();
    engine_ = nullptr;
  }

  void Begin();
  // False when the phase is over.
  bool Turn();
  void Do(Action action);
  // The session is deleted at this call to the disk while it is made; false when there is none.
  bool MakeAndDelete(uint64_t call);
  // All is as it was told, and what was asked for has happened.
  void Check();

 private:
  bool with_start() const { return phase_ == Phase::kUploading; }
  void Attach(int64_t next_chunk);
  void Read();
  void Upload();
  void TakeTurn();
  void RunUntil(const std::function<bool()>& condition);
  void CheckTold();
  void CheckWhole(const std::string& id);

  const Phase phase_;
  const int store_every_;
  SimulatedDisk disk_;
  FileSystemVfs vfs_{disk_, 1};
  ManualClock clock_;
  std::unique_ptr<SessionStore> store_;
  std::unique_ptr<Engine> engine_;
  int turn_ = 0;
  std::shared_ptr<Session> session_;
  uint64_t reader_ = 0;
  int64_t next_ = 0;  // the chunk that comes to the client next
  bool ended_ = false;
  int uploads_ = 0;     // whose answer is still to come
  int parks_ = 0;       // the same
  int64_t made_ = 0;    // chunks that the client knows of
  bool start_ = false;  // and whether all start frames were recorded
  bool deleted_ = false;
  std::vector<std::string> forks_;
};

void World::TakeTurn() {
  engine_->Step();
  if (++turn_ % store_every_ == 0) store_->Step();
}

void World::RunUntil(const std::function<bool()>& condition) {
  for (int turn = 0; !condition(); ++turn) {
    if (turn == kTurnsMax) return ADD_FAILURE() << "it does not come";
    if (!engine_->Step() && !engine_->Step()) store_->Step();
    Read();
  }
}

void World::Attach(int64_t next_chunk) {
  const auto session = engine_->Wake(kId, next_chunk);
  ASSERT_TRUE(session.ok()) << session.status();
  const auto reader = (*session)->Attach(next_chunk, nullptr);
  ASSERT_TRUE(reader.ok()) << reader.status();
  session_ = *session;
  reader_ = *reader;
  next_ = next_chunk;
}

void World::Read() {
  Received received;
  if (session_ == nullptr) return;
  PollAll(*session_, reader_, &received);
  for (const auto& chunk : received.chunks) {
    EXPECT_EQ(chunk->index, next_++);
    EXPECT_EQ(chunk->digest, Expected(with_start())[static_cast<size_t>(chunk->index)]);
    made_ = std::max(made_, next_);
  }
  if (received.end.has_value() && received.end->ok()) ended_ = true;
  if (received.end.has_value()) session_ = nullptr;
}

// A third at a time, each when the one before is recorded.
void World::Upload() {
  static const std::string clip = Clip();
  if (session_ == nullptr || uploads_ != 0 || session_->Info().start_bytes == clip.size()) {
    start_ |= session_ != nullptr && uploads_ == 0;
    return;
  }
  const uint64_t begin = session_->Info().start_bytes;
  const auto put =
      session_->PutStart(reader_, static_cast<int64_t>(begin), clip.substr(begin, clip.size() / 3),
                         [this, session = session_](const absl::Status&) { --uploads_; });
  ++uploads_;
  EXPECT_TRUE(put.ok()) << put;
}

void World::Begin() {
  ASSERT_TRUE(engine_->CreateSession(*engine_->Resolve(Spec(with_start())), kId).ok());
  Attach(0);
  switch (phase_) {
    case Phase::kUploading:
    case Phase::kRunning:
      break;
    case Phase::kWaking:
      RunUntil([&] { return next_ >= 5; });
      Do(Action::kPark);
      RunUntil([&] { return parks_ == 0; });
      Attach(1);
      break;
    case Phase::kLeaving:
      RunUntil([&] { return next_ >= 4; });
      Do(Action::kPark);
      break;
    case Phase::kEnding:
      RunUntil([&] { return next_ >= kChunks - 2; });
      break;
  }
}

bool World::MakeAndDelete(uint64_t call) {
  std::thread deletes;
  disk_.set_decide([&](const DiskCall& now) {
    if (now.number != call) return DiskFault();
    deletes = std::thread([this] { EXPECT_TRUE(engine_->DeleteSession(kId).ok()); });
    while (!(*engine_->FindSession(kId))->cancelled()) std::this_thread::yield();
    deleted_ = true;
    return DiskFault();
  });
  const auto made = engine_->CreateSession(*engine_->Resolve(Spec(with_start())), kId);
  if (deletes.joinable()) deletes.join();
  disk_.set_decide({});
  EXPECT_EQ(made.ok(), !deleted_);
  if (deleted_) {
    EXPECT_EQ(ReasonFor(made.status()), Reason::kSessionDeleted) << made.status();
  }
  return deleted_;
}

bool World::Turn() {
  if (with_start()) Upload();
  TakeTurn();
  Read();
  switch (phase_) {
    case Phase::kUploading:
      return made_ < 1;
    case Phase::kRunning:
      return made_ < 3;
    case Phase::kWaking:
      return next_ < 6;
    case Phase::kLeaving:
      return parks_ > 0;
    case Phase::kEnding:
      break;
  }
  return !ended_;
}

void World::Do(Action action) {
  absl::Status status;
  switch (action) {
    case Action::kPark:
      ++parks_;
      status = engine_->Park(kId, [this] { --parks_; });
      if (!status.ok()) --parks_;
      break;
    case Action::kRewind: {
      const int64_t chunk = std::min<int64_t>(made_, 2);
      status = engine_->Rewind(kId, chunk);
      if (!status.ok()) break;
      made_ = chunk;
      ended_ = false;
      session_ = nullptr;
      break;
    }
    case Action::kFork: {
      const std::string id = absl::StrCat("fork", forks_.size());
      status = engine_->Fork(kId, {.id = id, .chunk = std::min<int64_t>(made_, 3)}).status();
      if (status.ok()) forks_.push_back(id);
      // Before its start is there a session cannot be forked.
      if (made_ == 0 && with_start() && ReasonFor(status) == Reason::kChunkNotHeld) return;
      break;
    }
    case Action::kDelete:
      status = engine_->DeleteSession(kId);
      break;
    case Action::kAttach:
      if (deleted_) {
        status = engine_->Wake(kId, 0).status();
      } else {
        Attach(0);
      }
      break;
  }
  if (deleted_) {
    EXPECT_EQ(ReasonFor(status), Reason::kSessionNotFound) << status;
  } else {
    EXPECT_TRUE(status.ok()) << status;
  }
  deleted_ |= action == Action::kDelete;
  if (!deleted_ && action != Action::kAttach && action != Action::kFork) CheckTold();
}

// Also of one that is in memory no more.
void World::CheckTold() {
  const auto info = engine_->Describe(kId);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_GE(info->chunk_count, made_);
  if (info->state != SessionState::kEnded) {  // it may be over, and its client not know it yet
    EXPECT_EQ(info->state, SessionState::kParked);
    EXPECT_FALSE(ended_);
  }
  if (start_) {
    EXPECT_EQ(info->start_bytes, Clip().size());
  }
}

void World::CheckWhole(const std::string& id) {
  const auto session = engine_->Wake(id, 0);
  ASSERT_TRUE(session.ok()) << session.status();
  const auto reader = (*session)->Attach(0, nullptr);
  ASSERT_TRUE(reader.ok()) << reader.status();
  if (with_start()) {
    const uint64_t begin = (*session)->Info().start_bytes;
    if (id != kId || start_) {
      ASSERT_EQ(begin, Clip().size());
    }
    ASSERT_TRUE(
        (*session)->PutStart(*reader, static_cast<int64_t>(begin), Clip().substr(begin)).ok());
  }
  Received received;
  for (int turn = 0; !received.end.has_value() && turn < kTurnsMax; ++turn) {
    if (!engine_->Step() && !engine_->Step()) store_->Step();
    PollAll(**session, *reader, &received);
  }
  ASSERT_TRUE(received.end.has_value() && received.end->ok()) << id;
  std::vector<Hash128> digests;
  for (const auto& chunk : received.chunks) digests.push_back(chunk->digest);
  EXPECT_EQ(digests, Expected(with_start()));
  (*session)->Detach(*reader);
}

void World::Check() {
  RunUntil([&] { return parks_ == 0; });
  session_ = nullptr;
  if (deleted_) {
    EXPECT_EQ(ReasonFor(engine_->Describe(kId).status()), Reason::kSessionNotFound);
  } else {
    CheckWhole(kId);
  }
  for (const std::string& fork : forks_) CheckWhole(fork);
  EXPECT_EQ(engine_->Names().size(), forks_.size() + (deleted_ ? 0 : 1));
  for (const SessionName& name : engine_->Names()) {
    EXPECT_TRUE(engine_->DeleteSession(name.id).ok());
  }
  while (engine_->Step() || engine_->Step() || store_->Step()) {
  }
  EXPECT_EQ(engine_->stats().kv_bytes, 0u);
  EXPECT_EQ(engine_->stats().session_bytes, 0u);
  EXPECT_EQ(store_->stats().bytes, 0u);
}

// At every moment, or at some: so many turns apart.
void TryEvery(std::span<const Action> actions, int store_every, int turns_between, int apart = 1) {
  for (const Phase phase : kPhases) {
    bool over = false;
    for (int moment = 0; !over && !testing::Test::HasFailure(); moment += apart) {
      World world(phase, store_every);
      world.Begin();
      for (int turn = 0; turn < moment; ++turn) over = !world.Turn();
      for (const Action action : actions) {
        world.Do(action);
        for (int turn = 0; turn < turns_between; ++turn) world.Turn();
      }
      world.Check();
      if (testing::Test::HasFailure()) {
        ADD_FAILURE() << "phase " << static_cast<int>(phase) << ", moment " << moment
                      << ", store every " << store_every << ", turns between " << turns_between;
      }
    }
  }
}

TEST(SessionPairsTest, WhateverIsAskedAtAnyMomentIsAnsweredAndNothingIsLost) {
  for (const int store_every : {1, 9}) {
    for (const Action action : kActions) {
      TryEvery({&action, 1}, store_every, /*turns_between=*/0);
    }
  }
}

TEST(SessionPairsTest, WhoDeletesASessionThatIsBeingMadeFindsNothingOfIt) {
  uint64_t call = 0;
  for (bool deleted = true; deleted && !testing::Test::HasFailure(); ++call) {
    World world(Phase::kRunning, /*store_every=*/1);
    deleted = world.MakeAndDelete(call);
    world.Check();
  }
  EXPECT_GT(call, 3u);
}

TEST(SessionPairsTest, AlsoWhenSomethingElseIsAskedBeforeItHasHappened) {
  for (const int turns_between : {0, 2}) {
    for (const Action first : kActions) {
      for (const Action second : kActions) {
        const Action both[] = {first, second};
        TryEvery(both, /*store_every=*/3, turns_between, /*apart=*/5);
      }
    }
  }
}

}  // namespace
}  // namespace longtake
