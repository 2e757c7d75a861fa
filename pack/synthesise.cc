// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "pack/synthesise.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/checked.h"
#include "engine/model/umt5/config.h"
#include "engine/model/umt5/layout.h"
#include "engine/model/vae/config.h"
#include "engine/model/vae/layers.h"
#include "engine/model/wan/config.h"
#include "engine/model/wan/layout.h"
#include "nlohmann/json.hpp"
#include "pack/component_packer.h"
#include "pack/model_files.h"
#include "pack/synthetic_weights.h"
#include "storage/pack/pack_directory.h"
#include "storage/safetensors/safetensors_set.h"

namespace longtake {
namespace {

constexpr uint64_t kSeed = 1;

// What a published config.json says (docs/spec 1.3, 1.5), as far as others need it to read the
// weights.
nlohmann::json WanJson(int64_t heads, int64_t ffn_dim, int64_t layers) {
  return {{"_class_name", "WanTransformer3DModel"},
          {"patch_size", {1, 2, 2}},
          {"num_attention_heads", heads},
          {"attention_head_dim", 128},
          {"in_channels", 16},
          {"out_channels", 16},
          {"text_dim", 4096},
          {"freq_dim", 256},
          {"ffn_dim", ffn_dim},
          {"num_layers", layers},
          {"cross_attn_norm", true},
          {"qk_norm", "rms_norm_across_heads"},
          {"eps", 1e-6},
          {"rope_max_seq_len", 1024}};
}

nlohmann::json Umt5Json(int64_t layers) {
  return {{"architectures", {"UMT5EncoderModel"}},
          {"model_type", "umt5"},
          {"vocab_size", 256384},
          {"d_model", 4096},
          {"d_kv", 64},
          {"d_ff", 10240},
          {"num_layers", layers},
          {"num_heads", 64},
          {"relative_attention_num_buckets", 32},
          {"relative_attention_max_distance", 128},
          {"layer_norm_epsilon", 1e-6},
          {"feed_forward_proj", "gated-gelu"}};
}

nlohmann::json VaeJson(int64_t) {
  return {{"_class_name", "AutoencoderKLWan"},
          {"base_dim", 96},
          {"z_dim", 16},
          {"dim_mult", {1, 2, 4, 4}},
          {"num_res_blocks", 2},
          {"attn_scales", nlohmann::json::array()},
          {"temperal_downsample", {false, true, true}},
          {"dropout", 0.0},
          {"latents_mean",
           {-0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508, 0.4134, -0.0715,
            0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921}},
          {"latents_std",
           {2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743, 3.2687, 2.1526, 2.8652,
            1.5579, 1.6382, 1.1253, 2.8251, 1.9160}}};
}

// TAEHV's decoder is published without one.
nlohmann::json NoConfig(int64_t) { return nlohmann::json::object(); }

struct Shape {
  const char* name;
  int64_t layers;
  nlohmann::json (*config)(int64_t layers);
};

constexpr Shape kShapes[] = {
    {"wan-1.3b", 30, [](int64_t layers) { return WanJson(12, 8960, layers); }},
    {"wan-14b", 40, [](int64_t layers) { return WanJson(40, 13824, layers); }},
    {"umt5-xxl", 24, Umt5Json},
    {"wan-vae", 0, VaeJson},
    {"taew2.1", 0, NoConfig},
};

absl::StatusOr<const Shape*> FindShape(const std::string& name) {
  for (const Shape& shape : kShapes) {
    if (name == shape.name) return &shape;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--shape: '", name, "' is none of ", absl::StrJoin(SyntheticShapes(), ", ")));
}

absl::Status CheckOptions(const SynthesiseOptions& options, const Shape& shape) {
  if (options.layers < 0 || options.layers > 1000) {
    return absl::InvalidArgumentError("--layers: must be 1 to 1000, or 0 for as published");
  }
  if (options.quantize_int8 && !options.shape.starts_with("wan-1")) {
    return absl::InvalidArgumentError("--dtype: only a transformer's layers are quantised");
  }
  if (options.layers != 0 && shape.layers == 0) {
    return absl::InvalidArgumentError(absl::StrCat("--layers: ", shape.name, " has none"));
  }
  return absl::OkStatus();
}

absl::StatusOr<SyntheticComponent> MakeComponent(const SynthesiseOptions& options) {
  LT_ASSIGN_OR_RETURN(const Shape* shape, FindShape(options.shape));
  LT_RETURN_IF_ERROR(CheckOptions(options, *shape));
  SyntheticComponent component;
  component.config_json =
      shape->config(options.layers == 0 ? shape->layers : options.layers).dump(2);
  component.rule.seed = kSeed;
  component.dtype = DType::kBf16;
  if (options.shape == "umt5-xxl") {
    LT_ASSIGN_OR_RETURN(const Umt5Config config, ParseUmt5Config(component.config_json, "synth"));
    component.rule.d_kv = config.d_kv;
    component.layout = Umt5Layout(config);
    return component;
  }
  if (options.shape == "taew2.1") {
    component.layout = TinyDecoderLayout();
    return component;
  }
  component.file_name = "diffusion_pytorch_model.safetensors";
  if (options.shape == "wan-vae") {
    LT_ASSIGN_OR_RETURN(const VaeConfig config, ParseVaeConfig(component.config_json, "synth"));
    component.layout = WanVaeLayout(config);
  } else {
    LT_ASSIGN_OR_RETURN(const WanConfig config, ParseWanConfig(component.config_json, "synth"));
    component.layout = WanLayout(config);
  }
  return component;
}

absl::StatusOr<uint64_t> ValueCount(const ComponentLayout& layout) {
  uint64_t values = 0;
  const auto add = [&values](const std::vector<TensorSpec>& specs) -> absl::Status {
    for (const TensorSpec& spec : specs) {
      LT_ASSIGN_OR_RETURN(const uint64_t count, ElementCount(spec.shape, spec.name));
      values += count;
    }
    return absl::OkStatus();
  };
  LT_RETURN_IF_ERROR(add(layout.resident));
  LT_RETURN_IF_ERROR(add(layout.row_tables));
  for (const auto& layer : layout.layers) LT_RETURN_IF_ERROR(add(layer));
  return values;
}

// Weights twice in bf16, or once with the layers halved, and a tenth to spare for tables, scales
// and what stays fp32.
absl::Status CheckSpace(FileSystem& files, const std::string& directory,
                        const SyntheticComponent& component, bool int8) {
  LT_ASSIGN_OR_RETURN(const uint64_t values, ValueCount(component.layout));
  const uint64_t needed = values / 10 * (int8 ? 33 : 44) + (64 << 20);
  LT_ASSIGN_OR_RETURN(const uint64_t free_bytes, files.FreeSpace(directory));
  if (needed <= free_bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(directory, ": about ", needed,
                                                   " bytes are needed, ", free_bytes,
                                                   " are free; --layers takes less"));
}

// The folder itself stays.
absl::Status RemoveFiles(FileSystem& files, const std::string& directory) {
  LT_ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(directory));
  for (const std::string& name : names) {
    LT_RETURN_IF_ERROR(files.Remove(JoinPath(directory, name)));
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<std::string> SyntheticShapes() {
  std::vector<std::string> names;
  for (const Shape& shape : kShapes) names.push_back(shape.name);
  return names;
}

absl::StatusOr<std::string> SynthesiseComponent(FileSystem& files, const std::string& directory,
                                                const SynthesiseOptions& options,
                                                WorkerPool& workers) {
  LT_ASSIGN_OR_RETURN(const SyntheticComponent component, MakeComponent(options));
  const std::string& name = component.layout.component;
  LT_RETURN_IF_ERROR(CheckHoldsNoModel(files, directory));
  LT_RETURN_IF_ERROR(files.MakeDir(directory));
  LT_RETURN_IF_ERROR(CheckSpace(files, directory, component, options.quantize_int8));
  const std::string published = JoinPath(directory, name);
  LT_RETURN_IF_ERROR(WriteSyntheticComponent(files, published, component, workers));
  LT_ASSIGN_OR_RETURN(const SafetensorsSet tensors, SafetensorsSet::Open(files, published));
  ComponentPacker packer(tensors, DType::kBf16, options.quantize_int8 ? DType::kI8 : DType::kBf16);
  LT_ASSIGN_OR_RETURN(const PackSpec spec,
                      packer.MakeSpec(component.layout, component.config_json));
  PackWriteCalls calls;
  calls.source = [&](const TensorDecl& tensor, const TensorSink& sink) {
    return packer.Copy(tensor, sink);
  };
  if (options.progress) {
    calls.progress = [&](uint64_t done, uint64_t total) { options.progress(name, done, total); };
  }
  LT_RETURN_IF_ERROR(WritePack(files, JoinPath(directory, PackFileName(name)), spec, calls));
  if (options.pack_only) LT_RETURN_IF_ERROR(RemoveFiles(files, published));
  return name;
}

absl::StatusOr<std::string> SynthesiseModel(FileSystem& files, const std::string& directory,
                                            const std::string& model_directory, int64_t text_layers,
                                            const SynthesiseOptions& options, WorkerPool& workers) {
  if (!options.shape.starts_with("wan-1")) {
    return absl::InvalidArgumentError(
        "--shape: a model is made of a transformer's shape, wan-1.3b or wan-14b");
  }
  LT_RETURN_IF_ERROR(CheckHoldsNoModel(files, directory));
  PackDirectorySpec spec;
  LT_ASSIGN_OR_RETURN(spec.recipe, ReadModelRecipe(files, model_directory, ""));
  LT_RETURN_IF_ERROR(ReadModelTokenizer(files, model_directory, &spec).status());
  LT_RETURN_IF_ERROR(BeginPackDirectory(files, directory));
  const std::pair<const char*, int64_t> parts[] = {{options.shape.c_str(), options.layers},
                                                   {"umt5-xxl", text_layers},
                                                   {"wan-vae", 0},
                                                   {"taew2.1", 0}};
  for (const auto& [shape, layers] : parts) {
    SynthesiseOptions part = options;
    part.shape = shape;
    part.layers = layers;
    part.quantize_int8 = options.quantize_int8 && options.shape == shape;
    LT_ASSIGN_OR_RETURN(const std::string name,
                        SynthesiseComponent(files, directory, part, workers));
    spec.components.push_back(name);
  }
  return FinishPackDirectory(files, directory, spec);
}

}  // namespace longtake
