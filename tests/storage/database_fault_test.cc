// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "storage/database/database.h"
#include "storage/database/wal_scan.h"
#include "tests/storage/file_system_vfs.h"
#include "tests/storage/simulated_disk.h"

namespace longtake {
namespace {

using ::testing::HasSubstr;

class DatabaseFaultTest : public ::testing::Test {
 protected:
  DatabaseFaultTest() : vfs_(disk_, 1), database_(Open()) {
    EXPECT_TRUE(database_->Execute("CREATE TABLE t (a, b)").ok());
  }
  std::unique_ptr<Database> Open() {
    return Database::Open({.path = "d/f", .vfs = vfs_.name()}).value();
  }
  // The first such call from now on fails; of the later ones syncs are counted.
  void FailOnce(DiskOp op, const std::string& path, int error) {
    failed_ = false;
    syncs_after_ = 0;
    disk_.set_decide([=, this](const DiskCall& call) {
      if (failed_ && (call.op == DiskOp::kSync || call.op == DiskOp::kSyncDir)) ++syncs_after_;
      const bool now = !failed_ && call.op == op && call.path == path;
      failed_ = failed_ || now;
      return DiskFault{.error = now ? error : 0};
    });
  }
  absl::Status Insert(int64_t value, int64_t bytes = 10) {
    auto insert = database_->Prepare("INSERT INTO t VALUES (?1, zeroblob(?2))").value();
    insert.Bind(1, value);
    insert.Bind(2, bytes);
    return insert.Run();
  }
  static int64_t Count(Database& database) {
    auto count = database.Prepare("SELECT count(*) FROM t").value();
    EXPECT_TRUE(count.Step().value());
    return count.Int(0);
  }

