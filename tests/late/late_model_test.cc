// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Models on a late device make the bits that they make on the host; what their fences guard is seen
// when a fence is left out. The golden tests and the digests of takes run on one, too.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/late/late_backend.h"
#include "tests/model/sweep_case.h"

namespace longtake {
namespace {

constexpr uint64_t kSeeds = 12;

TinyTransformer::Options Options() {
  return {.config_json = kTinyTransformerConfig, .seed = 5, .stream = {.slot_count = 1}};
}

// A denoising forward, and a clean pass whose K/V a third item would attend to; new prompts.
std::vector<float> RunItems(TinyTransformer& tiny) {
  SweepCase denoise({.seed = 1, .context_frames = 2}, *tiny.model);
  SweepCase clean({.seed = 2, .context_frames = 1, .clean = true}, *tiny.model);
  MustBeOk(tiny.Run({denoise.Item(), clean.Item()}));
  MustBeOk(tiny.Run({denoise.Item()}));
  std::vector<float> out = denoise.Output();
  const std::vector<float> written = clean.Output();
  out.insert(out.end(), written.begin(), written.end());
  return out;
}

class LateModelTest : public testing::Test {
 protected:
  LateModelTest() : host_(Must(CreateCpuBackend(workers_))), on_host_(Options(), *host_) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");  // who dies needs workers of its own
  }

  std::unique_ptr<LateBackend> Late(uint64_t seed) {
    return std::make_unique<LateBackend>(seed, Must(CreateCpuBackend(workers_)));
  }

  WorkerPool workers_{2};
  std::unique_ptr<Backend> host_;
  TinyTransformer on_host_;
};
using LateModelDeathTest = LateModelTest;

TEST_F(LateModelTest, ASweepHasTheBitsOfTheHost) {
  const std::vector<float> expected = RunItems(on_host_);
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    const auto late = Late(seed);
    TinyTransformer tiny(Options(), *late);
    EXPECT_EQ(RunItems(tiny), expected) << seed;
  }
}

// Of three layers each slot has one; of two one is filled while another is read.
TEST_F(LateModelTest, SlotsOfTheDeviceChangeNoBit) {
  const std::vector<float> expected = RunItems(on_host_);
  for (const size_t slots : {1, 2, 3}) {
    TinyTransformer::Options options = Options();
    options.slots = slots;
    for (uint64_t seed = 0; seed < kSeeds; ++seed) {
      const auto late = Late(seed);
      TinyTransformer tiny(options, *late);
      EXPECT_EQ(RunItems(tiny), expected) << slots << " slots, seed " << seed;
    }
  }
}

// Ops that do not wait for their layer's copy, or a copy that does not wait for the ops that read
// what was in its slot.
TEST_F(LateModelTest, AMissingFenceOfASlotIsSeen) {
  const std::vector<float> expected = RunItems(on_host_);
  for (const Lane hasty : {Lane::kSweep, Lane::kCopyIn}) {
    TinyTransformer::Options options = Options();
    options.slots = hasty == Lane::kSweep ? 1 : 2;  // where most comes of it
    uint64_t wrong = 0;
    for (uint64_t seed = 0; seed < kSeeds; ++seed) {
      const auto late = Late(seed);
      TinyTransformer tiny(options, *late);
      late->device().ForgetToOrder(hasty);
      wrong += RunItems(tiny) != expected ? 1 : 0;
    }
    EXPECT_GT(wrong, kSeeds / 4) << static_cast<int>(hasty);
  }
}

TEST_F(LateModelTest, ASweepThatIsDroppedLeavesNothingUnderWay) {
  SweepCase alone({.seed = 3, .context_frames = 2}, *on_host_.model);
  MustBeOk(on_host_.Run({alone.Item()}));
  for (uint64_t seed = 0; seed < 2 * kSeeds; ++seed) {
    const auto late = Late(seed);
    TinyTransformer::Options options = Options();
    options.slots = seed % 2 * 2;
    TinyTransformer tiny(options, *late);
    {
      SweepCase dropped({.seed = 4, .context_frames = 2}, *tiny.model);
      const std::vector<VideoItem> items = {dropped.Item()};
      const auto model_sweep = Must(tiny.model->NewSweep(items));
      MustBeOk(model_sweep->Embed());
      LayerLease lease = Must(tiny.layers->Next());
      const auto weights = Must(model_sweep->Lend(lease));
      MustBeOk(model_sweep->RunLayer(0, *weights));
    }
    tiny.layers->Rewind();
    SweepCase one({.seed = 3, .context_frames = 2}, *tiny.model);
    MustBeOk(tiny.Run({one.Item()}));
    EXPECT_EQ(one.Output(), alone.Output()) << seed;
  }
}

TEST_F(LateModelDeathTest, ASweepThatNeverWaitsIsSeen) {
  const auto late = Late(1);
  TinyTransformer tiny(Options(), *late);
  SweepCase denoise({.seed = 1, .context_frames = 2}, *tiny.model);
  const std::vector<VideoItem> items = {denoise.Item()};
  EXPECT_DEATH(
      {
        late->device().ForgetToWait();
        MustBeOk(tiny.Run(items));
      },
      "used again before");
}

TEST_F(LateModelDeathTest, APartThatGoesBackBeforeItWasCopiedIsSeen) {
  TinyTransformer::Options options = Options();
  options.slots = 2;
  const auto late = Late(1);
  TinyTransformer tiny(options, *late);
  SweepCase denoise({.seed = 1, .context_frames = 2}, *tiny.model);
  const std::vector<VideoItem> items = {denoise.Item()};
  EXPECT_DEATH(
      {
        late->device().ForgetToWait();
        MustBeOk(tiny.Run(items));
      },
      "used again before it was copied");
}

TEST_F(LateModelTest, AnErrorOfTheDeviceEndsTheSweep) {
  const auto late = Late(1);
  TinyTransformer tiny(Options(), *late);
  SweepCase one({.seed = 1}, *tiny.model);
  const std::vector<VideoItem> items = {one.Item()};
  late->device().Fail(absl::InternalError("gone"));
  EXPECT_EQ(tiny.Run(items).message(), "gone");
}

// Lends a layer as if whoever put an op had waited for it.
class HastyWeights final : public LayerWeights {
 public:
  HastyWeights(Device& device, LayerLease& lease) : device_(device), lease_(lease) {}
  absl::StatusOr<Weight> Matrix(size_t index, const MatrixShape& shape,
                                DevicePtr<const float> scales) override {
    LT_ASSIGN_OR_RETURN(const TensorView view, lease_.Tensor(index));
    return Weight{.data = device_.Mapped(view.data),
                  .dtype = view.dtype,
                  .out_features = shape.out_features,
                  .in_features = shape.in_features,
                  .scales = scales};
  }

 private:
  Device& device_;
  LayerLease& lease_;
};

TEST_F(LateModelDeathTest, ALayerThatGoesBackTooEarlyIsSeen) {
  const auto late = Late(1);
  TinyTransformer tiny(Options(), *late);
  SweepCase one({.seed = 1}, *tiny.model);
  const std::vector<VideoItem> items = {one.Item()};
  EXPECT_DEATH(
      {
        const auto model_sweep = Must(tiny.model->NewSweep(items));
        MustBeOk(model_sweep->Embed());
        for (int64_t layer = 0; layer < 3; ++layer) {
          LayerLease lease = Must(tiny.layers->Next());
          HastyWeights weights(late->device(), lease);
          MustBeOk(model_sweep->RunLayer(layer, weights));
        }
        MustBeOk(model_sweep->Head());
      },
      "used again before an operation read it");
}

}  // namespace
}  // namespace longtake
