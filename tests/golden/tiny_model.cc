// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "tests/golden/tiny_model.h"

#include <utility>

#include "engine/model/umt5/config.h"
#include "engine/model/umt5/layout.h"
#include "engine/model/wan/config.h"
#include "engine/model/wan/layout.h"
#include "pack/component_packer.h"
#include "storage/pack/pack_writer.h"
#include "storage/safetensors/safetensors_set.h"

namespace longtake {

std::unique_ptr<PackReader> MakePack(const std::string& directory,
                                     const SyntheticComponent& component, DType dtype) {
  FileSystem& files = PosixFileSystem();
  WorkerPool workers(1);
  const std::string published = JoinPath(directory, component.layout.component);
  MustBeOk(WriteSyntheticComponent(files, published, component, workers));
  const SafetensorsSet set = Must(SafetensorsSet::Open(files, published));
  ComponentPacker packer(set, dtype == DType::kI8 ? DType::kF32 : dtype, dtype);
  const PackSpec spec = Must(packer.MakeSpec(component.layout, component.config_json));
  const std::string path = published + ".pack";
  const auto source = [&](const TensorDecl& tensor, const TensorSink& sink) {
    return packer.Copy(tensor, sink);
  };
  MustBeOk(WritePack(files, path, spec, {.source = source, .progress = {}}));
  return Must(PackReader::Open(files, path));
}

absl::Status RunLayers(ModelSweep& model_sweep, LayerStream& layers) {
  for (size_t i = 0; i < layers.layer_count(); ++i) {
    LT_ASSIGN_OR_RETURN(LayerLease lease, layers.Next());
    LT_ASSIGN_OR_RETURN(const auto weights, model_sweep.Lend(lease));
    LT_RETURN_IF_ERROR(model_sweep.RunLayer(static_cast<int64_t>(lease.layer()), *weights));
  }
  return absl::OkStatus();
}

absl::Status RunWholeSweep(ModelSweep& model_sweep, LayerStream& layers) {
  LT_RETURN_IF_ERROR(model_sweep.Embed());
  LT_RETURN_IF_ERROR(RunLayers(model_sweep, layers));
  return model_sweep.Head();
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
  WanTransformerOptions model_options = options.model;
  if (options.slots > 0)
    model_options.slots = {.count = options.slots, .bytes = LayerSlots::For(*pack).bytes};
  model = Must(WanTransformer::Create(config, Must(pack->LoadResident()), backend, model_options));
}

absl::Status TinyTransformer::Run(std::vector<VideoItem> items) {
  LT_ASSIGN_OR_RETURN(const auto model_sweep, model->NewSweep(items));
  return RunWholeSweep(*model_sweep, *layers);
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
  const auto model_sweep = Must(model->NewSweep(items));
  MustBeOk(RunWholeSweep(*model_sweep, *layers));
  return states;
}

}  // namespace longtake
