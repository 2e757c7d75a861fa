// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "pack/pack_model.h"

#include <algorithm>
#include <deque>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/checked.h"
#include "engine/model/component_layout.h"
#include "engine/model/umt5_config.h"
#include "engine/model/umt5_layout.h"
#include "engine/model/vae_config.h"
#include "engine/model/vae_stages.h"
#include "engine/model/wan_config.h"
#include "engine/model/wan_layout.h"
#include "engine/model_parts.h"
#include "engine/recipe.h"
#include "nlohmann/json.hpp"
#include "pack/cast.h"
#include "pack/quantise.h"
#include "storage/pack_directory.h"
#include "storage/pack_writer.h"
#include "storage/safetensors_set.h"

namespace longtake {
namespace {

constexpr uint64_t kConfigBytesMax = 1 << 20;
constexpr uint64_t kTokenizerBytesMax = 64 << 20;
constexpr uint64_t kCopyBytes = 1 << 20;

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
  LT_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(files, path, kConfigBytesMax));
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
  LT_ASSIGN_OR_RETURN(out.config, ReadTextFile(files, path, kConfigBytesMax));
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

std::string ShapeText(const std::vector<int64_t>& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ","), "]");
}

class ComponentPacker {
 public:
  // Layers take layer_dtype (kI8: with scales), everything else dtype.
  ComponentPacker(const SafetensorsSet& tensors, DType dtype, DType layer_dtype)
      : tensors_(tensors), dtype_(dtype), layer_dtype_(layer_dtype) {}

  // Checks every tensor of the layout against the files, and that the files hold nothing else.
  absl::StatusOr<PackSpec> MakeSpec(const Component& component) {
    PackSpec spec;
    spec.component = component.layout.component;
    spec.config = component.config;
    LT_ASSIGN_OR_RETURN(spec.resident, Declare(component.layout.resident, dtype_));
    LT_ASSIGN_OR_RETURN(spec.row_tables, Declare(component.layout.row_tables, dtype_));
    for (const auto& layer : component.layout.layers) {
      LT_ASSIGN_OR_RETURN(auto declared, Declare(layer, layer_dtype_));
      if (layer_dtype_ == DType::kI8) {
        for (const TensorDecl& matrix : declared) {
          spec.resident.push_back(
              {ScaleTensorName(matrix.name), DType::kF32, {matrix.shape.front()}});
        }
      }
      spec.layers.push_back(std::move(declared));
    }
    // An alias of shared.weight that some exports store a second time.
    expected_.insert("encoder.embed_tokens.weight");
    for (const std::string& name : tensors_.Names()) {
      if (!expected_.contains(name)) {
        return absl::InvalidArgumentError(
            absl::StrCat(tensors_.directory(), ": tensor ", name,
                         " is not part of the architecture its config.json gives"));
      }
    }
    return spec;
  }

  absl::Status Copy(const TensorDecl& tensor, const TensorSink& sink) const {
    if (tensor.dtype == DType::kI8) {
      return ForEachRow(tensor.name, [&](std::span<const float> row, float scale) {
        std::vector<int8_t> bytes(row.size());
        QuantiseRow(row, scale, bytes);
        return sink(std::as_bytes(std::span(bytes)));
      });
    }
    const std::string matrix = MatrixOfScales(tensor.name);
    if (!matrix.empty()) {
      return ForEachRow(matrix, [&](std::span<const float>, float scale) {
        return sink(std::as_bytes(std::span(&scale, 1)));
      });
    }
    return CopyAsIs(tensor, sink);
  }

 private:
  // The matrix whose scales this tensor is; empty for all others.
  std::string MatrixOfScales(const std::string& name) const {
    const std::string suffix = ScaleTensorName("");
    if (layer_dtype_ != DType::kI8 || !name.ends_with(suffix)) return "";
    const std::string matrix = name.substr(0, name.size() - suffix.size());
    return expected_.contains(matrix) ? matrix : "";
  }

