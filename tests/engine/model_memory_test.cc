// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a model is said to take, by its tables alone, against what opening it really takes.
#include "engine/plan/model_memory.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include "base/machine_memory.h"
#include "engine/plan/memory_plan.h"
#include "tests/engine/engine_fixture.h"
#include "tests/engine/late_model.h"

namespace longtake {
namespace {

constexpr uint64_t kMiB = 1 << 20;
// Huge pages that are begun, tables, and what was read on the way.
constexpr uint64_t kSlack = 16 * kMiB;
constexpr int kThreads = 8;  // so that a worker's part is more than that

// Without what earlier tests gave back to the heap, which would be taken from there.
uint64_t ResidentBefore() {
  malloc_trim(0);
  return *ResidentBytes();
}

uint64_t Promised(const ModelMemory& memory) {
  EXPECT_EQ((memory.resident + memory.vae + memory.buffers + memory.scratch).device, 0u);
  return memory.resident.host + memory.vae.host + memory.buffers.host + memory.scratch.host +
         memory.transformer_layers + memory.text_layers;
}

void ExpectHonest(const std::string& pack) {
  VideoModelOptions options;
  options.tokens_max = 8192;
  const auto memory = MeasureModel(PosixFileSystem(), pack, options, kThreads);
  ASSERT_TRUE(memory.ok()) << memory.status();
  WorkerPool workers(kThreads);
  const uint64_t before = ResidentBefore();
  const auto model = VideoModel::Open(PosixFileSystem(), pack, options, workers);
  ASSERT_TRUE(model.ok()) << model.status();
  const uint64_t taken = *ResidentBytes() - before;
  EXPECT_LE(taken, Promised(*memory) + kSlack) << "more than was promised";
  EXPECT_GE(taken + kSlack, Promised(*memory)) << "less than was said";
  EXPECT_GT(memory->scratch.host, kSlack) << "or this test does not see it";
}

TEST(ModelMemoryTest, AModelTakesWhatItsTablesSay) { ExpectHonest(EmbeddedPack()); }

TEST(ModelMemoryTest, SoDoesOneInInt8) {
  const ScratchPack pack(PackModelOptions{.quantize_int8 = true, .progress = {}});
  const auto plain = MeasureModel(PosixFileSystem(), EmbeddedPack(), {}, kThreads);
  const auto narrow = MeasureModel(PosixFileSystem(), pack.directory(), {}, kThreads);
  EXPECT_GT(narrow->scratch.host, plain->scratch.host + kSlack) << "for narrowed rows";
  ExpectHonest(pack.directory());
}

TEST(ModelMemoryTest, StagesTakeWhatIsSaidOfThem) {
  VideoModelOptions options;
  options.tokens_max = 8192;
  const CoreSet cores = *CoreSet::Parse("0-3");  // for their number
  options.stages = {{.layers = {0, 2}},
                    {.layers = {2, 3}, .cores = cores, .stays_on_cores = false},
                    {.layers = {3, 6}, .cores = cores, .stays_on_cores = false}};
  const auto stages = MeasureStages(PosixFileSystem(), EmbeddedPack(), options, kThreads);
  ASSERT_TRUE(stages.ok()) << stages.status();
  uint64_t promised = 0;
  for (const ModelMemory& stage : *stages) promised += Promised(stage);
  WorkerPool workers(kThreads);
  const uint64_t before = ResidentBefore();
  const auto model = VideoModel::Open(PosixFileSystem(), EmbeddedPack(), options, workers);
  ASSERT_TRUE(model.ok()) << model.status();
  // What one receives is written to first when it does.
  const uint64_t received = 2 * 8192 * 192 * sizeof(float);
  const uint64_t taken = *ResidentBytes() - before + received;
  EXPECT_LE(taken, promised + kSlack) << "more than was promised";
  EXPECT_GE(taken + kSlack, promised) << "less than was said";
  EXPECT_GT(stages->at(0).vae.host, 0u);
  EXPECT_EQ(stages->at(1).vae.host + stages->at(1).text_layers, 0u) << "they are there once";
}

// The late device's convolutions are packed in the host's memory, as the other backend's.
TEST(ModelMemoryTest, ADeviceTakesItsColumn) {
  static int64_t on_device;
  on_device = 0;
  VideoModelOptions options;
  options.tokens_max = 8192;
  options.device_has_memory = true;
  const ModelMemory memory = *MeasureModel(PosixFileSystem(), EmbeddedPack(), options, 1);
  LateDevice::on_memory = [](int64_t bytes) { on_device += bytes; };
  WorkerPool workers(1);
  const auto model = LateModel::Open(PosixFileSystem(), EmbeddedPack(), options, workers);
  ASSERT_TRUE(model.ok()) << model.status();
  const MemoryUse said = memory.resident + memory.buffers;
  EXPECT_GE(on_device, static_cast<int64_t>(said.device));
  EXPECT_LE(on_device, static_cast<int64_t>(said.device + kMiB)) << "beside what decoders keep";
  EXPECT_GT(memory.resident.host, 0u) << "where it was read";
  options.device_has_memory = false;
  const ModelMemory of_host = *MeasureModel(PosixFileSystem(), EmbeddedPack(), options, 1);
  EXPECT_EQ(of_host.buffers.device, 0u);
  EXPECT_LT(of_host.buffers.host, memory.buffers.total()) << "it needs no slots";
}

}  // namespace
}  // namespace longtake
