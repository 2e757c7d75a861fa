// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/recipe.h"

#include <gtest/gtest.h>

namespace longtake {
namespace {

constexpr char kGood[] =
    R"({"format":1,"name":"t","chunk_frames":3,"sampler":"few_step","steps":[1000,500],)"
    R"("warp_steps":true,"shift":5.0,"key_plan":"window","window_frames":12,"sink_frames":3,)"
    R"("context_noise":0,"fps":16,"width":160,"height":96,"guidance":1.0,"example_prompts":["a"]})";

std::string With(const std::string& from, const std::string& to) {
  std::string text = kGood;
  text.replace(text.find(from), from.size(), to);
  return text;
}

TEST(RecipeTest, ReadsEveryField) {
  const auto recipe = ParseRecipe(kGood);
  ASSERT_TRUE(recipe.ok()) << recipe.status();
  EXPECT_EQ(recipe->name, "t");
  EXPECT_EQ(recipe->steps, (std::vector<double>{1000, 500}));
  EXPECT_EQ(recipe->key_plan.window_frames, 12);
  EXPECT_EQ(recipe->key_plan.sink_frames, 3);
  EXPECT_EQ(recipe->width, 160);
  EXPECT_EQ(recipe->example_prompts.size(), 1u);
}

TEST(RecipeTest, ErrorsNameTheField) {
  const struct {
    std::string text;
    std::string field;
  } cases[] = {
      {With("\"shift\":5.0", "\"shift\":0"), "shift"},
      {With("\"shift\":5.0", "\"shift\":\"five\""), "shift"},
      {With("\"shift\"", "\"shyft\""), "shyft"},
      {With("[1000,500]", "[500,1000]"), "steps"},
      {With("[1000,500]", "[]"), "steps"},
      {With("[1000,500]", "[1000,0]"), "steps"},
      {With("[1000,500]", "[1000,\"x\"]"), "steps"},
      {With("few_step", "magic"), "sampler"},
      {With("\"key_plan\":\"window\"", "\"key_plan\":\"door\""), "key_plan"},
      {With("\"window_frames\":12", "\"window_frames\":5"), "window_frames"},
      {With("\"width\":160", "\"width\":100"), "width"},
      {With("\"format\":1", "\"format\":2"), "format"},
      {With("\"chunk_frames\":3", "\"chunk_frames\":2.5"), "chunk_frames"},
      {With("[\"a\"]", "[7]"), "example_prompts"},
      {"[]", "object"},
      {"{", "object"},
  };
  for (const auto& test : cases) {
    const auto recipe = ParseRecipe(test.text);
    ASSERT_EQ(recipe.status().code(), absl::StatusCode::kInvalidArgument) << test.text;
    EXPECT_NE(std::string(recipe.status().message()).find(test.field), std::string::npos)
        << recipe.status();
  }
}

TEST(RecipeTest, NamedRecipesParse) {
  for (const char* name : {"self-forcing", "longlive", "longlive-infinity", "rolling-sink"}) {
    const auto json = NamedRecipeJson(name);
    ASSERT_TRUE(json.ok());
    EXPECT_TRUE(ParseRecipe(*json).ok()) << name;
  }
  EXPECT_EQ(NamedRecipeJson("magic").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace longtake
