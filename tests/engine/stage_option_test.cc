// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/plan/stage_option.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace longtake {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;

std::string ParseError(const std::vector<std::string>& texts) {
  const auto stages = ParseStages(texts);
  EXPECT_EQ(stages.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(stages.status().message());
}

std::vector<StageOption> Stages(const std::vector<std::string>& texts) {
  const auto stages = ParseStages(texts);
  EXPECT_TRUE(stages.ok()) << stages.status();
  return *stages;
}

std::string DealError(const std::vector<std::string>& texts, int64_t layers) {
  const auto dealt = DealLayers(Stages(texts), layers);
  EXPECT_EQ(dealt.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(dealt.status().message());
}

TEST(StageOptionTest, ReadsEveryField) {
  const std::vector<StageOption> stages =
      Stages({"device=cpu:0-1+4,replica=0,layers=0-19,memory=3GiB,path=/d0,path=/d1",
              "layers=auto,device=cpu:2", "device=cpu:3,layers=7"});
  ASSERT_EQ(stages.size(), 3u);
  EXPECT_EQ(stages[0].cores.ToText(), "0-1+4");
  EXPECT_EQ(stages[0].replica, 0u);
  EXPECT_EQ(stages[0].layers, (LayerRange{.first = 0, .end = 20}));
  EXPECT_EQ(stages[0].memory_bytes, uint64_t{3} << 30);
  EXPECT_THAT(stages[0].layer_paths, ElementsAre("/d0", "/d1"));
  EXPECT_EQ(stages[1], (StageOption{.cores = *CoreSet::Parse("2")}));
  EXPECT_EQ(stages[2].layers, (LayerRange{.first = 7, .end = 8}));
  EXPECT_TRUE(Stages({}).empty());
}

TEST(StageOptionTest, ErrorsNameStageAndField) {
  const std::string good = "device=cpu:0";
  for (const auto& [bad, error] :
       {std::pair("layers=0-3", "stage 1: device: is missing"),
        {"device=gpu:0", "stage 1: device: \"gpu:0\" is no device"},
        {"device=cpu:", "stage 1: device: \"\" is no core"},
        {"device=cpu:3-1", "stage 1: device: \"3-1\" is no core"},
        {"device=cpu:1,device=cpu:2", "stage 1: device: is given twice"},
        {"device=cpu:1,replica=16", "stage 1: replica: "},
        {"device=cpu:1,replica=x", "stage 1: replica: "},
        {"device=cpu:1,layers=5-2", "stage 1: layers: \"5-2\" is neither auto nor layers"},
        {"device=cpu:1,layers=", "stage 1: layers: \"\" is neither"},
        {"device=cpu:1,layers=0-99999999", "stage 1: layers: \"0-99999999\" is neither"},
        {"device=cpu:1,layers=1,layers=2", "stage 1: layers: is given twice"},
        {"device=cpu:1,memory=3GB2", "stage 1: memory: "},
        {"device=cpu:1,memory=", "stage 1: memory: "},
        {"device=cpu:1,path=", "stage 1: path: is empty"},
        {"device=cpu:1,cores=2", "stage 1: cores=2: is no field and its value; there are device"},
        {"device=cpu:1,layers", "stage 1: layers: is no field and its value"},
        {"", "stage 1: : is no field"},
        {"device=cpu:1,", "stage 1: : is no field"}}) {
    EXPECT_THAT(ParseError({good, bad}), StartsWith(error)) << bad;
  }
}

TEST(StageOptionTest, CoresApart) {
  EXPECT_TRUE(HaveCoresApart(Stages({"device=cpu:0-1", "device=cpu:2+4", "device=cpu:3"})));
  EXPECT_FALSE(HaveCoresApart(Stages({"device=cpu:0-1", "device=cpu:2", "device=cpu:1"})));
  EXPECT_TRUE(HaveCoresApart({}));
}

TEST(StageOptionTest, LayersAreDealtEvenlyOrAsWritten) {
  const std::string a = "device=cpu:0";
  EXPECT_THAT(*DealLayers(Stages({a}), 30), ElementsAre(LayerRange{0, 30}));
  EXPECT_THAT(*DealLayers(Stages({a, a, a}), 8),
              ElementsAre(LayerRange{0, 3}, LayerRange{3, 6}, LayerRange{6, 8}));
  EXPECT_THAT(*DealLayers(Stages({a + ",layers=0", a + ",layers=1-7"}), 8),
              ElementsAre(LayerRange{0, 1}, LayerRange{1, 8}));
  // Two replicas, one of a single stage, between each other.
  EXPECT_THAT(*DealLayers(Stages({a, a + ",replica=1", a}), 5),
              ElementsAre(LayerRange{0, 3}, LayerRange{0, 5}, LayerRange{3, 5}));
}

TEST(StageOptionTest, EveryLayerIsOnOneStageOfAReplica) {
  const std::string a = "device=cpu:0";
  EXPECT_EQ(DealError({a + ",layers=0-3", a + ",layers=5-7"}, 8),
            "stage 1: layers: begin with 5, but 4 is the first that no stage before it has");
  EXPECT_EQ(DealError({a + ",layers=0-3", a + ",layers=3-7"}, 8),
            "stage 1: layers: begin with 3, but 4 is the first that no stage before it has");
  EXPECT_EQ(DealError({a + ",layers=4-7", a + ",layers=0-3"}, 8),
            "stage 0: layers: begin with 4, but 0 is the first that no stage before it has");
  EXPECT_EQ(DealError({a + ",layers=0-3", a + ",layers=4-6"}, 8),
            "stage 1: layers: end with 6, but the model's last is 7");
  EXPECT_EQ(DealError({a + ",layers=0-3", a + ",layers=4-8"}, 8),
            "stage 1: layers: the model's last is 7");
  EXPECT_EQ(DealError({a + ",layers=0-3", a}, 8),
            "stage 1: layers: are auto, while another stage of the replica has its own");
  EXPECT_EQ(DealError({a, a, a}, 2), "stage 2: layers: none are left of the model's 2");
  EXPECT_EQ(DealError({a, a + ",replica=2"}, 8), "stage 1: replica: 2 comes before replica 1");
}

}  // namespace
}  // namespace longtake
