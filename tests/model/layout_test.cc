// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Tensor counts and sizes of the published checkpoints (docs/spec 1.7 and 1.8).
#include "engine/model/umt5/layout.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "engine/model/wan/layout.h"

namespace longtake {
namespace {

struct Totals {
  size_t tensors = 0;
  int64_t parameters = 0;
  bool operator==(const Totals&) const = default;
};
void PrintTo(const Totals& value, std::ostream* out) {
  *out << value.tensors << " tensors, " << value.parameters << " parameters";
}

std::vector<TensorSpec> All(const ComponentLayout& layout) {
  std::vector<TensorSpec> all = layout.resident;
  all.insert(all.end(), layout.row_tables.begin(), layout.row_tables.end());
  for (const auto& layer : layout.layers) all.insert(all.end(), layer.begin(), layer.end());
  return all;
}

Totals Sum(const std::vector<TensorSpec>& tensors) {
  Totals totals;
  for (const TensorSpec& tensor : tensors) {
    int64_t count = 1;
    for (int64_t extent : tensor.shape) count *= extent;
    ++totals.tensors;
    totals.parameters += count;
  }
  return totals;
}

TEST(WanLayout, PublishedTotals) {
  const WanConfig small{.heads = 12, .ffn_dim = 8960, .layers = 30};
  EXPECT_EQ(Sum(All(WanLayout(small))), (Totals{825, 1'418'996'800}));
  EXPECT_EQ(Sum(All(WanLayout(WanConfig()))), (Totals{1095, 14'288'491'584}));
}

TEST(WanLayout, EveryNameOnce) {
  const auto all = All(WanLayout({.heads = 2, .head_dim = 24, .ffn_dim = 64, .layers = 3}));
  std::set<std::string> names;
  for (const TensorSpec& tensor : all) EXPECT_TRUE(names.insert(tensor.name).second) << tensor.name;
}

TEST(WanLayout, OnlyMatricesTravelAndSmallThingsStayExact) {
  const ComponentLayout layout =
      WanLayout({.heads = 2, .head_dim = 24, .ffn_dim = 64, .layers = 2});
  ASSERT_EQ(layout.layers.size(), 2u);
  for (const auto& layer : layout.layers) {
    ASSERT_EQ(layer.size(), kWanMatrixCount);
    for (const TensorSpec& tensor : layer) EXPECT_EQ(tensor.shape.size(), 2u) << tensor.name;
  }
  EXPECT_EQ(layout.layers[1][kWanFfnUp].name, "blocks.1.ffn.net.0.proj.weight");
  EXPECT_EQ(layout.layers[1][kWanFfnUp].shape, (std::vector<int64_t>{64, 48}));
  EXPECT_EQ(layout.layers[0][kWanTextOut].name, "blocks.0.attn2.to_out.0.weight");
  for (const TensorSpec& tensor : layout.resident) {
    const bool matrix = tensor.shape.size() > 1 && !tensor.name.ends_with("scale_shift_table");
    const bool time = tensor.name.find("time_embedder") != std::string::npos;
    EXPECT_EQ(tensor.keep_f32, !matrix || time) << tensor.name;
  }
}

TEST(WanLayout, WithoutCrossAttentionNorm) {
  const WanConfig config{
      .heads = 2, .head_dim = 24, .ffn_dim = 64, .layers = 2, .cross_attn_norm = false};
  for (const TensorSpec& tensor : All(WanLayout(config))) {
    EXPECT_EQ(tensor.name.find(".norm2."), std::string::npos) << tensor.name;
  }
}

TEST(Umt5Layout, PublishedTotals) {
  const ComponentLayout layout = Umt5Layout(Umt5Config());
  EXPECT_EQ(Sum(All(layout)), (Totals{242, 5'680'910'336}));
  EXPECT_EQ(Sum(layout.row_tables), (Totals{1, 1'050'148'864}));
  EXPECT_EQ(layout.layers[23][kUmt5Down].name, "encoder.block.23.layer.1.DenseReluDense.wo.weight");
  EXPECT_EQ(layout.layers[0][kUmt5Down].shape, (std::vector<int64_t>{4096, 10240}));
}

}  // namespace
}  // namespace longtake
