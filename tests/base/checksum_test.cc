// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "base/checksum.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace longtake {
namespace {

std::span<const std::byte> Bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

// RFC 3720 appendix B.4.
TEST(ChecksumTest, Crc32cKnownAnswers) {
  EXPECT_EQ(Crc32c(Bytes("123456789")), 0xe3069283u);
  EXPECT_EQ(Crc32c({}), 0u);
  std::array<std::byte, 32> block{};
  EXPECT_EQ(Crc32c(block), 0x8a9136aau);
  block.fill(std::byte{0xff});
  EXPECT_EQ(Crc32c(block), 0x62a8ab43u);
  for (size_t i = 0; i < block.size(); ++i) block[i] = static_cast<std::byte>(i);
  EXPECT_EQ(Crc32c(block), 0x46dd794eu);
}

TEST(ChecksumTest, PiecesGiveTheSameAsTheWhole) {
  std::vector<std::byte> bytes(5000);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * i >> 3);
  const std::span<const std::byte> all(bytes);
  Xxh3Stream stream;
  for (const size_t cut : {size_t{0}, size_t{1}, size_t{63}, size_t{4097}}) {
    EXPECT_EQ(ExtendCrc32c(Crc32c(all.first(cut)), all.subspan(cut)), Crc32c(all));
    stream.Reset();
    stream.Update(all.first(cut));
    stream.Update(all.subspan(cut));
    EXPECT_EQ(stream.Digest(), Xxh3Hash128(all));
  }
}

// From the library's own program: `xxhsum -H2`.
TEST(ChecksumTest, Xxh3KnownAnswer) {
  EXPECT_EQ(Xxh3Hash128(Bytes("123456789")).ToHex(), "33119477ede5dcd5e9716427681d5860");
}

TEST(ChecksumTest, HashToTextAndBack) {
  const Hash128 hash = Xxh3Hash128(Bytes("x"));
  EXPECT_EQ(Hash128::FromHex(hash.ToHex()).value(), hash);
  EXPECT_FALSE(Hash128::FromHex("").ok());
  EXPECT_FALSE(Hash128::FromHex(std::string(32, 'F')).ok());
  EXPECT_FALSE(Hash128::FromHex(std::string(33, '0')).ok());
}

// FIPS 180-4 examples.
TEST(ChecksumTest, Sha256KnownAnswers) {
  Sha256 abc;
  abc.Update("a");
  abc.Update("bc");
  EXPECT_EQ(abc.FinishHex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256().FinishHex(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  Sha256 number, text;
  number.UpdateU64(0x0102030405060708u);
  text.Update("\x08\x07\x06\x05\x04\x03\x02\x01");
  EXPECT_EQ(number.FinishHex(), text.FinishHex());
}

}  // namespace
}  // namespace longtake
