// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The C++ twin of tools/reference/weights.py, bit for bit: fixtures/weights.json has one tensor per
// rule.
#include "pack/synthetic_weights.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdlib>
#include <string>
#include <vector>

#include "storage/json.h"
#include "tests/golden/fixture.h"

namespace longtake {
namespace {

uint64_t Hex(const Json& text) { return std::stoull(text.get<std::string>(), nullptr, 16); }

TEST(SyntheticWeights, BitsOfEveryRule) {
  const std::string path =
      std::string(std::getenv("LONGTAKE_SOURCE_DIR")) + "/tests/golden/fixtures/weights.json";
  const std::string text = Must(ReadTextFile(PosixFileSystem(), path, 1 << 20));
  const Json examples = Must(ParseJson(text, path));
  ASSERT_GE(examples.size(), 7u);
  for (const Json& example : examples) {
    const std::string name = example["name"];
    SCOPED_TRACE(name);
    EXPECT_EQ(Fnv1a64(name), Hex(example["stream"]));
    const std::vector<int64_t> shape = example["shape"];
    const std::vector<float> values =
        SyntheticTensor({.seed = example["seed"], .d_kv = example["d_kv"]}, name, shape);
    for (size_t i = 0; i < example["first_bits"].size(); ++i) {
      EXPECT_EQ(std::bit_cast<uint32_t>(values[i]), Hex(example["first_bits"][i]));
    }
    EXPECT_EQ(std::bit_cast<uint32_t>(values.back()), Hex(example["last_bits"]));
  }
}

}  // namespace
}  // namespace longtake
