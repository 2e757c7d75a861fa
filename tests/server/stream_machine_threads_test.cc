// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Streams whose call, session and tasks come on threads of their own, for ThreadSanitizer and for
// ends that meet everything else.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <random>
#include <thread>
#include <vector>

#include "base/worker_pool.h"
#include "server/stream_machine.h"
#include "tests/server/scripted_stream.h"

namespace longtake {
namespace {

// Tasks run on workers, in any order.
class ThreadedHost final : public ScriptedHost {
 public:
  explicit ThreadedHost(WorkerPool& workers) : workers_(workers) {}
  void Run(std::function<void()> work) override { workers_.Schedule(std::move(work)); }

 private:
  WorkerPool& workers_;
};

// Answers on the workers, too, as gRPC does on its threads: a read with a control now and then, a
// write with its end. After Finish it calls back no more but OnDone.
class ThreadedWire final : public StreamWire {
 public:
  // Its client takes nothing after so many writes; -1: it takes all.
  explicit ThreadedWire(WorkerPool& workers, int stuck_from = -1)
      : workers_(workers), stuck_from_(stuck_from) {}
  void SetMachine(std::shared_ptr<StreamMachine> machine) { machine_ = std::move(machine); }

  void Read() override {
    Later([this](StreamMachine& machine) {
      v1::StreamRequest request;
      if (opened_.exchange(true)) {
        request.mutable_control()->mutable_resume();
      } else {
        request.mutable_open();
      }
      machine.OnRead(request);
    });
  }
  void Write(const v1::StreamResponse& message) override {
    EXPECT_FALSE(writing_.exchange(true)) << "one write at a time";
    if (message.has_chunk()) ++chunks;
    if (stuck_from_ >= 0 && writes_++ >= stuck_from_) return;
    Later([this](StreamMachine& machine) {
      writing_ = false;
      machine.OnWritten(true);
    });
  }
  void Finish(const absl::Status&) override { EXPECT_FALSE(finished.exchange(true)); }
  void Cancel() override {}
  void WakeIn(int64_t nanos) override { wake_nanos = nanos; }

  std::atomic<int> chunks{0};
  std::atomic<bool> finished{false};
  std::atomic<int64_t> wake_nanos{0};

 private:
  void Later(std::function<void(StreamMachine&)> react) {
    workers_.Schedule([machine = machine_, react = std::move(react)] { react(*machine); });
  }

  WorkerPool& workers_;
  const int stuck_from_;
  std::atomic<int> writes_{0};
  std::shared_ptr<StreamMachine> machine_;
  std::atomic<bool> opened_{false};
  std::atomic<bool> writing_{false};
};

enum class End { kOfItself, kCancelled, kDeleted, kTakenOver };

void RunStream(WorkerPool& workers, End end, int chunk_count) {
  auto host = std::make_shared<ThreadedHost>(workers);
  SessionLimits limits;
  limits.outbox_bytes_max = 1 << 20;
  host->session = ScriptedSession(host->clock, ScriptedSpec(), limits);
  ThreadedWire wire(workers);
  const auto machine = std::make_shared<StreamMachine>(wire, host);
  wire.SetMachine(machine);
  machine->Start();
  for (int i = 0; i < chunk_count; ++i) {
    host->session->PutChunk(ScriptedChunk(i));
    for (AcceptedEvent& event : host->session->TakeEvents()) {
      host->session->PutApplied(event.sequence, i);
    }
  }
  if (end == End::kOfItself) host->session->PutEnd(absl::OkStatus());
  if (end == End::kCancelled) machine->OnCancelled();
  if (end == End::kDeleted) host->session->Cancel(absl::CancelledError("deleted"));
  while (!wire.finished) {
    if (end == End::kTakenOver) host->session->Attach(-1, nullptr).IgnoreError();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (end == End::kOfItself) {
    EXPECT_EQ(wire.chunks, chunk_count);
  }
  // What is still scheduled may come after OnDone only to find the machine finished.
  workers.Finish();
  machine->OnDone();
  wire.SetMachine(nullptr);
}

// One wake-up is enough for who is taken over or deleted, whatever the stream is doing then.
void LoseStuckStream(End end, int stuck_from) {
  WorkerPool workers(3);
  auto host = std::make_shared<ThreadedHost>(workers);
  ThreadedWire wire(workers, stuck_from);
  const auto machine = std::make_shared<StreamMachine>(wire, host);
  wire.SetMachine(machine);
  machine->Start();
  for (int i = 0; i < 4; ++i) host->session->PutChunk(ScriptedChunk(i));
  while (!host->session->Info().attached) std::this_thread::yield();
  if (end == End::kDeleted) host->session->Cancel(absl::CancelledError("deleted"));
  if (end == End::kTakenOver) host->session->Attach(-1, nullptr).IgnoreError();
  for (int i = 0; i < 10'000 && !wire.finished; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_TRUE(wire.finished);
  workers.Finish();
  machine->OnDone();
  wire.SetMachine(nullptr);
}

TEST(StreamMachineThreadsTest, WhoLosesItsSessionEndsThoughItsClientTakesNothing) {
  for (int round = 0; round < 100; ++round) {
    for (const End end : {End::kDeleted, End::kTakenOver}) LoseStuckStream(end, round % 3);
  }
}

TEST(StreamMachineThreadsTest, EveryEndMeetsEverythingElse) {
  std::mt19937 random(7);
  for (int round = 0; round < 100; ++round) {
    for (const End end : {End::kOfItself, End::kCancelled, End::kDeleted, End::kTakenOver}) {
      WorkerPool workers(3);
      RunStream(workers, end, static_cast<int>(random() % 12));
    }
  }
}

}  // namespace
}  // namespace longtake
