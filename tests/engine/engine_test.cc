// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The whole engine over the real embedded model: what a session gives, when it waits, how it ends.
#include "engine/serve/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/engine/engine_fixture.h"

namespace longtake {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

TEST(EngineTest, GivesTheFramesAskedForWithPtsAndAChain) {
  TestEngine engine;
  auto session = *engine.CreateSession(SmallSpec("a red circle", 1, 40), "");
  const Received received = ReadToEnd(engine, *session);
  ASSERT_TRUE(received.end.has_value());
  EXPECT_TRUE(received.end->ok()) << *received.end;
  ASSERT_EQ(received.chunks.size(), 4u);  // 9, 12, 12, and 7 of the last 12
  int64_t frames = 0;
  Hash128 chain;
  for (const auto& chunk : received.chunks) {
    EXPECT_EQ(chunk->first_frame, frames);
    EXPECT_EQ(chunk->rgb.size(), static_cast<size_t>(chunk->frame_count * 48 * 32 * 3));
    EXPECT_EQ(chunk->digest, Xxh3Hash128(std::as_bytes(std::span(chunk->rgb))));
    EXPECT_NE(chunk->chain, chain);
    chain = chunk->chain;
    frames += chunk->frame_count;
  }
  EXPECT_EQ(received.chunks[0]->frame_count, 9);
  EXPECT_EQ(frames, 40);
  EXPECT_EQ(engine->stats().transformer_sweeps, 4u * 4) << "clean passes ride along";
}

TEST(EngineTest, PromptSeedAndStepsMatter) {
  TestEngine engine;
  SessionSpec base = SmallSpec("a red circle on a white background", 1, 9);
  SessionSpec other_prompt = base;
  other_prompt.prompt = "a blue square on a black background";
  SessionSpec other_seed = base;
  other_seed.seed = 2;
  SessionSpec other_steps = base;
  other_steps.steps = {1000, 500};
  std::set<std::string> digests;
  for (const SessionSpec& spec : {base, other_prompt, other_seed, other_steps}) {
    digests.insert(ReadToEnd(engine, **engine.CreateSession(spec, "")).Digests().at(0));
  }
  EXPECT_EQ(digests.size(), 4u);
}

TEST(EngineTest, GuidanceOfOneIsNoGuidanceAndOthersDiffer) {
  TestEngine engine;
  SessionSpec spec = SmallSpec("a red circle", 1, 9);
  spec.guidance = 1.0;
  const auto plain = ReadToEnd(engine, **engine.CreateSession(spec, "")).Digests();
  spec.guidance = 3.0;
  spec.negative_prompt = "a blue square";
  const auto guided = ReadToEnd(engine, **engine.CreateSession(spec, "")).Digests();
  EXPECT_NE(plain, guided);
}

TEST(EngineTest, AnUnreadOutboxPausesItsSessionOnly) {
  EngineSetup setup;
  setup.engine.session.outbox_bytes_max = 4 * 12 * 48 * 32 * 3;
  TestEngine engine(setup);
  auto unread = *engine.CreateSession(SmallSpec("a red circle", 1, 0), "unread");
  auto read = *engine.CreateSession(SmallSpec("a blue square", 2, 160), "read");
  const Received received = ReadToEnd(engine, *read);
  EXPECT_EQ(received.chunks.size(), 14u);
  engine.RunUntilIdle();
  EXPECT_EQ(unread->Info().state, SessionState::kBlocked);
  EXPECT_EQ(unread->Info().chunk_count, 4);
  EXPECT_LE(unread->Info().outbox_bytes, setup.engine.session.outbox_bytes_max);

  Received late;
  const uint64_t reader = *unread->Attach(-1, nullptr);
  PollAll(*unread, reader, &late);
  engine.RunUntilIdle();
  PollAll(*unread, reader, &late);
  EXPECT_GT(late.chunks.size(), 4u) << "reading lets it go on";
}

TEST(EngineTest, PromptChangesApplyAtAChunkAndChangeWhatFollows) {
  TestEngine engine;
  const SessionSpec spec = SmallSpec("a red circle on a white background", 7, 60);
  const auto before = ReadToEnd(engine, **engine.CreateSession(spec, "")).Digests();

  auto session = *engine.CreateSession(spec, "changed");
  Received received;
  const uint64_t reader = *session->Attach(-1, nullptr);
  while (received.chunks.size() < 2 && engine->Step()) PollAll(*session, reader, &received);
  const uint64_t sequence =
      engine->Submit(*session, {EventKind::kPrompt, "a blue square on a black background"})
          ->sequence;
  while (!received.end && engine->Step()) PollAll(*session, reader, &received);
  PollAll(*session, reader, &received);

  ASSERT_EQ(received.applied.size(), 1u);
  EXPECT_EQ(received.applied[0].sequence, sequence);
  const auto applied = static_cast<size_t>(received.applied[0].chunk);
  ASSERT_GE(applied, 2u);
  const auto after = received.Digests();
  ASSERT_EQ(after.size(), before.size());
  for (size_t i = 0; i < after.size(); ++i) {
    EXPECT_EQ(after[i] == before[i], i < applied) << "chunk " << i;
  }
}

TEST(EngineTest, PauseResumeAndEndHoldAtChunks) {
  TestEngine engine;
  const SessionSpec spec = SmallSpec("a red circle", 3, 0);
  auto session = *engine.CreateSession(spec, "");
  Received received;
  const uint64_t reader = *session->Attach(-1, nullptr);
  while (received.chunks.empty() && engine->Step()) PollAll(*session, reader, &received);
  ASSERT_TRUE(engine->Submit(*session, {EventKind::kPause, ""}).ok());
  engine.RunUntilIdle();
  PollAll(*session, reader, &received);
  EXPECT_EQ(session->Info().state, SessionState::kPaused);
  const size_t paused_at = received.chunks.size();

  ASSERT_TRUE(engine->Submit(*session, {EventKind::kResume, ""}).ok());
  while (received.chunks.size() < paused_at + 2 && engine->Step()) {
    PollAll(*session, reader, &received);
  }
  ASSERT_TRUE(engine->Submit(*session, {EventKind::kEnd, ""}).ok());
  while (!received.end && engine->Step()) PollAll(*session, reader, &received);
  PollAll(*session, reader, &received);
  ASSERT_TRUE(received.end.has_value());
  EXPECT_TRUE(received.end->ok());
  EXPECT_EQ(received.applied.size(), 3u);
  for (size_t i = 0; i < received.chunks.size(); ++i) {
    EXPECT_EQ(received.chunks[i]->index, static_cast<int64_t>(i));
  }

  // A pause leaves no trace in the bytes.
  SessionSpec whole = spec;
  whole.frame_count = received.chunks.back()->first_frame + received.chunks.back()->frame_count;
  EXPECT_EQ(ReadToEnd(engine, **engine.CreateSession(whole, "")).Digests(), received.Digests());
}

TEST(EngineTest, AGlobalPlanEndsWithItsWindow) {
  TestEngine engine;
  SessionSpec spec = SmallSpec("a red circle", 1, 81);
  spec.key_plan = KeyPlanSpec{KeyPlanKind::kGlobal, 21, 0};
  EXPECT_EQ(ReadToEnd(engine, **engine.CreateSession(spec, "")).chunks.size(), 7u);
  spec.frame_count = 82;
  EXPECT_EQ(engine.CreateSession(spec, "").status().code(), absl::StatusCode::kInvalidArgument);
  spec.frame_count = 0;
  EXPECT_EQ(engine.CreateSession(spec, "").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(EngineTest, MemoryIsPromisedBeforeItIsUsedAndComesBack) {
  EngineSetup setup;
  setup.engine.kv_bytes_max = 8 << 20;
  TestEngine engine(setup);
  const SessionSpec spec = SmallSpec("a red circle", 1, 9);
  SessionSpec endless = SmallSpec("a red circle", 1, 0);
  std::vector<std::shared_ptr<Session>> sessions;
  absl::Status refusal;
  while (refusal.ok() && sessions.size() < 100) {
    auto session = engine.CreateSession(endless, "");
    refusal = session.status();
    if (session.ok()) sessions.push_back(*session);
  }
  EXPECT_EQ(refusal.code(), absl::StatusCode::kResourceExhausted);
  ASSERT_FALSE(sessions.empty());
  EXPECT_FALSE(engine.Estimate(endless)->fits_now);
  EXPECT_EQ(engine.Estimate(endless)->refusal, refusal.message());
  for (const auto& session : sessions) EXPECT_TRUE(engine->DeleteSession(session->id()).ok());
  engine.RunUntilIdle();
  EXPECT_EQ(engine->stats().kv_bytes, 0u);
  EXPECT_EQ(ReadToEnd(engine, **engine.CreateSession(spec, "")).chunks.size(), 1u);
}

// The rollout is the stage's until its next turn, the chunk that is being sent the reader's until
// its stream has ended: so long nobody else is promised these bytes. Nobody reads the outbox any
// more.
TEST(EngineTest, ADeletedSessionsMemoryComesBackWhenItIsFree) {
  TestEngine engine;
  auto session = *engine.CreateSession(SmallSpec("a red circle", 1, 0), "s");
  engine.RunUntilIdle();
  const uint64_t promised = engine->stats().session_bytes;
  const uint64_t kv_bytes = engine->stats().kv_bytes;
  ASSERT_GT(promised, 0u);
  ASSERT_TRUE(engine->DeleteSession("s").ok());
  EXPECT_FALSE(engine->FindSession("s").ok());
  EXPECT_GT(engine->stats().session_bytes, promised / 2) << "its rollout is still there";
  EXPECT_EQ(engine->stats().kv_bytes, kv_bytes);
  engine->Step();
  EXPECT_EQ(engine->stats().kv_bytes, 0u);
  const uint64_t left = engine->stats().session_bytes;
  EXPECT_EQ(left, uint64_t{12} * 48 * 32 * 3) << "a chunk that is being sent";
  EXPECT_EQ(session->Info().outbox_bytes, 0u);
  session = nullptr;
  EXPECT_EQ(engine->stats().session_bytes, 0u);
}

TEST(EngineTest, WhoWatchesSweepsIsToldTheirStack) {
  std::vector<std::string> told;
  EngineSetup setup;
  setup.engine.on_sweep = [&](std::string_view stack, const absl::Status& status) {
    EXPECT_TRUE(status.ok()) << status;
    told.emplace_back(stack);
  };
  TestEngine engine(setup);
  ReadToEnd(engine, **engine.CreateSession(SmallSpec("a red circle", 1, 9), ""));
  EXPECT_EQ(engine->stats().text_sweeps, 1u);
  std::vector<std::string> expected(1 + engine->stats().transformer_sweeps, "transformer");
  expected.front() = "text";
  EXPECT_EQ(told, expected);
}

TEST(EngineTest, LayerFilesAreNamedFromTheStartAndCountedOfBothStacks) {
  EngineSetup setup;
  setup.model.kept_bytes_max = 0;
  TestEngine engine(setup);
  const auto name = [&](size_t i) { return engine->stats().layer_paths.at(i).file; };
  EXPECT_EQ(name(0), EmbeddedPack() + "/transformer.pack");
  EXPECT_EQ(name(1), EmbeddedPack() + "/text_encoder.pack");
  ReadToEnd(engine, **engine.CreateSession(SmallSpec("a red circle", 1, 9), ""));
  const EngineStats stats = engine->stats();
  ASSERT_EQ(stats.layer_paths.size(), 2u);
  EXPECT_EQ(stats.layer_paths[0].bytes_read, stats.transformer_layers.bytes_read);
  EXPECT_EQ(stats.layer_paths[1].bytes_read, stats.text_layers.bytes_read);
  EXPECT_NE(stats.layer_paths[0].bytes_read, stats.layer_paths[1].bytes_read);
}

// What the last session was decoded in goes back, too: others are promised it now.
TEST(EngineTest, AnIdleEngineHoldsNoScratch) {
  TestEngine engine;
  ReadToEnd(engine, **engine.CreateSession(SmallSpec("a red circle", 1, 33), ""));
  EXPECT_GT(engine.model().pixel_coder().scratch_bytes(), 0u);
  engine.RunUntilIdle();
  EXPECT_EQ(engine.model().pixel_coder().scratch_bytes(), 0u);
}

// So is what the encoder gets of a session that begins with given frames.
TEST(EngineTest, StartFramesGiveTheirMemoryBackWithTheSession) {
  TestEngine engine;
  SessionSpec spec = SmallSpec("a red circle", 1, 33);
  const uint64_t without = engine.Estimate(spec)->memory_bytes;
  spec.start_frames = 9;
  EXPECT_GT(engine.Estimate(spec)->memory_bytes, without);
  auto session = *engine.CreateSession(spec, "s");
  ASSERT_TRUE(session->PutStart(0, 0, std::string(1000, 'x')).ok());
  ASSERT_TRUE(engine->DeleteSession("s").ok());
  session = nullptr;
  engine.RunUntilIdle();
  EXPECT_EQ(engine->stats().session_bytes, 0u);
}

// Takes of half a second leave an idle server as it was: each keeps what its outbox holds.
TEST(EngineTest, EndedSessionsKeepOnlyTheirOutbox) {
  EngineSetup setup;
  setup.engine.session.outbox_bytes_max = 64 << 20;
  setup.engine.session_bytes_max = 128 << 20;
  TestEngine engine(setup);
  std::vector<std::shared_ptr<Session>> sessions;
  for (int take = 0; take < 60; ++take) {
    auto session = engine.CreateSession(SmallSpec("a red circle", 1, 9), "");
    ASSERT_TRUE(session.ok()) << "take " << take << ": " << session.status();
    EXPECT_EQ(ReadToEnd(engine, **session).chunks.size(), 1u);
    sessions.push_back(*session);
  }
  engine.RunUntilIdle();
  uint64_t outboxes = 0;
  for (const auto& session : sessions) outboxes += session->Info().outbox_bytes;
  EXPECT_GE(engine->stats().session_bytes, outboxes);
  EXPECT_LE(engine->stats().session_bytes, 2 * outboxes) << "and a chunk that is being sent";
}

// A 48x32 frame has 6 tokens, a head of the embedded model 64 channels.
TEST(EngineTest, ALongerWindowTakesMoreRotaryTables) {
  EngineSetup setup;
  TestEngine engine(setup);
  SessionSpec spec = SmallSpec("a red circle", 1, 0);
  const auto beside_kv = [&](int64_t window) {
    spec.key_plan = KeyPlanSpec{.window_frames = window};
    const auto estimate = engine.Estimate(spec);
    return estimate->memory_bytes - estimate->kv_bytes;
  };
  EXPECT_EQ(beside_kv(31) - beside_kv(21), 2u * 10 * 6 * 64 * sizeof(float));
  spec.frame_count = 33;
  EXPECT_EQ(beside_kv(31), beside_kv(21)) << "a short take never fills either";
}

TEST(EngineTest, ARepeatedRequestIsTheSameSession) {
  TestEngine engine;
  const ResolvedSpec spec = *engine->Resolve(SmallSpec("a red circle", 1, 33));
  const auto first = engine->CreateSession(spec, "mine");
  ASSERT_TRUE(first.ok());
  EXPECT_TRUE(first->is_new);
  const uint64_t promised = engine->stats().session_bytes;
  const auto again = engine->CreateSession(spec, "mine");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_FALSE(again->is_new);
  EXPECT_EQ(again->session, first->session);
  EXPECT_EQ(engine->stats().session_bytes, promised) << "nothing is promised twice";
  ResolvedSpec other = spec;
  other.seed = 2;
  EXPECT_EQ(engine->CreateSession(other, "mine").status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_NE((*engine->CreateSession(spec, "")).session, first->session);
  ASSERT_TRUE(engine->DeleteSession("mine").ok());
  EXPECT_TRUE(engine->CreateSession(spec, "mine")->is_new);
}

TEST(EngineTest, SessionsExpireWithoutTheirClient) {
  TestEngine engine;
  SessionSpec spec = SmallSpec("a red circle", 1, 0);
  spec.ttl_nanos = 60 * kSecond;
  auto session = *engine.CreateSession(spec, "gone");
  engine.RunUntilIdle();
  EXPECT_TRUE(engine->FindSession("gone").ok());
  engine.clock().Advance(61 * kSecond);
  engine.RunUntilIdle();
  EXPECT_EQ(engine->FindSession("gone").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(engine->stats().kv_bytes, 0u);
  EXPECT_EQ(engine->stats().sessions_expired, 1u);
}

TEST(EngineTest, DeletingInTheMiddleLeavesTheOthersAlone) {
  TestEngine engine;
  const SessionSpec spec = SmallSpec("a red circle", 5, 60);
  const auto alone = ReadToEnd(engine, **engine.CreateSession(spec, "")).Digests();
  auto kept = *engine.CreateSession(spec, "kept");
  auto deleted = *engine.CreateSession(SmallSpec("a blue square", 6, 0), "deleted");
  for (int i = 0; i < 7; ++i) engine->Step();
  EXPECT_TRUE(engine->DeleteSession("deleted").ok());
  EXPECT_EQ(engine->DeleteSession("deleted").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadToEnd(engine, *kept).Digests(), alone);
}

TEST(EngineTest, RefusalsNameTheField) {
  TestEngine engine;
  const auto refused = [&](auto change, const std::string& field) {
    SessionSpec spec = SmallSpec("a", 1, 9);
    change(spec);
    const absl::Status status = engine.CreateSession(spec, "").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << field;
    EXPECT_EQ(std::string(status.message()).rfind(field, 0), 0u) << status;
  };
  refused([](SessionSpec& s) { s.width = 50; }, "width");
  refused([](SessionSpec& s) { s.height = 16384; }, "height");
  refused([](SessionSpec& s) { s.width = s.height = 1024; }, "width");
  refused([](SessionSpec& s) { s.fps = 241; }, "fps");
  refused([](SessionSpec& s) { s.frame_count = -1; }, "frame_count");
  refused([](SessionSpec& s) { s.guidance = -1; }, "guidance");
  refused([](SessionSpec& s) { s.steps = {500, 1000}; }, "steps");
  refused([](SessionSpec& s) { s.prompt = std::string(100 << 10, 'x'); }, "prompt");
  refused([](SessionSpec& s) { s.prompt = "\xff"; }, "prompt");
  refused([](SessionSpec& s) { s.ttl_nanos = -1; }, "ttl");
  refused([](SessionSpec& s) { s.key_plan = KeyPlanSpec{KeyPlanKind::kWindow, 4, 3}; }, "key_plan");
  refused([](SessionSpec& s) { s.key_plan = KeyPlanSpec{KeyPlanKind::kWindow, 1, -1000}; },
          "key_plan");
  EXPECT_EQ(engine->stats().sessions_created, 0u);
  EXPECT_EQ(engine->stats().kv_bytes, 0u);
}

TEST(EngineTest, TiledDecodingIsAnotherTakeOfTheSameLatents) {
  TestEngine engine;
  SessionSpec spec = SmallSpec("a red circle", 1, 21);
  spec.width = 288;  // two tiles
  EXPECT_EQ(engine->Resolve(spec)->tiled_decode, false);
  const auto whole = ReadToEnd(engine, **engine.CreateSession(spec, "")).Digests();
  spec.tiled_decode = true;
  const auto tiled = ReadToEnd(engine, **engine.CreateSession(spec, "")).Digests();
  ASSERT_EQ(tiled.size(), whole.size());
  EXPECT_NE(tiled, whole);
  EXPECT_EQ(ReadToEnd(engine, **engine.CreateSession(spec, "")).Digests(), tiled);
  spec.width = 48;
  const auto one_tile = ReadToEnd(engine, **engine.CreateSession(spec, "")).Digests();
  spec.tiled_decode = false;
  EXPECT_EQ(ReadToEnd(engine, **engine.CreateSession(spec, "")).Digests(), one_tile);
}

TEST(EngineTest, RunsOnItsOwnThreadsAndStops) {
  TestEngine engine;
  engine->Start();
  auto session = *engine.CreateSession(SmallSpec("a red circle", 1, 60), "");
  const uint64_t reader = *session->Attach(-1, nullptr);
  Received received;
  while (!received.end) PollAll(*session, reader, &received);
  EXPECT_EQ(received.chunks.size(), 6u);

  auto endless = *engine.CreateSession(SmallSpec("a red circle", 1, 0), "");
  engine->Stop();
  EXPECT_EQ(endless->Info().failure.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(engine.CreateSession(SmallSpec("a", 1, 9), "").status().code(),
            absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace longtake
