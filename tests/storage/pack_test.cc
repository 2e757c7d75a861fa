// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/pack/pack_reader.h"
#include "storage/pack/pack_verify.h"
#include "tests/storage/fault_file.h"
#include "tests/storage/memory_files.h"
#include "tests/storage/pack_fixture.h"

namespace longtake {
namespace {

using ::testing::HasSubstr;

constexpr char kPath[] = "t.pack";

TEST(PackTest, RoundTrip) {
  MemoryFileSystem files;
  const PackSpec spec = FixtureSpec(3);
  WriteFixture(files, kPath, spec);
  EXPECT_FALSE(files.Has(std::string(kPath) + kTemporaryInfix));
  EXPECT_TRUE(VerifyPack(files, kPath, nullptr).ok());

  const auto pack = PackReader::Open(files, kPath);
  ASSERT_TRUE(pack.ok()) << pack.status();
  EXPECT_EQ((*pack)->header().copy, 0u);
  EXPECT_EQ((*pack)->component(), "transformer");
  EXPECT_EQ((*pack)->config(), spec.config);
  EXPECT_EQ((*pack)->header().alignment, 4096u);
  ASSERT_EQ((*pack)->layer_count(), 3u);
  ASSERT_EQ((*pack)->layer(1).parts.size(), 2u);
  EXPECT_EQ((*pack)->layer(1).parts[0].tensors.size(), 2u);
  EXPECT_EQ((*pack)->layer(1).parts[1].tensors[0].name, "blocks.1.ffn");
  EXPECT_EQ((*pack)->layer(1).tensor_count(), 3u);

  const auto resident = (*pack)->LoadResident();
  ASSERT_TRUE(resident.ok()) << resident.status();
  const auto bias = resident->Find("head.bias");
  ASSERT_TRUE(bias.ok());
  EXPECT_EQ(bias->shape.size(), 1u);
  ExpectFixtureTensor(*bias);
  ExpectFixtureTensor(*resident->Find("head.weight"));
  EXPECT_EQ(resident->Find("none").status().code(), absl::StatusCode::kNotFound);
}

TEST(PackTest, EqualSpecsGiveEqualBytes) {
  MemoryFileSystem files;
  WriteFixture(files, "a.pack", FixtureSpec(2));
  WriteFixture(files, "b.pack", FixtureSpec(2));
  EXPECT_EQ(files.Contents("a.pack"), files.Contents("b.pack"));
}

TEST(PackTest, PlacesFollowTheRules) {
  PackSpec spec = FixtureSpec(2);
  spec.alignment = 64 << 10;
  spec.crc_block_bytes = 8 << 10;
  const auto layout = PlanPack(spec);
  ASSERT_TRUE(layout.ok()) << layout.status();
  EXPECT_EQ(layout->header.payload_offset % spec.alignment, 0u);
  for (const LayerInfo& layer : layout->table.layers) {
    EXPECT_EQ(layer.parts[0].offset % spec.alignment, 0u);
    for (const PartInfo& part : layer.parts) {
      EXPECT_EQ(part.offset % spec.crc_block_bytes, 0u);
      EXPECT_EQ(part.bytes % spec.crc_block_bytes, 0u);
      for (const TensorInfo& tensor : part.tensors) EXPECT_EQ(tensor.offset % 256, 0u);
    }
  }
  MemoryFileSystem files;
  WriteFixture(files, kPath, spec);
  EXPECT_EQ(files.Contents(kPath).size(), layout->header.file_bytes);
  EXPECT_TRUE(VerifyPack(files, kPath, nullptr).ok());
}

TEST(PackTest, LargeSlabsGetLargeAlignment) {
  PackSpec spec;
  spec.config = "{}";
  spec.layers = {{{.name = "w", .dtype = DType::kBf16, .shape = {1024, 1024}}}};
  EXPECT_EQ(PlanPack(spec)->header.alignment, 2u << 20);
  EXPECT_EQ(PlanPack(spec)->header.crc_block_bytes, 1u << 20);
  spec.layers[0][0].shape = {1023, 1024};
  EXPECT_EQ(PlanPack(spec)->header.alignment, 2u << 20);  // padded to 2 MiB all the same
  spec.layers[0][0].shape = {1000, 1024};
  EXPECT_EQ(PlanPack(spec)->header.alignment, 4096u);
  spec.resident = std::exchange(spec.layers, {})[0];
  spec.resident[0].shape = {4096, 1024};
  EXPECT_EQ(PlanPack(spec)->header.alignment, 2u << 20);
}

TEST(PackTest, RowsInAnyOrder) {
  MemoryFileSystem files;
  WriteFixture(files, kPath, FixtureSpec(1));
  const auto pack = PackReader::Open(files, kPath);
  const std::vector<std::byte> all = FixtureBytes("shared.weight", 50 * 600);
  const std::vector<int64_t> rows = {49, 0, 6, 6, 13, 0};  // 6 and 13 cross a CRC block's end
  std::vector<std::byte> out(rows.size() * 600);
  ASSERT_TRUE((*pack)->ReadRows("shared.weight", rows, out).ok());
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(std::memcmp(out.data() + i * 600, all.data() + rows[i] * 600, 600), 0) << i;
  }
  const std::vector<int64_t> beyond = {50, 0, 0, 0, 0, 0}, negative = {-1, 0, 0, 0, 0, 0};
  EXPECT_EQ((*pack)->ReadRows("shared.weight", beyond, out).code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ((*pack)->ReadRows("shared.weight", negative, out).code(),
            absl::StatusCode::kOutOfRange);
  EXPECT_EQ((*pack)->ReadRows("none", rows, out).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ((*pack)->ReadRows("shared.weight", rows, std::span(out).first(600)).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(PackTest, RowsThatFailAreCounted) {
  MemoryFileSystem files;
  WriteFixture(files, kPath, FixtureSpec(1));
  const auto pack = PackReader::Open(files, kPath);
  ASSERT_TRUE(pack.ok()) << pack.status();
  const std::vector<int64_t> rows = {0};
  std::vector<std::byte> out(600);
  const auto& table = (*pack)->row_tables()[0];
  files.Contents(kPath)[(*pack)->header().payload_offset + table.offset] ^= std::byte{1};
  EXPECT_EQ((*pack)->ReadRows(table.tensor.name, rows, out).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ((*pack)->stats().checksum_failures, 2u) << "it is read again once";
  EXPECT_EQ((*pack)->stats().io_errors, 0u);
  files.Contents(kPath).resize((*pack)->header().payload_offset);
  EXPECT_FALSE((*pack)->ReadRows(table.tensor.name, rows, out).ok());
  EXPECT_EQ((*pack)->stats().io_errors, 1u);
}

TEST(PackTest, EitherCopyServes) {
  MemoryFileSystem files;
  WriteFixture(files, kPath, FixtureSpec(2));
  const MemoryFileSystem::Bytes good = files.Contents(kPath);
  const uint64_t table_offset = PackReader::Open(files, kPath).value()->header().table_offset;
  const size_t size = good.size();
  for (const size_t at : {size_t{9}, size_t{table_offset + 5}, size_t{4000}}) {
    files.Contents(kPath) = good;
    files.Contents(kPath)[at] ^= std::byte{1};
    const auto pack = PackReader::Open(files, kPath);
    ASSERT_TRUE(pack.ok()) << pack.status();
    EXPECT_EQ((*pack)->header().copy, 1u);
    EXPECT_TRUE((*pack)->LoadResident().ok());
    EXPECT_THAT(std::string(VerifyPack(files, kPath, nullptr).message()), HasSubstr("first copy"));
    files.Contents(kPath)[size - 2000] ^= std::byte{1};
    const absl::Status status = PackReader::Open(files, kPath).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("t.pack: "));
  }
  files.Contents(kPath) = good;
  files.Contents(kPath)[size - 2000] ^= std::byte{1};
  EXPECT_EQ(PackReader::Open(files, kPath).value()->header().copy, 0u);
  EXPECT_THAT(std::string(VerifyPack(files, kPath, nullptr).message()), HasSubstr("second copy"));
}

TEST(PackTest, TruncatedAnywhereIsRefused) {
  MemoryFileSystem files;
  WriteFixture(files, kPath, FixtureSpec(1));
  const MemoryFileSystem::Bytes good = files.Contents(kPath);
  for (size_t size = 0; size < good.size(); size += 509) {
    files.Put(kPath, std::span(good).first(size));
    EXPECT_FALSE(PackReader::Open(files, kPath).ok()) << size;
    EXPECT_FALSE(VerifyPack(files, kPath, nullptr).ok()) << size;
  }
}

TEST(PackTest, RefusesBadDeclarations) {
  const auto message = [](const PackSpec& spec) {
    const auto layout = PlanPack(spec);
    return layout.ok() ? std::string("accepted") : std::string(layout.status().message());
  };
  PackSpec spec = FixtureSpec(1);
  spec.layers[0][1].name = spec.layers[0][0].name;
  EXPECT_THAT(message(spec), HasSubstr("layer 0: tensor \"blocks.0.norm\": twice"));
  spec = FixtureSpec(1);
  spec.layers.emplace_back();
  EXPECT_THAT(message(spec), HasSubstr("layer 1: no tensors"));
  spec = FixtureSpec(1);
  spec.row_tables[0].shape = {3};
  EXPECT_THAT(message(spec), HasSubstr("\"shared.weight\": not a matrix"));
  spec = FixtureSpec(1);
  spec.resident[0].shape = {int64_t{1} << 62, 16};
  EXPECT_THAT(message(spec), HasSubstr("\"head.weight\": size overflows"));
  spec = FixtureSpec(1);
  spec.layers[0][0].shape = {0};
  EXPECT_THAT(message(spec), HasSubstr("holds nothing"));
  spec = FixtureSpec(1);
  spec.alignment = 12345;
  EXPECT_THAT(message(spec), HasSubstr("alignment 12345"));
  spec = FixtureSpec(1);
  spec.alignment = 4096;
  spec.crc_block_bytes = 8192;
  EXPECT_THAT(message(spec), HasSubstr("crc_block_bytes 8192"));
  spec = FixtureSpec(1);
  spec.config = "{";
  EXPECT_THAT(message(spec), HasSubstr("config: not valid JSON"));
}

TEST(PackTest, FailedWritesLeaveTheOldPack) {
  MemoryFileSystem files;
  WriteFixture(files, kPath, FixtureSpec(1));
  const MemoryFileSystem::Bytes old = files.Contents(kPath);
  const auto write_with = [&](const TensorSource& source) {
    return WritePack(files, kPath, FixtureSpec(2), {.source = source});
  };
  const absl::Status few = write_with([](const TensorDecl& tensor, const TensorSink& sink) {
    return tensor.name == "blocks.1.q" ? absl::OkStatus() : FixtureSource(tensor, sink);
  });
  EXPECT_THAT(std::string(few.message()), HasSubstr("t.pack: tensor \"blocks.1.q\": 3900 bytes"));
  const absl::Status many = write_with([](const TensorDecl& tensor, const TensorSink& sink) {
    LT_RETURN_IF_ERROR(FixtureSource(tensor, sink));
    return FixtureSource(tensor, sink);
  });
  EXPECT_THAT(std::string(many.message()), HasSubstr("more bytes than declared"));
  files.set_free_bytes(1000);
  EXPECT_EQ(write_with(FixtureSource).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(files.Contents(kPath), old);
  EXPECT_FALSE(files.Has(std::string(kPath) + kTemporaryInfix));
}

TEST(PackTest, WhatAKilledWriterLeftIsRemoved) {
  MemoryFileSystem files;
  const std::string path = "packs/t.pack";
  files.Put(path + kTemporaryInfix + "0123", "half a pack");
  files.Put("packs/other.pack" + std::string(kTemporaryInfix), "somebody else's");
  WriteFixture(files, path.c_str(), FixtureSpec(3));
  EXPECT_FALSE(files.Has(path + kTemporaryInfix + "0123"));
  EXPECT_TRUE(files.Has("packs/other.pack" + std::string(kTemporaryInfix)));
}

TEST(PackTest, ProgressReachesTheEnd) {
  MemoryFileSystem files;
  uint64_t done = 0, total = 1;
  const PackProgress progress = [&](uint64_t done_bytes, uint64_t total_bytes) {
    EXPECT_GT(done_bytes, done);
    done = done_bytes;
    total = total_bytes;
  };
  ASSERT_TRUE(
      WritePack(files, kPath, FixtureSpec(2), {.source = FixtureSource, .progress = progress})
          .ok());
  EXPECT_EQ(done, total);
  done = 0;
  ASSERT_TRUE(VerifyPack(files, kPath, progress).ok());
  EXPECT_EQ(done, total);
}

TEST(PackTest, ReadErrorsAreStatuses) {
  MemoryFileSystem memory;
  FaultFileSystem files(memory);
  WriteFixture(memory, kPath, FixtureSpec(1));
  const auto pack = PackReader::Open(files, kPath);
  ASSERT_TRUE(pack.ok());
  files.set_decide([](const FaultFileSystem::Attempt&) { return ReadFault{.error = EIO}; });
  EXPECT_EQ((*pack)->LoadResident().status().code(), absl::StatusCode::kUnavailable);
  // Awkward but harmless ones are lived with: EINTR, EAGAIN, and a few bytes at a time.
  files.set_decide([](const FaultFileSystem::Attempt& attempt) {
    if (attempt.number % 3 == 0) return ReadFault{.error = attempt.number % 2 ? EINTR : EAGAIN};
    return ReadFault{.bytes_max = 100};
  });
  EXPECT_TRUE((*pack)->LoadResident().ok());
  // A flip on the way is gone at the second reading; one that stays is not.
  files.set_decide([](const FaultFileSystem::Attempt& attempt) {
    if (attempt.number > 0) return ReadFault{};
    return ReadFault{.flip_bit = attempt.offset * 8 + 3};
  });
  EXPECT_TRUE((*pack)->LoadResident().ok());
  const uint64_t bit = (*pack)->header().payload_offset * 8 + 3;
  files.set_decide([bit](const FaultFileSystem::Attempt&) { return ReadFault{.flip_bit = bit}; });
  const absl::Status flipped = (*pack)->LoadResident().status();
  EXPECT_EQ(flipped.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(flipped.message()), HasSubstr("t.pack: CRC block 0"));
}

}  // namespace
}  // namespace longtake
