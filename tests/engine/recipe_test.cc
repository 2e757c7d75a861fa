// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/policy/recipe.h"

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
      {With("few_step", "unipc"), "steps"},
      {With("\"warp_steps\":true", "\"sigma_spacing\":\"log\""), "sigma_spacing"},
      {With("\"warp_steps\":true", "\"step_count\":0"), "step_count"},
      {With("\"warp_steps\":true", "\"rollout\":\"jump\""), "rollout"},
      {With("\"warp_steps\":true", "\"prompt_switch\":\"cut\""), "prompt_switch"},
      {With("\"key_plan\":\"window\",\"window_frames\":12,\"sink_frames\":3",
            "\"key_plan\":\"rolling_sink\",\"window_frames\":12,\"prompt_switch\":\"recache\""),
       "prompt_switch"},
      {With("\"window_frames\":12,\"sink_frames\":3",
            "\"window_frames\":8,\"sink_frames\":3,\"rollout\":\"rolling\""),
       "window_frames"},
      {With("\"window_frames\":12,\"sink_frames\":3",
            "\"window_frames\":12,\"sink_frames\":0,\"rollout\":\"rolling\""),
       "sink_frames"},
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
  for (const std::string& name : RecipeNames()) {
    const auto json = NamedRecipeJson(name);
    ASSERT_TRUE(json.ok());
    const auto recipe = ParseRecipe(*json);
    ASSERT_TRUE(recipe.ok()) << name << ": " << recipe.status();
    EXPECT_EQ(recipe->name, name);
  }
  EXPECT_EQ(ParseRecipe(*NamedRecipeJson("wan-base"))->sampler, SamplerKind::kUniPc);
  EXPECT_EQ(ParseRecipe(*NamedRecipeJson("rolling-forcing"))->rollout, RolloutKind::kRolling);
  EXPECT_EQ(ParseRecipe(*NamedRecipeJson("longlive"))->prompt_switch, PromptSwitch::kRecache);
  EXPECT_EQ(NamedRecipeJson("magic").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace longtake
