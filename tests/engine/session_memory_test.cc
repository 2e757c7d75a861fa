// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a session is said to hold against what is really allocated for it, on the host and on its
// devices. Every allocation of this program is counted, so this is a program of its own.
#include "engine/serve/session_memory.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "engine/serve/resolve.h"
#include "tests/engine/engine_fixture.h"
#include "tests/engine/late_model.h"

namespace {

struct Counter {
  std::atomic<int64_t> live{0};
  std::atomic<int64_t> most{0};

  void Add(int64_t bytes) {
    const int64_t now = live += bytes;
    for (int64_t seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
    }
  }
};
Counter of_host;
Counter of_devices;

void CountOnDevice(int64_t bytes) { of_devices.Add(bytes); }

void* Counted(void* memory) {
  if (memory == nullptr) std::abort();
  of_host.Add(static_cast<int64_t>(malloc_usable_size(memory)));
  return memory;
}

void Free(void* memory) {
  if (memory != nullptr) of_host.live -= static_cast<int64_t>(malloc_usable_size(memory));
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

struct MeasuredBoth {
  Measured host;
  Measured device;
};

// Its reader keeps nothing.
void ReadAndForget(TestEngine& engine, Session& session) {
  const uint64_t reader = *session.Attach(-1, nullptr);
  Received received;
  do {
    PollAll(session, reader, &received);
    received.chunks.clear();
  } while (!received.end.has_value() && engine->Step());
  session.Detach(reader);
}

// A take that nobody reads until its outbox is full, then all of it.
MeasuredBoth Measure(EngineSetup setup, const SessionSpec& spec) {
  LateDevice::on_memory = &CountOnDevice;
  setup.open = &LateModel::Open;
  TestEngine engine(setup);
  const ResolvedSpec resolved = *engine->Resolve(spec);
  const auto memory = MeasureSession(resolved, RolloutFor(resolved, engine.model()), engine.model(),
                                     setup.engine.session.outbox_bytes_max);
  const int64_t host_before = of_host.live;
  const int64_t device_before = of_devices.live;
  of_host.most = host_before;
  of_devices.most = device_before;
  const std::shared_ptr<Session> session = engine->CreateSession(resolved, "")->session;
  if (spec.start_frames != 0) {
    std::string part(resolved.frame_bytes(), 'x');
    for (int64_t i = 0; i < spec.start_frames; ++i) {
      EXPECT_TRUE(session->PutStart(0, i * static_cast<int64_t>(part.size()), part).ok());
    }
  }
  engine.RunUntilIdle();
  ReadAndForget(engine, *session);
  return {.host = {.most = of_host.most - host_before,
                   .promised = static_cast<int64_t>(memory->total().host)},
          .device = {.most = of_devices.most - device_before,
                     .promised = static_cast<int64_t>(memory->total().device)}};
}

void ExpectHonest(const MeasuredBoth& both, const std::string& what) {
  for (const auto& [measured, of] :
       {std::pair(both.host, " of the host"), std::pair(both.device, " of the device")}) {
    EXPECT_LE(measured.most, measured.promised + kSmallThings)
        << what << of << ": more than was promised";
    EXPECT_GE(measured.most, measured.promised / 3) << what << of << ": three times what is needed";
  }
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
  MemoryUse sum;
  for (const auto& [name, use] : memory.ByName()) {
    EXPECT_GT(use.total(), 0u) << name;
    sum += use;
  }
  EXPECT_EQ(sum, memory.total());
  EXPECT_EQ(memory.held() + memory.decode_scratch, memory.total());
  EXPECT_EQ(memory.OfHost().total(), memory.total().OfHost());
}

}  // namespace
}  // namespace longtake
