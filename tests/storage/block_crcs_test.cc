// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Checksums on the workers: the same numbers as alone, and a layer stream that finds and mends
// every flip wherever a worker meets it.
#include "storage/pack/block_crcs.h"

#include <gtest/gtest.h>

#include <future>
#include <set>

#include "base/checksum.h"
#include "tests/storage/fault_file.h"
#include "tests/storage/memory_files.h"
#include "tests/storage/pack_fixture.h"

namespace longtake {
namespace {

constexpr uint64_t kMiB = 1 << 20;

TEST(BlockCrcsTest, AreThoseOfOneThread) {
  const std::vector<std::byte> bytes = FixtureBytes("sums", 9 * kMiB + 777);
  WorkerPool one(1);
  WorkerPool three(3);
  for (const uint64_t size :
       {uint64_t{0}, uint64_t{1}, kMiB - 1, kMiB, 3 * kMiB + 1, bytes.size()}) {
    for (const uint64_t crc_block_bytes : {uint64_t{4096}, uint64_t{65536}, 2 * kMiB}) {
      const std::span<const std::byte> part = std::span(bytes).first(size);
      std::vector<uint32_t> expected;
      for (uint64_t at = 0; at < size; at += crc_block_bytes) {
        expected.push_back(Crc32c(part.subspan(at, std::min(crc_block_bytes, size - at))));
      }
      EXPECT_EQ(BlockCrcs(part, crc_block_bytes, nullptr), expected) << size;
      EXPECT_EQ(BlockCrcs(part, crc_block_bytes, &one), expected) << size;
      EXPECT_EQ(BlockCrcs(part, crc_block_bytes, &three), expected) << size;
    }
  }
}

// Parts large enough to be shared among workers, all requests of one there at once.
class SharedSumsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    PackSpec spec = FixtureSpec(0);
    for (int i = 0; i < 2; ++i) {
      spec.layers.push_back({{.name = "blocks." + std::to_string(i) + ".ffn",
                              .dtype = DType::kI8,
                              .shape = {8, static_cast<int64_t>(kMiB)}}});
    }
    spec.config = "{\"num_layers\": 2}\n";
    spec.part_bytes_max = 16 * kMiB;
    WriteFixture(memory_, "t.pack", spec);
    pack_ = PackReader::Open(files_, "t.pack").value();
    stream_ = LayerStream::Open(*pack_, {.workers = &workers_}).value();
  }
  // Flips a bit in every MiB of layer 1, the first time only or always.
  void FlipEveryMiB(bool once) {
    const uint64_t begin = pack_->header().payload_offset + pack_->layer(1).parts[0].offset;
    files_.set_decide([this, begin, once](const FaultFileSystem::Attempt& attempt) {
      if (attempt.offset < begin) return ReadFault{};
      if (once && !flipped_.insert(attempt.offset / kMiB).second) return ReadFault{};
      return ReadFault{.flip_bit = (attempt.offset + attempt.bytes / 2) * 8 + 3};
    });
  }

  WorkerPool workers_{3};
  std::set<uint64_t> flipped_;
  MemoryFileSystem memory_;
  FaultFileSystem files_{memory_};
  std::unique_ptr<PackReader> pack_;
  std::unique_ptr<LayerStream> stream_;
};

// Workers that are busy hold the sums up: they are the ones that compute them.
TEST_F(SharedSumsTest, AreComputedByTheWorkers) {
  const uint64_t begin = pack_->header().payload_offset + pack_->layer(0).parts[0].offset;
  // What is behind the first request arrives before it.
  files_.set_decide([begin](const FaultFileSystem::Attempt& attempt) {
    return ReadFault{.delay_millis = attempt.offset == begin ? 200 : 0};
  });
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  for (int i = 0; i < workers_.thread_count(); ++i) {
    workers_.Schedule([released] { released.wait(); });
  }
  std::future<absl::Status> sweep =
      std::async(std::launch::async, [this] { return TakeSweep(*stream_, *pack_); });
  EXPECT_EQ(sweep.wait_for(std::chrono::seconds(1)), std::future_status::timeout);
  release.set_value();
  EXPECT_EQ(sweep.get(), absl::OkStatus());
}

TEST_F(SharedSumsTest, FlipsOnTheWayAreReadAgain) {
  FlipEveryMiB(true);
  EXPECT_EQ(TakeSweep(*stream_, *pack_), absl::OkStatus());
  EXPECT_EQ(stream_->stats().checksum_failures, 8u);
  EXPECT_EQ(TakeSweep(*stream_, *pack_), absl::OkStatus());
  EXPECT_EQ(stream_->stats().checksum_failures, 8u);
}

TEST_F(SharedSumsTest, FlipsOnTheDiskAreDataLoss) {
  FlipEveryMiB(false);
  EXPECT_EQ(TakeSweep(*stream_, *pack_).code(), absl::StatusCode::kDataLoss);
  files_.set_decide(nullptr);
  stream_->Rewind();
  EXPECT_EQ(TakeSweep(*stream_, *pack_), absl::OkStatus());
}

}  // namespace
}  // namespace longtake
