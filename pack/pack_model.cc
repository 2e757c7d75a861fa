// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "pack/pack_model.h"

#include <algorithm>
#include <deque>
#include <span>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "engine/model/component_layout.h"
#include "engine/model/umt5/config.h"
#include "engine/model/umt5/layout.h"
#include "engine/model/vae/config.h"
#include "engine/model/vae/layers.h"
#include "engine/model/wan/config.h"
#include "engine/model/wan/layout.h"
#include "engine/policy/recipe.h"
#include "engine/video/check_parts.h"
#include "nlohmann/json.hpp"
#include "pack/component_packer.h"
#include "pack/model_files.h"
#include "storage/pack/pack_directory.h"
#include "storage/pack/pack_writer.h"
#include "storage/safetensors/safetensors_set.h"

namespace longtake {
namespace {

constexpr uint64_t kConfigBytesMax = 1 << 20;

struct Component {
  ComponentLayout layout;
  std::string config;
};

// Read from the three config.json files on the way.
struct Configs {
  WanConfig transformer;
  Umt5Config text_encoder;
  VaeConfig vae;
};

// model_index.json says what the directory claims to be; two-expert and other pipelines are refused
// here rather than at the first odd tensor.
absl::Status CheckModelIndex(FileSystem& files, const std::string& directory) {
  const std::string path = JoinPath(directory, "model_index.json");
  const auto read = ReadModelFile(files, path, kConfigBytesMax);
  if (absl::IsNotFound(read.status())) {
    return absl::NotFoundError(directory + ": is no model as published, it has no " +
                               "model_index.json");
  }
  LT_ASSIGN_OR_RETURN(const std::string& text, read);
  const auto index = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!index.is_object()) return absl::InvalidArgumentError(path + ": not a JSON object");
  const auto class_name = index.find("_class_name");
  if (class_name == index.end() || !class_name->is_string()) {
    return absl::InvalidArgumentError(path + ": no _class_name");
  }
  if (*class_name != "WanPipeline") {
    return absl::UnimplementedError(
        absl::StrCat(path, ": _class_name ", class_name->dump(), " is not WanPipeline"));
  }
  for (const char* field : {"boundary_ratio", "transformer_2"}) {
    const auto value = index.find(field);
    if (value == index.end() || value->is_null()) continue;
    if (value->is_array() && std::all_of(value->begin(), value->end(),
                                         [](const auto& entry) { return entry.is_null(); })) {
      continue;
    }
    return absl::UnimplementedError(
        absl::StrCat(path, ": ", field, " is set; models of two experts are not run"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Component> ReadComponent(FileSystem& files, const std::string& directory,
                                        const std::string& name, Configs& configs) {
  const std::string path = JoinPath(JoinPath(directory, name), "config.json");
  Component out;
  if (name == "tiny_decoder") {  // published without a config
    out.config = "{}";
    out.layout = TinyDecoderLayout();
    return out;
  }
  LT_ASSIGN_OR_RETURN(out.config, ReadModelFile(files, path, kConfigBytesMax));
  if (name == "transformer") {
    LT_ASSIGN_OR_RETURN(configs.transformer, ParseWanConfig(out.config, path));
    out.layout = WanLayout(configs.transformer);
  } else if (name == "text_encoder") {
    LT_ASSIGN_OR_RETURN(configs.text_encoder, ParseUmt5Config(out.config, path));
    out.layout = Umt5Layout(configs.text_encoder);
  } else {
    LT_ASSIGN_OR_RETURN(configs.vae, ParseVaeConfig(out.config, path));
    out.layout = WanVaeLayout(configs.vae);
  }
  return out;
}

DType LayerDType(const std::string& component, const PackModelOptions& options) {
  return options.quantize_int8 && component == "transformer" ? DType::kI8 : options.dtype;
}

// An old pack of that name gives way component by component, so the old files count only once their
// successors stand.
absl::Status CheckFreeSpace(FileSystem& files, const std::string& directory,
                            std::span<const PackSpec> packs) {
  LT_RETURN_IF_ERROR(files.MakeDir(directory));
  LT_ASSIGN_OR_RETURN(const uint64_t free_bytes, files.FreeSpace(directory));
  uint64_t written = 0;
  uint64_t freed = 0;
  for (const PackSpec& spec : packs) {
    LT_ASSIGN_OR_RETURN(const PackLayout layout, PlanPack(spec));
    const auto sum = CheckedAdd(written, layout.header.file_bytes);
    if (!sum.has_value()) return absl::InvalidArgumentError(directory + ": the pack is too large");
    written = *sum;
    if (written > freed && written - freed > free_bytes) {
      return absl::ResourceExhaustedError(
          absl::StrCat(directory, ": the pack needs ", written - freed, " bytes up to ",
                       PackFileName(spec.component), ", ", free_bytes, " are free"));
    }
    const auto old_bytes = files.Size(JoinPath(directory, PackFileName(spec.component)));
    if (old_bytes.ok()) freed += *old_bytes;
  }
  return absl::OkStatus();
}

absl::Status WriteComponent(FileSystem& files, const std::string& directory, const PackSpec& spec,
                            const ComponentPacker& packer, const PackModelOptions& options) {
  PackWriteCalls calls;
  calls.source = [&](const TensorDecl& tensor, const TensorSink& sink) {
    return packer.Copy(tensor, sink);
  };
  if (options.progress) {
    calls.progress = [&](uint64_t done, uint64_t total) {
      options.progress(spec.component, done, total);
    };
  }
  return WritePack(files, JoinPath(directory, PackFileName(spec.component)), spec, calls);
}

}  // namespace

absl::StatusOr<std::string> PackModel(FileSystem& files, const std::string& model_directory,
                                      const std::string& pack_directory,
                                      const PackModelOptions& options) {
  const auto tell = [&options](const std::string& path, bool is_read) {
    if (options.on_file) options.on_file(path, is_read);
  };
  LT_RETURN_IF_ERROR(CheckModelIndex(files, model_directory));
  tell(JoinPath(model_directory, "model_index.json"), true);
  LT_RETURN_IF_ERROR(CheckHoldsNoModel(files, pack_directory));
  LT_RETURN_IF_ERROR(CheckHoldsNothingElse(files, pack_directory));
  PackDirectorySpec spec;
  if (options.recipe.empty()) tell(JoinPath(model_directory, "longtake.json"), true);
  LT_ASSIGN_OR_RETURN(spec.recipe, ReadModelRecipe(files, model_directory, options.recipe));
  LT_ASSIGN_OR_RETURN(const Tokenizer tokenizer, ReadModelTokenizer(files, model_directory, &spec));
  tell(JoinPath(JoinPath(model_directory, "tokenizer"), spec.tokenizer_name), true);

  // Everything is checked before the first byte is written.
  spec.components = {"transformer", "text_encoder", "vae"};
  const absl::Status tiny = files.List(JoinPath(model_directory, "tiny_decoder")).status();
  if (!absl::IsNotFound(tiny)) {
    LT_RETURN_IF_ERROR(tiny);
    spec.components.push_back("tiny_decoder");
  }
  if (!tiny.ok() && ParseRecipe(spec.recipe)->tiny_decoder) {
    return absl::NotFoundError(absl::StrCat(JoinPath(model_directory, "tiny_decoder"),
                                            " is missing; the recipe asks for tiny_decoder"));
  }
  Configs configs;
  std::deque<SafetensorsSet> sets;
  std::vector<ComponentPacker> packers;
  std::vector<PackSpec> packs;
  for (const std::string& name : spec.components) {
    const std::string folder = JoinPath(model_directory, name);
    if (name != "tiny_decoder") tell(JoinPath(folder, "config.json"), true);
    LT_ASSIGN_OR_RETURN(const Component component,
                        ReadComponent(files, model_directory, name, configs));
    LT_ASSIGN_OR_RETURN(SafetensorsSet tensors, SafetensorsSet::Open(files, folder));
    for (const std::string& path : tensors.files()) tell(path, true);
    for (const std::string& path : tensors.unread_files()) tell(path, false);
    sets.push_back(std::move(tensors));
    packers.emplace_back(sets.back(), options.dtype, LayerDType(name, options));
    LT_ASSIGN_OR_RETURN(PackSpec pack, packers.back().MakeSpec(component.layout, component.config));
    packs.push_back(std::move(pack));
  }
  if (absl::Status status =
          CheckPartsFit(configs.transformer, configs.text_encoder, configs.vae, tokenizer);
      !status.ok()) {
    return Annotate(status, model_directory);
  }
  if (tiny.ok() && configs.transformer.channels != kTinyDecoderChannels) {
    return absl::InvalidArgumentError(absl::StrCat(
        JoinPath(model_directory, "tiny_decoder"), ": takes latents of ", kTinyDecoderChannels,
        " channels, the transformer makes ", configs.transformer.channels));
  }
  LT_RETURN_IF_ERROR(CheckFreeSpace(files, pack_directory, packs));
  LT_RETURN_IF_ERROR(BeginPackDirectory(files, pack_directory));
  for (size_t i = 0; i < packs.size(); ++i) {
    LT_RETURN_IF_ERROR(WriteComponent(files, pack_directory, packs[i], packers[i], options));
  }
  return FinishPackDirectory(files, pack_directory, spec);
}

}  // namespace longtake
