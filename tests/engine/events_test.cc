// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a client asks of a session while it runs: every event gets its second receipt, and what is
// superseded costs nothing.
#include <gtest/gtest.h>

#include "tests/engine/engine_fixture.h"

namespace longtake {
namespace {

void RunToChunk(TestEngine& engine, Session& session, uint64_t reader, size_t count,
                Received* received) {
  while (received->chunks.size() < count && engine->Step()) PollAll(session, reader, received);
}

void RunToEnd(TestEngine& engine, Session& session, uint64_t reader, Received* received) {
  while (!received->end && engine->Step()) PollAll(session, reader, received);
  PollAll(session, reader, received);
}

TEST(EventsTest, OnlyTheLastOfSeveralPromptsIsEncoded) {
  TestEngine engine;
  const SessionSpec spec = SmallSpec("a red circle", 7, 60);
  const auto run = [&](const std::vector<std::string>& prompts, uint64_t* text_sweeps) {
    auto session = *engine.CreateSession(spec, "");
    Received received;
    const uint64_t reader = *session->Attach(-1, nullptr);
    RunToChunk(engine, *session, reader, 1, &received);
    const uint64_t before = engine->stats().text_sweeps;
    for (const std::string& prompt : prompts) {
      EXPECT_TRUE(engine->Submit(*session, {EventKind::kPrompt, prompt}).ok());
    }
    RunToEnd(engine, *session, reader, &received);
    *text_sweeps = engine->stats().text_sweeps - before;
    return received;
  };
  uint64_t one = 0;
  uint64_t many = 0;
  const std::string last = "a blue square on a black background";
  const Received alone = run({last}, &one);
  std::string full;  // more tokens than a prompt may have, so that four fill a text sweep
  for (int i = 0; i < 300; ++i) full += "a green triangle ";
  std::vector<std::string> prompts(40, full);
  prompts.push_back(last);
  const Received superseded = run(prompts, &many);
  EXPECT_EQ(one, 1u);
  EXPECT_EQ(many, 1u);
  EXPECT_EQ(superseded.Digests(), alone.Digests());
  ASSERT_EQ(superseded.applied.size(), prompts.size());
  for (const EventApplied& applied : superseded.applied) {
    EXPECT_EQ(applied.chunk, alone.applied.at(0).chunk);
  }
}

// At any moment of a short take an event may come: it is refused, or it gets both receipts.
TEST(EventsTest, EventsAroundTheLastChunkGetTheirReceipts) {
  for (int steps = 0; steps < 16; ++steps) {
    TestEngine engine;
    auto session = *engine.CreateSession(SmallSpec("a red circle", 3, 15), "");
    Received received;
    const uint64_t reader = *session->Attach(-1, nullptr);
    for (int i = 0; i < steps; ++i) engine->Step();
    size_t accepted = 0;
    for (EventKind kind : {EventKind::kPause, EventKind::kResume, EventKind::kPrompt}) {
      accepted += engine->Submit(*session, {kind, "a blue square"}).ok() ? 1 : 0;
    }
    RunToEnd(engine, *session, reader, &received);
    ASSERT_TRUE(received.end.has_value()) << "after " << steps << " steps";
    EXPECT_TRUE(received.end->ok());
    EXPECT_EQ(received.applied.size(), accepted) << "after " << steps << " steps";
    EXPECT_EQ(received.chunks.size(), 2u);
  }
}

// With guidance two prompts start a session; a third that came before they were encoded must not be
// replaced by them.
TEST(EventsTest, AnEarlyPromptIsNotReplacedByTheFirst) {
  TestEngine engine;
  std::string full;
  for (int i = 0; i < 300; ++i) full += "a green triangle ";
  // Three full prompts of others leave no room for the fourth, this session's negative one, but for
  // its first and for the early one.
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(engine.CreateSession(SmallSpec(full, 1, 0), "").ok());
  }
  SessionSpec spec = SmallSpec("a red circle on a white background", 7, 33);
  spec.guidance = 2.0;
  spec.negative_prompt = full;
  const std::string wanted = "a blue square on a black background";
  auto session = *engine.CreateSession(spec, "");
  ASSERT_TRUE(engine->Submit(*session, {EventKind::kPrompt, wanted}).ok());
  const Received received = ReadToEnd(engine, *session);
  const auto plain = ReadToEnd(engine, **engine.CreateSession(spec, "")).Digests();
  ASSERT_EQ(received.applied.size(), 1u);
  for (size_t i = 0; i < plain.size(); ++i) {
    const bool before = static_cast<int64_t>(i) < received.applied[0].chunk;
    EXPECT_EQ(received.Digests().at(i) == plain[i], before) << "chunk " << i;
  }
}

TEST(EventsTest, WhatFollowsAnEndIsAnsweredToo) {
  TestEngine engine;
  auto session = *engine.CreateSession(SmallSpec("a red circle", 3, 0), "");
  Received received;
  const uint64_t reader = *session->Attach(-1, nullptr);
  RunToChunk(engine, *session, reader, 1, &received);
  for (EventKind kind : {EventKind::kEnd, EventKind::kPrompt, EventKind::kPause}) {
    EXPECT_TRUE(engine->Submit(*session, {kind, "a blue square"}).ok());
  }
  RunToEnd(engine, *session, reader, &received);
  ASSERT_TRUE(received.end.has_value());
  EXPECT_EQ(received.applied.size(), 3u);
}

// The second prompt finds no room for its text before a clean pass under the text that the first
// one replaced, and that pass is neither paused nor kept by a reader.
TEST(EventsTest, TwoPromptsInAPauseAreBothApplied) {
  for (const EventKind last : {EventKind::kResume, EventKind::kEnd}) {
    TestEngine engine;
    auto session = *engine.CreateSession(SmallSpec("a red circle", 7, 60), "");
    Received received;
    const uint64_t reader = *session->Attach(-1, nullptr);
    RunToChunk(engine, *session, reader, 1, &received);
    for (const SessionEvent& event : {SessionEvent{EventKind::kPause, ""},
                                      {EventKind::kPrompt, "a blue square"},
                                      {EventKind::kPrompt, "a green triangle"}}) {
      ASSERT_TRUE(engine->Submit(*session, event).ok());
      engine.RunUntilIdle();
      PollAll(*session, reader, &received);
      EXPECT_EQ(session->Info().state, SessionState::kPaused);
    }
    EXPECT_EQ(received.applied.size(), 3u);
    const size_t chunks = received.chunks.size();
    engine.RunUntilIdle();
    PollAll(*session, reader, &received);
    EXPECT_EQ(received.chunks.size(), chunks) << "a pause is a pause";
    ASSERT_TRUE(engine->Submit(*session, {last, ""}).ok());
    RunToEnd(engine, *session, reader, &received);
    ASSERT_TRUE(received.end.has_value() && received.end->ok());
    EXPECT_EQ(received.applied.size(), 4u);
  }
}

// What a take shows depends on its spec, not on who reads it and how fast.
TEST(TimelineTest, AFastAndASlowReaderGetTheSameTake) {
  EngineSetup setup;
  setup.engine.session.outbox_bytes_max = 2 * 12 * 48 * 32 * 3;
  SessionSpec spec = SmallSpec("a red circle on a white background", 7, 117);
  spec.prompt_changes = {{.frame = 20, .prompt = "a blue square on a black background"},
                         {.frame = 60, .prompt = "a green triangle"}};
  TestEngine engine(setup);
  const auto fast = ReadToEnd(engine, **engine.CreateSession(spec, ""));
  ASSERT_EQ(fast.chunks.size(), 10u);
  EXPECT_TRUE(fast.applied.empty()) << "nobody asked, so nobody gets a receipt";

  const auto session = *engine.CreateSession(spec, "");
  const uint64_t reader = *session->Attach(-1, nullptr);
  Received slow;
  while (!slow.end.has_value()) {
    engine.RunUntilIdle();  // until the outbox is full
    PollAll(*session, reader, &slow);
  }
  EXPECT_EQ(slow.Digests(), fast.Digests());

  // Up to the first change it is the take without it.
  spec.prompt_changes.clear();
  const auto plain = ReadToEnd(engine, **engine.CreateSession(spec, "")).Digests();
  EXPECT_EQ(plain[1], fast.Digests()[1]);
  EXPECT_NE(plain[2], fast.Digests()[2]) << "chunk 2 begins with frame 21";
}

// The same where several chunks are in work at once, where memory is made again, and where the take
// begins with frames of the client's.
TEST(TimelineTest, EveryPolicyWaitsForItsTimedPrompts) {
  struct Case {
    const char* recipe;
    PromptSwitch prompt_switch;
    int64_t start_frames;
  };
  for (const Case& c : {Case{"rolling-forcing", PromptSwitch::kSwap, 0},
                        Case{"rolling-forcing", PromptSwitch::kSwap, 21},
                        Case{"longlive", PromptSwitch::kRecacheAndSink, 0},
                        Case{"longlive", PromptSwitch::kRecache, 21}}) {
    const ScratchPack pack(SmallRecipe(c.recipe));
    EngineSetup setup;
    setup.pack = pack.directory();
    SessionSpec spec = SmallSpec("a red circle", 7, 117);
    spec.prompt_switch = c.prompt_switch;
    spec.start_frames = c.start_frames;
    spec.prompt_changes = {{.frame = 5, .prompt = "a green triangle"},
                           {.frame = 45, .prompt = "a blue square"},
                           {.frame = 57, .prompt = "a yellow circle"}};
    std::vector<std::vector<std::string>> takes;
    for (const uint64_t outbox_chunks : {2, 20}) {
      setup.engine.session.outbox_bytes_max = outbox_chunks * 12 * 48 * 32 * 3;
      TestEngine engine(setup);
      const auto session = *engine.CreateSession(spec, "");
      const std::string start(static_cast<size_t>(spec.start_frames * 48 * 32 * 3), '\x70');
      if (!start.empty()) {
        ASSERT_TRUE(session->PutStart(0, 0, start).ok());
      }
      const uint64_t reader = *session->Attach(-1, nullptr);
      Received received;
      while (!received.end.has_value()) {
        engine.RunUntilIdle();
        PollAll(*session, reader, &received);
      }
      EXPECT_TRUE(received.end->ok()) << c.recipe;
      takes.push_back(received.Digests());
    }
    EXPECT_EQ(takes[0], takes[1]) << c.recipe << ", " << c.start_frames << " start frames";
    EXPECT_EQ(takes[0].size(), 10u);
  }
}

TEST(TimelineTest, ASessionThatWaitsForItsPromptCanBeDeleted) {
  TestEngine engine;
  SessionSpec spec = SmallSpec("a red circle", 7, 117);
  spec.prompt_changes = {{.frame = 9, .prompt = "a blue square"}};
  for (int steps = 1; steps < 16; ++steps) {
    const auto session = *engine.CreateSession(spec, "s");
    for (int i = 0; i < steps; ++i) engine->Step();
    ASSERT_TRUE(engine->DeleteSession("s").ok());
    engine.RunUntilIdle();
    EXPECT_EQ(engine->stats().kv_bytes, 0u) << steps << " steps";
  }
}

// A control that names a frame is the same as a change in the spec, when it comes in time.
TEST(TimelineTest, AControlCanNameItsFrame) {
  TestEngine engine;
  SessionSpec spec = SmallSpec("a red circle", 7, 117);
  spec.prompt_changes = {{.frame = 57, .prompt = "a blue square"}};
  const auto wanted = ReadToEnd(engine, **engine.CreateSession(spec, "")).Digests();
  spec.prompt_changes.clear();
  const auto session = *engine.CreateSession(spec, "");
  const SessionEvent event = {
      .kind = EventKind::kPrompt, .prompt = "a blue square", .frame = 57, .control_id = 3};
  ASSERT_TRUE(engine->Submit(*session, event).ok());
  const Received received = ReadToEnd(engine, *session);
  EXPECT_EQ(received.Digests(), wanted);
  ASSERT_EQ(received.applied.size(), 1u);
  EXPECT_EQ(received.applied[0].chunk, 5) << "which begins with frame 57";
  EXPECT_EQ(received.applied[0].control_id, 3u);
}

TEST(TimelineTest, APauseAndAnEndCanNameTheirs) {
  TestEngine engine;
  const auto session = *engine.CreateSession(SmallSpec("a red circle", 7, 0), "");
  const uint64_t reader = *session->Attach(-1, nullptr);
  ASSERT_TRUE(engine->Submit(*session, {.kind = EventKind::kEnd, .frame = 40}).ok());
  ASSERT_TRUE(engine->Submit(*session, {.kind = EventKind::kPause, .frame = 10}).ok());
  engine.RunUntilIdle();
  EXPECT_EQ(session->Info().state, SessionState::kPaused);
  EXPECT_EQ(session->Info().chunk_count, 2) << "frames 0 to 20";
  ASSERT_TRUE(engine->Submit(*session, {.kind = EventKind::kResume}).ok());
  engine.RunUntilIdle();
  Received received;
  PollAll(*session, reader, &received);
  EXPECT_EQ(received.chunks.size(), 4u) << "the fifth would begin with frame 45";
  EXPECT_TRUE(received.end.has_value() && received.end->ok());
}

// A place that has passed is the next boundary, so the order of acceptance holds.
TEST(TimelineTest, WhatNamesAPastFrameKeepsItsPlaceInTheOrder) {
  TestEngine engine;
  const auto session = *engine.CreateSession(SmallSpec("a red circle", 7, 0), "");
  const uint64_t reader = *session->Attach(-1, nullptr);
  Received received;
  while (received.chunks.size() < 3 && engine->Step()) PollAll(*session, reader, &received);
  ASSERT_TRUE(engine->Submit(*session, {.kind = EventKind::kPause, .frame = 9}).ok());
  ASSERT_TRUE(engine->Submit(*session, {.kind = EventKind::kResume}).ok());
  for (int i = 0; i < 12; ++i) engine->Step();
  PollAll(*session, reader, &received);
  ASSERT_EQ(received.applied.size(), 2u);
  EXPECT_EQ(received.applied[0].sequence, 1u);
  EXPECT_EQ(received.applied[1].sequence, 2u);
  EXPECT_NE(session->Info().state, SessionState::kPaused);
}

TEST(TimelineTest, TwoPromptsAtAFrameThatHasPassedHoldNobodyBack) {
  EngineSetup setup;
  setup.engine.session.outbox_bytes_max = 2 * 12 * 48 * 32 * 3;
  TestEngine engine(setup);
  auto session = *engine.CreateSession(SmallSpec("a red circle", 7, 105), "");
  Received received;
  const uint64_t reader = *session->Attach(-1, nullptr);
  engine.RunUntilIdle();
  ASSERT_EQ(session->Info().state, SessionState::kBlocked);
  for (const char* prompt : {"a blue square", "a green triangle"}) {
    ASSERT_TRUE(
        engine->Submit(*session, {.kind = EventKind::kPrompt, .prompt = prompt, .frame = 9}).ok());
    engine.RunUntilIdle();
    EXPECT_EQ(session->Info().state, SessionState::kBlocked);
  }
  EXPECT_EQ(session->Info().chunk_count, 2);
  for (int i = 0; i < 10 && !received.end.has_value(); ++i) {
    engine.RunUntilIdle();
    PollAll(*session, reader, &received);
  }
  ASSERT_TRUE(received.end.has_value() && received.end->ok());
  ASSERT_EQ(received.applied.size(), 2u);
  EXPECT_EQ(received.applied[1].chunk, 2);
}

TEST(TimelineTest, WhatLiesBeyondTheTakeIsRefused) {
  TestEngine engine;
  const auto refused = [&](std::vector<PromptChange> changes, const std::string& field) {
    SessionSpec spec = SmallSpec("a red circle", 7, 33);  // chunks begin with 0, 9, 21
    spec.prompt_changes = std::move(changes);
    const absl::Status status = engine->Resolve(spec).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << field;
    EXPECT_EQ(std::string(status.message()).rfind(field + ":", 0), 0u) << status;
  };
  refused({{.frame = 22, .prompt = "a"}}, "prompt_changes[0].frame");
  refused({{.frame = 33, .prompt = "a"}}, "prompt_changes[0].frame");
  refused({{.frame = -1, .prompt = "a"}}, "prompt_changes[0].frame");
  refused({{.frame = kFrameCountMax + 1, .prompt = "a"}}, "prompt_changes[0].frame");
  refused({{.frame = 9, .prompt = "a"}, {.frame = 9, .prompt = "b"}}, "prompt_changes[1].frame");
  refused({{.frame = 9, .prompt = "a"}, {.frame = 4, .prompt = "b"}}, "prompt_changes[1].frame");
  refused({{.frame = 0, .prompt = std::string(kPromptBytesMax + 1, 'x')}},
          "prompt_changes[0].prompt");
  refused(std::vector<PromptChange>(kPromptChangesMax + 1), "prompt_changes");
  SessionSpec fine = SmallSpec("a red circle", 7, 33);
  fine.prompt_changes = {{.frame = 0, .prompt = "a blue square"}, {.frame = 21, .prompt = "b"}};
  EXPECT_TRUE(engine->Resolve(fine).ok());

  const auto session = *engine.CreateSession(SmallSpec("a red circle", 7, 33), "");
  EXPECT_EQ(engine->Submit(*session, {.kind = EventKind::kPause, .frame = 22}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

// Another prompt from the first frame on is the take of that prompt.
TEST(TimelineTest, AChangeAtTheFirstFrameIsThePrompt) {
  TestEngine engine;
  SessionSpec spec = SmallSpec("a red circle", 7, 45);
  spec.prompt_changes = {{.frame = 0, .prompt = "a blue square"}};
  const auto changed = ReadToEnd(engine, **engine.CreateSession(spec, "")).Digests();
  EXPECT_EQ(
      changed,
      ReadToEnd(engine, **engine.CreateSession(SmallSpec("a blue square", 7, 45), "")).Digests());
}

}  // namespace
}  // namespace longtake
