// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A table of checksummed rows and a bulk file beside it on a simulated disk: whatever call a crash
// or a fault comes before, what was committed is there and verified afterwards, and a transaction
// in work is there whole or not at all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <map>
#include <optional>
#include <random>
#include <set>

#include "base/checksum.h"
#include "storage/bulk/bulk_file.h"
#include "storage/bulk/bulk_reader.h"
#include "storage/database/database.h"
#include "storage/database/wal_scan.h"
#include "tests/storage/file_system_vfs.h"
#include "tests/storage/simulated_disk.h"

namespace longtake {
namespace {

constexpr char kDatabase[] = "d/rows";
constexpr char kBulk[] = "d/bulk";

using Bytes = std::vector<std::byte>;

Bytes Pattern(uint64_t seed, size_t count) {
  std::mt19937_64 random(seed);
  Bytes bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

// What a row stands for: its number says its bytes, in the row or in an extent.
struct Row {
  size_t bytes = 0;
  bool bulk = false;
  bool operator==(const Row&) const = default;
};
using Rows = std::map<int64_t, Row>;

// A small store: rows whose values are in the row or in the bulk file.
class Store {
 public:
  static absl::StatusOr<std::unique_ptr<Store>> Open(FileSystem& files, const std::string& vfs) {
    LT_RETURN_IF_ERROR(ScanWal(files, kDatabase));
    LT_ASSIGN_OR_RETURN(auto database, Database::Open({.path = kDatabase, .vfs = vfs}));
    std::unique_ptr<Store> store(new Store(files, std::move(database)));
    LT_RETURN_IF_ERROR(store->database_->Execute(
        "CREATE TABLE IF NOT EXISTS r (id INTEGER PRIMARY KEY, body BLOB, crc INTEGER NOT NULL, "
        "place INTEGER, bytes INTEGER, table_crc INTEGER, high INTEGER, low INTEGER)"));
    LT_RETURN_IF_ERROR(store->OpenBulk());
    return store;
  }

  // One transaction: the rows with these numbers come and those go.
  absl::Status Commit(const Rows& added, const std::set<int64_t>& removed) {
    std::map<int64_t, BulkExtent> extents;
    for (const auto& [id, row] : added) {
      if (!row.bulk) continue;
      LT_ASSIGN_OR_RETURN(extents[id],
                          bulk_->Append(Pattern(static_cast<uint64_t>(id), row.bytes)));
    }
    if (!extents.empty()) LT_RETURN_IF_ERROR(bulk_->Sync());
    const absl::Status status = Write(added, extents, removed);
    if (!status.ok() && database_->in_transaction()) database_->Execute("ROLLBACK").IgnoreError();
    return status;
  }

  absl::Status Checkpoint() {
    LT_ASSIGN_OR_RETURN(Statement statement, database_->Prepare("PRAGMA wal_checkpoint(PASSIVE)"));
    return statement.Run();
  }
  absl::Status Vacuum() {
    LT_ASSIGN_OR_RETURN(Statement statement, database_->Prepare("PRAGMA incremental_vacuum(3)"));
    return statement.Run();
  }

  // All rows, each verified.
  absl::StatusOr<Rows> Read() {
    LT_ASSIGN_OR_RETURN(Statement all, database_->Prepare("SELECT * FROM r"));
    Rows rows;
    while (true) {
      LT_ASSIGN_OR_RETURN(const bool row, all.Step());
      if (!row) return rows;
      const int64_t id = all.Int(0);
      Bytes bytes;
      if (all.IsNull(1)) {
        LT_ASSIGN_OR_RETURN(bytes, ReadBulk(files_, kBulk, ExtentOf(all)));
      } else {
        bytes.assign(all.Blob(1).begin(), all.Blob(1).end());
      }
      if (Crc32c(bytes) != all.Int(2) ||
          bytes != Pattern(static_cast<uint64_t>(id), bytes.size())) {
        return absl::DataLossError("row " + std::to_string(id));
      }
      rows[id] = {.bytes = bytes.size(), .bulk = all.IsNull(1)};
    }
  }

 private:
  Store(FileSystem& files, std::unique_ptr<Database> database)
      : files_(files), database_(std::move(database)) {}

  static BulkExtent ExtentOf(Statement& row) {
    return {.offset = static_cast<uint64_t>(row.Int(3)),
            .bytes = static_cast<uint64_t>(row.Int(4)),
            .table_crc = static_cast<uint32_t>(row.Int(5)),
            .hash = {.high = static_cast<uint64_t>(row.Int(6)),
                     .low = static_cast<uint64_t>(row.Int(7))}};
  }

  absl::Status OpenBulk() {
    LT_ASSIGN_OR_RETURN(Statement all, database_->Prepare("SELECT * FROM r WHERE body IS NULL"));
    uint64_t end = 0;
    while (true) {
      LT_ASSIGN_OR_RETURN(const bool row, all.Step());
      if (!row) break;
      end = std::max(end, *ExtentOf(all).end());
    }
    auto bulk = end == 0 ? BulkFile::Create(files_, kBulk) : BulkFile::Open(files_, kBulk, end);
    LT_RETURN_IF_ERROR(bulk);
    bulk_ = std::move(*bulk);
    return absl::OkStatus();
  }

  absl::Status Write(const Rows& added, const std::map<int64_t, BulkExtent>& extents,
                     const std::set<int64_t>& removed) {
    LT_RETURN_IF_ERROR(database_->Execute("BEGIN IMMEDIATE"));
    LT_ASSIGN_OR_RETURN(Statement insert,
                        database_->Prepare("INSERT INTO r VALUES (?1,?2,?3,?4,?5,?6,?7,?8)"));
    for (const auto& [id, row] : added) {
      const Bytes bytes = Pattern(static_cast<uint64_t>(id), row.bytes);
      insert.Bind(1, id);
      insert.Bind(3, Crc32c(bytes));
      if (row.bulk) {
        const BulkExtent& extent = extents.at(id);
        insert.Bind(4, static_cast<int64_t>(extent.offset));
        insert.Bind(5, static_cast<int64_t>(extent.bytes));
        insert.Bind(6, extent.table_crc);
        insert.Bind(7, static_cast<int64_t>(extent.hash.high));
        insert.Bind(8, static_cast<int64_t>(extent.hash.low));
      } else {
        insert.BindBlob(2, bytes);
      }
      LT_RETURN_IF_ERROR(insert.Run());
    }
    LT_ASSIGN_OR_RETURN(Statement remove, database_->Prepare("DELETE FROM r WHERE id = ?1"));
    for (const int64_t id : removed) {
      remove.Bind(1, id);
      LT_RETURN_IF_ERROR(remove.Run());
    }
    return database_->Execute("COMMIT");
  }

  FileSystem& files_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<BulkFile> bulk_;
};

// Drives a store with random transactions and knows what must be there.
class Driver {
 public:
  Driver(SimulatedDisk& disk, uint32_t seed) : disk_(disk), random_(seed), vfs_(disk, seed + 1) {}

  // So many random steps; ends at the first error.
  absl::Status Run(int steps) {
    if (store_ == nullptr) LT_RETURN_IF_ERROR(Open());
    for (int i = 0; i < steps; ++i) LT_RETURN_IF_ERROR(Step());
    store_.reset();
    return absl::OkStatus();
  }
  // The same after an error, with the same store as long as that can be used: the database tells
  // what of the last transaction is there.
  absl::Status GoOn(int steps) {
    LT_RETURN_IF_ERROR(Look());
    if (Run(steps).ok()) return absl::OkStatus();
    store_.reset();  // a bulk file that failed is to be opened again
    LT_RETURN_IF_ERROR(Look());
    return Run(steps);
  }
  void Forget() { store_.reset(); }

  // What a look after a crash now may find: committed, or that and what is being committed.
  bool Possible(const Rows& found) const { return found == committed_ || found == next_; }
  const Rows& committed() const { return committed_; }

 private:
  absl::Status Open() {
    LT_ASSIGN_OR_RETURN(store_, Store::Open(disk_, vfs_.name()));
    return absl::OkStatus();
  }

  absl::Status Look() {
    if (store_ == nullptr) LT_RETURN_IF_ERROR(Open());
    LT_ASSIGN_OR_RETURN(Rows found, store_->Read());
    if (!Possible(found)) return absl::DataLossError("another state after a fault");
    committed_ = std::move(found);
    next_ = committed_;
    return absl::OkStatus();
  }

  absl::Status Step() {
    switch (random_() % 10) {
      case 0:
        store_.reset();
        return Open();
      case 1:
        return store_->Checkpoint();
      case 2:
        return store_->Vacuum();
      default:
        return Commit();
    }
  }

  absl::Status Commit() {
    Rows added;
    std::set<int64_t> removed;
    next_ = committed_;
    for (const auto& [id, row] : committed_) {
      if (random_() % 6 == 0) removed.insert(id);
    }
    for (const int64_t id : removed) next_.erase(id);
    for (uint32_t rows = 1 + random_() % 3; rows > 0; --rows) {
      const bool bulk = random_() % 3 == 0;
      added[next_id_] = {.bytes = random_() % (bulk ? 9000 : 3000), .bulk = bulk};
      next_[next_id_] = added[next_id_];
      ++next_id_;
    }
    LT_RETURN_IF_ERROR(store_->Commit(added, removed));
    committed_ = next_;
    return absl::OkStatus();
  }

  SimulatedDisk& disk_;
  std::mt19937 random_;
  FileSystemVfs vfs_;
  std::unique_ptr<Store> store_;
  Rows committed_;
  Rows next_;
  int64_t next_id_ = 1;
};

// Opens what a crash left, compares it and goes on with it. The seed is of the crashes after it.
void ExpectRecovers(SimulatedDisk& after, const Driver& driver, uint64_t seed,
                    const std::string& where) {
  const FileSystemVfs vfs(after, 7);
  auto store = Store::Open(after, vfs.name());
  ASSERT_TRUE(store.ok()) << where << ": " << store.status();
  auto found = (*store)->Read();
  ASSERT_TRUE(found.ok()) << where << ": " << found.status();
  ASSERT_TRUE(driver.Possible(*found))
      << where << ": " << found->size() << " rows, committed " << driver.committed().size();
  // What was shown is there from now on.
  const auto lost_power = after.CrashedCopy(seed);
  const FileSystemVfs other_vfs(*lost_power, 8);
  auto again = Store::Open(*lost_power, other_vfs.name());
  ASSERT_TRUE(again.ok()) << where << ": " << again.status();
  ASSERT_EQ((*again)->Read().value(), *found) << where;
  again->reset();
  ASSERT_TRUE((*store)->Commit({{1'000'000, {.bytes = 5000, .bulk = true}}}, {}).ok()) << where;
  (*found)[1'000'000] = {.bytes = 5000, .bulk = true};
  // Once more, from a clean end.
  store->reset();
  after.Crash(seed + 1);
  store = Store::Open(after, vfs.name());
  ASSERT_TRUE(store.ok()) << where << ": " << store.status();
  EXPECT_EQ((*store)->Read().value(), *found) << where;
}

TEST(DurabilityTest, EveryCallMayBeTheLast) {
  uint64_t crashes = 0;
  for (uint32_t seed = 0; seed < 6; ++seed) {
    SimulatedDisk disk;
    Driver driver(disk, seed);
    disk.set_decide([&](const DiskCall& call) {
      if (call.Changes() && !::testing::Test::HasFatalFailure()) {
        const auto after = ++crashes % 4 == 0 ? disk.KilledCopy() : disk.CrashedCopy(crashes);
        ExpectRecovers(*after, driver, crashes * 5,
                       "seed " + std::to_string(seed) + ", call " + std::to_string(call.number));
      }
      return DiskFault{};
    });
    const absl::Status status = driver.Run(20);
    ASSERT_TRUE(status.ok()) << status;
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(crashes, 1000u);
}

// The k-th call that changes something fails, for every k, and the store goes on where it can.
// After a failed sync it does not.
TEST(DurabilityTest, TheStoreGoesOnAfterFaults) {
  bool failed = true;
  for (uint64_t k = 0; failed; ++k) {
    SimulatedDisk disk;
    Driver driver(disk, 4);
    uint64_t changes = 0;
    failed = false;
    bool failed_sync = false;
    disk.set_decide([&](const DiskCall& call) {
      const bool now = call.Changes() && changes++ == k;
      failed = failed || now;
      const bool sync = call.op == DiskOp::kSync || call.op == DiskOp::kSyncDir;
      failed_sync = failed_sync || (now && sync);
      return DiskFault{.error = now ? (k % 2 == 0 ? EIO : ENOSPC) : 0, .bytes_max = 3000};
    });
    const absl::Status first = driver.Run(15);
    const absl::Status status = first.ok() || failed_sync ? absl::OkStatus() : driver.GoOn(15);
    driver.Forget();
    disk.set_decide(nullptr);
    ASSERT_TRUE(status.ok()) << "call " << k << ": " << first << ", then " << status;
    const auto after = disk.CrashedCopy(k);
    ExpectRecovers(*after, driver, k * 5, "call " + std::to_string(k));
    if (::testing::Test::HasFatalFailure()) return;
  }
}

// The k-th call fails, for every k; then the store is given up, and power is lost or not.
TEST(DurabilityTest, EveryCallMayFail) {
  for (const int error : {EIO, ENOSPC}) {
    bool failed = true;
    for (uint64_t k = 0; failed; ++k) {
      SimulatedDisk disk;
      Driver driver(disk, 3);
      failed = false;
      disk.set_decide([&](const DiskCall& call) {
        const bool now = call.number == k;
        failed = failed || now;
        return DiskFault{.error = now ? error : 0};
      });
      const absl::Status status = driver.Run(12);
      driver.Forget();
      disk.set_decide(nullptr);
      ASSERT_TRUE(status.ok() || failed) << status;
      for (const uint64_t seed : {k, k + 1000}) {
        const auto after = disk.CrashedCopy(seed);
        ExpectRecovers(*after, driver, seed * 5,
                       "error " + std::to_string(error) + " at call " + std::to_string(k) +
                           ", then " + status.ToString());
        if (HasFatalFailure()) return;
      }
    }
  }
}

}  // namespace
}  // namespace longtake
