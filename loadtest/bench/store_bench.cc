// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// usage: longtake_store_bench [--benchmark_filter=...], in TMPDIR.
//
// How long a session store of so many sessions takes to open, and how long a record waits for its
// commit, with so many sessions that hand one over after the other, while the store reads again
// what it has (bytes a second) or not; and how many bytes go to the disk for each byte of latents
// and of a snapshot, by the kernel's count, until the store is closed.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "engine/store/session_store.h"

namespace longtake {
namespace {

class Directory {
 public:
  Directory() {
    path_ = (std::filesystem::temp_directory_path() / "longtake-store-bench-XXXXXX").string();
    LT_CHECK(mkdtemp(path_.data()) != nullptr);
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

SessionCreated Created() {
  SessionCreated created;
  created.spec.prompt = "a red circle moving to the right";
  created.spec.width = 832;
  created.spec.height = 480;
  created.model_digest = std::string(64, 'd');
  return created;
}

std::unique_ptr<SessionStore> Open(const std::string& path, Clock& clock, uint64_t scrub = 0) {
  auto store = SessionStore::Open({.files = &PosixFileSystem(),
                                   .directory = path,
                                   .holder = "the benchmark",
                                   .scrub_bytes_per_second = scrub},
                                  clock);
  if (!store.ok()) std::fprintf(stderr, "%s\n", store.status().ToString().c_str());
  LT_CHECK(store.ok());
  return *std::move(store);
}

// Sessions of some chunks, in one transaction.
void Fill(const std::string& path, int64_t sessions) {
  const auto database = StoreDatabase::Open(PosixFileSystem(), path, "");
  LT_CHECK(database.ok());
  SessionTables& tables = (*database)->tables();
  LT_CHECK((*database)->Begin().ok());
  for (int64_t i = 0; i < sessions; ++i) {
    SessionRow row = {.id = absl::StrCat("s", i), .create_wall_nanos = i};
    row.expire_wall_nanos = INT64_MAX;
    LT_CHECK(tables.Insert(row).ok());
    LT_CHECK(tables.Append(row, EncodeRecord(Created())).ok());
    for (int64_t chunk = 0; chunk < 10; ++chunk) {
      LT_CHECK(tables.Append(row, EncodeRecord(ChunkDecoded{.chunk = chunk})).ok());
    }
    LT_CHECK(tables.Update(row).ok());
  }
  LT_CHECK((*database)->Commit().ok());
}

void OpenStore(benchmark::State& state) {
  SystemClock clock;
  const Directory directory;
  Fill(directory.path(), state.range(0));
  for (auto _ : state) {
    std::unique_ptr<SessionStore> store = Open(directory.path(), clock);
    state.PauseTiming();
    LT_CHECK(std::ssize(store->Sessions()) == state.range(0));
    store = nullptr;
    state.ResumeTiming();
  }
}
BENCHMARK(OpenStore)->Arg(100)->Arg(10'000)->Unit(benchmark::kMillisecond)->UseRealTime();

// Sessions that each hand a record over when their last is durable.
class Writers {
 public:
  Writers(SessionStore& store, Clock& clock) : store_(store), clock_(clock) {}
  // Milliseconds that each of so many records of each session waited.
  std::vector<double> Run(const std::vector<SessionKey>& sessions, int64_t records) {
    {
      MutexLock lock(mutex_);
      left_ = std::ssize(sessions) * records;
    }
    for (const SessionKey& session : sessions) Put(session, 0, records);
    MutexLock lock(mutex_);
    while (left_ > 0) done_.Wait(mutex_);
    return std::move(millis_);
  }

 private:
  void Put(const SessionKey& session, int64_t chunk, int64_t records) {
    const int64_t start_nanos = clock_.MonotonicNanos();
    store_.Put(session, ChunkDecoded{.chunk = chunk}, [=, this](bool durable) {
      LT_CHECK(durable);
      if (chunk + 1 < records) Put(session, chunk + 1, records);
      MutexLock lock(mutex_);
      millis_.push_back(static_cast<double>(clock_.MonotonicNanos() - start_nanos) * 1e-6);
      if (--left_ == 0) done_.NotifyAll();
    });
  }

  SessionStore& store_;
  Clock& clock_;
  Mutex mutex_;
  CondVar done_;
  int64_t left_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<double> millis_ ABSL_GUARDED_BY(mutex_);
};

void CommitRecords(benchmark::State& state) {
  constexpr int64_t kRecords = 200;
  SystemClock clock;
  const Directory directory;
  Fill(directory.path(), 10'000);
  const auto store = Open(directory.path(), clock, static_cast<uint64_t>(state.range(1)));
  store->Start();
  std::vector<double> millis;
  for (auto _ : state) {
    state.PauseTiming();
    std::vector<SessionKey> sessions;
    for (int64_t i = 0; i < state.range(0); ++i) {
      sessions.push_back({absl::StrCat("b", i, "-", millis.size())});
      LT_CHECK(store->Create(sessions.back(), Created()).ok());
    }
    state.ResumeTiming();
    const std::vector<double> some = Writers(*store, clock).Run(sessions, kRecords);
    millis.insert(millis.end(), some.begin(), some.end());
  }
  std::sort(millis.begin(), millis.end());
  state.counters["p50_ms"] = millis[millis.size() / 2];
  state.counters["p99_ms"] = millis[millis.size() * 99 / 100];
  state.counters["read_again_MB"] = static_cast<double>(store->stats().scrub.bytes) * 1e-6;
  store->Stop();
}
BENCHMARK(CommitRecords)
    ->ArgNames({"sessions", "scrub"})
    ->ArgsProduct({{1, 8, 64}, {0, 4 << 20}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

// By this process, to any disk: TMPDIR has to lie on one.
uint64_t BytesWritten() {
  std::ifstream file("/proc/self/io");
  std::string name;
  uint64_t bytes = 0;
  while (file >> name >> bytes) {
    if (name == "write_bytes:") return bytes;
  }
  LT_CHECK(false);
}

// A frame of 16 MiB that no disk can make less of.
class RandomFrame final : public KvSource {
 public:
  uint64_t bytes() const override { return 16 * kKvPieceBytes; }
  absl::StatusOr<std::span<const std::byte>> Next(std::span<std::byte> buffer) override {
    if (pieces_ == 16) return buffer.first(0);
    std::mt19937_64 random(++pieces_);
    for (size_t at = 0; at < buffer.size(); at += sizeof(uint64_t)) {
      const uint64_t value = random();
      std::memcpy(&buffer[at], &value, sizeof(value));
    }
    return std::span<const std::byte>(buffer);
  }

 private:
  uint64_t pieces_ = 0;
};

// One after the other, as a session makes them. Of so many latent rows and columns.
uint64_t PutChunks(SessionStore& store, const SessionKey& key, int64_t height, int64_t width) {
  constexpr int64_t kChunks = 32;
  Latents latents(16, {.frames = 3, .height = height, .width = width});
  for (int64_t chunk = 0; chunk < kChunks; ++chunk) {
    std::mt19937 random(static_cast<uint32_t>(chunk));
    for (float& value : latents.values()) value = static_cast<float>(random());
    store.PutChunk(key, chunk, latents);
    store.Put(key, ChunkDecoded{.chunk = chunk});
    LT_CHECK(store.Flush().ok());
  }
  return kChunks * latents.values().size_bytes();
}

// As of a session that is parked, or another one meanwhile.
uint64_t PutSnapshot(SessionStore& store, const SessionKey& key) {
  NewSnapshot made;
  uint64_t bytes = 0;
  for (int64_t frame = 0; frame < 6; ++frame) {
    made.kv[{0, frame}] = std::make_unique<RandomFrame>();
    bytes += made.kv[{0, frame}]->bytes();
  }
  Mutex mutex;
  CondVar changed;
  bool answered = false;
  store.PutSnapshot(key, std::move(made), [&](const SnapshotPlaces* places) {
    LT_CHECK(places != nullptr);
    MutexLock lock(mutex);
    answered = true;
    changed.NotifyAll();
  });
  MutexLock lock(mutex);
  while (!answered) changed.Wait(mutex);
  return bytes;
}

using PutState = std::function<uint64_t(SessionStore&, const SessionKey&)>;
void WritePerByte(benchmark::State& state, const PutState& put) {
  SystemClock clock;
  uint64_t bytes = 0;
  uint64_t written = 0;
  for (auto _ : state) {
    const Directory directory;
    std::unique_ptr<SessionStore> store = Open(directory.path(), clock);
    store->Start();
    const SessionKey key = {"b"};
    LT_CHECK(store->Create(key, Created()).ok());
    const uint64_t before = BytesWritten();
    bytes += put(*store, key);
    store->Stop();
    store = nullptr;
    written += BytesWritten() - before;
  }
  state.counters["written_per_byte"] = static_cast<double>(written) / static_cast<double>(bytes);
}
BENCHMARK_CAPTURE(WritePerByte, chunks_of_160x96,
                  [](SessionStore& store, const SessionKey& key) {
                    return PutChunks(store, key, 12, 20);
                  })
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(WritePerByte, chunks_of_832x480,
                  [](SessionStore& store, const SessionKey& key) {
                    return PutChunks(store, key, 60, 104);
                  })
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(WritePerByte, snapshot, PutSnapshot)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace longtake

BENCHMARK_MAIN();
