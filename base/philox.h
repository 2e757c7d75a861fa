// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Counter-based Gaussian generator: every normal is a pure function of (seed, stream, index), so
// noise does not depend on scheduling, threads or what was drawn before. Philox 4x32-10 (Salmon et
// al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011) followed by Box-Muller, whose
// logarithm, sine and cosine are our own: plain double operations in a fixed order, so the bits are
// the same with every libm and in tools/reference/philox.py, whose docstring is the definition.
//
// Pure functions, safe from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace longtake {

// The raw block function: four uniform 32-bit words.
std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// Fills `out` with normals first, first + 1, ... of (seed, stream). Any `first` is allowed; normal
// i comes from block i / 4, and the same i always gives the same bits. Indices wrap at 2^64.
void PhiloxNormal(uint64_t seed, uint64_t stream, uint64_t first, std::span<float> out);

// The two functions whose bits everything else rests on, visible so that a test can hold them in
// double; rounding to float hides almost every difference.
namespace philox_internal {

struct CosSin {
  double cos;
  double sin;
};

// Natural logarithm of u in (0, 1].
double Log(double u);

// Cosine and sine of b * 2^-32 turns.
CosSin TurnCosSin(uint32_t b);

}  // namespace philox_internal
}  // namespace longtake
