// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Second readings of the part fetcher, with answers in an order that no disk can be asked for.
#include "storage/stream/part_fetcher.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <functional>

#include "tests/storage/memory_files.h"
#include "tests/storage/pack_fixture.h"

namespace longtake {
namespace {

// Keeps requests until the script picks one to be answered, by its index among those that wait.
class ScriptedIo final : public BlockIo {
 public:
  struct Waiting {
    size_t number = 0;
    uint64_t offset = 0;
    std::span<std::byte> memory;
  };
  struct Pick {
    size_t index = 0;
    bool flip = false;
    int error = 0;
  };
  using Script = std::function<std::optional<Pick>(const std::vector<Waiting>&)>;

  ScriptedIo(File& file, Script script)
      : BlockIo("disk", 64), file_(file), script_(std::move(script)) {}

 private:
  void StartRaw(size_t number, const BlockRequest& rest) override {
    waiting_.push_back({number, rest.offset, rest.memory});
  }
  std::optional<RawCompletion> NextRaw(int64_t) override {
    const std::optional<Pick> pick = waiting_.empty() ? std::nullopt : script_(waiting_);
    if (!pick.has_value()) return std::nullopt;
    const Waiting request = waiting_[pick->index];
    waiting_.erase(waiting_.begin() + static_cast<ptrdiff_t>(pick->index));
    if (pick->error != 0) return RawCompletion{request.number, -pick->error};
    const int64_t bytes = file_.ReadSome(request.offset, request.memory);
    if (pick->flip) request.memory[5] ^= std::byte{1};
    return RawCompletion{request.number, bytes};
  }

  File& file_;
  const Script script_;
  std::vector<Waiting> waiting_;
};

class PartFetcherTest : public ::testing::Test {
 protected:
  PartFetcherTest() {
    WriteFixture(files_, "p", FixtureSpec(2));
    pack_ = PackReader::Open(files_, "p").value();
    plan_ = PlanStream(*pack_, 3, 0);
    file_ = files_.OpenRead("p", ReadMode::kDirect).value();
    first_ = pack_->header().payload_offset + plan_.units[0].offset;
  }
  void Start(uint64_t request_bytes, ScriptedIo::Script script) {
    fetcher_ = std::make_unique<PartFetcher>(
        *pack_, plan_,
        PartFetcher::Options{.request_bytes = request_bytes, .read_timeout_nanos = 1}, clock_);
    ASSERT_TRUE(fetcher_->Allocate().ok());
    std::vector<std::unique_ptr<BlockIo>> readers;
    readers.push_back(std::make_unique<ScriptedIo>(*file_, std::move(script)));
    fetcher_->Start(std::move(readers));
  }
  // Those that read the first CRC block of the first unit, again or with what is behind it.
  std::vector<size_t> OfFirstChunk(const std::vector<ScriptedIo::Waiting>& waiting) const {
    std::vector<size_t> out;
    for (size_t i = 0; i < waiting.size(); ++i) {
      if (waiting[i].offset == first_) out.push_back(i);
    }
    return out;
  }

  ManualClock clock_;
  MemoryFileSystem files_;
  std::unique_ptr<PackReader> pack_;
  StreamPlan plan_;
  std::unique_ptr<File> file_;
  uint64_t first_ = 0;
  std::unique_ptr<PartFetcher> fetcher_;
};

TEST_F(PartFetcherTest, AReadThatFailsBesideASecondReadingIsNotForgotten) {
  const uint64_t block = pack_->header().crc_block_bytes;
  ASSERT_GE(plan_.units[0].bytes, 2 * block);
  int answers = 0;
  Start(block,
        [&](const std::vector<ScriptedIo::Waiting>& waiting) -> std::optional<ScriptedIo::Pick> {
          if (answers > 0 && OfFirstChunk(waiting).empty() && answers < 3) return std::nullopt;
          ++answers;
          if (answers == 1)
            return ScriptedIo::Pick{.index = OfFirstChunk(waiting)[0], .flip = true};
          return ScriptedIo::Pick{.index = 0, .error = answers == 2 ? EIO : 0};
        });
  EXPECT_EQ(fetcher_->Await(0).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(PartFetcherTest, ASecondReadingThatComesLateAnswersNobodyElse) {
  bool stale = false;  // one of the sweep before waits, the first in the list
  Start(uint64_t{1} << 20,
        [&](const std::vector<ScriptedIo::Waiting>& waiting) -> std::optional<ScriptedIo::Pick> {
          const uint64_t unit_bytes = plan_.units[0].bytes;
          const std::vector<size_t> first = OfFirstChunk(waiting);
          for (size_t i = 0; i < waiting.size(); ++i) {  // other units, which need their slots back
            if (waiting[i].offset != first_) return ScriptedIo::Pick{.index = i};
          }
          // The unit itself, spoiled, as soon as it is asked for.
          for (const size_t i : first) {
            if (waiting[i].memory.size() == unit_bytes) {
              return ScriptedIo::Pick{.index = i, .flip = true};
            }
          }
          // Its second reading in vain; in the next sweep both, the late one before the other.
          if (!stale || first.size() < 2) return std::nullopt;
          stale = false;
          return ScriptedIo::Pick{.index = first[0]};
        });
  EXPECT_EQ(fetcher_->Await(0).status().code(), absl::StatusCode::kUnavailable);
  fetcher_->Restart();
  stale = true;
  // The late answer was not it: the wait for the right one is in vain, too.
  EXPECT_EQ(fetcher_->Await(0).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(stale);
}

}  // namespace
}  // namespace longtake
