// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "tests/golden/synthetic_weights.h"

#include <cmath>

#include "base/checked.h"
#include "base/philox.h"
#include "storage/safetensors_writer.h"

namespace longtake {
namespace {

struct MeanAndScale {
  double mean;
  double scale;
};

// The first rule that matches.
MeanAndScale RuleFor(const SyntheticRule& rule, const std::string& name,
                     std::span<const int64_t> shape) {
  if (name.ends_with("scale_shift_table")) return {0.0, 0.3};
  const bool gain = name.find("norm") != std::string::npos && name.ends_with(".weight");
  if (name.ends_with("gamma") || (gain && shape.size() == 1)) return {1.0, 0.05};
  if (name.ends_with(".bias")) return {0.0, 0.05};
  if (name.ends_with("relative_attention_bias.weight")) return {0.0, 0.5};
  if (name.ends_with("shared.weight")) return {0.0, 1.0};
  int64_t fan_in = 1;
  for (int64_t extent : shape.subspan(1)) fan_in *= extent;
  if (name.ends_with("SelfAttention.q.weight")) fan_in *= rule.d_kv;
  return {0.0, 1.0 / std::sqrt(static_cast<double>(fan_in))};
}

std::vector<TensorSpec> AllTensors(const ComponentLayout& layout) {
  std::vector<TensorSpec> all = layout.resident;
  all.insert(all.end(), layout.row_tables.begin(), layout.row_tables.end());
  for (const auto& layer : layout.layers) all.insert(all.end(), layer.begin(), layer.end());
  return all;
}

}  // namespace

uint64_t Fnv1a64(const std::string& text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char byte : text) hash = (hash ^ static_cast<uint8_t>(byte)) * 0x100000001b3;
  return hash;
}

std::vector<float> SyntheticTensor(const SyntheticRule& rule, const std::string& name,
                                   std::span<const int64_t> shape) {
  size_t count = 1;
  for (int64_t extent : shape) count *= static_cast<size_t>(extent);
  std::vector<float> values(count);
  PhiloxNormal(rule.seed, Fnv1a64(name), 0, values);
  const MeanAndScale affine = RuleFor(rule, name, shape);
  for (float& value : values) {
    value = static_cast<float>(affine.mean + affine.scale * static_cast<double>(value));
  }
  return values;
}

absl::Status WriteSyntheticComponent(FileSystem& files, const std::string& directory,
                                     const SyntheticComponent& component) {
  LT_RETURN_IF_ERROR(files.MakeDir(directory));
  LT_RETURN_IF_ERROR(WriteFileAtomically(files, JoinPath(directory, "config.json"),
                                         std::as_bytes(std::span(component.config_json))));
  const std::vector<TensorSpec> specs = AllTensors(component.layout);
  std::vector<TensorDecl> declarations;
  for (const TensorSpec& spec : specs) declarations.push_back({spec.name, DType::kF32, spec.shape});
  LT_ASSIGN_OR_RETURN(
      auto writer,
      SafetensorsWriter::Create(files, JoinPath(directory, "model.safetensors"), declarations));
  for (const TensorSpec& spec : specs) {
    const std::vector<float> values = SyntheticTensor(component.rule, spec.name, spec.shape);
    LT_RETURN_IF_ERROR(writer->Append(std::as_bytes(std::span(values))));
  }
  return writer->Finish();
}

}  // namespace longtake
