// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What cuDNN is told of attention, which of its engines is taken and how long plans are kept, on a
// fake (tests/cuda/fake_cudnn.h) that attends by what it was told.
#include "engine/backend/cuda/sdpa.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <vector>

#include "base/dtype.h"
#include "base/error_reason.h"
#include "tests/cuda/fake_cudart.h"
#include "tests/cuda/fake_cudnn.h"

namespace longtake {
namespace {

using fake_cudnn::Engine;
using fake_cudnn::Tensor;
using ::testing::HasSubstr;

constexpr int64_t kSecond = 1'000'000'000;
constexpr SdpaShape kShape = {.heads = 2, .rows = 3, .keys = 5, .head_dim = 8};

SdpaShape OfKeys(int64_t keys) { return {.heads = 1, .rows = 1, .keys = keys, .head_dim = 8}; }

class SdpaTest : public testing::Test {
 protected:
  SdpaTest() : cuda_(fake_cuda::Reset(0)), cudnn_(fake_cudnn::Reset()) {
    device_ = *CudaDevice::Create(0);
    sdpa_ = *Sdpa::Create(fake_cudnn::Functions(), *device_, Lane::kSweep, 3);
  }
  // Small numbers that bf16 has.
  static std::vector<uint16_t> Draw(int64_t count, int64_t seed) {
    std::vector<uint16_t> out;
    for (int64_t i = 0; i < count; ++i) {
      out.push_back(FloatToBf16(static_cast<float>((i * 7 + seed) % 11 - 5) * 0.25f));
    }
    return out;
  }

