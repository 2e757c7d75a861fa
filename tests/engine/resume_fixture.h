// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// An engine with a store, both on the test's thread, and sessions that go through the disk.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "absl/strings/str_cat.h"
#include "tests/engine/engine_fixture.h"

namespace longtake {

class ResumeTest : public testing::Test {
 protected:
  explicit ResumeTest(const EngineSetup& setup = {}) : engine_(setup) { Begin(); }
  ~ResumeTest() override {
    store_->Stop();
    engine_.Stop();
  }

  // Another process with the same directory: of the one before nothing is left but its commits, and
  // what somebody did to its database.
  void Begin(const std::string& sql = "") {
    if (store_ != nullptr) store_->Stop();
    engine_.Stop();
    store_ = nullptr;
    if (!sql.empty()) Execute(sql);
    auto store = SessionStore::Open({.files = store_files_,
                                     .directory = scratch_.directory() + "/state",
                                     .holder = "the test",
                                     .vfs = store_vfs_,
                                     .retention_nanos = kRetentionNanos,
                                     .session_bytes_max = session_bytes_max_,
                                     .history_bytes_max = history_bytes_max_,
                                     .waiting_bytes_max = waiting_bytes_max_,
                                     .snapshot_turn_bytes = snapshot_turn_bytes_,
                                     .answer_nanos_max = answer_nanos_max_},
                                    engine_.clock());
    LT_CHECK(store.ok());
    store_ = *std::move(store);
    EngineOptions options = EngineSetup().engine;
    options.store = store_.get();
    options.sessions_max = sessions_max_;
    options.predict_sweep = predict_sweep_;
    options.resume_seconds_max = resume_seconds_max_;
    options.snapshot_bytes_per_hour = snapshot_bytes_per_hour_;
    if (kv_bytes_max_ != 0) options.kv_bytes_max = kv_bytes_max_;
    options.on_session_end = [this](const std::string& id, const absl::Status& status) {
      if (on_session_end_) on_session_end_(id, status);
    };
    options.on_resume = [this](const ResumeReport& report) {
      report_ = report;
      if (on_resume_) on_resume_(report);
    };
    options.on_snapshot_refused = [this](const std::string& id, const absl::Status& why) {
      refused_.push_back(absl::StrCat(id, ": ", why.message()));
    };
    LT_CHECK(engine_.Renew(options).ok());
  }
  void Execute(const std::string& sql) const {
    sqlite3* database = nullptr;
    LT_CHECK(sqlite3_open((scratch_.directory() + "/state/sessions-1.db").c_str(), &database) ==
             SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sql;
    EXPECT_GT(sqlite3_changes(database), 0) << sql;
    sqlite3_close(database);
  }
  void RunUntilIdle() {
    while (engine_->Step() || engine_->Step() || store_->Step()) {
    }
  }
  std::shared_ptr<Session> Create(const SessionSpec& spec, const std::string& id) {
    return *engine_.CreateSession(spec, id);
  }
  static SessionSpec Spec(int64_t chunks) {
    return SmallSpec("a red circle moving to the right", 42, 12 * chunks - 3);
  }
  static SessionSpec Endless() {
    return SmallSpec("a red circle moving to the right", 42, /*frame_count=*/0);
  }
  // All that a client gets from this chunk on until the session waits or ends.
  Received Read(const std::string& id, int64_t next_chunk) {
    Received received;
    const auto session = engine_->Wake(id, next_chunk);
    if (!session.ok()) {
      received.end = session.status();
      return received;
    }
    const uint64_t reader = *(*session)->Attach(next_chunk, nullptr);
    for (;;) {
      RunUntilIdle();
      const size_t before = received.chunks.size();
      PollAll(**session, reader, &received);
      if (received.end.has_value() || received.chunks.size() == before) break;
    }
    (*session)->Detach(reader);
    return received;
  }
  // Of one that is never over: so many chunks from this one on.
  std::vector<std::string> ReadSome(const std::string& id, int64_t next_chunk, size_t count) {
    Received received;
    const auto woken = engine_->Wake(id, next_chunk);
    if (!woken.ok()) {
      ADD_FAILURE() << woken.status();
      return {};
    }
    const auto& session = *woken;
    const uint64_t reader = *session->Attach(next_chunk, nullptr);
    while (received.chunks.size() < count) {
      if (!engine_->Step() && !engine_->Step() && !store_->Step()) break;
      store_->Step();
      PollAll(*session, reader, &received);
    }
    session->Detach(reader);
    std::vector<std::string> digests = received.Digests();
    digests.resize(std::min(digests.size(), count));
    return digests;
  }
  void Submit(const std::shared_ptr<Session>& session, const SessionEvent& event) {
    bool accepted = false;
    engine_->Submit(session, event, {}, [&](const absl::StatusOr<EventAccepted>& answer) {
      accepted = answer.ok() && answer->durable;
    });
    EXPECT_FALSE(accepted) << "before it is on disk";
    while (store_->Step()) {
    }
    EXPECT_TRUE(accepted);
  }
  // A session of another name with the same records and latents, each record changed by this, and
  // the latents by so much.
  void Copy(const std::string& id, const std::string& to,
            const std::function<void(Record&)>& change, float more = 0) {
    const auto stored = store_->Load(id);
    ASSERT_TRUE(stored.ok()) << stored.status();
    const SessionKey key{to};
    const auto changed = [&](Record record) {
      change(record);
      return record;
    };
    ASSERT_TRUE(store_->Create(key, std::get<SessionCreated>(changed(stored->created))).ok());
    for (size_t i = 0; i < stored->settled.size(); ++i) {
      const auto chunk = static_cast<int64_t>(i);
      Latents latents = *store_->LoadLatents(stored->settled[i]);
      for (float& value : latents.values()) value += more;
      store_->PutChunk(key, chunk, latents);
      if (i < stored->decoded.size()) store_->Put(key, changed(stored->decoded[i]));
    }
    while (store_->Step()) {
    }
  }
  static std::vector<std::string> From(const std::vector<std::string>& digests, size_t first) {
    return {digests.begin() + static_cast<ptrdiff_t>(std::min(first, digests.size())),
            digests.end()};
  }

  static constexpr int64_t kRetentionNanos = 3600LL * 1'000'000'000;
  const ScratchDirectory scratch_;
  size_t sessions_max_ = 64;
  SweepCostModel::Calibrated predict_sweep_ = {};
  double resume_seconds_max_ = 120;
  uint64_t snapshot_bytes_per_hour_ = uint64_t{32} << 30;
  uint64_t session_bytes_max_ = uint64_t{16} << 30;
  uint64_t history_bytes_max_ = UINT64_MAX;
  uint64_t kv_bytes_max_ = 0;  // 0: more than is needed
  uint64_t waiting_bytes_max_ = uint64_t{256} << 20;
  uint64_t snapshot_turn_bytes_ = 8 << 20;
  int64_t answer_nanos_max_ = kStoreAnswerSeconds * 1'000'000'000;
  FileSystem* store_files_ = &PosixFileSystem();
  std::string store_vfs_;  // SQLite's
  SessionEndObserver on_session_end_ = {};
  ResumeObserver on_resume_ = {};
  ResumeReport report_;               // the last one
  std::vector<std::string> refused_;  // snapshots
  TestEngine engine_;
  std::unique_ptr<SessionStore> store_;
};

// A snapshot at every boundary at which none is on its way.
class SnapshotResumeTest : public ResumeTest {
 protected:
  SnapshotResumeTest() {
    resume_seconds_max_ = 0;
    Begin();
  }
  std::vector<std::string> Files() const {
    return *PosixFileSystem().List(scratch_.directory() + "/state/bulk");
  }
  std::vector<int64_t> Chunks(const std::string& id) {
    auto found = store_->LoadSnapshots(id);
    LT_CHECK(found.ok());
    std::vector<int64_t> chunks;
    for (const SnapshotRow& row : found->rows) chunks.push_back(row.chunk);
    return chunks;
  }
};

}  // namespace longtake
