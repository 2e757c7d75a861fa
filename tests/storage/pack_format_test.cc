// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Packs whose checksums are right and whose contents are not: what a hostile writer can make.
#include "storage/pack/pack_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "storage/pack/pack_copy.h"
#include "storage/pack/pack_verify.h"
#include "tests/storage/memory_files.h"
#include "tests/storage/pack_fixture.h"

namespace longtake {
namespace {

using ::testing::HasSubstr;

PackLayout Layout() { return PlanPack(FixtureSpec(2)).value(); }

TEST(PackHeaderTest, RoundTrip) {
  PackHeader header = Layout().header;
  header.table_hash = {.high = 1, .low = 2};
  header.crc_hash = {.high = 3, .low = 4};
  const auto decoded = DecodePackHeader(EncodePackHeader(header), header.file_bytes, 0);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(EncodePackHeader(*decoded), EncodePackHeader(header));
  EXPECT_EQ(decoded->crc_hash, header.crc_hash);
}

TEST(PackHeaderTest, FieldsThatDoNotFitAreRefused) {
  const PackHeader good = Layout().header;
  const auto refusal = [&](const std::function<void(PackHeader&)>& change) {
    PackHeader header = good;
    change(header);
    const auto decoded = DecodePackHeader(EncodePackHeader(header), good.file_bytes, 0);
    return decoded.ok() ? std::string("accepted") : std::string(decoded.status().message());
  };
  EXPECT_EQ(refusal([](PackHeader&) {}), "accepted");
  EXPECT_THAT(refusal([](PackHeader& h) { h.alignment = 0; }), HasSubstr("alignment 0"));
  EXPECT_THAT(refusal([](PackHeader& h) { h.alignment = 1ull << 63; }), HasSubstr("alignment"));
  EXPECT_THAT(refusal([](PackHeader& h) { h.crc_block_bytes = 0; }),
              HasSubstr("crc_block_bytes 0"));
  EXPECT_THAT(refusal([](PackHeader& h) { h.crc_block_bytes = 512; }),
              HasSubstr("crc_block_bytes 512"));
  EXPECT_THAT(refusal([](PackHeader& h) { h.table_bytes = 0; }), HasSubstr("table_bytes"));
  EXPECT_THAT(refusal([](PackHeader& h) { h.table_bytes = UINT64_MAX; }), HasSubstr("table_bytes"));
  EXPECT_THAT(refusal([](PackHeader& h) { h.payload_bytes = UINT64_MAX - 4095; }),
              HasSubstr("payload_bytes"));
  EXPECT_THAT(refusal([](PackHeader& h) { h.payload_bytes += 1; }), HasSubstr("payload_bytes"));
  EXPECT_THAT(refusal([](PackHeader& h) { h.payload_bytes += 4096; }), HasSubstr("offsets"));
  EXPECT_THAT(refusal([](PackHeader& h) { h.table_offset += 8; }), HasSubstr("offsets"));
  EXPECT_THAT(refusal([](PackHeader& h) { h.crc_offset -= 64; }), HasSubstr("offsets"));
  EXPECT_THAT(refusal([](PackHeader& h) { h.crc_count -= 1; }), HasSubstr("offsets"));
  EXPECT_THAT(refusal([](PackHeader& h) { h.payload_offset = 0; }), HasSubstr("offsets"));
  EXPECT_THAT(refusal([](PackHeader& h) { h.file_bytes += 4096; }), HasSubstr("offsets"));
  EXPECT_THAT(refusal([](PackHeader& h) { h.copy = 1; }), HasSubstr("copy 1"));
  const auto cut = DecodePackHeader(EncodePackHeader(good), good.file_bytes - 1, 0);
  EXPECT_THAT(std::string(cut.status().message()), HasSubstr("cut short"));
}

TEST(PackTableTest, TextThatIsNotCanonicalIsRefused) {
  const PackLayout layout = Layout();
  const std::string good = EncodePackTable(layout.table);
  EXPECT_TRUE(DecodePackTable(good, layout.header).ok());
  const auto refusal = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    const auto decoded = DecodePackTable(text.replace(at, from.size(), to), layout.header);
    return decoded.ok() ? std::string("accepted") : std::string(decoded.status().message());
  };
  EXPECT_THAT(refusal("\"offset\":256", "\"offset\":512"), HasSubstr("offsets do not follow"));
  EXPECT_THAT(refusal("\"offset\":256", "\"offset\":0"), HasSubstr("offsets do not follow"));
  EXPECT_THAT(refusal("\"bytes\":8192", "\"bytes\":4096"), HasSubstr("offsets do not follow"));
  EXPECT_THAT(refusal(",", ", "), HasSubstr("offsets do not follow"));
  EXPECT_THAT(refusal("{", "{\"x\":1,"), HasSubstr("offsets do not follow"));
  EXPECT_THAT(refusal("[33]", "[9999]"), HasSubstr("payload has"));
  EXPECT_THAT(refusal("[33]", "[-33]"), HasSubstr("\"blocks.0.norm\": bad shape"));
  EXPECT_THAT(refusal("[33]", "33"), HasSubstr("\"blocks.0.norm\": no shape"));
  EXPECT_THAT(refusal("[33]", "[4611686018427387904,4]"), HasSubstr("\"blocks.0.norm\": size"));
  EXPECT_THAT(refusal("[33]", "[0]"), HasSubstr("\"blocks.0.norm\": holds nothing"));
  EXPECT_THAT(refusal("\"F32\"", "\"F64\""), HasSubstr("unknown type F64"));
  EXPECT_THAT(refusal("blocks.0.q", "blocks.0.norm"), HasSubstr("\"blocks.0.norm\": twice"));
  EXPECT_THAT(refusal("\"hash\":\"0", "\"hash\":\"X"), HasSubstr("32 lower-case"));
  EXPECT_THAT(refusal("\"layers\":[", "\"layers\":[[],"), HasSubstr("layer 0: no tensors"));
  EXPECT_THAT(refusal("\"layers\":[", "\"layers\":[7,"), HasSubstr("layer 0: not a list"));
  EXPECT_THAT(refusal("\"resident\"", "\"resistant\""), HasSubstr("no resident section"));
}

// Everything consistent but one byte of padding: only the walk for zeros can tell.
TEST(PackPaddingTest, VerifyFindsPaddingUnderRightChecksums) {
  constexpr char kPath[] = "t.pack";
  MemoryFileSystem files;
  WriteFixture(files, kPath, FixtureSpec(1));
  MemoryFileSystem::Bytes& bytes = files.Contents(kPath);
  const auto put = [&](uint64_t offset, std::span<const std::byte> data) {
    std::copy(data.begin(), data.end(), bytes.begin() + static_cast<ptrdiff_t>(offset));
  };
  const auto file = files.OpenRead(kPath, ReadMode::kBuffered).value();
  for (const uint32_t copy_number : {0u, 1u}) {
    PackCopy copy = ReadPackCopy(*file, bytes.size(), copy_number).value();
    PackHeader& header = copy.header;
    PartInfo& part = copy.table.layers[0].parts[0];
    const uint64_t pad = part.offset + part.tensors[0].offset + part.tensors[0].bytes;
    const auto payload = std::span(bytes).subspan(header.payload_offset, header.payload_bytes);
    payload[pad] = std::byte{1};
    part.hash = Xxh3Hash128(payload.subspan(part.offset, part.bytes));
    const uint64_t block = pad / header.crc_block_bytes;
    copy.block_crcs[block] =
        Crc32c(payload.subspan(block * header.crc_block_bytes, header.crc_block_bytes));
    const std::string text = EncodePackTable(copy.table);
    header.table_hash = Xxh3Hash128(std::as_bytes(std::span(text)));
    header.crc_hash = Xxh3Hash128(std::as_bytes(std::span(copy.block_crcs)));
    put(header.table_offset, std::as_bytes(std::span(text)));
    put(header.crc_offset, std::as_bytes(std::span(copy.block_crcs)));
    put(copy_number == 0 ? 0 : bytes.size() - kPackBlockBytes, EncodePackHeader(header));
  }
  EXPECT_TRUE(PackReader::Open(files, kPath).ok());
  EXPECT_THAT(std::string(VerifyPack(files, kPath, nullptr).message()),
              HasSubstr("padding at payload byte"));
}

}  // namespace
}  // namespace longtake