  fake_cuda::State& cuda_;
  fake_cudnn::State& cudnn_;
  std::unique_ptr<CudaDevice> device_;
  std::unique_ptr<Sdpa> sdpa_;
};

TEST_F(SdpaTest, AttentionIsDescribedAsItLies) {
  ASSERT_TRUE(sdpa_->Reserve(kShape).ok());
  ASSERT_EQ(cudnn_.built.size(), 1u);
  const fake_cudnn::Attention& told = cudnn_.built[0];
  const auto matrix = [](int64_t id, int64_t rows) {
    return Tensor{.type = CUDNN_DATA_BFLOAT16,
                  .sizes = {1, 2, rows, 8},
                  .strides = {rows * 16, 8, 16, 1},
                  .id = id,
                  .alignment = 16};
  };
  EXPECT_EQ(told.q, matrix(1, 3));
  EXPECT_EQ(told.k, matrix(2, 5));
  EXPECT_EQ(told.v, matrix(3, 5));
  EXPECT_EQ(told.out, matrix(4, 3));
  EXPECT_EQ(told.scale, (Tensor{.type = CUDNN_DATA_FLOAT,
                                .sizes = {1, 1, 1, 1},
                                .strides = {1, 1, 1, 1},
                                .id = 5,
                                .alignment = 4,
                                .by_value = true}));
  EXPECT_EQ(told.mode, CUDNN_HEUR_MODE_A);
  EXPECT_EQ(told.card, 0);
}

TEST_F(SdpaTest, ItAttends) {
  ASSERT_TRUE(sdpa_->Reserve(kShape).ok());
  const std::vector<uint16_t> q = Draw(3 * 16, 1);
  const std::vector<uint16_t> k = Draw(5 * 16, 2);
  const std::vector<uint16_t> v = Draw(5 * 16, 3);
  std::vector<uint16_t> out(3 * 16, 0);
  sdpa_->Run(kShape,
             {.q = q.data(), .k = k.data(), .v = v.data(), .out = out.data(), .scale = 0.5f});
  ASSERT_TRUE(device_->Wait(device_->Mark(Lane::kSweep), kSecond).ok());
  EXPECT_EQ(cudnn_.stream, device_->stream(Lane::kSweep));
  EXPECT_NE(cudnn_.workspace, nullptr);
  const auto at = [](const std::vector<uint16_t>& values, int64_t row, int64_t head, int64_t i) {
    return double{Bf16ToFloat(values[row * 16 + head * 8 + i])};
  };
  for (int64_t head = 0; head < 2; ++head) {
    for (int64_t row = 0; row < 3; ++row) {
      std::vector<double> weights;
      double total = 0;
      for (int64_t key = 0; key < 5; ++key) {
        double score = 0;
        for (int64_t i = 0; i < 8; ++i) score += at(q, row, head, i) * at(k, key, head, i);
        total += weights.emplace_back(std::exp(0.5 * score));
      }
      for (int64_t i = 0; i < 8; ++i) {
        double expected = 0;
        for (int64_t key = 0; key < 5; ++key)
          expected += weights[key] / total * at(v, key, head, i);
        ASSERT_NEAR(at(out, row, head, i), expected, 0.01);
      }
    }
  }
}

TEST_F(SdpaTest, AnEngineWhoseSumsChangeIsPassedOver) {
  cudnn_.engines = {Engine{.id = 1, .notes = {CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC}},
                    Engine{.id = 2, .notes = {CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION}},
                    Engine{.id = 3, .notes = {CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS}},
                    Engine{.id = 4, .notes = {CUDNN_NUMERICAL_NOTE_TENSOR_CORE}}, Engine{.id = 5}};
  ASSERT_TRUE(sdpa_->Reserve(kShape).ok());
  EXPECT_EQ(cudnn_.built[0].engine, 4);
  cudnn_.engines.resize(3);
  const absl::Status none = sdpa_->Reserve(OfKeys(9));
  EXPECT_EQ(none.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(none.message(),
            "Attention of 1 heads of 8, 1 rows, 9 keys: cuDNN has no kernel whose sums have a "
            "fixed order");
  cudnn_.fails = "attention";
  EXPECT_EQ(sdpa_->Reserve(OfKeys(9)).message(),
            "Attention of 1 heads of 8, 1 rows, 9 keys: cuDNN: attention: NOT_SUPPORTED: why");
  cudnn_.fails.clear();
  cudnn_.engines = {Engine{.workspace_bytes = (int64_t{1} << 20) + 1}};
  const absl::Status large = sdpa_->Reserve(OfKeys(9));
  EXPECT_EQ(large.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(large.message()), HasSubstr("1048577 bytes; 1048576 are kept for it"));
  EXPECT_FALSE(sdpa_->IsReady(OfKeys(9)));
}

TEST_F(SdpaTest, APlanIsBuiltOnceAndKeptWhileItIsReserved) {
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(sdpa_->Reserve(OfKeys(1)).ok());
  ASSERT_TRUE(sdpa_->Reserve(OfKeys(2)).ok());
  ASSERT_TRUE(sdpa_->Reserve(OfKeys(3)).ok());
  EXPECT_EQ(cudnn_.built.size(), 3u);
  const absl::Status full = sdpa_->Reserve(OfKeys(4));
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(full.message(), "3 shapes of attention are in use, as many as are kept");
  sdpa_->Release(OfKeys(1));
  EXPECT_FALSE(sdpa_->Reserve(OfKeys(4)).ok()) << "it was reserved twice";
  sdpa_->Release(OfKeys(1));
  EXPECT_TRUE(sdpa_->IsReady(OfKeys(1))) << "nobody needs its room";
  ASSERT_TRUE(sdpa_->Reserve(OfKeys(4)).ok());
  EXPECT_FALSE(sdpa_->IsReady(OfKeys(1)));
  EXPECT_EQ(sdpa_->plan_count(), 3u);
}

TEST_F(SdpaTest, WhatWasUsedLatestStaysLongest) {
  for (const int64_t keys : {1, 2, 3}) {
    ASSERT_TRUE(sdpa_->Reserve(OfKeys(keys)).ok());
    sdpa_->Release(OfKeys(keys));
  }
  const std::vector<uint16_t> values = Draw(8 * 3, 1);
  std::vector<uint16_t> out(8);
  sdpa_->Run(OfKeys(1),
             {.q = values.data(), .k = values.data(), .v = values.data(), .out = out.data()});
  ASSERT_TRUE(sdpa_->Reserve(OfKeys(4)).ok());
  EXPECT_TRUE(sdpa_->IsReady(OfKeys(1)));
  EXPECT_FALSE(sdpa_->IsReady(OfKeys(2)));
  EXPECT_TRUE(sdpa_->IsReady(OfKeys(3)));
}

// A kernel that may still run is not unloaded.
TEST_F(SdpaTest, APlanGoesWhenTheLaneIsDone) {
  for (const int64_t keys : {1, 2, 3}) ASSERT_TRUE(sdpa_->Reserve(OfKeys(keys)).ok());
  sdpa_->Release(OfKeys(2));
  const DeviceBuffer from = *device_->Allocate(1000, nullptr);
  const AlignedBuffer in = *device_->AllocatePinned(1000, nullptr);
  device_->CopyIn(Lane::kSweep, from.As<std::byte>(), in.span());
  const Fence behind = device_->Mark(Lane::kSweep);
  EXPECT_FALSE(device_->Passed(behind));
  ASSERT_TRUE(sdpa_->Reserve(OfKeys(4)).ok());
  EXPECT_TRUE(device_->Passed(behind));
  cuda_.fails = "cudaEventQuery";
  sdpa_->Release(OfKeys(4));
  const absl::Status lost = sdpa_->Reserve(OfKeys(5));
  EXPECT_EQ(ReasonFor(lost), Reason::kDeviceLost);
  EXPECT_TRUE(sdpa_->IsReady(OfKeys(4)));
}

TEST_F(SdpaTest, WhatIsRefusedLaterLosesTheDevice) {
  ASSERT_TRUE(sdpa_->Reserve(OfKeys(1)).ok());
  cudnn_.execute = CUDNN_STATUS_EXECUTION_FAILED;
  const std::vector<uint16_t> values = Draw(8, 1);
  std::vector<uint16_t> out(8);
  sdpa_->Run(OfKeys(1),
             {.q = values.data(), .k = values.data(), .v = values.data(), .out = out.data()});
  const absl::Status lost = device_->Wait(device_->Mark(Lane::kSweep), kSecond);
  EXPECT_EQ(ReasonFor(lost), Reason::kDeviceLost);
  EXPECT_EQ(lost.message(),
            "Attention of 1 heads of 8, 1 rows, 1 keys: cuDNN: cudnnBackendExecute: WRONG: why");
}

TEST_F(SdpaTest, MemoryIsCountedAndComesBack) {
  EXPECT_EQ(sdpa_->workspace_bytes(), uint64_t{1} << 20);
  EXPECT_EQ(cuda_.allocated, uint64_t{1} << 20);
  ASSERT_TRUE(sdpa_->Reserve(kShape).ok());
  EXPECT_EQ(cudnn_.alive, 4) << "a handle, a card, a configuration and its plan";
  sdpa_.reset();
  EXPECT_EQ(cudnn_.alive, 0);
  EXPECT_EQ(cuda_.allocated, 0u);
  cudnn_.starts = false;
  const absl::Status missing =
      Sdpa::Create(fake_cudnn::Functions(), *device_, Lane::kSweep).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(missing.message(), "cuDNN does not start: WRONG");
  EXPECT_EQ(cudnn_.alive, 0);
}

}  // namespace
}  // namespace longtake
