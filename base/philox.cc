// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// This file must be compiled with -ffp-contract=off: a fused multiply-add rounds once where the
// definition rounds twice, and changes bits.
#include "base/philox.h"

#include <cmath>
#include <cstddef>

namespace longtake {
namespace {

constexpr double kSqrtHalf = 0x1.6a09e667f3bcdp-1;
constexpr double kLn2Hi = 0x1.62e42fee00000p-1;  // trailing zero bits make e * kLn2Hi exact
constexpr double kLn2Lo = 0x1.a39ef35793c76p-33;
constexpr double kTwoPi = 0x1.921fb54442d18p+2;

constexpr double InverseFactorial(int k) {
  double product = 1.0;  // exact up to 18!
  for (int i = 2; i <= k; ++i) product *= i;
  return 1.0 / product;
}

constexpr std::array<double, 18> kInverseFactorial = [] {
  std::array<double, 18> table{};
  for (int k = 0; k < 18; ++k) table[k] = InverseFactorial(k);
  return table;
}();

}  // namespace

namespace philox_internal {

// The series of 2 artanh((m-1)/(m+1)).
double Log(double u) {
  int exponent = 0;
  double m = std::frexp(u, &exponent);
  if (m < kSqrtHalf) {
    m = 2.0 * m;
    --exponent;
  }
  const double e = exponent;
  const double f = (m - 1.0) / (m + 1.0);
  const double z = f * f;
  double p = 1.0 / 21.0;
  for (int k = 19; k >= 3; k -= 2) p = p * z + 1.0 / k;
  p = p * z + 1.0;
  return e * kLn2Hi + ((2.0 * f) * p + e * kLn2Lo);
}

// The quadrant is cut off in integers, hence exactly.
CosSin TurnCosSin(uint32_t b) {
  const int64_t turn = b;
  const int64_t quadrant = (turn + (int64_t{1} << 29)) >> 30;
  const double t = static_cast<double>(turn - quadrant * (int64_t{1} << 30)) * 0x1p-32;
  const double x = kTwoPi * t;
  const double y = x * x;
  double s = kInverseFactorial[17];
  for (int k = 15; k >= 1; k -= 2) s = kInverseFactorial[k] - y * s;
  s = x * s;
  double c = kInverseFactorial[16];
  for (int k = 14; k >= 0; k -= 2) c = kInverseFactorial[k] - y * c;
  switch (quadrant & 3) {
    case 0:
      return {c, s};
    case 1:
      return {-s, c};
    case 2:
      return {-c, -s};
    default:
      return {s, -c};
  }
}

}  // namespace philox_internal

namespace {

void PairOfNormals(uint32_t a, uint32_t b, float* out) {
  const double u1 = (static_cast<double>(a) + 1.0) * 0x1p-32;
  const double r = std::sqrt(-2.0 * philox_internal::Log(u1));
  const philox_internal::CosSin angle = philox_internal::TurnCosSin(b);
  out[0] = static_cast<float>(r * angle.cos);
  out[1] = static_cast<float>(r * angle.sin);
}

std::array<float, 4> NormalBlock(uint64_t seed, uint64_t stream, uint64_t block) {
  const std::array<uint32_t, 4> words =
      Philox4x32({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
                  static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)},
                 {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  std::array<float, 4> normals;
  PairOfNormals(words[0], words[1], &normals[0]);
  PairOfNormals(words[2], words[3], &normals[2]);
  return normals;
}

}  // namespace

std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * counter[0];
    const uint64_t p1 = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(p1 >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(p1),
               static_cast<uint32_t>(p0 >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(p0)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

void PhiloxNormal(uint64_t seed, uint64_t stream, uint64_t first, std::span<float> out) {
  size_t done = 0;
  while (done < out.size()) {
    const uint64_t index = first + done;
    const std::array<float, 4> normals = NormalBlock(seed, stream, index / 4);
    for (size_t lane = index % 4; lane < 4 && done < out.size(); ++lane) {
      out[done++] = normals[lane];
    }
  }
}

}  // namespace longtake
