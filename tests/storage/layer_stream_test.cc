// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/stream/layer_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "tests/storage/fault_file.h"
#include "tests/storage/memory_files.h"
#include "tests/storage/pack_fixture.h"

namespace longtake {
namespace {

using ::testing::HasSubstr;

constexpr char kPath[] = "t.pack";

class LayerStreamTest : public ::testing::Test {
 protected:
  void Write(size_t layer_count) {
    WriteFixture(memory_, kPath, FixtureSpec(layer_count));
    pack_ = PackReader::Open(files_, kPath).value();
  }
  std::unique_ptr<LayerStream> Open(const LayerStream::Options& options) {
    auto stream = LayerStream::Open(*pack_, options);
    EXPECT_TRUE(stream.ok()) << stream.status();
    return *std::move(stream);
  }
  uint64_t layer_bytes() const { return pack_->layer(0).bytes(); }

  MemoryFileSystem memory_;
  FaultFileSystem files_{memory_};
  std::unique_ptr<PackReader> pack_;
};

TEST_F(LayerStreamTest, CyclicOrderWithAnySlotsAndKeptLayers) {
  Write(5);
  for (size_t slot_count : {1, 2, 3, 7, 30}) {
    for (size_t kept = 0; kept <= 5; ++kept) {
      for (size_t queue_depth : {1, 2, 0}) {
        auto stream = Open({.slot_count = slot_count,
                            .kept_bytes_max = kept * layer_bytes(),
                            .queue_depth = queue_depth,
                            .request_bytes = 4096,
                            .pread_thread_count = 3});
        for (int sweep = 0; sweep < 3; ++sweep) {
          ASSERT_EQ(TakeSweep(*stream, *pack_), absl::OkStatus());
        }
        EXPECT_EQ(stream->stats().sweeps_done, 3u);
        EXPECT_EQ(stream->stats().checksum_failures, 0u);
      }
    }
  }
}

TEST_F(LayerStreamTest, MemoryIsKnownBeforehand) {
  Write(4);
  const uint64_t slot_bytes = pack_->layer(0).parts[1].bytes;  // the larger of the two
  EXPECT_EQ(Open({.slot_count = 3})->memory_bytes(), 3 * slot_bytes);
  const LayerStream::Options half = {.slot_count = 2, .kept_bytes_max = 2 * layer_bytes() + 1};
  EXPECT_EQ(LayerStream::MemoryBytes(*pack_, half), 2 * slot_bytes + 2 * layer_bytes());
  auto stream = Open(half);
  EXPECT_EQ(stream->memory_bytes(), 2 * slot_bytes + 2 * layer_bytes());
  EXPECT_EQ(stream->kept(), std::vector<bool>({false, true, false, true}));
  EXPECT_EQ(stream->bytes_per_sweep(), 2 * layer_bytes());
  // All kept: no slots.
  EXPECT_EQ(Open({.kept_bytes_max = 4 * layer_bytes()})->memory_bytes(), 4 * layer_bytes());
}

// Whatever is allowed is used up to less than a part, and what is kept is not read again.
TEST_F(LayerStreamTest, PartsTakeWhatWholeLayersLeave) {
  Write(4);
  const uint64_t part_bytes =
      std::max(pack_->layer(0).parts[0].bytes, pack_->layer(0).parts[1].bytes);
  for (uint64_t allowed = 0; allowed <= 4 * layer_bytes(); allowed += 4096) {
    auto stream = Open({.slot_count = 1, .kept_bytes_max = allowed});
    const uint64_t kept = 4 * layer_bytes() - stream->bytes_per_sweep();
    EXPECT_LE(kept, allowed);
    EXPECT_GT(kept + part_bytes, allowed);
    for (int sweep = 0; sweep < 3; ++sweep) ASSERT_EQ(TakeSweep(*stream, *pack_), absl::OkStatus());
    EXPECT_LE(stream->stats().bytes_read, kept + 3 * stream->bytes_per_sweep() + part_bytes);
  }
}

TEST_F(LayerStreamTest, KeptLayersAreReadOnce) {
  Write(4);
  auto stream = Open({.kept_bytes_max = 4 * layer_bytes()});
  for (int sweep = 0; sweep < 3; ++sweep) {
    ASSERT_EQ(TakeSweep(*stream, *pack_), absl::OkStatus());
    EXPECT_EQ(stream->stats().bytes_read, 4 * layer_bytes());
  }
  files_.set_decide([](const FaultFileSystem::Attempt&) { return ReadFault{.error = EIO}; });
  EXPECT_EQ(TakeSweep(*stream, *pack_), absl::OkStatus());
}

TEST_F(LayerStreamTest, ReadsAheadOverTheWrapButNotFurtherThanTheSlots) {
  Write(3);
  auto stream = Open({.slot_count = 2});
  ASSERT_EQ(TakeSweep(*stream, *pack_), absl::OkStatus());
  // Layer 0 of the next sweep is on its way or here although nobody has asked; six parts have been
  // used, two fit ahead.
  ASSERT_TRUE(stream->Next().ok());
  const uint64_t read = stream->stats().bytes_read;
  EXPECT_GT(read, 3 * layer_bytes());
  EXPECT_LE(read, 4 * layer_bytes());
}

TEST_F(LayerStreamTest, PartsAreGivenBackInUseOrder) {
  Write(2);
  auto stream = Open({.slot_count = 1});
  auto lease = stream->Next();
  ASSERT_TRUE(lease.ok());
  EXPECT_EQ(lease->tensor_count(), 3u);
  EXPECT_EQ(lease->Tensor(1)->name, "blocks.0.q");  // in any order within a part
  EXPECT_EQ(lease->Tensor(0)->name, "blocks.0.norm");
  EXPECT_EQ(lease->Tensor(2)->name, "blocks.0.ffn");
  EXPECT_EQ(lease->Tensor(1).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(lease->Tensor(3).status().code(), absl::StatusCode::kOutOfRange);
  ExpectFixtureTensor(*lease->Tensor(2));
}

TEST_F(LayerStreamTest, PartsAreLentWhole) {
  Write(2);
  auto stream = Open({.slot_count = 1});
  auto lease = stream->Next();
  ASSERT_TRUE(lease.ok());
  const LayerInfo& info = lease->info();
  ASSERT_EQ(info.parts.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    const auto part = lease->Part(i);
    ASSERT_TRUE(part.ok()) << part.status();
    EXPECT_EQ(part->size(), info.parts[i].bytes);
    for (const TensorInfo& tensor : info.parts[i].tensors) {
      ExpectFixtureTensor({.name = tensor.name,
                           .dtype = tensor.dtype,
                           .shape = tensor.shape,
                           .data = part->data() + tensor.offset,
                           .bytes = tensor.bytes});
    }
  }
  EXPECT_EQ(lease->Part(0).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(lease->Part(2).status().code(), absl::StatusCode::kOutOfRange);
}

TEST_F(LayerStreamTest, MemoryMayBeSomebodyElses) {
  Write(4);
  std::vector<uint64_t> asked;
  const auto allocate = [&asked](uint64_t bytes) {
    asked.push_back(bytes);
    return AlignedBuffer::Allocate(bytes, 4096);
  };
  auto stream = Open({.slot_count = 2, .kept_bytes_max = layer_bytes(), .allocate = allocate});
  EXPECT_EQ(std::accumulate(asked.begin(), asked.end(), uint64_t{0}), stream->memory_bytes());
  EXPECT_EQ(TakeSweep(*stream, *pack_), absl::OkStatus());
  const auto refused =
      LayerStream::Open(*pack_, {.allocate = [](uint64_t) -> absl::StatusOr<AlignedBuffer> {
        return absl::ResourceExhaustedError("ulimit -l");
      }});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(LayerStreamTest, OneLeaseAtATime) {
  Write(2);
  auto stream = Open({});
  auto lease = stream->Next();
  ASSERT_TRUE(lease.ok());
  EXPECT_EQ(stream->Next().status().code(), absl::StatusCode::kFailedPrecondition);
  LayerLease moved = std::move(*lease);
  EXPECT_EQ(moved.layer(), 0u);
}

TEST_F(LayerStreamTest, LayersMayBePassedOver) {
  Write(4);
  for (size_t slot_count : {1, 2, 9}) {
    for (uint64_t kept_bytes : {uint64_t{0}, 2 * layer_bytes(), 4 * layer_bytes()}) {
      auto stream = Open({.slot_count = slot_count,
                          .kept_bytes_max = kept_bytes,
                          .queue_depth = 1,
                          .request_bytes = 4096});
      for (size_t step = 0; step < 60; ++step) {
        if (step * step % 7 < 4) {  // not taken at all, or in part
          auto lease = stream->Next();
          ASSERT_TRUE(lease.ok());
          if (step % 2 == 1) ExpectFixtureTensor(*lease->Tensor(step % 3));
        } else {
          ASSERT_EQ(TakeLayer(*stream, *pack_, step % 4), absl::OkStatus());
        }
      }
    }
  }
}

TEST_F(LayerStreamTest, RewindStartsOver) {
  Write(4);
  auto stream = Open({.slot_count = 2});
  for (size_t taken = 0; taken <= 4; ++taken) {
    for (size_t i = 0; i < taken; ++i) ASSERT_EQ(TakeLayer(*stream, *pack_, i), absl::OkStatus());
    stream->Rewind();
  }
  ASSERT_EQ(TakeSweep(*stream, *pack_), absl::OkStatus());
  // At the end of a sweep there is nothing to throw away.
  ASSERT_TRUE(stream->Next().ok());
}

TEST_F(LayerStreamTest, FirstTouchTrustsWhatWasRightOnce) {
  Write(2);
  auto stream = Open({.verify = LayerStream::Verify::kFirstTouch});
  ASSERT_EQ(TakeSweep(*stream, *pack_), absl::OkStatus());
  const double first_sweep = stream->stats().verify_seconds;
  EXPECT_GT(first_sweep, 0);
  // Everything is wrong from now on, and by this policy lent all the same.
  files_.set_decide([](const FaultFileSystem::Attempt& attempt) {
    return ReadFault{.flip_bit = attempt.offset * 8};
  });
  for (int i = 0; i < 10; ++i) {
    auto lease = stream->Next();
    ASSERT_TRUE(lease->Tensor(2).ok());
  }
  EXPECT_EQ(stream->stats().checksum_failures, 0u);
}

TEST_F(LayerStreamTest, RefusesBadOptions) {
  Write(1);
  EXPECT_EQ(LayerStream::Open(*pack_, {.pread_thread_count = 0}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(LayerStream::Open(*pack_, {.request_bytes = 0}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(LayerStream::Open(*pack_, {.io = IoChoice::kUring}).status().code(),
            absl::StatusCode::kUnavailable);
  Write(0);
  EXPECT_THAT(std::string(LayerStream::Open(*pack_, {}).status().message()),
              HasSubstr("has no layers"));
}

TEST_F(LayerStreamTest, SaysHowItReads) {
  Write(1);
  auto direct = Open({});
  EXPECT_EQ(direct->io_name(), "pread direct");
  EXPECT_THAT(direct->io_reason(), HasSubstr("no descriptor"));
  files_.set_refuse_direct(true);
  auto buffered = Open({});
  EXPECT_EQ(buffered->io_name(), "pread buffered");
  EXPECT_THAT(buffered->io_reason(), HasSubstr("no direct I/O"));
}

// On the real disk both ways to read give the same bytes, streamed and kept. Where the kernel
// refuses io_uring this still tests the fall back.
TEST(LayerStreamDiskTest, UringAndPreadGiveTheSameBytes) {
  const TempDir dir;
  PackSpec spec = FixtureSpec(4);
  spec.layers.push_back({{.name = "large", .dtype = DType::kBf16, .shape = {1500, 1000}}});
  for (uint64_t alignment : {uint64_t{4096}, uint64_t{2} << 20}) {
    spec.alignment = alignment;
    WriteFixture(PosixFileSystem(), dir.File("t.pack"), spec);
    const auto pack = PackReader::Open(PosixFileSystem(), dir.File("t.pack"));
    ASSERT_TRUE(pack.ok()) << pack.status();
    for (const auto io : {IoChoice::kAuto, IoChoice::kPread}) {
      for (const uint64_t kept_bytes_max : {uint64_t{0}, uint64_t{8} << 20}) {
        const auto stream = LayerStream::Open(
            **pack, {.kept_bytes_max = kept_bytes_max, .request_bytes = 64 << 10, .io = io});
        ASSERT_TRUE(stream.ok()) << stream.status();
        for (int sweep = 0; sweep < 3; ++sweep) {
          ASSERT_EQ(TakeSweep(**stream, **pack), absl::OkStatus()) << (*stream)->io_name();
        }
        RecordProperty("io", (*stream)->io_name() + " " + (*stream)->io_reason());
        std::printf("io: %s %s\n", (*stream)->io_name().c_str(), (*stream)->io_reason().c_str());
      }
    }
  }
}

// The file is cut, then replaced, behind the stream's back.
TEST(LayerStreamDiskTest, ACutFileIsAnErrorOnBothPaths) {
  const TempDir dir;
  for (const auto io : {IoChoice::kAuto, IoChoice::kPread}) {
    WriteFixture(PosixFileSystem(), dir.File("t.pack"), FixtureSpec(4));
    const auto pack = PackReader::Open(PosixFileSystem(), dir.File("t.pack"));
    auto stream = LayerStream::Open(**pack, {.slot_count = 1, .io = io}).value();
    ASSERT_EQ(TakeSweep(*stream, **pack), absl::OkStatus());
    const uint64_t cut = (*pack)->header().payload_offset + (*pack)->layer(2).parts[1].offset;
    for (const uint64_t extra_bytes : {uint64_t{0}, uint64_t{512}, uint64_t{4096}}) {
      std::filesystem::resize_file(dir.File("t.pack"), cut + extra_bytes);
      absl::Status status = TakeSweep(*stream, **pack);  // may have been read ahead
      if (status.ok()) status = TakeSweep(*stream, **pack);
      EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
      stream->Rewind();
    }
  }
}

}  // namespace
}  // namespace longtake
