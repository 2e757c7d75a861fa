// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/vae/stages.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace longtake {
namespace {

constexpr int64_t kColours = 3;
constexpr size_t kLevels = 4;
// Grid steps that also step in time, counted from the finest: 8x -> 4x does not (docs/spec 1.4).
constexpr bool kTimeStep[kLevels - 1] = {false, true, true};

void AddMiddle(const std::string& prefix, int64_t width, std::vector<VaeStage>* out) {
  out->push_back({VaeStageKind::kRes, prefix + "mid_block.resnets.0", width, width, 0});
  out->push_back({VaeStageKind::kAttention, prefix + "mid_block.attentions.0", width, width, 0});
  out->push_back({VaeStageKind::kRes, prefix + "mid_block.resnets.1", width, width, 0});
}

void AddSpec(const std::string& name, std::vector<int64_t> shape, bool keep_f32,
             std::vector<TensorSpec>* out) {
  out->push_back({.name = name, .shape = std::move(shape), .keep_f32 = keep_f32});
}

void AddConv(const std::string& name, std::vector<int64_t> shape, std::vector<TensorSpec>* out) {
  const int64_t out_channels = shape[0];
  AddSpec(name + ".weight", std::move(shape), false, out);
  AddSpec(name + ".bias", {out_channels}, true, out);
}

void AddResTensors(const VaeStage& stage, std::vector<TensorSpec>* out) {
  const int64_t ci = stage.in_channels;
  const int64_t co = stage.out_channels;
  AddSpec(stage.prefix + ".norm1.gamma", {ci, 1, 1, 1}, true, out);
  AddConv(stage.prefix + ".conv1", {co, ci, 3, 3, 3}, out);
  AddSpec(stage.prefix + ".norm2.gamma", {co, 1, 1, 1}, true, out);
  AddConv(stage.prefix + ".conv2", {co, co, 3, 3, 3}, out);
  if (ci != co) AddConv(stage.prefix + ".conv_shortcut", {co, ci, 1, 1, 1}, out);
}

void AddPlainTensors(const VaeStage& stage, std::vector<TensorSpec>* out) {
  AddSpec(stage.prefix + ".weight", {stage.out_channels, stage.in_channels, 3, 3}, true, out);
  if (stage.bias) AddSpec(stage.prefix + ".bias", {stage.out_channels}, true, out);
}

void AddMemoryTensors(const VaeStage& stage, std::vector<TensorSpec>* out) {
  const int64_t c = stage.in_channels;
  for (const auto& [name, in] : {std::pair(".conv.0", 2 * c), {".conv.2", c}, {".conv.4", c}}) {
    AddSpec(stage.prefix + name + ".weight", {c, in, 3, 3}, true, out);
    AddSpec(stage.prefix + name + ".bias", {c}, true, out);
  }
}

void AddAttentionTensors(const VaeStage& stage, std::vector<TensorSpec>* out) {
  const int64_t c = stage.in_channels;
  AddSpec(stage.prefix + ".norm.gamma", {c, 1, 1}, true, out);
  AddConv(stage.prefix + ".to_qkv", {3 * c, c, 1, 1}, out);
  AddConv(stage.prefix + ".proj", {c, c, 1, 1}, out);
}

}  // namespace

std::vector<VaeStage> VaeDecoderStages(const VaeConfig& config) {
  std::vector<VaeStage> stages;
  int64_t width = config.width(kLevels - 1);
  stages.push_back({VaeStageKind::kPointwise, "post_quant_conv", config.z_dim, config.z_dim, 0});
  stages.push_back({VaeStageKind::kConv, "decoder.conv_in", config.z_dim, width, 0});
  AddMiddle("decoder.", width, &stages);
  for (size_t i = 0; i < kLevels; ++i) {
    const std::string block = absl::StrCat("decoder.up_blocks.", i, ".");
    const int64_t out = config.width(kLevels - 1 - i);
    const auto level = static_cast<int64_t>(i);
    for (int64_t j = 0; j <= config.num_res_blocks; ++j) {
      stages.push_back({VaeStageKind::kRes, absl::StrCat(block, "resnets.", j), width, out, level});
      width = out;
    }
    if (i + 1 == kLevels) break;
    const bool time = kTimeStep[kLevels - 2 - i];
    stages.push_back({time ? VaeStageKind::kUp3d : VaeStageKind::kUp2d, block + "upsamplers.0",
                      width, width / 2, level});
    width /= 2;
  }
  stages.push_back({VaeStageKind::kHead, "decoder.", width, kColours, kLevels - 1});
  return stages;
}

std::vector<VaeStage> VaeEncoderStages(const VaeConfig& config) {
  std::vector<VaeStage> stages;
  int64_t width = config.base_dim;
  int64_t level = kLevels - 1;
  stages.push_back({VaeStageKind::kConv, "encoder.conv_in", kColours, width, level});
  int64_t block = 0;
  const auto prefix = [&block] { return absl::StrCat("encoder.down_blocks.", block++); };
  for (size_t i = 0; i < kLevels; ++i) {
    const int64_t out = config.width(i);
    for (int64_t j = 0; j < config.num_res_blocks; ++j) {
      stages.push_back({VaeStageKind::kRes, prefix(), width, out, level});
      width = out;
    }
    if (i + 1 == kLevels) break;
    --level;
    stages.push_back({kTimeStep[i] ? VaeStageKind::kDown3d : VaeStageKind::kDown2d, prefix(), width,
                      width, level});
  }
  AddMiddle("encoder.", width, &stages);
  stages.push_back({VaeStageKind::kHead, "encoder.", width, 2 * config.z_dim, 0});
  stages.push_back({VaeStageKind::kPointwise, "quant_conv", 2 * config.z_dim, 2 * config.z_dim, 0});
  return stages;
}

