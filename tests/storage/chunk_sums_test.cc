// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Checksums on the workers: the same numbers as alone, and a layer stream that finds and mends
// every flip wherever a worker meets it.
#include "storage/chunk_sums.h"

#include <gtest/gtest.h>

#include <set>

#include "base/checksum.h"
#include "tests/storage/fault_file.h"
#include "tests/storage/memory_files.h"
#include "tests/storage/pack_fixture.h"

namespace longtake {
namespace {

constexpr uint64_t kMiB = 1 << 20;

TEST(ChunkSumsTest, AreThoseOfOneThread) {
  const std::vector<std::byte> bytes = FixtureBytes("sums", 9 * kMiB + 777);
  WorkerPool one(1);
  WorkerPool three(3);
  for (const uint64_t size :
       {uint64_t{0}, uint64_t{1}, kMiB - 1, kMiB, 3 * kMiB + 1, bytes.size()}) {
    for (const uint64_t chunk_bytes : {uint64_t{4096}, uint64_t{65536}, 2 * kMiB}) {
      const std::span<const std::byte> part = std::span(bytes).first(size);
      std::vector<uint32_t> expected;
      for (uint64_t at = 0; at < size; at += chunk_bytes) {
        expected.push_back(Crc32c(part.subspan(at, std::min(chunk_bytes, size - at))));
      }
      EXPECT_EQ(ChunkSums(part, chunk_bytes, nullptr), expected) << size;
      EXPECT_EQ(ChunkSums(part, chunk_bytes, &one), expected) << size;
      EXPECT_EQ(ChunkSums(part, chunk_bytes, &three), expected) << size;
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

TEST_F(SharedSumsTest, FlipsOnTheWayAreReadAgain) {
  FlipEveryMiB(true);
  EXPECT_EQ(TakeSweep(*stream_, *pack_), absl::OkStatus());
  EXPECT_GE(stream_->stats().checksum_failures, 8u);
  const uint64_t failures = stream_->stats().checksum_failures;
  EXPECT_EQ(TakeSweep(*stream_, *pack_), absl::OkStatus());
  EXPECT_EQ(stream_->stats().checksum_failures, failures);
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
