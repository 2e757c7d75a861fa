// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Every single bit of a small pack, flipped: what is read is either the same as before, because the
// other copy stepped in, or an error; and verify tells. The two slow tests take a sample of the
// bits unless LONGTAKE_EVERY_BIT is set.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <set>

#include "storage/pack/pack_copy.h"
#include "storage/pack/pack_reader.h"
#include "storage/pack/pack_verify.h"
#include "storage/stream/layer_stream.h"
#include "tests/storage/fault_file.h"
#include "tests/storage/memory_files.h"
#include "tests/storage/pack_fixture.h"

namespace longtake {
namespace {

constexpr char kPath[] = "t.pack";

class PackFlipTest : public ::testing::Test {
 protected:
  void SetUp() override {
    PackSpec spec;
    spec.component = "c";
    spec.config = "{}";
    spec.resident = {{.name = "r", .dtype = DType::kF32, .shape = {40}}};
    spec.row_tables = {{.name = "e", .dtype = DType::kBf16, .shape = {9, 50}}};
    spec.layers = {{{.name = "w", .dtype = DType::kI8, .shape = {7, 99}}}};
    WriteFixture(files_, kPath, spec);
    pack_ = PackReader::Open(files_, kPath).value();
  }

  void Flip(uint64_t bit) {
    files_.Contents(kPath)[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
  }
  // Odd, so that all positions in a byte come up.
  static uint64_t Stride() { return std::getenv("LONGTAKE_EVERY_BIT") != nullptr ? 1 : 61; }
  uint64_t file_bytes() { return files_.Contents(kPath).size(); }
  uint64_t payload_begin() { return pack_->header().payload_offset; }
  uint64_t payload_end() { return payload_begin() + pack_->header().payload_bytes; }

  MemoryFileSystem files_;
  std::unique_ptr<PackReader> pack_;
};

TEST_F(PackFlipTest, EveryBitOfACopyIsCovered) {
  const auto file = files_.OpenRead(kPath, ReadMode::kBuffered).value();
  for (const uint32_t copy : {0u, 1u}) {
    const PackHeader header = ReadPackCopy(*file, file_bytes(), copy).value().header;
    const std::pair<uint64_t, uint64_t> ranges[] = {
        {copy == 0 ? 0 : file_bytes() - kPackBlockBytes, kPackBlockBytes},
        {header.table_offset, header.table_bytes},
        {header.crc_offset, header.crc_count * sizeof(uint32_t)}};
    for (const auto& [offset, bytes] : ranges) {
      for (uint64_t bit = offset * 8; bit < (offset + bytes) * 8; ++bit) {
        Flip(bit);
        ASSERT_FALSE(ReadPackCopy(*file, file_bytes(), copy).ok()) << "bit " << bit;
        Flip(bit);
      }
    }
  }
}

TEST_F(PackFlipTest, OutsideThePayloadTheOtherCopyServes) {
  const auto digest_of = [](const PackReader& pack) {
    Sha256 digest;
    pack.AddToDigest(digest);
    return digest.FinishHex();
  };
  const std::string good = digest_of(*pack_);
  for (uint64_t bit = 0; bit < file_bytes() * 8; bit += Stride()) {
    if (bit / 8 >= payload_begin() && bit / 8 < payload_end()) continue;
    Flip(bit);
    const auto pack = PackReader::Open(files_, kPath);
    ASSERT_TRUE(pack.ok()) << "bit " << bit << ": " << pack.status();
    ASSERT_EQ(digest_of(**pack), good) << "bit " << bit;
    Flip(bit);
  }
}

TEST_F(PackFlipTest, VerifyFindsEveryOne) {
  for (uint64_t bit = 0; bit < file_bytes() * 8; bit += Stride()) {
    Flip(bit);
    ASSERT_FALSE(VerifyPack(files_, kPath, nullptr).ok()) << "bit " << bit;
    Flip(bit);
  }
  EXPECT_TRUE(VerifyPack(files_, kPath, nullptr).ok());
}

TEST_F(PackFlipTest, NoFlippedPayloadIsEverRead) {
  const std::vector<int64_t> rows = {0, 1, 2, 3, 4, 5, 6, 7, 8};
  std::vector<std::byte> out(9 * 100);
  const uint64_t resident_end = payload_begin() + pack_->resident().bytes;
  const uint64_t rows_end = resident_end + pack_->row_tables()[0].bytes;
  for (uint64_t bit = payload_begin() * 8; bit < payload_end() * 8; ++bit) {
    Flip(bit);
    const absl::Status resident = pack_->LoadResident().status();
    const absl::Status row = pack_->ReadRows("e", rows, out);
    const uint64_t byte = bit / 8;
    ASSERT_EQ(resident.code(),
              byte < resident_end ? absl::StatusCode::kDataLoss : absl::StatusCode::kOk);
    ASSERT_EQ(row.code(), byte >= resident_end && byte < rows_end ? absl::StatusCode::kDataLoss
                                                                  : absl::StatusCode::kOk);
    Flip(bit);
  }
}

TEST_F(PackFlipTest, NoFlippedLayerIsEverLent) {
  FaultFileSystem faulty(files_);
  const auto pack = PackReader::Open(faulty, kPath).value();
  std::atomic<uint64_t> bit = 0;
  faulty.set_decide(
      [&bit](const FaultFileSystem::Attempt&) { return ReadFault{.flip_bit = bit.load()}; });
  auto stream = LayerStream::Open(*pack, {.slot_count = 1, .pread_thread_count = 1}).value();
  const PartInfo& part = pack->layer(0).parts[0];
  const uint64_t begin = (payload_begin() + part.offset) * 8;
  for (uint64_t i = begin; i < begin + part.bytes * 8; ++i) {
    bit = i;
    // The first of the two was read ahead, maybe before the flip; the second cannot have been.
    const absl::Status early = TakeLayer(*stream, *pack, 0);
    const absl::Status late = early.ok() ? TakeLayer(*stream, *pack, 0) : early;
    ASSERT_EQ(late.code(), absl::StatusCode::kDataLoss) << "bit " << i;
    bit = 0;  // in the header, which the stream does not read
    stream->Rewind();
    ASSERT_TRUE(TakeLayer(*stream, *pack, 0).ok());
  }
}

// One to four flips anywhere at once, many times over (LONGTAKE_FLIPS): an error, or the bytes as
// they were written. Counts what happened, since a test in which nothing is found would pass, too.
TEST_F(PackFlipTest, RandomFlipsGiveAnErrorOrTheRightBytes) {
  const char* wanted = std::getenv("LONGTAKE_FLIPS");
  const uint64_t rounds = wanted == nullptr ? 3000 : std::strtoull(wanted, nullptr, 10);
  std::mt19937_64 random(20261126);
  uint64_t refused = 0;
  uint64_t lost = 0;
  uint64_t right = 0;
  for (uint64_t round = 0; round < rounds; ++round) {
    std::set<uint64_t> bits;  // twice the same would be none
    while (bits.size() < 1 + round % 4) bits.insert(random() % (file_bytes() * 8));
    for (const uint64_t bit : bits) Flip(bit);
    const auto pack = PackReader::Open(files_, kPath);
    if (!pack.ok()) {
      ++refused;
    } else {
      auto stream = LayerStream::Open(**pack, {.slot_count = 1, .pread_thread_count = 1}).value();
      const absl::Status status = TakeLayer(*stream, *pack_, 0);  // compares with what was written
      ASSERT_TRUE(status.ok() || status.code() == absl::StatusCode::kDataLoss) << status;
      ++(status.ok() ? right : lost);
    }
    for (const uint64_t bit : bits) Flip(bit);
  }
  std::printf("%lu flipped packs: %lu refused, %lu layers lost, %lu right\n",
              static_cast<unsigned long>(rounds), static_cast<unsigned long>(refused),
              static_cast<unsigned long>(lost), static_cast<unsigned long>(right));
  EXPECT_GT(lost, 0u);
  EXPECT_GT(right, 0u);
}

}  // namespace
}  // namespace longtake
