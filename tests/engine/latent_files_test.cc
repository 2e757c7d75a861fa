// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Latents that are too large for a row: in files of their session, whole or not there, gone when
// nobody needs them.
#include "engine/store/latent_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "base/error_reason.h"
#include "engine/store/session_store.h"
#include "tests/storage/fault_file.h"

namespace longtake {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
namespace fs = std::filesystem;

Latents SomeLatents(int64_t chunk) {
  Latents latents(2, {.frames = 3, .height = 4, .width = 5});
  float value = static_cast<float>(1000 * chunk);
  for (float& out : latents.values()) out = value++;
  return latents;
}

class LatentFilesTest : public testing::Test {
 protected:
  LatentFilesTest() {
    std::string name = (fs::temp_directory_path() / "longtake-latents-XXXXXX").string();
    LT_CHECK(mkdtemp(name.data()) != nullptr);
    directory_ = name;
    Open();
  }
  ~LatentFilesTest() override {
    store_ = nullptr;
    fs::remove_all(directory_);
  }
  void Open() {
    store_ = nullptr;
    auto store = SessionStore::Open({.files = &files_,
                                     .directory = directory_,
                                     .holder = "the test",
                                     .latent_row_bytes_max = row_bytes_max_},
                                    clock_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  void WriteAll() {
    for (int steps = 0; store_->Step(); ++steps) {
      LT_CHECK(steps < 1000);
      clock_.Advance(2'000'000'000);
    }
  }
  void Create(const std::string& id) { ASSERT_TRUE(store_->Create(SessionKey{id}, {}).ok()); }
  void Append(const std::string& id, int64_t first, int64_t end) {
    for (int64_t chunk = first; chunk < end; ++chunk) {
      store_->PutChunk(SessionKey{id}, chunk, SomeLatents(chunk));
    }
    WriteAll();
  }
  // Whether so many chunks are there as they were made.
  void ExpectChunks(const std::string& id, int64_t count) {
    const auto session = store_->Load(id);
    ASSERT_TRUE(session.ok()) << session.status();
    ASSERT_EQ(std::ssize(session->settled), count);
    for (int64_t chunk = 0; chunk < count; ++chunk) {
      const auto latents = store_->LoadLatents(session->settled[static_cast<size_t>(chunk)]);
      ASSERT_TRUE(latents.ok()) << latents.status();
      ASSERT_EQ(*latents, SomeLatents(chunk));
    }
  }
  void Execute(const std::string& sql) const {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open((directory_ + "/sessions-1.db").c_str(), &database), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(database);
  }
  std::vector<std::string> Names() { return *PosixFileSystem().List(directory_ + "/bulk"); }
  std::string PathOf(const std::string& file) const { return directory_ + "/bulk/" + file; }

  std::string directory_;
  uint64_t row_bytes_max_ = 479;  // a byte too little
  FaultFileSystem files_{PosixFileSystem()};
  ManualClock clock_;
  std::unique_ptr<SessionStore> store_;
};

TEST_F(LatentFilesTest, OneFileTakesSoManyChunks) {
  Create("a");
  Append("a", 0, 130);
  EXPECT_THAT(Names(), ElementsAre("1-1", "1-2", "1-3"));
  EXPECT_EQ(fs::file_size(PathOf("1-1")), 63 * kBulkAlignment + 480 + 4);
  EXPECT_EQ(fs::file_size(PathOf("1-2")), fs::file_size(PathOf("1-1")));
  ExpectChunks("a", 130);
  EXPECT_GT(store_->stats().bytes, uint64_t{130} * 480);
  EXPECT_LT(store_->stats().bytes, uint64_t{130} * 600) << "once";
  // Another process begins a file of its own.
  Open();
  ExpectChunks("a", 130);
  Append("a", 130, 132);
  EXPECT_THAT(Names(), ElementsAre("1-1", "1-2", "1-3", "1-4"));
  ExpectChunks("a", 132);
}

TEST_F(LatentFilesTest, WhatFitsARowLiesInARow) {
  row_bytes_max_ = 480;
  Open();
  Create("a");
  Append("a", 0, 3);
  EXPECT_THAT(Names(), IsEmpty());
  ExpectChunks("a", 3);
}

TEST_F(LatentFilesTest, ASessionThatLeavesMemoryGoesOnInItsFile) {
  Create("a");
  Append("a", 0, 2);
  store_->PutInUse(SessionKey{"a"}, false);
  WriteAll();
  Append("a", 2, 4);
  EXPECT_THAT(Names(), ElementsAre("1-1"));
  ExpectChunks("a", 4);
}

TEST_F(LatentFilesTest, AForkReadsThoseOfItsParentAsLongAsItIsThere) {
  Create("a");
  Append("a", 0, 4);
  ASSERT_TRUE(store_->Fork("a", {.id = "b", .chunk = 3}).ok());
  Append("b", 3, 5);
  ASSERT_TRUE(store_->Delete("a").ok());
  EXPECT_THAT(Names(), ElementsAre("1-1", "2-2"));
  Open();
  ExpectChunks("b", 5);
  ASSERT_TRUE(store_->Delete("b").ok());
  EXPECT_THAT(Names(), IsEmpty());
  EXPECT_EQ(store_->stats().bytes, 0u);
}

TEST_F(LatentFilesTest, AFileThatCouldNotBeSyncedIsLeftAlone) {
  Create("a");
  Append("a", 0, 2);
  std::map<std::string, int> syncs;
  int failures = 1;
  files_.set_decide_sync([&](const std::string& path) {
    if (!path.ends_with("1-1") && !path.ends_with("1-2")) return absl::OkStatus();
    ++syncs[path];
    return failures-- > 0 ? absl::UnavailableError("it fails") : absl::OkStatus();
  });
  bool durable = true;
  store_->PutChunk(SessionKey{"a"}, 2, SomeLatents(2), [&](bool written) { durable = written; });
  store_->Step();
  EXPECT_FALSE(durable);
  EXPECT_FALSE(store_->durable());
  WriteAll();
  EXPECT_TRUE(store_->durable());
  Append("a", 3, 5);
  EXPECT_EQ(syncs[PathOf("1-1")], 1) << "what failed to sync is not synced again";
  EXPECT_THAT(Names(), ElementsAre("1-1", "1-2"));
  ExpectChunks("a", 5);
  Open();
  ExpectChunks("a", 5);
}

// Each try would leave a file or some bytes behind that nothing names, and take what room there is.
TEST_F(LatentFilesTest, TriesOnAFullDiskTakeNoMoreRoom) {
  Create("a");
  Append("a", 0, 1);
  Open();               // what comes next begins a file
  uint64_t room = 600;  // for one and a bit
  const auto is_latents = [](const std::string& path) {
    return path.find("/bulk/") != std::string::npos;
  };
  uint64_t taken = 0;
  files_.set_decide_write([&](const FaultFileSystem::Attempt& attempt) {
    if (!is_latents(attempt.path)) return 0;
    if (taken + attempt.bytes > room) return ENOSPC;
    taken += attempt.bytes;
    return 0;
  });
  for (int64_t chunk = 1; chunk < 4; ++chunk) {
    store_->PutChunk(SessionKey{"a"}, chunk, SomeLatents(chunk));
  }
  const auto files_bytes = [&] {
    uint64_t bytes = 0;
    for (const std::string& name : Names()) bytes += fs::file_size(PathOf(name));
    return bytes;
  };
  store_->Step();
  ASSERT_FALSE(store_->durable());
  const size_t files = Names().size();
  const uint64_t bytes = files_bytes();
  for (int i = 0; i < 20; ++i) {
    clock_.Advance(2'000'000'000);
    store_->Step();
  }
  EXPECT_FALSE(store_->durable());
  EXPECT_EQ(Names().size(), files);
  EXPECT_EQ(files_bytes(), bytes);
  room = UINT64_MAX;
  WriteAll();
  EXPECT_TRUE(store_->durable());
  ExpectChunks("a", 4);
  Open();
  ExpectChunks("a", 4);
}

TEST_F(LatentFilesTest, WhatAnEarlierProgramKeptInRowsIsRead) {
  row_bytes_max_ = 480;
  Open();
  Create("a");
  Append("a", 0, 3);
  store_ = nullptr;
  Execute(
      "DROP TABLE latent_places; DROP TABLE start_parts; PRAGMA user_version=2;"
      " ALTER TABLE sessions DROP COLUMN base; ALTER TABLE sessions DROP COLUMN first_kept");
  row_bytes_max_ = 479;
  Open();
  ExpectChunks("a", 3);
  Append("a", 3, 5);
  ExpectChunks("a", 5);
  EXPECT_THAT(Names(), ElementsAre("1-1"));
  store_ = nullptr;
  Execute("PRAGMA user_version=5");
  EXPECT_EQ(SessionStore::Open({.files = &files_, .directory = directory_}, clock_).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(LatentFilesTest, DamageIsNamedAndOtherSessionsGoOn) {
  Create("a");
  Append("a", 0, 2);
  Create("b");
  Append("b", 0, 2);
  const StoredLatents chunk = store_->Load("a")->settled[0];
  const auto damaged = [&](const std::string& what) {
    const absl::Status status = store_->LoadLatents(chunk).status();
    EXPECT_EQ(ReasonFor(status), Reason::kSessionCorrupt) << what;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr("record 1 of session 1")) << what;
    ExpectChunks("b", 2);
  };
  std::fstream file(PathOf("1-1"), std::ios::in | std::ios::out | std::ios::binary);
  for (const std::streamoff at : {0, 479, 480, 483}) {
    file.seekg(at);
    const int byte = file.get();
    file.seekp(at);
    file.put(static_cast<char>(byte ^ 1)).flush();
    damaged("a byte");
    file.seekp(at);
    file.put(static_cast<char>(byte)).flush();
  }
  ExpectChunks("a", 2);
  store_ = nullptr;
  Execute("UPDATE latent_places SET offset=4096 WHERE session=1 AND record=1");
  Open();
  damaged("another's place");
  store_ = nullptr;
  Execute("UPDATE latent_places SET file='../x' WHERE session=1 AND record=1");
  Open();
  damaged("no name");
}

}  // namespace
}  // namespace longtake
