// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The layer stream on a disk that misbehaves: what can be lived with is, what cannot becomes the
// right status, and after Rewind the next sweep starts clean.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <random>

#include "storage/stream/layer_stream.h"
#include "tests/storage/fault_file.h"
#include "tests/storage/memory_files.h"
#include "tests/storage/pack_fixture.h"

namespace longtake {
namespace {

using ::testing::HasSubstr;

constexpr char kPath[] = "t.pack";
using Attempt = FaultFileSystem::Attempt;

class LayerStreamFaultTest : public ::testing::Test {
 protected:
  void SetUp() override {
    WriteFixture(memory_, kPath, FixtureSpec(6));
    pack_ = PackReader::Open(files_, kPath).value();
  }
  std::unique_ptr<LayerStream> Open(LayerStream::Options options = {}) {
    options.request_bytes = 8192;
    options.pread_thread_count = 2;
    return LayerStream::Open(*pack_, options).value();
  }
  // First bit of a layer's first part, in the file.
  uint64_t LayerBit(size_t layer) const {
    return (pack_->header().payload_offset + pack_->layer(layer).parts[0].offset) * 8;
  }

  MemoryFileSystem memory_;
  FaultFileSystem files_{memory_};
  std::unique_ptr<PackReader> pack_;
};

TEST_F(LayerStreamFaultTest, ShortReadsAndRetriesAreLivedWith) {
  files_.set_decide([](const Attempt& attempt) {
    switch (attempt.number % 5) {
      case 0:
        return ReadFault{.error = EAGAIN};
      case 1:
        return ReadFault{.error = EINTR};
      case 2:
        return ReadFault{.bytes_max = 4096 + 17};
      case 3:
        return ReadFault{.bytes_max = 5};
      default:
        return ReadFault{};
    }
  });
  auto stream = Open();
  for (int sweep = 0; sweep < 20; ++sweep) {
    ASSERT_EQ(TakeSweep(*stream, *pack_), absl::OkStatus());
  }
  EXPECT_GT(stream->stats().short_reads, 0u);
  EXPECT_GT(stream->stats().retries, 0u);
  EXPECT_EQ(stream->stats().io_errors, 0u);
  EXPECT_EQ(stream->stats().checksum_failures, 0u);
}

TEST_F(LayerStreamFaultTest, EndlessRetriesEnd) {
  for (const int error : {EAGAIN, EINTR}) {
    files_.set_decide([error](const Attempt&) { return ReadFault{.error = error}; });
    auto stream = Open();
    EXPECT_EQ(TakeSweep(*stream, *pack_).code(), absl::StatusCode::kUnavailable);
  }
}

TEST_F(LayerStreamFaultTest, AnIoErrorLastsUntilRewind) {
  auto stream = Open({.slot_count = 2});
  const uint64_t bad_offset = LayerBit(3) / 8;
  files_.set_decide([bad_offset](const Attempt& attempt) {
    return attempt.offset == bad_offset ? ReadFault{.error = EIO} : ReadFault{};
  });
  for (size_t i = 0; i < 3; ++i) ASSERT_EQ(TakeLayer(*stream, *pack_, i), absl::OkStatus());
  const absl::Status status = TakeLayer(*stream, *pack_, 3);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("t.pack at byte " + std::to_string(bad_offset)));
  EXPECT_EQ(stream->Next().status(), status);
  files_.set_decide(nullptr);
  EXPECT_EQ(stream->Next().status(), status);
  stream->Rewind();
  EXPECT_EQ(TakeSweep(*stream, *pack_), absl::OkStatus());
  EXPECT_GE(stream->stats().io_errors, 1u);
}

TEST_F(LayerStreamFaultTest, AnErrorEndsTheLeaseItHappensIn) {
  auto stream = Open();
  files_.set_decide([](const Attempt&) { return ReadFault{.error = EIO}; });
  {
    auto lease = stream->Next();
    ASSERT_TRUE(lease.ok());
    const absl::Status status = lease->Tensor(0).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(lease->Tensor(2).status(), status);
  }
  files_.set_decide(nullptr);
  stream->Rewind();
  EXPECT_EQ(TakeSweep(*stream, *pack_), absl::OkStatus());
}

// A late read into a slot that was given back must not land in what the slot holds next.
TEST_F(LayerStreamFaultTest, ALateReadKeepsItsSlot) {
  const uint64_t late_offset = LayerBit(0) / 8 + pack_->layer(0).parts[0].bytes - 4096;
  files_.set_decide([late_offset](const Attempt& attempt) {
    return ReadFault{.delay_millis = attempt.offset == late_offset ? 40 : 0};
  });
  auto stream =
      LayerStream::Open(*pack_, {.slot_count = 1, .request_bytes = 4096, .pread_thread_count = 2})
          .value();
  {
    ASSERT_TRUE(stream->Next().ok());
  }  // begun, and passed over
  auto lease = stream->Next();
  ASSERT_TRUE(lease.ok());
  const auto view = lease->Tensor(1);
  ASSERT_TRUE(view.ok());
  std::this_thread::sleep_for(std::chrono::milliseconds(80));
  ExpectFixtureTensor(*view);
}

// After the first wait in vain every call is quick, until the disk answers again.
TEST_F(LayerStreamFaultTest, AStuckReadIsAnErrorInTime) {
  std::atomic<int> stuck = 1;
  files_.set_decide([&stuck](const Attempt&) {
    return ReadFault{.delay_millis = stuck.exchange(0) == 1 ? 600 : 0};
  });
  auto stream =
      LayerStream::Open(
          *pack_, {.slot_count = 1, .pread_thread_count = 1, .read_timeout_nanos = 50'000'000})
          .value();
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 3; ++i) {
    const absl::Status status = stream->Next().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr("the disk does not answer"));
    stream->Rewind();
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(500));
  EXPECT_EQ(stream->stats().read_timeouts, 3u);
  std::this_thread::sleep_for(std::chrono::milliseconds(700));
  EXPECT_EQ(TakeSweep(*stream, *pack_), absl::OkStatus());
  EXPECT_EQ(TakeSweep(*stream, *pack_), absl::OkStatus());
}

