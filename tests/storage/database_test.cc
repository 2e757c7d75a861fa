// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/database/database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>

#include "base/file_system.h"
#include "tests/storage/temporary_directory.h"

namespace longtake {
namespace {

using ::testing::HasSubstr;

std::span<const std::byte> Bytes(std::string_view text) { return std::as_bytes(std::span(text)); }
std::string Chars(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class DatabaseTest : public ::testing::Test {
 protected:
  std::unique_ptr<Database> Open() {
    auto database = Database::Open({.path = path_});
    EXPECT_TRUE(database.ok()) << database.status();
    return database.ok() ? std::move(*database) : nullptr;
  }
  // Of a file of plain SQLite, with whatever settings it has by itself.
  void ByPlainSqlite(const char* sql) {
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &handle), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(handle, sql, nullptr, nullptr, nullptr), SQLITE_OK);
    EXPECT_EQ(sqlite3_close(handle), SQLITE_OK);
  }
  static int64_t Ask(Database& database, const std::string& sql) {
    auto statement = database.Prepare(sql);
    EXPECT_TRUE(statement.ok()) << statement.status();
    const auto row = statement->Step();
    EXPECT_TRUE(row.ok() && *row) << row.status();
    return statement->Int(0);
  }
  static void Expect(const absl::Status& status, absl::StatusCode code, const std::string& text) {
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_.Path("d.sqlite");
};

TEST_F(DatabaseTest, GivesBackWhatWasBound) {
  auto database = Open();
  ASSERT_TRUE(database->Execute("CREATE TABLE t (a INTEGER, b TEXT, c BLOB, d)").ok());
  auto insert = database->Prepare("INSERT INTO t VALUES (?1, ?2, ?3, ?4)").value();
  for (const int64_t value : {INT64_MIN, int64_t{0}, INT64_MAX}) {
    insert.Bind(1, value);
    insert.Bind(2, "text");
    insert.BindBlob(3, Bytes(std::string_view("\0\xff", 2)));
    insert.BindNull(4);
    ASSERT_TRUE(insert.Run().ok());
  }
  insert.Bind(2, std::string_view());
  insert.BindBlob(3, {});
  insert.Bind(1, 5);
  ASSERT_TRUE(insert.Run().ok());
  ASSERT_TRUE(insert.Run().ok());  // nothing is bound any more

  auto select = database->Prepare("SELECT a, b, c, d FROM t ORDER BY rowid").value();
  for (const int64_t value : {INT64_MIN, int64_t{0}, INT64_MAX}) {
    ASSERT_TRUE(select.Step().value());
    EXPECT_EQ(select.Int(0), value);
    EXPECT_EQ(select.Text(1), "text");
    EXPECT_EQ(Chars(select.Blob(2)), std::string("\0\xff", 2));
    EXPECT_TRUE(select.IsNull(3));
  }
  ASSERT_TRUE(select.Step().value());
  EXPECT_FALSE(select.IsNull(1) || select.IsNull(2));  // empty is not NULL
  EXPECT_EQ(select.Text(1), "");
  EXPECT_TRUE(select.Blob(2).empty());
  ASSERT_TRUE(select.Step().value());
  EXPECT_TRUE(select.IsNull(0) && select.IsNull(1) && select.IsNull(2));
  EXPECT_EQ(select.Text(1), "");
  EXPECT_FALSE(select.Step().value());
  EXPECT_TRUE(select.Step().value());  // from the start again
}

TEST_F(DatabaseTest, StatementsMove) {
  auto database = Open();
  Statement one = database->Prepare("SELECT ?1").value();
  Statement two = database->Prepare("SELECT 2").value();
  one.Bind(1, 1);
  two = std::move(one);
  const Statement three(std::move(two));
}

TEST_F(DatabaseTest, SettingsAreMade) {
  auto database = Open();
  ASSERT_TRUE(database->Execute("CREATE TABLE t (a UNIQUE)").ok());
  EXPECT_EQ(Ask(*database, "PRAGMA auto_vacuum"), 2);
  EXPECT_EQ(Ask(*database, "PRAGMA synchronous"), 2);
  EXPECT_TRUE(std::filesystem::exists(path_ + "-wal"));
  EXPECT_FALSE(std::filesystem::exists(path_ + "-shm"));
  Expect(database->Execute("PRAGMA writable_schema=ON; DELETE FROM sqlite_schema"),
         absl::StatusCode::kInternal, "may not be modified");
  Expect(database->Prepare("SELECT \"none\"").status(), absl::StatusCode::kInternal, "none");
  Expect(database->Execute("ATTACH ':memory:' AS x"), absl::StatusCode::kInternal, "attached");
  database.reset();
  const std::string file = ReadTextFile(PosixFileSystem(), path_, 1 << 20).value();
  EXPECT_EQ(file.substr(18, 2), "\x02\x02");                  // WAL
  EXPECT_EQ(file.substr(64, 4), std::string("\0\0\0\1", 4));  // incremental vacuum
  EXPECT_FALSE(std::filesystem::exists(path_ + "-wal"));      // a clean end leaves one file
}

TEST_F(DatabaseTest, NoMemoryIsSharedWhenItIsOpenedAgain) {
  ASSERT_TRUE(Open()->Execute("CREATE TABLE t (a)").ok());
  const auto database = Open();
  ASSERT_TRUE(database->Execute("INSERT INTO t VALUES (1)").ok());
  EXPECT_TRUE(std::filesystem::exists(path_ + "-wal"));
  EXPECT_FALSE(std::filesystem::exists(path_ + "-shm"));
}

TEST_F(DatabaseTest, WhatHasOtherSettingsIsRefused) {
  ByPlainSqlite("CREATE TABLE t (a)");
  const absl::Status status = Database::Open({.path = path_}).status();
  Expect(status, absl::StatusCode::kFailedPrecondition,
         path_ + ": PRAGMA auto_vacuum is 0, must be 2");
}

TEST_F(DatabaseTest, OneAtATime) {
  auto first = Open();
  ASSERT_TRUE(first->Execute("CREATE TABLE t (a)").ok());
  Expect(Database::Open({.path = path_}).status(), absl::StatusCode::kFailedPrecondition,
         path_ + ": PRAGMA ");
  first.reset();
  EXPECT_NE(Open(), nullptr);
}

TEST_F(DatabaseTest, ErrorsNamePathAndSql) {
  auto database = Open();
  ASSERT_TRUE(database->Execute("CREATE TABLE t (a UNIQUE, b REFERENCES t (a))").ok());
  ASSERT_TRUE(database->Execute("INSERT INTO t VALUES (1, NULL)").ok());
  Expect(database->Execute("INSERT INTO t VALUES (1, NULL)"), absl::StatusCode::kAlreadyExists,
         path_ + ": INSERT INTO t VALUES (1, NULL): UNIQUE constraint failed: t.a");
  Expect(database->Execute("INSERT INTO t VALUES (2, 7)"), absl::StatusCode::kAlreadyExists,
         "FOREIGN KEY");
  auto insert = database->Prepare("INSERT INTO t VALUES (?1, NULL)").value();
  insert.Bind(1, 1);
  Expect(insert.Run(), absl::StatusCode::kAlreadyExists,
         path_ + ": INSERT INTO t VALUES (?1, NULL): UNIQUE constraint failed: t.a");
  insert.Bind(2, 1);
  Expect(insert.Run(), absl::StatusCode::kInternal, "out of range");
  insert.Bind(1, 2);
  EXPECT_TRUE(insert.Run().ok());
  Expect(database->Prepare("SELEC").status(), absl::StatusCode::kInternal, path_ + ": SELEC: ");
  Expect(database->Prepare("").status(), absl::StatusCode::kInternal, "no statement");
  Expect(database->Prepare("SELECT 1; SELECT 2").status(), absl::StatusCode::kInternal,
         "more than one");
  EXPECT_TRUE(database->Prepare("SELECT 1;\n").ok());
  Expect(Database::Open({.path = directory_.Path("none/d")}).status(),
         absl::StatusCode::kUnavailable, directory_.Path("none/d") + ": open: unable to open");
  Expect(Database::Open({.path = ":memory:"}).status(), absl::StatusCode::kInvalidArgument, "");
  Expect(Database::Open({.path = ""}).status(), absl::StatusCode::kInvalidArgument, "");
}

TEST_F(DatabaseTest, TransactionsEndAndRowsAreCounted) {
  auto database = Open();
  ASSERT_TRUE(database->Execute("CREATE TABLE t (a); BEGIN; INSERT INTO t VALUES (1), (2)").ok());
  EXPECT_TRUE(database->in_transaction());
  EXPECT_EQ(database->changes(), 2);
  ASSERT_TRUE(database->Execute("ROLLBACK").ok());
  EXPECT_FALSE(database->in_transaction());
  EXPECT_EQ(Ask(*database, "SELECT count(*) FROM t"), 0);
}

TEST_F(DatabaseTest, FullIsResourceExhausted) {
  auto database = Open();
  ASSERT_TRUE(database->Execute("CREATE TABLE t (a); PRAGMA max_page_count=10").ok());
  Expect(database->Execute("INSERT INTO t VALUES (zeroblob(100000))"),
         absl::StatusCode::kResourceExhausted, path_ + ": INSERT");
  EXPECT_TRUE(database->Execute("INSERT INTO t VALUES (1)").ok());
}

TEST_F(DatabaseTest, DamageIsDataLoss) {
  Open()->Execute("CREATE TABLE t (a); INSERT INTO t VALUES (1)").IgnoreError();
  auto file = PosixFileSystem().OpenReadWrite(path_).value();
  const auto pages = file->Size().value() / 4096;
  const std::string noise(4096, '\x5a');
  ASSERT_TRUE(file->WriteAt((pages - 1) * 4096, Bytes(noise)).ok());
  Expect(Open()->Execute("SELECT * FROM t"), absl::StatusCode::kDataLoss, "malformed");
  ASSERT_TRUE(file->WriteAt(0, Bytes(noise)).ok());
  Expect(Database::Open({.path = path_}).status(), absl::StatusCode::kDataLoss, "not a database");
}

TEST_F(DatabaseTest, AnotherFormatIsDamage) {
  ASSERT_TRUE(Open()->Execute("CREATE TABLE t (a)").ok());
  auto file = *PosixFileSystem().OpenReadWrite(path_);
  constexpr uint64_t kFormatOffset = 44;  // of the schema: a big-endian number, at most 4
  ASSERT_TRUE(file->WriteAt(kFormatOffset, Bytes(std::string_view("\0\0\0\7", 4))).ok());
  Expect(Database::Open({.path = path_}).status(), absl::StatusCode::kDataLoss, path_);
}

TEST_F(DatabaseTest, TheLogIsMovedIntoTheDatabase) {
  auto database = Open();
  ASSERT_TRUE(database->Execute("CREATE TABLE t (a)").ok());
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(database->Execute("INSERT INTO t VALUES (zeroblob(100000))").ok());
  }
  EXPECT_LT(std::filesystem::file_size(path_ + "-wal"), 6u << 20);
  EXPECT_GT(std::filesystem::file_size(path_), 5u << 20);
}

}  // namespace
}  // namespace longtake