  bool failed_ = false;
  int syncs_after_ = 0;
  SimulatedDisk disk_;
  FileSystemVfs vfs_;
  std::unique_ptr<Database> database_;
};

TEST_F(DatabaseFaultTest, WhatFailedToSyncIsNeverSyncedAgain) {
  ASSERT_TRUE(Insert(1).ok());
  FailOnce(DiskOp::kSync, "d/f-wal", EIO);
  const absl::Status first = Insert(2);
  EXPECT_EQ(first.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(first.message()), HasSubstr("d/f: INSERT INTO t VALUES (?1, zero"));
  EXPECT_EQ(Insert(3), first);
  EXPECT_EQ(database_->Execute("INSERT INTO t VALUES (4, 4)"), first);
  EXPECT_EQ(database_->Prepare("PRAGMA wal_checkpoint").value().Run(), first);
  EXPECT_EQ(Count(*database_), 1);  // reading goes on
  database_.reset();
  EXPECT_EQ(syncs_after_, 0);
}

// What failed to be synced and was not lost with the process counts as written from then on:
// another sync alone would pass over it, and the next commits would stand on what is not there.
TEST_F(DatabaseFaultTest, AfterAKillWhatFailedToSyncIsWrittenAgain) {
  ASSERT_TRUE(Insert(1).ok());
  FailOnce(DiskOp::kSync, "d/f-wal", EIO);
  ASSERT_FALSE(Insert(2).ok());
  const std::unique_ptr<SimulatedDisk> killed = disk_.KilledCopy();
  const FileSystemVfs killed_vfs(*killed, 1);
  ASSERT_TRUE(ScanWal(*killed, "d/f").ok());
  const auto next = Database::Open({.path = "d/f", .vfs = killed_vfs.name()}).value();
  ASSERT_TRUE(next->Execute("INSERT INTO t VALUES (3, 3)").ok());
  const int64_t rows = Count(*next);
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const std::unique_ptr<SimulatedDisk> crashed = killed->CrashedCopy(seed);
    const FileSystemVfs crashed_vfs(*crashed, 1);
    const absl::StatusOr<WalScan> scan = ScanWal(*crashed, "d/f");
    ASSERT_TRUE(scan.ok()) << scan.status();
    const auto last = Database::Open({.path = "d/f", .vfs = crashed_vfs.name()}).value();
    ASSERT_EQ(Count(*last), rows) << seed;
  }
}

TEST_F(DatabaseFaultTest, ACommitThatCouldNotSyncIsTakenBack) {
  ASSERT_TRUE(database_->Execute("BEGIN").ok());
  ASSERT_TRUE(Insert(1).ok());
  auto commit = database_->Prepare("COMMIT").value();
  FailOnce(DiskOp::kSync, "d/f-wal", EIO);
  const absl::Status first = commit.Run();
  EXPECT_EQ(first.code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(database_->in_transaction());
  EXPECT_EQ(commit.Run(), first);
  EXPECT_EQ(Count(*database_), 0);
}

// The log's header is synced when its first frames are written, which may be long before a commit.
TEST_F(DatabaseFaultTest, ASyncThatFailsInATransactionEndsIt) {
  ASSERT_TRUE(database_->Execute("CREATE TABLE u (a UNIQUE, b)").ok());
  ASSERT_TRUE(database_->Prepare("PRAGMA wal_checkpoint").value().Run().ok());
  ASSERT_TRUE(database_->Execute("PRAGMA cache_size=5; PRAGMA cache_spill=5; BEGIN").ok());
  FailOnce(DiskOp::kSync, "d/f-wal", EIO);
  const absl::Status first = database_->Execute(
      "INSERT INTO u WITH c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 100)"
      " SELECT x, zeroblob(1000) FROM c");
  EXPECT_TRUE(failed_);
  EXPECT_EQ(first.code(), absl::StatusCode::kUnavailable) << first;
  EXPECT_FALSE(database_->in_transaction());
}

// SQLite's own checkpoint after a commit would keep this to itself and try again.
TEST_F(DatabaseFaultTest, ACheckpointThatCouldNotSyncIsTold) {
  FailOnce(DiskOp::kSync, "d/f", EIO);
  absl::Status status;
  int64_t rows = 0;
  while (status.ok() && rows < 100) status = Insert(++rows, 100'000);
  EXPECT_TRUE(failed_);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("d/f: checkpoint: "));
  EXPECT_EQ(Insert(0), status);
  EXPECT_EQ(Count(*database_), rows);  // the transaction itself is in the log
  database_.reset();
  EXPECT_EQ(syncs_after_, 0);
  disk_.set_decide(nullptr);
  disk_.Crash(5);
  EXPECT_EQ(Count(*Open()), rows);
}

TEST_F(DatabaseFaultTest, AFullDiskEndsOneTransactionOnly) {
  for (const auto& [error, code] : {std::pair(ENOSPC, absl::StatusCode::kResourceExhausted),
                                    std::pair(EIO, absl::StatusCode::kUnavailable)}) {
    FailOnce(DiskOp::kWrite, "d/f-wal", error);
    EXPECT_EQ(Insert(1).code(), code);
    EXPECT_TRUE(Insert(2).ok());
  }
  EXPECT_EQ(Count(*database_), 2);
}

// The log only grows meanwhile.
TEST_F(DatabaseFaultTest, ACheckpointThatFindsTheDiskFullIsTriedAgain) {
  uint64_t refused = 0;
  disk_.set_decide([&](const DiskCall& call) {
    const bool now = call.op == DiskOp::kWrite && call.path == "d/f" && refused < 3;
    refused += now ? 1 : 0;
    return DiskFault{.error = now ? ENOSPC : 0};
  });
  for (int64_t i = 0; i < 60; ++i) ASSERT_TRUE(Insert(i, 100'000).ok());
  EXPECT_EQ(refused, 3u);
  EXPECT_GT(disk_.Contents("d/f").size(), 3u << 20);
  EXPECT_EQ(Count(*database_), 60);
  disk_.set_decide(nullptr);
}

TEST_F(DatabaseFaultTest, OpeningWhatIsThereChangesNothing) {
  ASSERT_TRUE(Insert(1).ok());
  const auto killed = disk_.KilledCopy();
  const FileSystemVfs vfs(*killed, 2);
  int changes = 0;
  killed->set_decide([&](const DiskCall& call) {
    changes += call.Changes() && call.op != DiskOp::kOpen ? 1 : 0;
    return DiskFault{};
  });
  const auto database = Database::Open({.path = "d/f", .vfs = vfs.name()}).value();
  EXPECT_EQ(Count(*database), 1);
  EXPECT_EQ(changes, 0);
  killed->set_decide(nullptr);
}

TEST_F(DatabaseFaultTest, AReadThatFailsMayBeTriedAgain) {
  ASSERT_TRUE(Insert(1, 100'000).ok());
  database_.reset();
  database_ = Open();
  FailOnce(DiskOp::kRead, "d/f", EIO);
  const absl::Status failed = database_->Execute("SELECT b FROM t");
  EXPECT_EQ(failed.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(database_->Execute("SELECT b FROM t").ok());
}

TEST_F(DatabaseFaultTest, WhatFailsToOpenIsSaid) {
  database_.reset();
  for (const DiskOp op : {DiskOp::kOpen, DiskOp::kRead}) {
    FailOnce(op, "d/f", EIO);
    const auto opened = Database::Open({.path = "d/f", .vfs = vfs_.name()});
    EXPECT_EQ(opened.status().code(), absl::StatusCode::kUnavailable) << opened.status();
  }
  EXPECT_EQ(Count(*Open()), 0);
}

}  // namespace
}  // namespace longtake
