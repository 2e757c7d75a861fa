// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What cuDNN itself, where it is installed, makes of our attention for an H100 that is not there:
// of every shape in sdpa_plans.txt whether there is a plan, which one, and what it works in. Plans
// are built and never run.
#include "engine/backend/cuda/sdpa_plan.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace longtake {
namespace {

std::string PathOf(const std::string& name) {
  const char* source = std::getenv("LONGTAKE_SOURCE_DIR");
  return absl::StrCat(source == nullptr ? "." : source, "/tests/cuda/", name);
}

std::string WholeFile(const std::string& name) {
  std::ifstream file(PathOf(name));
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Row {
  SdpaShape shape;
  std::string plan;  // as PlanOf says it
};

std::vector<Row> Rows() {
  std::vector<Row> rows;
  std::istringstream lines(WholeFile("sdpa_plans.txt"));
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    Row row;
    words >> row.shape.heads >> row.shape.rows >> row.shape.keys >> row.shape.head_dim;
    std::getline(words >> std::ws, row.plan);
    rows.push_back(row);
  }
  return rows;
}

class SdpaPlanTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(dlopen(LONGTAKE_FAKE_DRIVER, RTLD_NOW | RTLD_GLOBAL), nullptr) << dlerror();
    const absl::StatusOr<Cudnn> library = LoadCudnn();
    if (!library.ok()) GTEST_SKIP() << "SKIPPED, no cuDNN: " << library.status();
    cudnn_ = *library;
    if (cudnn_.GetVersion() != 91900) {
      GTEST_SKIP() << "SKIPPED, no cuDNN 9.19.0, of which the table is: " << cudnn_.GetVersion();
    }
  }
  std::string PlanOf(const CudnnDescriptor& card, const SdpaShape& shape) const {
    const absl::StatusOr<SdpaPlan> plan = BuildSdpaPlan(cudnn_, card, shape);
    if (plan.ok()) return absl::StrCat(plan->name, ", ", plan->workspace_bytes, " bytes");
    if (plan.status().code() == absl::StatusCode::kUnimplemented) return "none";
    return plan.status().ToString();
  }

  Cudnn cudnn_;
};

TEST_F(SdpaPlanTest, CudnnPlansAsTheTableSays) {
  const absl::StatusOr<CudnnDescriptor> card = CudnnCardOf(cudnn_, WholeFile("h100.json"));
  ASSERT_TRUE(card.ok()) << card.status();
  const std::vector<Row> rows = Rows();
  ASSERT_GE(rows.size(), 10u);
  ASSERT_LE(rows.size(), 20u) << "each takes half a second of a core, or five where it is shared";
  for (const Row& row : rows) {
    EXPECT_EQ(PlanOf(*card, row.shape), row.plan) << SdpaShapeName(row.shape);
  }
}

TEST_F(SdpaPlanTest, ACardInOtherWordsIsRefused) {
  const absl::Status refused = CudnnCardOf(cudnn_, "{}").status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(refused.message()),
              testing::StartsWith("cuDNN: the GPU: CUDNN_STATUS_BAD_PARAM"));
}

}  // namespace
}  // namespace longtake
