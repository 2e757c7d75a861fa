// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Reading all of a store again, on a disk that fails meanwhile: damage is told and known until it
// is gone, and what passes is none.
#include "engine/store/store_scrub.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "engine/store/session_store.h"
#include "tests/storage/file_system_vfs.h"
#include "tests/storage/simulated_disk.h"

namespace longtake {
namespace {

constexpr int64_t kSecondNanos = 1'000'000'000;
constexpr int64_t kDaySeconds = 24 * 3600;

class StoreScrubTest : public testing::Test {
 protected:
  ~StoreScrubTest() override { store_ = nullptr; }

  void Open() {
    store_ = nullptr;
    auto store = SessionStore::Open(
        {.files = &disk_,
         .directory = "state",
         .holder = "the test",
         .vfs = vfs_.name(),
         .retention_nanos = 1000 * kDaySeconds * kSecondNanos,
         .latent_row_bytes_max = row_bytes_max_,
         .scrub_bytes_per_second = 16 << 20,
         .on_damage = [this](const std::string& id,
                             const std::string& damage) { told_.push_back(id + ": " + damage); }},
        clock_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  void WriteAll() {
    while (store_->Step()) {
    }
  }
  void MakeSession(const std::string& id, int64_t chunks) {
    ASSERT_TRUE(store_->Create(SessionKey{id}, {}).ok());
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      store_->PutChunk(SessionKey{id}, chunk,
                       Latents(16, {.frames = 3, .height = 16, .width = 16}));
    }
    WriteAll();
  }
  void NextPass() {
    clock_.Advance(kDaySeconds * kSecondNanos);
    const uint64_t passes = store_->stats().scrub.passes;
    for (int i = 0; i < 100'000 && store_->stats().scrub.passes == passes; ++i) {
      WriteAll();
      clock_.Advance(kSecondNanos / 20);
    }
    EXPECT_EQ(store_->stats().scrub.passes, passes + 1);
  }
  // Reads of files of this name fail.
  void FailReads(const std::string& name) {
    disk_.set_decide([this, name](const DiskCall& call) {
      const bool fails = call.op == DiskOp::kRead && call.path.find(name) != std::string::npos;
      failed_ += fails ? 1 : 0;
      return DiskFault{.error = fails ? EIO : 0};
    });
  }
  std::vector<int64_t> damaged() const { return store_->stats().damaged; }

  ManualClock clock_;
  SimulatedDisk disk_;
  FileSystemVfs vfs_{disk_, 1};
  uint64_t row_bytes_max_ = 64 << 10;
  int failed_ = 0;
  std::vector<std::string> told_;
  std::unique_ptr<SessionStore> store_;
};

TEST_F(StoreScrubTest, AReadThatFailsForAWhileIsNoDamage) {
  row_bytes_max_ = 0;
  Open();
  MakeSession("a", 3);
  FailReads("state/bulk/");
  for (int i = 0; i < 20 && failed_ == 0; ++i) {
    WriteAll();
    clock_.Advance(kSecondNanos);
  }
  EXPECT_GT(failed_, 0);
  disk_.set_decide({});
  NextPass();
  EXPECT_TRUE(told_.empty()) << told_[0];
  // One that never comes back is as good as damaged, until it does.
  FailReads("state/bulk/");
  NextPass();
  ASSERT_FALSE(told_.empty());
  EXPECT_EQ(damaged(), std::vector<int64_t>{1});
  disk_.set_decide({});
  NextPass();
  EXPECT_TRUE(damaged().empty());
}

// Its pages have left SQLite's cache by then.
TEST_F(StoreScrubTest, WhatKeptAPassFromItsEndIsForgottenWithTheNext) {
  Open();
  MakeSession("a", 60);
  MakeSession("b", 1);
  Open();
  FailReads("sessions-1.db");
  for (int i = 0; i < 100'000 && damaged().empty(); ++i) {
    WriteAll();
    clock_.Advance(kSecondNanos);
  }
  ASSERT_FALSE(damaged().empty());
  disk_.set_decide({});
  NextPass();
  NextPass();
  EXPECT_TRUE(damaged().empty()) << damaged()[0];
}

// It can come back from nowhere else.
TEST_F(StoreScrubTest, AHistoryWithoutTheSnapshotThatItBeginsWithIsNamed) {
  Open();
  MakeSession("a", 2);
  store_->Put(SessionKey{"a"}, HistoryBegun{.base = 2, .first = 0});
  WriteAll();
  NextPass();
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_EQ(told_[0], "a: the snapshot at chunk 2, with which it begins, is not there");
}

TEST_F(StoreScrubTest, DamageOfOneThatOnlyItsForkKeptGoesWithIt) {
  Open();
  MakeSession("parent", 2);
  ASSERT_TRUE(store_->Fork("parent", {.id = "fork", .chunk = 2}).ok());
  ASSERT_TRUE(store_->Delete("parent").ok());
  store_ = nullptr;
  {
    const auto database = Database::Open({.path = "state/sessions-1.db", .vfs = vfs_.name()});
    ASSERT_TRUE(database.ok());
    ASSERT_TRUE(
        (*database)->Execute("UPDATE latents SET body=x'00' WHERE session=1 AND record=1").ok());
  }
  Open();
  NextPass();
  EXPECT_EQ(damaged(), std::vector<int64_t>{1});
  ASSERT_EQ(store_->Delete("fork"), absl::OkStatus());
  EXPECT_TRUE(damaged().empty());
}

}  // namespace
}  // namespace longtake
