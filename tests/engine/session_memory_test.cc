// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a session is said to hold against what is really allocated for it. Every allocation of this
// program is counted, so this is a program of its own.
#include "engine/serve/session_memory.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "engine/serve/resolve.h"
#include "tests/engine/engine_fixture.h"

namespace {

std::atomic<int64_t> live_bytes{0};
std::atomic<int64_t> most_bytes{0};

void* Counted(void* memory) {
  if (memory == nullptr) std::abort();
  const int64_t live = live_bytes += static_cast<int64_t>(malloc_usable_size(memory));
  for (int64_t most = most_bytes; live > most && !most_bytes.compare_exchange_weak(most, live);) {
  }
  return memory;
}

void Free(void* memory) {
  if (memory != nullptr) live_bytes -= static_cast<int64_t>(malloc_usable_size(memory));
  std::free(memory);
}

}  // namespace

void* operator new(size_t bytes) { return Counted(std::malloc(bytes)); }
void* operator new(size_t bytes, std::align_val_t alignment) {
  const auto step = static_cast<size_t>(alignment);
  return Counted(std::aligned_alloc(step, (bytes + step - 1) / step * step));
}
void operator delete(void* memory) noexcept { Free(memory); }
void operator delete(void* memory, size_t) noexcept { Free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { Free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { Free(memory); }

namespace longtake {
namespace {

// Queues, strings, item lists, test code: what is too small to be promised.
constexpr int64_t kSmallThings = 1 << 20;

struct Measured {
  int64_t most = 0;      // allocated at once for the session, beyond what the engine held before
  int64_t promised = 0;  // as it was admitted
};

// A take that nobody reads until its outbox is full, then all of it.
Measured Measure(const EngineSetup& setup, const SessionSpec& spec) {
  TestEngine engine(setup);
  const ResolvedSpec resolved = *engine->Resolve(spec);
  const auto memory = MeasureSession(resolved, RolloutFor(resolved, engine.model()), engine.model(),
                                     setup.engine.session.outbox_bytes_max);
  Measured out{.promised = static_cast<int64_t>(memory->total())};
  const int64_t before = live_bytes;
  most_bytes = before;
  const std::shared_ptr<Session> session = engine->CreateSession(resolved, "")->session;
  if (spec.start_frames != 0) {
    std::string part(resolved.frame_bytes(), 'x');
    for (int64_t i = 0; i < spec.start_frames; ++i) {
      EXPECT_TRUE(session->PutStart(0, i * static_cast<int64_t>(part.size()), part).ok());
    }
  }
  engine.RunUntilIdle();
  ReadToEnd(engine, *session);
  out.most = most_bytes - before;
  return out;
}

void ExpectHonest(const Measured& measured, const char* what) {
  EXPECT_LE(measured.most, measured.promised + kSmallThings) << what << ": more than was promised";
  EXPECT_GE(measured.most, measured.promised / 3) << what << ": three times what is needed";
}

SessionSpec Spec(int64_t frames) {
  SessionSpec spec = SmallSpec("a red circle", 1, frames);
  spec.width = 256;  // large enough for small things not to matter
  spec.height = 160;
  return spec;
}

EngineSetup LargeSetup() {
  EngineSetup setup;
  setup.engine.session.outbox_bytes_max = 8 << 20;
  setup.engine.kv_bytes_max = 256 << 20;
  return setup;
}

TEST(SessionMemoryTest, ATakeHoldsWhatIsPromised) {
  ExpectHonest(Measure(LargeSetup(), Spec(141)), "a long take");
  ExpectHonest(Measure(LargeSetup(), Spec(21)), "a short take");
}

TEST(SessionMemoryTest, StartFramesAndGuidanceHoldWhatIsPromised) {
  SessionSpec spec = Spec(93);
  spec.start_frames = 69;
  ExpectHonest(Measure(LargeSetup(), spec), "start frames");
  spec = Spec(93);
  spec.guidance = 3.0;
  ExpectHonest(Measure(LargeSetup(), spec), "guidance");
}

TEST(SessionMemoryTest, TilesAndARecacheHoldWhatIsPromised) {
  SessionSpec spec = Spec(45);
  spec.tiled_decode = true;
  ExpectHonest(Measure(LargeSetup(), spec), "tiles");
  spec = Spec(93);
  spec.key_plan = KeyPlanSpec{.kind = KeyPlanKind::kWindow, .window_frames = 12, .sink_frames = 3};
  spec.prompt_switch = PromptSwitch::kRecache;
  ExpectHonest(Measure(LargeSetup(), spec), "re-cache");
}

TEST(SessionMemoryTest, RowsAreAllOfIt) {
  TestEngine engine(LargeSetup());
  SessionSpec spec = Spec(93);
  spec.start_frames = 69;
  const ResolvedSpec resolved = *engine->Resolve(spec);
  const SessionMemory memory =
      *MeasureSession(resolved, RolloutFor(resolved, engine.model()), engine.model(), 8 << 20);
  uint64_t sum = 0;
  for (const auto& [name, bytes] : memory.ByName()) {
    EXPECT_GT(bytes, 0u) << name;
    sum += bytes;
  }
  EXPECT_EQ(sum, memory.total());
  EXPECT_EQ(memory.held(), memory.total() - memory.decode_scratch);
}

}  // namespace
}  // namespace longtake
