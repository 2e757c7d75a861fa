// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A video model whose transformer is cut in stages: the same takes, wherever it is cut.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/serve/resolve.h"
#include "tests/engine/engine_fixture.h"
#include "tests/engine/take_oracle.h"

namespace longtake {
namespace {

using testing::HasSubstr;

constexpr int64_t kChunks = 5;

absl::StatusOr<std::unique_ptr<VideoModel>> Open(const std::vector<ModelStage>& stages,
                                                 WorkerPool& workers,
                                                 uint64_t kept_bytes_max = uint64_t{1} << 40) {
  VideoModelOptions options;
  options.kept_bytes_max = kept_bytes_max;
  options.stages = stages;
  return VideoModel::Open(PosixFileSystem(), EmbeddedPack(), options, workers);
}

// Of a guided take whose prompt changes and whose window is made again then.
std::vector<Hash128> Take(VideoModel& model) {
  SessionSpec spec = SmallSpec("a red circle", /*seed=*/7, /*frame_count=*/12 * kChunks - 3);
  spec.guidance = 2.0;
  spec.negative_prompt = "blurred";
  spec.key_plan = {.kind = KeyPlanKind::kWindow, .window_frames = 9, .sink_frames = 3};
  spec.prompt_switch = PromptSwitch::kRecache;
  const auto resolved = ResolveSpec(spec, model);
  EXPECT_TRUE(resolved.ok()) << resolved.status();
  return TakeOracle(model, *resolved, {{3, "a blue square"}}, {}).Digests(kChunks);
}

TEST(ModelStagesTest, MakeTheSameTakeWhereverItIsCut) {
  WorkerPool workers(2);
  const auto whole = Open({}, workers);
  ASSERT_TRUE(whole.ok()) << whole.status();
  const std::vector<Hash128> expected = Take(**whole);
  const CoreSet cores = CoreSet::Allowed();
  const std::vector<ModelStage> cuts[] = {
      {{.layers = {0, 2}}, {.layers = {2, 6}, .cores = cores}},
      {{.layers = {0, 1}, .cores = cores}, {.layers = {1, 5}}, {.layers = {.first = 5}}}};
  for (const std::vector<ModelStage>& cut : cuts) {
    for (const uint64_t kept_bytes_max : {uint64_t{1} << 40, uint64_t{3} << 20, uint64_t{0}}) {
      const auto model = Open(cut, workers, kept_bytes_max);
      ASSERT_TRUE(model.ok()) << model.status();
      ASSERT_EQ((*model)->stage_count(), cut.size());
      EXPECT_EQ((*model)->kv_layout(48, 32).layers, 6);
      EXPECT_EQ(Take(**model), expected) << cut.size() << " stages, keeping " << kept_bytes_max;
    }
  }
}

TEST(ModelStagesTest, ThatLeaveLayersOutOrNameThemTwiceAreRefused) {
  WorkerPool workers(1);
  const std::pair<std::vector<ModelStage>, const char*> cases[] = {
      {{{.layers = {0, 2}}, {.layers = {3, 6}}}, "stage 1: layers 3 to 6"},
      {{{.layers = {0, 3}}, {.layers = {2, 6}}}, "stage 1: layers 2 to 6"},
      {{{.layers = {1, 6}}}, "stage 0: layers 1 to 6"},
      {{{.layers = {0, 6}}, {.layers = {6, 6}}}, "stage 1: layers 6 to 6"},
      {{{.layers = {0, 3}}, {.layers = {3, 5}}}, "stage 1: ends at layer 5 of 6"}};
  for (const auto& [stages, message] : cases) {
    const absl::Status status = Open(stages, workers).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
  }
}

}  // namespace
}  // namespace longtake
