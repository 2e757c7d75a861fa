// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "tests/golden/tiny_model.h"

#include <cstring>
#include <map>
#include <utility>

#include "engine/model/umt5_config.h"
#include "engine/model/umt5_layout.h"
#include "engine/model/wan_config.h"
#include "engine/model/wan_layout.h"
#include "pack/quantise.h"
#include "storage/pack_writer.h"
#include "storage/safetensors_set.h"

namespace longtake {
namespace {

std::vector<TensorDecl> Declare(const std::vector<TensorSpec>& specs, DType dtype) {
  std::vector<TensorDecl> declarations;
  for (const TensorSpec& spec : specs) {
    declarations.push_back({spec.name, spec.keep_f32 ? DType::kF32 : dtype, spec.shape});
  }
  return declarations;
}

absl::Status CopyScales(const SafetensorsSet& set, const std::string& matrix,
                        const TensorSink& sink) {
  LT_ASSIGN_OR_RETURN(const SafetensorsEntry* entry, set.Find(matrix));
  std::vector<float> values(entry->bytes / sizeof(float));
  LT_RETURN_IF_ERROR(set.Read(matrix, 0, std::as_writable_bytes(std::span(values))));
  const auto row = static_cast<size_t>(entry->shape.back());
  std::vector<float> scales;
  for (size_t at = 0; at < values.size(); at += row) {
    scales.push_back(Must(RowScale(std::span(values).subspan(at, row))));
  }
  return sink(std::as_bytes(std::span(scales)));
}

// Reads a published F32 tensor and hands it on in the declared type.
absl::Status CopyTensor(const SafetensorsSet& set, const TensorDecl& tensor,
                        const TensorSink& sink) {
  LT_ASSIGN_OR_RETURN(const SafetensorsEntry* entry, set.Find(tensor.name));
  std::vector<float> values(entry->bytes / sizeof(float));
  LT_RETURN_IF_ERROR(set.Read(tensor.name, 0, std::as_writable_bytes(std::span(values))));
  if (tensor.dtype == DType::kF32) return sink(std::as_bytes(std::span(values)));
  if (tensor.dtype == DType::kI8) {
    const auto row = static_cast<size_t>(entry->shape.back());
    std::vector<int8_t> bytes(values.size());
    for (size_t at = 0; at < values.size(); at += row) {
      const std::span<const float> in = std::span(values).subspan(at, row);
      QuantiseRow(in, Must(RowScale(in)), std::span(bytes).subspan(at, row));
    }
    return sink(std::as_bytes(std::span(bytes)));
  }
  std::vector<uint16_t> narrow;
  for (float value : values) narrow.push_back(FloatToBf16(value));
  return sink(std::as_bytes(std::span(narrow)));
}

}  // namespace

std::unique_ptr<PackReader> MakePack(const std::string& directory,
                                     const SyntheticComponent& component, DType dtype) {
  FileSystem& files = PosixFileSystem();
  const ComponentLayout& layout = component.layout;
  const std::string published = JoinPath(directory, layout.component);
  MustBeOk(WriteSyntheticComponent(files, published, component));
  const SafetensorsSet set = Must(SafetensorsSet::Open(files, published));

  PackSpec spec;
  spec.component = layout.component;
  spec.config = component.config_json;
  const DType other_dtype = dtype == DType::kI8 ? DType::kF32 : dtype;
  std::map<std::string, std::string> matrix_of_scales;
  spec.resident = Declare(layout.resident, other_dtype);
  spec.row_tables = Declare(layout.row_tables, other_dtype);
  for (const auto& layer : layout.layers) {
    spec.layers.push_back(Declare(layer, dtype));
    if (dtype != DType::kI8) continue;
    for (const TensorSpec& matrix : layer) {
      const std::string name = ScaleTensorName(matrix.name);
      matrix_of_scales[name] = matrix.name;
      spec.resident.push_back({name, DType::kF32, {matrix.shape.front()}});
    }
  }
  const std::string path = JoinPath(directory, layout.component + ".pack");
  const auto source = [&](const TensorDecl& tensor, const TensorSink& sink) {
    const auto scales = matrix_of_scales.find(tensor.name);
    if (scales != matrix_of_scales.end()) return CopyScales(set, scales->second, sink);
    return CopyTensor(set, tensor, sink);
  };
  MustBeOk(WritePack(files, path, spec, {.source = source, .progress = {}}));
  return Must(PackReader::Open(files, path));
}

absl::Status RunPass(StackPass& pass, LayerStream& layers) {
  LT_RETURN_IF_ERROR(pass.Embed());
  for (size_t i = 0; i < layers.layer_count(); ++i) {
    LT_ASSIGN_OR_RETURN(LayerLease lease, layers.Next());
    LT_RETURN_IF_ERROR(pass.RunLayer(static_cast<int64_t>(lease.layer()), lease));
  }
  return pass.Head();
}

TinyTransformer::TinyTransformer(const Options& options, Backend& backend)
    : directory("transformer") {
  const WanConfig config = Must(ParseWanConfig(options.config_json, "config.json"));
  pack = MakePack(directory.path(),
                  {.layout = WanLayout(config),
                   .config_json = options.config_json,
                   .rule = {.seed = options.seed}},
                  options.dtype);
  layers = Must(LayerStream::Open(*pack, options.stream));
  model = Must(WanTransformer::Create(config, Must(pack->LoadResident()), backend, options.model));
}

absl::Status TinyTransformer::Run(std::vector<VideoItem> items) {
  LT_ASSIGN_OR_RETURN(const auto pass, model->NewPass(items));
  return RunPass(*pass, *layers);
}

TinyTextEncoder::TinyTextEncoder(const Options& options, Backend& backend)
    : directory("text-encoder") {
  const Umt5Config config = Must(ParseUmt5Config(options.config_json, "config.json"));
  pack = MakePack(directory.path(),
                  {.layout = Umt5Layout(config),
                   .config_json = options.config_json,
                   .rule = {.seed = options.seed, .d_kv = config.d_kv}},
                  options.dtype);
  layers = Must(LayerStream::Open(*pack, {}));
  model = Must(Umt5Encoder::Create(config, *pack, backend, {.tokens_max = 1024}));
}

std::vector<std::vector<float>> TinyTextEncoder::Encode(
    const std::vector<std::vector<int32_t>>& prompts) {
  std::vector<std::vector<float>> states;
  std::vector<TextItem> items;
  for (const auto& ids : prompts) {
    states.emplace_back(ids.size() * static_cast<size_t>(model->config().d_model));
    items.push_back({.ids = ids, .out = states.back().data()});
  }
  const auto pass = Must(model->NewPass(items));
  MustBeOk(RunPass(*pass, *layers));
  return states;
}

}  // namespace longtake
