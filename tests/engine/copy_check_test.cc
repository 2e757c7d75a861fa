// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A database that is written anew, on a disk that changes or misplaces what it is given without a
// word: the copy does not take the place of what it was copied from.
#include "engine/store/copy_check.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <optional>

#include "absl/strings/str_cat.h"
#include "engine/store/session_store.h"
#include "tests/storage/file_system_vfs.h"
#include "tests/storage/simulated_disk.h"

namespace longtake {
namespace {

constexpr int64_t kChunks = 12;
constexpr int64_t kEvents = 40;

Latents SomeLatents(int64_t chunk) {
  Latents latents(1, {.frames = 1, .height = 20, .width = 30});
  for (float& value : latents.values()) value = static_cast<float>(chunk);
  return latents;
}

// One store, whose next commit cannot be synced.
class WrittenAnew {
 public:
  WrittenAnew() { Open(); }
  ~WrittenAnew() { store_ = nullptr; }

  void Make(const std::string& id) {
    LT_CHECK(store_->Create(SessionKey{id}, {}).ok());
    for (int64_t chunk = 0; chunk < kChunks; ++chunk) {
      store_->PutChunk(SessionKey{id}, chunk, SomeLatents(chunk));
    }
    for (uint64_t i = 1; i <= kEvents; ++i) {
      store_->Put(SessionKey{id},
                  AcceptedEvent{.sequence = i,
                                .event = {.prompt = absl::StrCat(id, " asks for ", i)},
                                .prompt_ids = {}});
    }
    Write();
  }
  // Whether the copy had a write of this number, which went wrong.
  bool Damage(int write, const std::function<DiskFault(const DiskCall&)>& how) {
    bool failed = false;
    int writes = 0;
    disk_.set_decide([&](const DiskCall& call) {
      if (call.op == DiskOp::kSync && call.path.ends_with("-wal") && !failed) {
        failed = true;
        return DiskFault{.error = EIO};
      }
      const bool is_copy = call.op == DiskOp::kWrite && call.path.ends_with(".copy");
      return is_copy && writes++ == write ? how(call) : DiskFault{};
    });
    store_->Put(SessionKey{"a"}, SessionEnded());
    for (int i = 0; i < 10; ++i) Write();
    EXPECT_TRUE(store_->durable()) << store_->stats().queue.failure;
    disk_.set_decide({});
    return writes > write;
  }
  // Whether all is there that was written, for the next process, too.
  void Check() {
    Open();
    for (const char* id : {"a", "b"}) {
      const auto session = store_->Load(id);
      ASSERT_TRUE(session.ok()) << session.status();
      EXPECT_EQ(std::ssize(session->events), kEvents);
      EXPECT_EQ(session->ended, id[0] == 'a');
      ASSERT_EQ(std::ssize(session->settled), kChunks);
      for (int64_t chunk = 0; chunk < kChunks; ++chunk) {
        const auto latents = store_->LoadLatents(session->settled[static_cast<size_t>(chunk)]);
        ASSERT_TRUE(latents.ok()) << latents.status();
        EXPECT_EQ(*latents, SomeLatents(chunk));
      }
    }
    LT_CHECK(store_->Create(SessionKey{"c"}, {}).ok());
    EXPECT_EQ(store_->Sessions().back().number, 3);
    EXPECT_TRUE(store_->Delete("b").ok());
    EXPECT_EQ(told_, std::vector<std::string>());
  }

 private:
  void Open() {
    store_ = nullptr;
    auto store = SessionStore::Open(
        {.files = &disk_,
         .directory = "state",
         .holder = "the test",
         .vfs = vfs_.name(),
         .on_damage = [this](const std::string& id,
                             const std::string& damage) { told_.push_back(id + ": " + damage); }},
        clock_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  void Write() {
    while (store_->Step() && store_->durable()) {
    }
    clock_.Advance(2'000'000'000);
  }

  ManualClock clock_;
  SimulatedDisk disk_;
  FileSystemVfs vfs_{disk_, 1};
  std::vector<std::string> told_;
  std::unique_ptr<SessionStore> store_;
};

void TryEveryWrite(const std::function<DiskFault(const DiskCall&)>& how) {
  int write = 0;
  for (;; ++write) {
    WrittenAnew store;
    store.Make("a");
    store.Make("b");
    const bool damaged = store.Damage(write, how);
    SCOPED_TRACE(write);
    store.Check();
    if (!damaged || testing::Test::HasFailure()) break;
  }
  EXPECT_GT(write, 10);
}

TEST(CopyCheckTest, APageThatWasChangedOnItsWayIsFound) {
  TryEveryWrite([](const DiskCall&) { return DiskFault{.flipped = std::byte{1}}; });
}

TEST(CopyCheckTest, APageThatWasWrittenSomewhereElseIsFound) {
  TryEveryWrite([](const DiskCall& call) { return DiskFault{.lands_at = call.offset ^ 4096}; });
}

}  // namespace
}  // namespace longtake
