// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Sessions that make more than the store has room for: they forget what lies far back, stay
// durable, and make what they would have made.
#include <functional>

#include "base/error_reason.h"
#include "tests/engine/resume_fixture.h"

namespace longtake {
namespace {

constexpr int64_t kChunks = 48;

class LongSessionTest : public ResumeTest {
 protected:
  // As far back as its snapshot takes less than so many chunks' latents.
  static SessionSpec Looking() {
    SessionSpec spec = Endless();
    spec.key_plan = {.kind = KeyPlanKind::kWindow, .window_frames = 6};
    return spec;
  }
  // What a chunk takes, its records included.
  int64_t BytesOfAChunk() {
    Create(Looking(), "measured");
    ReadSome("measured", 0, 4);
    const SessionRow row = Row("measured");
    EXPECT_TRUE(engine_->DeleteSession("measured").ok());
    return row.bytes / row.chunks;
  }
  std::vector<std::string> Whole() {
    Create(Looking(), "whole");
    std::vector<std::string> digests = ReadSome("whole", 0, 2 * kChunks);
    EXPECT_TRUE(engine_->DeleteSession("whole").ok());
    return digests;
  }
  SessionRow Row(const std::string& id) const {
    for (const SessionRow& row : store_->Sessions()) {
      if (row.id == id) return row;
    }
    return {};
  }
  // Its client gets chunks from this one on, as they come, until it is enough.
  std::vector<std::string> Watch(const std::string& id, int64_t first,
                                 const std::function<bool(int64_t next)>& enough) {
    const auto session = *engine_->Wake(id, first);
    const uint64_t reader = *session->Attach(first, nullptr);
    Received received;
    while (!enough(first + std::ssize(received.chunks)) && received.chunks.size() < 100) {
      engine_->Step();
      store_->Step();
      PollAll(*session, reader, &received);
    }
    session->Detach(reader);
    return received.Digests();
  }
  static std::vector<std::string> Some(const std::vector<std::string>& all, int64_t first,
                                       size_t count) {
    const auto begin = static_cast<size_t>(first);
    if (begin + count > all.size()) return {};
    return {all.begin() + first, all.begin() + first + static_cast<ptrdiff_t>(count)};
  }
};

TEST_F(LongSessionTest, ItForgetsItsBeginningAndStaysDurable) {
  const std::vector<std::string> all = Whole();
  const int64_t chunk_bytes = BytesOfAChunk();
  history_bytes_max_ = static_cast<uint64_t>(12 * chunk_bytes);
  resume_seconds_max_ = 0;  // a snapshot at every boundary
  Begin();
  Create(Looking(), "one");
  int64_t largest = 0;
  bool had_gap = false;
  const auto seen = Watch("one", 0, [&](int64_t next) {
    largest = std::max(largest, Row("one").bytes);
    had_gap |= store_->stats().broken_off != 0;
    return next >= kChunks;
  });
  EXPECT_EQ(seen, Some(all, 0, seen.size()));
  EXPECT_LT(largest, 24 * chunk_bytes);
  EXPECT_FALSE(had_gap);
  EXPECT_GT(store_->stats().forgotten, kChunks / 2);
  Begin();
  const int64_t oldest = engine_->Describe("one")->oldest_chunk_held;
  EXPECT_GT(oldest, kChunks / 2);
  const absl::Status early = engine_->Wake("one", oldest - 1).status();
  EXPECT_EQ(ReasonFor(early), Reason::kChunkNotHeld) << early;
  EXPECT_EQ(ReasonFor(engine_->Rewind("one", Row("one").base - 1)), Reason::kChunkNotHeld);
  // From there on it makes what it would have made, and so it does when it is rewound.
  EXPECT_EQ(ReadSome("one", oldest, 2), Some(all, oldest, 2));
  EXPECT_GT(report_.snapshot, kChunks / 2);
  Begin();
  const int64_t base = Row("one").base;
  ASSERT_TRUE(engine_->Rewind("one", base).ok());
  EXPECT_EQ(ReadSome("one", base, 6), Some(all, base, 6));
}

// Whatever end it is asked for, from the chunk on that it tells as its oldest.
TEST_F(LongSessionTest, WhatIsKeptIsShownAgain) {
  const std::vector<std::string> all = Whole();
  history_bytes_max_ = static_cast<uint64_t>(12 * BytesOfAChunk());
  resume_seconds_max_ = 0;
  Begin();
  const auto session = Create(Looking(), "one");
  Watch("one", 0, [&](int64_t next) { return next >= kChunks; });
  const SessionInfo live = engine_->InfoOf(*session);
  EXPECT_EQ(live.base_chunk, Row("one").base);
  EXPECT_LT(live.oldest_chunk_held, live.base_chunk);
  Begin();
  const SessionInfo info = *engine_->Describe("one");
  EXPECT_EQ(info.base_chunk, Row("one").base);
  const int64_t oldest = info.oldest_chunk_held;
  ASSERT_LT(oldest + 1, info.base_chunk);
  for (const int64_t end : {oldest + 1, info.base_chunk - 1, info.base_chunk, Row("one").chunks}) {
    const std::string id = absl::StrCat("until-", end);
    ASSERT_TRUE(engine_->Fork("one", {.id = id, .chunk = end, .ended = true}).ok()) << end;
    const absl::Status early = engine_->Wake(id, oldest - 1).status();
    ASSERT_EQ(ReasonFor(early), Reason::kChunkNotHeld) << early;
    EXPECT_EQ(ReasonOf(early)->metadata["oldest_chunk"], std::to_string(oldest)) << early;
    const auto count = static_cast<size_t>(end - oldest);
    EXPECT_EQ(ReadSome(id, oldest, count), Some(all, oldest, count));
  }
  for (const int64_t end : {oldest, oldest - 1, int64_t{1}}) {
    const absl::Status refused =
        engine_->Fork("one", {.id = "early", .chunk = end, .ended = true}).status();
    ASSERT_EQ(ReasonFor(refused), Reason::kChunkNotHeld) << refused;
    EXPECT_EQ(ReasonOf(refused)->metadata["oldest_chunk"], std::to_string(oldest)) << refused;
  }
}

// Where no snapshot was made in time it has a gap at its quota, and begins anew with one.
TEST_F(LongSessionTest, AtItsQuotaItBeginsAnew) {
  const std::vector<std::string> all = Whole();
  session_bytes_max_ = static_cast<uint64_t>(40 * BytesOfAChunk());
  resume_seconds_max_ = 1e9;
  Begin();
  const auto session = Create(Looking(), "one");
  int64_t largest = 0;
  bool had_gap = false;
  const auto seen = Watch("one", 0, [&](int64_t) {
    largest = std::max(largest, Row("one").bytes);
    had_gap |= store_->stats().broken_off != 0;
    return had_gap && store_->stats().broken_off == 0;
  });
  EXPECT_EQ(seen, Some(all, 0, seen.size()));
  EXPECT_LE(largest, static_cast<int64_t>(session_bytes_max_));
  EXPECT_TRUE(engine_->InfoOf(*session).durable);
  EXPECT_LT(Row("one").bytes, largest) << "what lies before takes no room any more";
  EXPECT_TRUE(store_->durable());
  Begin();
  const int64_t oldest = engine_->Describe("one")->oldest_chunk_held;
  EXPECT_GT(oldest, 0);
  EXPECT_EQ(ReadSome("one", oldest, 6), Some(all, oldest, 6));
}

// A fork may need what would have to go.
TEST_F(LongSessionTest, ForksComeFirst) {
  session_bytes_max_ = static_cast<uint64_t>(40 * BytesOfAChunk());
  resume_seconds_max_ = 1e9;
  Begin();
  const auto session = Create(Looking(), "one");
  int64_t next = 0;
  Watch("one", 0, [&](int64_t chunk) {
    next = chunk;
    return store_->stats().broken_off != 0;
  });
  ASSERT_EQ(store_->stats().broken_off, 1);
  ASSERT_TRUE(store_->Fork("one", {.id = "fork", .chunk = Row("one").chunks}).ok());
  const SessionRow before = Row("one");
  Watch("one", next, [&](int64_t chunk) {
    next = chunk;
    return chunk > before.chunks + 30;
  });
  EXPECT_EQ(Row("one"), before);
  EXPECT_FALSE(engine_->InfoOf(*session).durable);
  ASSERT_TRUE(engine_->DeleteSession("fork").ok());
  Watch("one", next, [&](int64_t) { return store_->stats().broken_off == 0; });
  EXPECT_TRUE(engine_->InfoOf(*session).durable);
  EXPECT_GT(Row("one").base, before.chunks);
}

}  // namespace
}  // namespace longtake
