// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What clients are told of a disk that fails under the store: the reasons that docs/errors.md has
// for it, not those of memory or of the model's files.
#include <gtest/gtest.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"
#include "engine/store/session_store.h"
#include "tests/storage/file_system_vfs.h"
#include "tests/storage/simulated_disk.h"

namespace longtake {
namespace {

class StoreReasonsTest : public testing::Test {
 protected:
  void Open() {
    store_ = nullptr;
    auto store = SessionStore::Open({.files = &disk_,
                                     .directory = "state",
                                     .holder = "the test",
                                     .vfs = vfs_.name(),
                                     .waiting_bytes_max = 256 << 10,
                                     .latent_row_bytes_max = 0},
                                    clock_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  void SetUp() override {
    Open();
    ASSERT_TRUE(store_->Create(kOne, {}).ok());
    store_->PutChunk(kOne, 0, Latents(16, {.frames = 3, .height = 16, .width = 16}));
    while (store_->Step()) {
    }
    ASSERT_EQ(store_->Sessions()[0].chunks, 1);
  }
  void Fail(DiskOp op, int error) {
    disk_.set_decide([op, error](const DiskCall& call) {
      return DiskFault{.error = call.op == op ? error : 0};
    });
  }
  // Everything that changes a session.
  void ExpectOfWrites(Reason reason) {
    const auto expect = [&](const char* what, const absl::Status& status) {
      EXPECT_EQ(ReasonOf(status).value_or(ErrorReason()).reason, reason) << what << ": " << status;
      EXPECT_EQ(status.code(), longtake::InfoOf(reason).code) << what;
    };
    expect("create", store_->Create(SessionKey{"two"}, {}));
    expect("fork", store_->Fork("one", {.id = "fork", .chunk = 1}));
    expect("rewind", store_->Rewind("one", 0));
    expect("delete", store_->Delete("one"));
  }

  static void ExpectUnavailable(const absl::Status& status) {
    EXPECT_EQ(ReasonOf(status).value_or(ErrorReason()).reason, Reason::kStorageUnavailable)
        << status;
  }

  const SessionKey kOne{"one"};
  ManualClock clock_;
  SimulatedDisk disk_;
  FileSystemVfs vfs_{disk_, 1};
  std::unique_ptr<SessionStore> store_;
};

TEST_F(StoreReasonsTest, ADiskThatIsFullIsAStoreThatIsFull) {
  Fail(DiskOp::kWrite, ENOSPC);
  ExpectOfWrites(Reason::kStoreFull);
  disk_.set_decide({});
  EXPECT_TRUE(store_->Delete("one").ok());
}

TEST_F(StoreReasonsTest, ADiskThatFailsCannotBeHadForAWhile) {
  Fail(DiskOp::kWrite, EIO);
  ExpectOfWrites(Reason::kStorageUnavailable);
}

TEST_F(StoreReasonsTest, LatentsThatCannotBeReadNowMayBeReadLater) {
  const StoredLatents chunk = store_->Load("one")->settled[0];
  Fail(DiskOp::kOpen, EIO);
  ExpectUnavailable(store_->LoadLatents(chunk).status());
  bool told = false;
  store_->ReadLatents(chunk, [&](const absl::StatusOr<Latents>& latents) {
    told = true;
    ExpectUnavailable(latents.status());
  });
  while (store_->Step()) {
  }
  EXPECT_TRUE(told);
  disk_.set_decide({});
  EXPECT_TRUE(store_->LoadLatents(chunk).ok());
}

TEST_F(StoreReasonsTest, NoSessionIsLeftOutOfAListThatCannotBeRead) {
  Open();  // with nothing in SQLite's cache
  Fail(DiskOp::kRead, EIO);
  ExpectUnavailable(store_->DescribeSome({"one"}, 1 << 20).status());
  disk_.set_decide({});
  const auto some = store_->DescribeSome({"one", "none"}, 1 << 20);
  ASSERT_TRUE(some.ok()) << some.status();
  EXPECT_TRUE((*some)[0].has_value());
  EXPECT_FALSE((*some)[1].has_value());
}

TEST_F(StoreReasonsTest, WhatWaitsForADiskThatFailsFillsNoStore) {
  Fail(DiskOp::kWrite, EIO);
  for (int i = 0; i < 1000; ++i) {  // the store counts what each takes beside its byte
    store_->RecordStart(kOne, i, "x", [](const absl::Status&, bool) {});
  }
  const absl::Status created = store_->Create(SessionKey{"two"}, {});
  ExpectUnavailable(created);
  EXPECT_EQ(created.message(), "too much waits for the session store's disk");
}

}  // namespace
}  // namespace longtake