std::vector<TensorSpec> VaeStageTensors(const VaeStage& stage) {
  std::vector<TensorSpec> out;
  const int64_t ci = stage.in_channels;
  const int64_t co = stage.out_channels;
  switch (stage.kind) {
    case VaeStageKind::kPointwise:
      AddConv(stage.prefix, {co, ci, 1, 1, 1}, &out);
      break;
    case VaeStageKind::kConv:
      AddConv(stage.prefix, {co, ci, 3, 3, 3}, &out);
      break;
    case VaeStageKind::kRes:
      AddResTensors(stage, &out);
      break;
    case VaeStageKind::kAttention:
      AddAttentionTensors(stage, &out);
      break;
    case VaeStageKind::kUp3d:
      AddConv(stage.prefix + ".time_conv", {2 * ci, ci, 3, 1, 1}, &out);
      [[fallthrough]];
    case VaeStageKind::kUp2d:
      AddConv(stage.prefix + ".resample.1", {co, ci, 3, 3}, &out);
      break;
    case VaeStageKind::kDown3d:
      AddConv(stage.prefix + ".time_conv", {co, co, 3, 1, 1}, &out);
      [[fallthrough]];
    case VaeStageKind::kDown2d:
      AddConv(stage.prefix + ".resample.1", {co, ci, 3, 3}, &out);
      break;
    case VaeStageKind::kHead:
      AddSpec(stage.prefix + "norm_out.gamma", {ci, 1, 1, 1}, true, &out);
      AddConv(stage.prefix + "conv_out", {co, ci, 3, 3, 3}, &out);
      break;
    case VaeStageKind::kPlainConv:
    case VaeStageKind::kPlainUp:
      AddPlainTensors(stage, &out);
      break;
    case VaeStageKind::kGrow:
      AddSpec(stage.prefix + ".conv.weight", {stage.growth * co, ci, 1, 1}, true, &out);
      break;
    case VaeStageKind::kMemory:
      AddMemoryTensors(stage, &out);
      break;
  }
  return out;
}

int64_t VaeSlotCount(const VaeStage& stage) {
  switch (stage.kind) {
    case VaeStageKind::kRes:
      return 2;
    case VaeStageKind::kConv:
    case VaeStageKind::kUp3d:
    case VaeStageKind::kDown3d:
    case VaeStageKind::kHead:
    case VaeStageKind::kMemory:
      return 1;
    case VaeStageKind::kPointwise:
    case VaeStageKind::kAttention:
    case VaeStageKind::kUp2d:
    case VaeStageKind::kDown2d:
    case VaeStageKind::kPlainConv:
    case VaeStageKind::kPlainUp:
    case VaeStageKind::kGrow:
      return 0;
  }
  return 0;
}

std::vector<VaeSlotShape> VaeSlots(const std::vector<VaeStage>& stages, int64_t height,
                                   int64_t width) {
  std::vector<VaeSlotShape> slots;
  for (const VaeStage& stage : stages) {
    const bool one = stage.kind == VaeStageKind::kDown3d || stage.kind == VaeStageKind::kMemory;
    for (int64_t i = 0; i < VaeSlotCount(stage); ++i) {
      slots.push_back({.channels = i == 0 ? stage.in_channels : stage.out_channels,
                       .height = height << stage.level,
                       .width = width << stage.level,
                       .frames_max = one ? 1 : 2});
    }
  }
  return slots;
}

ComponentLayout WanVaeLayout(const VaeConfig& config) {
  ComponentLayout layout;
  layout.component = "vae";
  for (const std::vector<VaeStage>& stages : {VaeEncoderStages(config), VaeDecoderStages(config)}) {
    for (const VaeStage& stage : stages) {
      for (TensorSpec& spec : VaeStageTensors(stage)) layout.resident.push_back(std::move(spec));
    }
  }
  return layout;
}

std::vector<VaeStage> TinyDecoderStages() {
  std::vector<VaeStage> stages;
  int64_t index = 1;  // in the published list; those between have no tensors
  int64_t level = 0;
  const auto name = [&index] { return absl::StrCat("decoder.", index); };
  int64_t width = 256;
  stages.push_back({VaeStageKind::kPlainConv, name(), kTinyDecoderChannels, width, level});
  stages.back().relu = true;
  index = 3;
  for (const int64_t growth : {1, 2, 2}) {
    for (int i = 0; i < 3; ++i, ++index) {
      stages.push_back({VaeStageKind::kMemory, name(), width, width, level});
    }
    // Published: upsampling, growth, convolution. A 1x1 convolution may as well come first.
    const int64_t out = width == 64 ? 64 : width / 2;
    ++index;
    stages.push_back({VaeStageKind::kGrow, name(), width, width, level, growth});
    ++index;
    stages.push_back({VaeStageKind::kPlainUp, name(), width, out, level, 1, false});
    ++index;
    ++level;
    width = out;
  }
  stages.back().relu = true;
  ++index;
  stages.push_back({VaeStageKind::kPlainConv, name(), width, kColours, level});
  return stages;
}

ComponentLayout TinyDecoderLayout() {
  ComponentLayout layout;
  layout.component = "tiny_decoder";
  layout.ignored_prefixes = {"encoder."};
  for (const VaeStage& stage : TinyDecoderStages()) {
    for (TensorSpec& spec : VaeStageTensors(stage)) layout.resident.push_back(std::move(spec));
  }
  return layout;
}

}  // namespace longtake
