// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/vae/layers.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace longtake {
namespace {

constexpr int64_t kColours = 3;
constexpr size_t kLevels = 4;
// Grid steps that also step in time, counted from the finest: 8x -> 4x does not (docs/spec 1.4).
constexpr bool kTimeStep[kLevels - 1] = {false, true, true};

void AddMiddle(const std::string& prefix, int64_t width, std::vector<VaeLayer>* out) {
  out->push_back({VaeLayerKind::kRes, prefix + "mid_block.resnets.0", width, width, 0});
  out->push_back({VaeLayerKind::kAttention, prefix + "mid_block.attentions.0", width, width, 0});
  out->push_back({VaeLayerKind::kRes, prefix + "mid_block.resnets.1", width, width, 0});
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

void AddResTensors(const VaeLayer& layer, std::vector<TensorSpec>* out) {
  const int64_t ci = layer.in_channels;
  const int64_t co = layer.out_channels;
  AddSpec(layer.prefix + ".norm1.gamma", {ci, 1, 1, 1}, true, out);
  AddConv(layer.prefix + ".conv1", {co, ci, 3, 3, 3}, out);
  AddSpec(layer.prefix + ".norm2.gamma", {co, 1, 1, 1}, true, out);
  AddConv(layer.prefix + ".conv2", {co, co, 3, 3, 3}, out);
  if (ci != co) AddConv(layer.prefix + ".conv_shortcut", {co, ci, 1, 1, 1}, out);
}

void AddPlainTensors(const VaeLayer& layer, std::vector<TensorSpec>* out) {
  AddSpec(layer.prefix + ".weight", {layer.out_channels, layer.in_channels, 3, 3}, true, out);
  if (layer.bias) AddSpec(layer.prefix + ".bias", {layer.out_channels}, true, out);
}

void AddMemoryTensors(const VaeLayer& layer, std::vector<TensorSpec>* out) {
  const int64_t c = layer.in_channels;
  for (const auto& [name, in] : {std::pair(".conv.0", 2 * c), {".conv.2", c}, {".conv.4", c}}) {
    AddSpec(layer.prefix + name + ".weight", {c, in, 3, 3}, true, out);
    AddSpec(layer.prefix + name + ".bias", {c}, true, out);
  }
}

void AddAttentionTensors(const VaeLayer& layer, std::vector<TensorSpec>* out) {
  const int64_t c = layer.in_channels;
  AddSpec(layer.prefix + ".norm.gamma", {c, 1, 1}, true, out);
  AddConv(layer.prefix + ".to_qkv", {3 * c, c, 1, 1}, out);
  AddConv(layer.prefix + ".proj", {c, c, 1, 1}, out);
}

}  // namespace

std::vector<VaeLayer> VaeDecoderLayers(const VaeConfig& config) {
  std::vector<VaeLayer> layers;
  int64_t width = config.width(kLevels - 1);
  layers.push_back({VaeLayerKind::kPointwise, "post_quant_conv", config.z_dim, config.z_dim, 0});
  layers.push_back({VaeLayerKind::kConv, "decoder.conv_in", config.z_dim, width, 0});
  AddMiddle("decoder.", width, &layers);
  for (size_t i = 0; i < kLevels; ++i) {
    const std::string block = absl::StrCat("decoder.up_blocks.", i, ".");
    const int64_t out = config.width(kLevels - 1 - i);
    const auto level = static_cast<int64_t>(i);
    for (int64_t j = 0; j <= config.num_res_blocks; ++j) {
      layers.push_back({VaeLayerKind::kRes, absl::StrCat(block, "resnets.", j), width, out, level});
      width = out;
    }
    if (i + 1 == kLevels) break;
    const bool time = kTimeStep[kLevels - 2 - i];
    layers.push_back({time ? VaeLayerKind::kUp3d : VaeLayerKind::kUp2d, block + "upsamplers.0",
                      width, width / 2, level});
    width /= 2;
  }
  layers.push_back({VaeLayerKind::kHead, "decoder.", width, kColours, kLevels - 1});
  return layers;
}

std::vector<VaeLayer> VaeEncoderLayers(const VaeConfig& config) {
  std::vector<VaeLayer> layers;
  int64_t width = config.base_dim;
  int64_t level = kLevels - 1;
  layers.push_back({VaeLayerKind::kConv, "encoder.conv_in", kColours, width, level});
  int64_t block = 0;
  const auto prefix = [&block] { return absl::StrCat("encoder.down_blocks.", block++); };
  for (size_t i = 0; i < kLevels; ++i) {
    const int64_t out = config.width(i);
    for (int64_t j = 0; j < config.num_res_blocks; ++j) {
      layers.push_back({VaeLayerKind::kRes, prefix(), width, out, level});
      width = out;
    }
    if (i + 1 == kLevels) break;
    --level;
    layers.push_back({kTimeStep[i] ? VaeLayerKind::kDown3d : VaeLayerKind::kDown2d, prefix(), width,
                      width, level});
  }
  AddMiddle("encoder.", width, &layers);
  layers.push_back({VaeLayerKind::kHead, "encoder.", width, 2 * config.z_dim, 0});
  layers.push_back({VaeLayerKind::kPointwise, "quant_conv", 2 * config.z_dim, 2 * config.z_dim, 0});
  return layers;
}

std::vector<TensorSpec> VaeLayerTensors(const VaeLayer& layer) {
  std::vector<TensorSpec> out;
  const int64_t ci = layer.in_channels;
  const int64_t co = layer.out_channels;
  switch (layer.kind) {
    case VaeLayerKind::kPointwise:
      AddConv(layer.prefix, {co, ci, 1, 1, 1}, &out);
      break;
    case VaeLayerKind::kConv:
      AddConv(layer.prefix, {co, ci, 3, 3, 3}, &out);
      break;
    case VaeLayerKind::kRes:
      AddResTensors(layer, &out);
      break;
    case VaeLayerKind::kAttention:
      AddAttentionTensors(layer, &out);
      break;
    case VaeLayerKind::kUp3d:
      AddConv(layer.prefix + ".time_conv", {2 * ci, ci, 3, 1, 1}, &out);
      [[fallthrough]];
    case VaeLayerKind::kUp2d:
      AddConv(layer.prefix + ".resample.1", {co, ci, 3, 3}, &out);
      break;
    case VaeLayerKind::kDown3d:
      AddConv(layer.prefix + ".time_conv", {co, co, 3, 1, 1}, &out);
      [[fallthrough]];
    case VaeLayerKind::kDown2d:
      AddConv(layer.prefix + ".resample.1", {co, ci, 3, 3}, &out);
      break;
    case VaeLayerKind::kHead:
      AddSpec(layer.prefix + "norm_out.gamma", {ci, 1, 1, 1}, true, &out);
      AddConv(layer.prefix + "conv_out", {co, ci, 3, 3, 3}, &out);
      break;
    case VaeLayerKind::kPlainConv:
    case VaeLayerKind::kPlainUp:
      AddPlainTensors(layer, &out);
      break;
    case VaeLayerKind::kGrow:
      AddSpec(layer.prefix + ".conv.weight", {layer.growth * co, ci, 1, 1}, true, &out);
      break;
    case VaeLayerKind::kMemory:
      AddMemoryTensors(layer, &out);
      break;
  }
  return out;
}

int64_t VaeCacheEntryCount(const VaeLayer& layer) {
  switch (layer.kind) {
    case VaeLayerKind::kRes:
      return 2;
    case VaeLayerKind::kConv:
    case VaeLayerKind::kUp3d:
    case VaeLayerKind::kDown3d:
    case VaeLayerKind::kHead:
    case VaeLayerKind::kMemory:
      return 1;
    case VaeLayerKind::kPointwise:
    case VaeLayerKind::kAttention:
    case VaeLayerKind::kUp2d:
    case VaeLayerKind::kDown2d:
    case VaeLayerKind::kPlainConv:
    case VaeLayerKind::kPlainUp:
    case VaeLayerKind::kGrow:
      return 0;
  }
  return 0;
}

std::vector<VaeCacheEntryShape> VaeCacheEntries(const std::vector<VaeLayer>& layers, int64_t height,
                                                int64_t width) {
  std::vector<VaeCacheEntryShape> entries;
  for (const VaeLayer& layer : layers) {
    const bool one = layer.kind == VaeLayerKind::kDown3d || layer.kind == VaeLayerKind::kMemory;
    for (int64_t i = 0; i < VaeCacheEntryCount(layer); ++i) {
      entries.push_back({.channels = i == 0 ? layer.in_channels : layer.out_channels,
                         .height = height << layer.level,
                         .width = width << layer.level,
                         .frames_max = one ? 1 : 2,
                         .needed = layer.kind == VaeLayerKind::kDown3d});
    }
  }
  return entries;
}

namespace {

// The latest input frames of a layer that its latest output frames and its own cache depend on.
int64_t FramesSeen(const VaeLayer& layer, int64_t frames) {
  switch (layer.kind) {
    case VaeLayerKind::kRes:
      return frames + 4;  // two convolutions
    case VaeLayerKind::kConv:
    case VaeLayerKind::kHead:
      return frames + 2;
    case VaeLayerKind::kUp3d:
      return (frames + 1) / 2 + 2;
    case VaeLayerKind::kGrow:
      return (frames + layer.growth - 1) / layer.growth;
    case VaeLayerKind::kMemory:
      return frames + 1;
    case VaeLayerKind::kPointwise:
    case VaeLayerKind::kAttention:
    case VaeLayerKind::kUp2d:
    case VaeLayerKind::kPlainConv:
    case VaeLayerKind::kPlainUp:
      return frames;
    case VaeLayerKind::kDown2d:
    case VaeLayerKind::kDown3d:
      break;
  }
  LT_CHECK(false);  // of an encoder
  return 0;
}

}  // namespace

int64_t WarmUpLatents(const std::vector<VaeLayer>& decoder_layers) {
  int64_t frames = 0;  // nobody looks at the pixels
  for (auto layer = decoder_layers.rbegin(); layer != decoder_layers.rend(); ++layer) {
    frames = FramesSeen(*layer, frames);
  }
  return frames;
}

ComponentLayout WanVaeLayout(const VaeConfig& config) {
  ComponentLayout layout;
  layout.component = "vae";
  for (const std::vector<VaeLayer>& layers : {VaeEncoderLayers(config), VaeDecoderLayers(config)}) {
    for (const VaeLayer& layer : layers) {
      for (TensorSpec& spec : VaeLayerTensors(layer)) layout.resident.push_back(std::move(spec));
    }
  }
  return layout;
}

std::vector<VaeLayer> TinyDecoderLayers() {
  std::vector<VaeLayer> layers;
  int64_t index = 1;  // in the published list; those between have no tensors
  int64_t level = 0;
  const auto name = [&index] { return absl::StrCat("decoder.", index); };
  int64_t width = 256;
  layers.push_back({VaeLayerKind::kPlainConv, name(), kTinyDecoderChannels, width, level});
  layers.back().relu = true;
  index = 3;
  for (const int64_t growth : {1, 2, 2}) {
    for (int i = 0; i < 3; ++i, ++index) {
      layers.push_back({VaeLayerKind::kMemory, name(), width, width, level});
    }
    // Published: upsampling, growth, convolution. A 1x1 convolution may as well come first.
    const int64_t out = width == 64 ? 64 : width / 2;
    ++index;
    layers.push_back({VaeLayerKind::kGrow, name(), width, width, level, growth});
    ++index;
    layers.push_back({VaeLayerKind::kPlainUp, name(), width, out, level, 1, false});
    ++index;
    ++level;
    width = out;
  }
  layers.back().relu = true;
  ++index;
  layers.push_back({VaeLayerKind::kPlainConv, name(), width, kColours, level});
  return layers;
}

ComponentLayout TinyDecoderLayout() {
  ComponentLayout layout;
  layout.component = "tiny_decoder";
  layout.ignored_prefixes = {"encoder."};
  for (const VaeLayer& layer : TinyDecoderLayers()) {
    for (TensorSpec& spec : VaeLayerTensors(layer)) layout.resident.push_back(std::move(spec));
  }
  return layout;
}

}  // namespace longtake