TEST_F(LayerStreamFaultTest, AFlipOnTheWayIsReadAgain) {
  auto stream = Open();
  const uint64_t bit = LayerBit(2) + 12345;
  bool flipped = false;
  files_.set_decide([bit, &flipped](const Attempt& attempt) {
    const uint64_t byte = bit / 8;
    const bool covers = byte >= attempt.offset && byte < attempt.offset + attempt.bytes;
    if (!covers || std::exchange(flipped, true)) return ReadFault{};
    return ReadFault{.flip_bit = bit};
  });
  EXPECT_EQ(TakeSweep(*stream, *pack_), absl::OkStatus());
  EXPECT_EQ(stream->stats().checksum_failures, 1u);
}

TEST_F(LayerStreamFaultTest, AFlipOnTheDiskIsDataLoss) {
  for (const uint64_t kept_bytes_max : {uint64_t{0}, uint64_t{1} << 30}) {
    auto stream = Open({.kept_bytes_max = kept_bytes_max});
    const uint64_t bit = LayerBit(2) + 12345;
    files_.set_decide([bit](const Attempt&) { return ReadFault{.flip_bit = bit}; });
    const absl::Status status = TakeSweep(*stream, *pack_);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(status.message()), HasSubstr("t.pack: layer 2, CRC block "));
    EXPECT_EQ(stream->stats().checksum_failures, 2u);
    files_.set_decide(nullptr);
    stream->Rewind();
    EXPECT_EQ(TakeSweep(*stream, *pack_), absl::OkStatus());
  }
}

TEST_F(LayerStreamFaultTest, AMisplacedChunkIsDataLoss) {
  // Layers 1 and 2 change places: each CRC block is a good one, but not here.
  auto stream = Open();
  MemoryFileSystem::Bytes& bytes = memory_.Contents(kPath);
  const auto first = bytes.begin() + static_cast<ptrdiff_t>(LayerBit(1) / 8);
  const auto second = bytes.begin() + static_cast<ptrdiff_t>(LayerBit(2) / 8);
  std::swap_ranges(first, second, second);
  const absl::Status status = TakeSweep(*stream, *pack_);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("layer 1"));
}

TEST_F(LayerStreamFaultTest, ACutFileIsDataLoss) {
  auto stream = Open({.slot_count = 1});
  ASSERT_EQ(TakeSweep(*stream, *pack_), absl::OkStatus());
  const uint64_t cut = LayerBit(4) / 8 + 100;
  files_.set_decide([cut](const Attempt&) { return ReadFault{.file_bytes = cut}; });
  absl::Status status = TakeSweep(*stream, *pack_);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("the file ends here"));
}

// Faults of every kind at random: a sweep ends well with the right bytes (TakeLayer compares) or
// with one of the two statuses, and the stream always comes back.
TEST_F(LayerStreamFaultTest, NoWrongByteUnderAStormOfFaults) {
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    std::mt19937 random(seed);
    const uint64_t file_bytes = pack_->header().file_bytes;
    files_.set_decide([&random, file_bytes](const Attempt& attempt) {
      switch (random() % 64) {
        case 0:
          return ReadFault{.error = EIO};
        case 1:
          return ReadFault{.flip_bit = attempt.offset * 8 + random() % (attempt.bytes * 8)};
        case 2:
          return ReadFault{.file_bytes = random() % file_bytes};
        case 3:
        case 4:
          return ReadFault{.error = EAGAIN};
        case 5:
        case 6:
          return ReadFault{.bytes_max = 1 + random() % attempt.bytes};
        default:
          return ReadFault{};
      }
    });
    auto stream = Open({.slot_count = 1 + seed % 4,
                        .kept_bytes_max = seed % 3 * 2 * pack_->layer(0).bytes(),
                        .queue_depth = seed % 5});
    int failed = 0;
    for (int sweep = 0; sweep < 10; ++sweep) {
      const absl::Status status = TakeSweep(*stream, *pack_);
      if (status.ok()) continue;
      ++failed;
      EXPECT_TRUE(absl::IsUnavailable(status) || absl::IsDataLoss(status)) << status;
      stream->Rewind();
    }
    EXPECT_LT(failed, 10) << "seed " << seed;
    files_.set_decide(nullptr);
    stream->Rewind();
    {
      ASSERT_TRUE(stream->Next().ok());
    }
    stream->Rewind();
    EXPECT_EQ(TakeSweep(*stream, *pack_), absl::OkStatus());
  }
}

}  // namespace
}  // namespace longtake
