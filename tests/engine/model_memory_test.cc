// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a model is said to take, by its tables alone, against what opening it really takes.
#include "engine/plan/model_memory.h"

#include <gtest/gtest.h>

#include "base/machine_memory.h"
#include "engine/plan/memory_plan.h"
#include "tests/engine/engine_fixture.h"

namespace longtake {
namespace {

constexpr uint64_t kMiB = 1 << 20;
// Huge pages that are begun, tables, and what was read on the way.
constexpr uint64_t kSlack = 16 * kMiB;
constexpr int kThreads = 8;  // so that a worker's part is more than that

uint64_t Promised(const ModelMemory& memory) {
  return memory.resident + memory.vae + memory.buffers + memory.scratch +
         memory.transformer_layers + memory.text_layers;
}

void ExpectHonest(const std::string& pack) {
  VideoModelOptions options;
  options.tokens_max = 8192;
  const auto memory = MeasureModel(PosixFileSystem(), pack, options, kThreads);
  ASSERT_TRUE(memory.ok()) << memory.status();
  WorkerPool workers(kThreads);
  const uint64_t before = *ResidentBytes();
  const auto model = VideoModel::Open(PosixFileSystem(), pack, options, workers);
  ASSERT_TRUE(model.ok()) << model.status();
  const uint64_t taken = *ResidentBytes() - before;
  EXPECT_LE(taken, Promised(*memory) + kSlack) << "more than was promised";
  EXPECT_GE(taken + kSlack, Promised(*memory)) << "less than was said";
  EXPECT_GT(memory->scratch, kSlack) << "or this test does not see it";
}

TEST(ModelMemoryTest, AModelTakesWhatItsTablesSay) { ExpectHonest(EmbeddedPack()); }

TEST(ModelMemoryTest, SoDoesOneInInt8) {
  const ScratchPack pack(PackModelOptions{.quantize_int8 = true, .progress = {}});
  const auto plain = MeasureModel(PosixFileSystem(), EmbeddedPack(), {}, kThreads);
  const auto narrow = MeasureModel(PosixFileSystem(), pack.directory(), {}, kThreads);
  EXPECT_GT(narrow->scratch, plain->scratch + kSlack) << "for narrowed rows";
  ExpectHonest(pack.directory());
}

}  // namespace
}  // namespace longtake
