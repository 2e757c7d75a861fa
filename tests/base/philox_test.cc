// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Expected float bits are printed by `python tools/reference/philox.py`.
#include "base/philox.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace longtake {
namespace {

using Words = std::array<uint32_t, 4>;

TEST(PhiloxTest, PublishedKnownAnswers) {
  EXPECT_EQ(Philox4x32({0, 0, 0, 0}, {0, 0}),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

struct BitsCase {
  uint64_t seed;
  uint64_t stream;
  uint64_t first;
  std::array<uint32_t, 10> bits;
};

// 64-bit seeds and streams, a start inside a block, and a block number that crosses 2^32.
constexpr BitsCase kBitsCases[] = {
    {0x0,
     0x0,
     0x0,
     {0x3f7dbb33, 0xbf6cb6b0, 0xbf1e1b9f, 0xbef6d1b2, 0xbe1d5357, 0x3e392a6d, 0x3f54ec98,
      0x3e4a2da3, 0xbf97da93, 0x4022d27d}},
    {0x1,
     0x2,
     0x5,
     {0xbf245b02, 0x3fc3ce29, 0x3f0c98bf, 0xbf2273a5, 0x3f5548d9, 0xbf761e40, 0x3d058616,
      0xbedc6754, 0x3ea16883, 0xbd758c61}},
    {0x123456789abcdef,
     0xfedcba9876543210,
     0x3fffffffe,
     {0xbf8ba1be, 0xbfe201fd, 0x3ee0ba1f, 0x3f6e8879, 0x3f511a6e, 0x3ea2baed, 0x3ddb0ef1,
      0x3e3f2914, 0x3f89be8f, 0x3fa1300a}},
    {0x1352505,
     0x44c6a922b312df2,
     0x1001,
     {0x3fc68e17, 0xbea3de2f, 0xbf7bfd10, 0x3f7c2796, 0xbff39d23, 0x3ee0743d, 0xbf941a5a,
      0x3de20475, 0x3f343863, 0x3dadd229}},
};

TEST(PhiloxTest, NormalsHaveTheBitsOfTheReference) {
  for (const BitsCase& c : kBitsCases) {
    std::array<float, 10> normals;
    PhiloxNormal(c.seed, c.stream, c.first, normals);
    for (size_t i = 0; i < normals.size(); ++i) {
      EXPECT_EQ(std::bit_cast<uint32_t>(normals[i]), c.bits[i]) << "seed " << c.seed << " i " << i;
    }
  }
}

uint64_t Fnv1a(uint64_t digest, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) {
    digest = (digest ^ ((value >> (8 * i)) & 0xff)) * 0x100000001B3;
  }
  return digest;
}

TEST(PhiloxTest, ManyNormalsHaveTheDigestOfTheReference) {
  std::vector<float> normals(1 << 16);
  PhiloxNormal(7, 11, 0, normals);
  uint64_t digest = 0xCBF29CE484222325;
  for (const float z : normals) digest = Fnv1a(digest, std::bit_cast<uint32_t>(z), 4);
  EXPECT_EQ(digest, 0xd2854228cd4b61fdu);
}

// Fails when the compiler fuses multiplications into additions (missing -ffp-contract=off).
TEST(PhiloxTest, LogarithmAndAnglesHaveTheDoubleBitsOfTheReference) {
  uint64_t digest = 0xCBF29CE484222325;
  for (uint32_t i = 0; i < 4096; ++i) {
    const uint32_t word = Philox4x32({i, 0, 0, 0}, {1, 0})[0];
    const philox_internal::CosSin angle = philox_internal::TurnCosSin(word);
    const double log = philox_internal::Log((static_cast<double>(word) + 1.0) * 0x1p-32);
    for (const double value : {log, angle.cos, angle.sin}) {
      digest = Fnv1a(digest, std::bit_cast<uint64_t>(value), 8);
    }
  }
  EXPECT_EQ(digest, 0x92306d56705d9019u);
}

TEST(PhiloxTest, AnySplitGivesTheSameNormals) {
  std::vector<float> whole(41);
  PhiloxNormal(3, 4, 0, whole);
  for (size_t first = 0; first < whole.size(); ++first) {
    std::vector<float> tail(whole.size() - first);
    PhiloxNormal(3, 4, first, tail);
    for (size_t i = 0; i < tail.size(); ++i) EXPECT_EQ(tail[i], whole[first + i]) << first;
  }
}

TEST(PhiloxTest, SeedAndStreamBothMatterInAllBits) {
  const auto draw = [](uint64_t seed, uint64_t stream) {
    float z = 0;
    PhiloxNormal(seed, stream, 0, std::span<float>(&z, 1));
    return z;
  };
  const float base = draw(5, 6);
  EXPECT_NE(base, draw(5 + (uint64_t{1} << 32), 6));
  EXPECT_NE(base, draw(5, 6 + (uint64_t{1} << 32)));
  EXPECT_NE(base, draw(6, 5));
}

TEST(PhiloxTest, MomentsAreThoseOfTheNormalDistribution) {
  std::vector<float> normals(1 << 18);
  PhiloxNormal(1, 2, 0, normals);
  double sum = 0, sum2 = 0, sum4 = 0;
  for (const double z : normals) {
    sum += z;
    sum2 += z * z;
    sum4 += z * z * z * z;
  }
  const double n = static_cast<double>(normals.size());
  EXPECT_NEAR(sum / n, 0.0, 0.01);
  EXPECT_NEAR(sum2 / n, 1.0, 0.01);
  EXPECT_NEAR(sum4 / n, 3.0, 0.06);
}

}  // namespace
}  // namespace longtake
