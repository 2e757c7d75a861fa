// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/database/wal_scan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <functional>
#include <random>

#include "storage/database/database.h"
#include "tests/storage/fault_file.h"
#include "tests/storage/memory_files.h"
#include "tests/storage/temporary_directory.h"

namespace longtake {
namespace {

using ::testing::HasSubstr;

constexpr size_t kPage = 512;  // small pages make many frames of few bytes
constexpr size_t kFrame = kPage + 24;
constexpr int kTransactions = 6;

using Bytes = MemoryFileSystem::Bytes;

// Logs that a real SQLite wrote, left as a crash would leave them: copied while they are in use.
class WalScanTest : public ::testing::Test {
 protected:
  static void Plain(const std::string& path, const std::function<void(sqlite3*)>& use) {
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open(path.c_str(), &handle), SQLITE_OK);
    // No log is moved or removed here.
    sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    use(handle);
    ASSERT_EQ(sqlite3_close(handle), SQLITE_OK);
  }
  std::unique_ptr<Database> Create(size_t page = kPage) {
    const std::string sql = "PRAGMA page_size=" + std::to_string(page) +
                            "; PRAGMA auto_vacuum=2; CREATE TABLE t (a INTEGER, b)";
    Plain(path_, [&sql](sqlite3* handle) {
      EXPECT_EQ(sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
    });
    auto database = Database::Open({.path = path_}).value();
    Checkpoint(*database);  // the switch to the log is no part of it
    return database;
  }
  static void Checkpoint(Database& database) {
    ASSERT_TRUE(database.Prepare("PRAGMA wal_checkpoint(PASSIVE)").value().Run().ok());
  }
  static void Commit(Database& database, int number, int bytes = 1000) {
    auto insert = database.Prepare("INSERT INTO t VALUES (?1, randomblob(?2))").value();
    insert.Bind(1, number);
    insert.Bind(2, bytes);
    ASSERT_TRUE(insert.Run().ok());
  }
  // Puts the files as they are now into memory.
  void Copy() {
    for (const char* end : {"", "-wal"}) {
      disk_.Put("d" + std::string(end),
                ReadTextFile(PosixFileSystem(), path_ + end, 1 << 24).value());
    }
    size_ = wal().size();
  }
  // kTransactions of some frames each; where each ends.
  void MakeLog() {
    const auto database = Create();
    for (int i = 1; i <= kTransactions; ++i) {
      Commit(*database, i, i == 3 ? 10 : 1000);
      ends_.push_back(std::filesystem::file_size(path_ + "-wal"));
    }
    Copy();
    ASSERT_EQ(ends_.back(), size_);
  }

  Bytes& wal() { return disk_.Contents("d-wal"); }
  absl::StatusOr<WalScan> Scan() { return ScanWal(disk_, "d"); }
  // Rows of the table after SQLite has read the files in memory; -1 when it would not.
  int SqliteShows() {
    for (const char* end : {"", "-wal"}) {
      const Bytes& bytes = disk_.Contents("d" + std::string(end));
      const auto file = PosixFileSystem().Create(copy_ + end).value();
      EXPECT_TRUE(file->WriteAt(0, bytes).ok());
    }
    int rows = -1;
    Plain(copy_, [&rows](sqlite3* handle) {
      sqlite3_stmt* count = nullptr;
      sqlite3_exec(handle, "PRAGMA locking_mode=EXCLUSIVE", nullptr, nullptr, nullptr);
      sqlite3_prepare_v2(handle, "SELECT count(*) FROM t", -1, &count, nullptr);
      if (sqlite3_step(count) == SQLITE_ROW) rows = sqlite3_column_int(count, 0);
      sqlite3_finalize(count);
    });
    return rows;
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_.Path("d");
  const std::string copy_ = directory_.Path("copy");
  MemoryFileSystem disk_;
  size_t size_ = 0;
  std::vector<size_t> ends_;
};

TEST_F(WalScanTest, WholeLogsAndNone) {
  MakeLog();
  const auto scan = Scan();
  ASSERT_TRUE(scan.ok()) << scan.status();
  EXPECT_EQ(scan->state, WalState::kWhole);
  EXPECT_EQ(scan->commits, kTransactions);
  EXPECT_EQ(scan->frames, (size_ - 32) / kFrame);
  EXPECT_EQ(scan->tail_frames, 0u);
  EXPECT_EQ(SqliteShows(), kTransactions);
  EXPECT_EQ(ScanWal(disk_, "none")->state, WalState::kNone);
  wal().clear();
  EXPECT_EQ(Scan()->state, WalState::kNone);
  FaultFileSystem faults(disk_);
  faults.set_decide_sync([](const std::string& path) { return absl::UnavailableError(path); });
  EXPECT_EQ(ScanWal(faults, "d").status().message(), "d-wal");
}

// Whatever byte is hit: never does SQLite drop a transaction of which the verdict does not speak.
TEST_F(WalScanTest, EveryFlippedByteIsJudged) {
  MakeLog();
  ASSERT_LT((size_ - 32) / kFrame, 41u);  // none of the headers lies across two sectors
  const size_t last_begin = ends_[kTransactions - 2];
  for (size_t at = 0; at < size_; ++at) {
    for (const uint8_t mask : {1 << (at % 8), 0xff}) {
      const std::byte was = wal()[at];
      wal()[at] ^= std::byte{mask};
      const auto scan = Scan();
      if (at < last_begin) {
        ASSERT_EQ(scan.status().code(), absl::StatusCode::kDataLoss) << "byte " << at;
      } else {
        ASSERT_TRUE(scan.ok()) << "byte " << at << ": " << scan.status();
        ASSERT_EQ(scan->state, WalState::kTornTail) << "byte " << at;
        ASSERT_EQ(scan->commits, kTransactions - 1);
      }
      if (at % 61 == 0) {
        const int shown = SqliteShows();
        ASSERT_TRUE(scan.ok() ? shown == kTransactions - 1 : shown < kTransactions)
            << "byte " << at << ": " << shown;
      }
      wal()[at] = was;
    }
  }
}

// A mark that is wiped out makes two transactions look like one.
TEST_F(WalScanTest, AWipedMarkIsFound) {
  MakeLog();
  for (int i = 0; i < kTransactions - 1; ++i) {
    const Bytes whole = wal();
    std::fill_n(wal().begin() + static_cast<ptrdiff_t>(ends_[i] - kFrame + 4), 4, std::byte{0});
    EXPECT_EQ(Scan().status().code(), absl::StatusCode::kDataLoss) << i;
    wal() = whole;
  }
}

TEST_F(WalScanTest, AHeaderIsMissedByTheOneFrameBehindIt) {
  for (const size_t page : {kPage, size_t{4096}}) {
    std::filesystem::remove_all(path_);
    {
      const auto database = Create(page);
      Commit(*database, 1);
      Copy();
    }
    wal().resize(32 + 24 + page);
    EXPECT_EQ(Scan()->commits + Scan()->tail_frames, 1u);
    for (size_t at = 0; at < 32; ++at) {
      wal()[at] ^= std::byte{0x81};
      EXPECT_EQ(Scan().status().code(), absl::StatusCode::kDataLoss) << at;
      wal()[at] ^= std::byte{0x81};
    }
  }
}

TEST_F(WalScanTest, ZerosAreNoLog) {
  disk_.Put("d-wal", std::string(100'000, '\0'));
  EXPECT_EQ(Scan()->state, WalState::kNone);
}

TEST_F(WalScanTest, DamageIsNamedWithFrameAndOffset) {
  MakeLog();
  wal()[32 + kFrame + 24 + 100] ^= std::byte{1};
  const absl::Status damaged = Scan().status();
  const size_t next = (ends_[0] - 32) / kFrame + 1;
  EXPECT_EQ(damaged.message(),
            "d-wal: frame 2 at byte 568 is damaged: a later transaction follows"
            " it with frame " +
                std::to_string(next) + " at byte " + std::to_string(ends_[0]));
  wal()[5] ^= std::byte{1};
  EXPECT_THAT(std::string(Scan().status().message()), HasSubstr("header at byte 0 is damaged"));
}

TEST_F(WalScanTest, CutAnywhereItIsACrash) {
  MakeLog();
  const Bytes whole = wal();
  for (size_t length = 0; length <= size_; ++length) {
    wal().assign(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(length));
    const auto scan = Scan();
    ASSERT_TRUE(scan.ok()) << length << ": " << scan.status();
    const auto commits = std::upper_bound(ends_.begin(), ends_.end(), length) - ends_.begin();
    ASSERT_EQ(scan->commits, commits);
    const size_t behind = length - (commits == 0 ? 32 : ends_[commits - 1]);
    const bool tail = length >= 32 && behind >= 24;
    ASSERT_EQ(scan->state, tail           ? WalState::kTornTail
                           : commits == 0 ? WalState::kNone
                                          : WalState::kWhole)
        << length;
    if (length % 61 == 0) {
      ASSERT_EQ(SqliteShows(), commits) << length;
    }
  }
}

// Sectors of the last transaction reach the disk in any order; none of it is damage.
TEST_F(WalScanTest, LostSectorsOfTheLastTransactionAreATornTail) {
  MakeLog();
  const Bytes whole = wal();
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    wal() = whole;
    bool lost = false;
    for (size_t at = ends_[kTransactions - 2]; at < size_; at = (at / 512 + 1) * 512) {
      const size_t end = std::min(size_, (at / 512 + 1) * 512);
      if (random() % 2 == 0) continue;
      std::fill(wal().begin() + static_cast<ptrdiff_t>(at),
                wal().begin() + static_cast<ptrdiff_t>(end), std::byte{0});
      lost = true;
    }
    const auto scan = Scan();
    ASSERT_TRUE(scan.ok()) << scan.status();
    ASSERT_EQ(scan->commits, kTransactions - (lost ? 1 : 0));
  }
}

// The log begins again at its start with other salts; the old frames behind are no damage.
TEST_F(WalScanTest, FramesOfAnOlderRoundAreNothing) {
  {
    const auto database = Create();
    for (int i = 1; i <= kTransactions; ++i) Commit(*database, i);
    Checkpoint(*database);
    Commit(*database, kTransactions + 1);
    Commit(*database, kTransactions + 2);
    Copy();
  }
  auto scan = Scan();
  ASSERT_TRUE(scan.ok()) << scan.status();
  EXPECT_EQ(scan->state, WalState::kWhole);
  EXPECT_EQ(scan->commits, 2u);
  const size_t end = 32 + scan->frames * kFrame;
  ASSERT_LT(end + 3 * kFrame, size_);
  EXPECT_EQ(SqliteShows(), kTransactions + 2);
  for (size_t at = 0; at < size_; at += 5) {
    wal()[at] ^= std::byte{4};
    scan = Scan();
    if (at >= end) {
      ASSERT_TRUE(scan.ok()) << at;
      ASSERT_EQ(scan->state, WalState::kWhole) << at;
      ASSERT_EQ(scan->commits, 2u);
    }
    wal()[at] ^= std::byte{4};
  }
}

// Sectors of a new round come over those of an old one: each is old or new.
TEST_F(WalScanTest, ATornTailOverAnOlderRoundIsNoDamage) {
  Bytes older, newer;
  size_t begin = 0;
  {
    // The old frames all end a transaction.
    const auto database = Create();
    Commit(*database, 1);
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(database->Execute("UPDATE t SET a = a + 1").ok());
    }
    Checkpoint(*database);
    for (int i = 2; i <= 13; ++i) Commit(*database, i);
    Copy();
    older = wal();
    begin = 32 + Scan()->frames * kFrame;
    Commit(*database, 14, 9000);
    Copy();
    newer = wal();
  }
  ASSERT_EQ(older.size(), newer.size());
  const auto whole = Scan();
  ASSERT_EQ(whole->commits, 13u);
  ASSERT_GT(whole->frames, 62u);  // headers across two sectors are among them
  std::mt19937 random(2);
  for (int round = 0; round < 3000; ++round) {
    wal() = newer;
    const unsigned kept = 1 + random() % 8;
    for (size_t at = begin; at < newer.size(); at = (at / 512 + 1) * 512) {
      const size_t end = std::min(newer.size(), (at / 512 + 1) * 512);
      if (random() % 8 < kept) continue;
      std::copy(older.begin() + static_cast<ptrdiff_t>(at),
                older.begin() + static_cast<ptrdiff_t>(end),
                wal().begin() + static_cast<ptrdiff_t>(at));
    }
    const auto scan = Scan();
    ASSERT_TRUE(scan.ok()) << scan.status();
    ASSERT_GE(scan->commits, 12u);
  }
}

// What was rolled back has left frames with the same salts, which the next commit overwrote in
// part.
TEST_F(WalScanTest, RolledBackFramesAreATail) {
  {
    const auto database = Create();
    Commit(*database, 1);
    ASSERT_TRUE(database->Execute("PRAGMA cache_size=5; PRAGMA cache_spill=5; BEGIN").ok());
    Commit(*database, 2, 30'000);
    ASSERT_TRUE(database->Execute("ROLLBACK").ok());
    Commit(*database, 2, 1000);
    Copy();
  }
  const auto scan = Scan();
  ASSERT_TRUE(scan.ok()) << scan.status();
  EXPECT_EQ(scan->state, WalState::kTornTail);
  EXPECT_EQ(scan->commits, 2u);
  EXPECT_GT(scan->tail_frames, 10u);
  EXPECT_EQ(SqliteShows(), 2);
  // The commit itself torn: what follows its last frame does not follow from it.
  const size_t commit = 32 + (scan->frames - 1) * kFrame;
  ASSERT_GT(scan->frames, 5u);
  wal()[commit - 2 * kFrame + 100] ^= std::byte{1};
  const auto torn = Scan();
  ASSERT_TRUE(torn.ok()) << torn.status();
  EXPECT_EQ(torn->commits, 1u);
  EXPECT_EQ(SqliteShows(), 1);
}

}  // namespace
}  // namespace longtake