  // Calls visit(row, scale) for each row of a matrix, widened.
  template <typename Visit>
  absl::Status ForEachRow(const std::string& name, const Visit& visit) const {
    LT_ASSIGN_OR_RETURN(const SafetensorsEntry* entry, tensors_.Find(name));
    LT_ASSIGN_OR_RETURN(const DType from, DTypeFromName(entry->dtype_name));
    const auto rows = static_cast<uint64_t>(entry->shape.front());
    std::vector<std::byte> in(entry->bytes / rows);
    std::vector<float> row(in.size() / DTypeBytes(from));
    for (uint64_t r = 0; r < rows; ++r) {
      LT_RETURN_IF_ERROR(tensors_.Read(name, r * in.size(), in));
      CastElements(from, in, DType::kF32, std::as_writable_bytes(std::span(row)));
      const absl::StatusOr<float> scale = RowScale(row);
      if (!scale.ok()) {
        return Annotate(scale.status(),
                        absl::StrCat(tensors_.directory(), ": tensor ", name, ", row ", r));
      }
      LT_RETURN_IF_ERROR(visit(row, *scale));
    }
    return absl::OkStatus();
  }

  absl::Status CopyAsIs(const TensorDecl& tensor, const TensorSink& sink) const {
    LT_ASSIGN_OR_RETURN(const SafetensorsEntry* entry, tensors_.Find(tensor.name));
    LT_ASSIGN_OR_RETURN(const DType from, DTypeFromName(entry->dtype_name));
    const uint64_t step = kCopyBytes / DTypeBytes(from) * DTypeBytes(from);
    std::vector<std::byte> in(std::min(step, entry->bytes));
    std::vector<std::byte> out(in.size() / DTypeBytes(from) * DTypeBytes(tensor.dtype));
    for (uint64_t offset = 0; offset < entry->bytes; offset += in.size()) {
      const uint64_t bytes = std::min<uint64_t>(in.size(), entry->bytes - offset);
      const std::span<std::byte> piece(in.data(), bytes);
      LT_RETURN_IF_ERROR(tensors_.Read(tensor.name, offset, piece));
      const std::span<std::byte> cast(out.data(),
                                      bytes / DTypeBytes(from) * DTypeBytes(tensor.dtype));
      CastElements(from, piece, tensor.dtype, cast);
      LT_RETURN_IF_ERROR(sink(cast));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<TensorDecl>> Declare(const std::vector<TensorSpec>& specs,
                                                  DType matrix_dtype) {
    std::vector<TensorDecl> out;
    for (const TensorSpec& spec : specs) {
      LT_ASSIGN_OR_RETURN(const SafetensorsEntry* entry, tensors_.Find(spec.name));
      if (entry->shape != spec.shape) {
        return absl::InvalidArgumentError(absl::StrCat(
            tensors_.directory(), ": tensor ", spec.name, " has shape ", ShapeText(entry->shape),
            "; its config.json asks for ", ShapeText(spec.shape)));
      }
      const auto dtype = DTypeFromName(entry->dtype_name);
      if (!dtype.ok() || *dtype == DType::kI8) {
        return absl::UnimplementedError(absl::StrCat(tensors_.directory(), ": tensor ", spec.name,
                                                     " is ", entry->dtype_name,
                                                     "; F32, BF16 and F16 are read"));
      }
      expected_.insert(spec.name);
      out.push_back({spec.name, spec.keep_f32 ? DType::kF32 : matrix_dtype, spec.shape});
    }
    return out;
  }

  const SafetensorsSet& tensors_;
  const DType dtype_;
  const DType layer_dtype_;
  std::set<std::string> expected_;
};

DType LayerDType(const std::string& component, const PackModelOptions& options) {
  return options.quantize_int8 && component == "transformer" ? DType::kI8 : options.dtype;
}

// The recipe comes with the model or from the caller; either way it must parse before hours of
// work.
absl::StatusOr<std::string> ReadRecipe(FileSystem& files, const std::string& directory,
                                       const std::string& given) {
  std::string recipe = given;
  std::string where = "--recipe";
  if (recipe.empty()) {
    where = JoinPath(directory, "longtake.json");
    auto text = ReadTextFile(files, where, kConfigBytesMax);
    if (absl::IsNotFound(text.status())) {
      return absl::NotFoundError(absl::StrCat(
          where, " is missing; give --recipe with a file or a name, such as self-forcing"));
    }
    LT_ASSIGN_OR_RETURN(recipe, text);
  }
  if (auto parsed = ParseRecipe(recipe); !parsed.ok()) return Annotate(parsed.status(), where);
  return recipe;
}

// The fast tokenizer's file is what the published pipeline loads; spiece.model serves without it.
absl::StatusOr<Tokenizer> FindTokenizer(FileSystem& files, const std::string& directory,
                                        PackDirectorySpec* spec) {
  const std::string folder = JoinPath(directory, "tokenizer");
  for (const char* name : {"tokenizer.json", "spiece.model"}) {
    const std::string path = JoinPath(folder, name);
    auto text = ReadTextFile(files, path, kTokenizerBytesMax);
    if (absl::IsNotFound(text.status())) continue;
    LT_ASSIGN_OR_RETURN(spec->tokenizer, text);
    spec->tokenizer_name = name;
    auto tokenizer = ReadTokenizer(name, spec->tokenizer);
    if (!tokenizer.ok()) return Annotate(tokenizer.status(), path);
    return tokenizer;
  }
  return absl::NotFoundError(absl::StrCat(folder, ": neither tokenizer.json nor spiece.model"));
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

}  // namespace

absl::StatusOr<std::string> PackModel(FileSystem& files, const std::string& model_directory,
                                      const std::string& pack_directory,
                                      const PackModelOptions& options) {
  LT_RETURN_IF_ERROR(CheckModelIndex(files, model_directory));
  PackDirectorySpec spec;
  LT_ASSIGN_OR_RETURN(spec.recipe, ReadRecipe(files, model_directory, options.recipe));
  LT_ASSIGN_OR_RETURN(const Tokenizer tokenizer, FindTokenizer(files, model_directory, &spec));

  // Everything is checked before the first byte is written.
  spec.components = {"transformer", "text_encoder", "vae"};
  Configs configs;
  std::deque<SafetensorsSet> sets;
  std::vector<ComponentPacker> packers;
  std::vector<PackSpec> packs;
  for (const std::string& name : spec.components) {
    LT_ASSIGN_OR_RETURN(const Component component,
                        ReadComponent(files, model_directory, name, configs));
    LT_ASSIGN_OR_RETURN(SafetensorsSet tensors,
                        SafetensorsSet::Open(files, JoinPath(model_directory, name)));
    sets.push_back(std::move(tensors));
    packers.emplace_back(sets.back(), options.dtype, LayerDType(name, options));
    LT_ASSIGN_OR_RETURN(PackSpec pack, packers.back().MakeSpec(component));
    packs.push_back(std::move(pack));
  }
  if (absl::Status status =
          CheckPartsFit(configs.transformer, configs.text_encoder, configs.vae, tokenizer);
      !status.ok()) {
    return Annotate(status, model_directory);
  }
  LT_RETURN_IF_ERROR(CheckFreeSpace(files, pack_directory, packs));
  LT_RETURN_IF_ERROR(BeginPackDirectory(files, pack_directory));
  for (size_t i = 0; i < packs.size(); ++i) {
    const std::string& name = spec.components[i];
    const ComponentPacker& packer = packers[i];
    PackWriteCalls calls;
    calls.source = [&](const TensorDecl& tensor, const TensorSink& sink) {
      return packer.Copy(tensor, sink);
    };
    if (options.progress) {
      calls.progress = [&](uint64_t done, uint64_t total) { options.progress(name, done, total); };
    }
    LT_RETURN_IF_ERROR(
        WritePack(files, JoinPath(pack_directory, PackFileName(name)), packs[i], calls));
  }
  return FinishPackDirectory(files, pack_directory, spec);
}

}  // namespace longtake
