// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "pack/synthetic_weights.h"

#include <algorithm>
#include <cmath>

#include "base/checked.h"
#include "base/philox.h"
#include "pack/cast.h"
#include "storage/safetensors/safetensors_writer.h"

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

void SyntheticValues(const SyntheticRule& rule, const std::string& name,
                     std::span<const int64_t> shape, uint64_t first, std::span<float> out) {
  PhiloxNormal(rule.seed, Fnv1a64(name), first, out);
  const MeanAndScale affine = RuleFor(rule, name, shape);
  for (float& value : out) {
    value = static_cast<float>(affine.mean + affine.scale * static_cast<double>(value));
  }
}

std::vector<float> SyntheticTensor(const SyntheticRule& rule, const std::string& name,
                                   std::span<const int64_t> shape) {
  size_t count = 1;
  for (int64_t extent : shape) count *= static_cast<size_t>(extent);
  std::vector<float> values(count);
  SyntheticValues(rule, name, shape, 0, values);
  return values;
}

namespace {

constexpr uint64_t kPieceValues = 1 << 18;  // computed by one worker at a time

// Appends a tensor, a run of pieces at a time.
absl::Status AppendTensor(const SyntheticComponent& component, const TensorDecl& tensor,
                          WorkerPool& workers, SafetensorsWriter& writer) {
  LT_ASSIGN_OR_RETURN(const uint64_t count, ElementCount(tensor.shape, tensor.name));
  const auto pieces_max = 2 * static_cast<uint64_t>(workers.thread_count());
  std::vector<float> wide(std::min(count, pieces_max * kPieceValues));
  std::vector<std::byte> bytes(wide.size() * DTypeBytes(tensor.dtype));
  for (uint64_t first = 0; first < count; first += wide.size()) {
    const uint64_t values = std::min<uint64_t>(wide.size(), count - first);
    const auto pieces = static_cast<int64_t>((values + kPieceValues - 1) / kPieceValues);
    workers.ParallelFor(pieces, [&](int64_t index, int) {
      const uint64_t begin = static_cast<uint64_t>(index) * kPieceValues;
      const std::span<float> piece =
          std::span(wide).subspan(begin, std::min(kPieceValues, values - begin));
      SyntheticValues(component.rule, tensor.name, tensor.shape, first + begin, piece);
      CastElements(DType::kF32, std::as_bytes(piece), tensor.dtype,
                   std::span(bytes).subspan(begin * DTypeBytes(tensor.dtype),
                                            piece.size() * DTypeBytes(tensor.dtype)));
    });
    LT_RETURN_IF_ERROR(writer.Append(std::span(bytes).first(values * DTypeBytes(tensor.dtype))));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteSyntheticComponent(FileSystem& files, const std::string& directory,
                                     const SyntheticComponent& component, WorkerPool& workers) {
  LT_RETURN_IF_ERROR(files.MakeDir(directory));
  LT_RETURN_IF_ERROR(WriteFileAtomically(files, JoinPath(directory, "config.json"),
                                         std::as_bytes(std::span(component.config_json))));
  std::vector<TensorDecl> declarations;
  for (const TensorSpec& spec : AllTensors(component.layout)) {
    declarations.push_back({spec.name, component.dtype, spec.shape});
  }
  LT_ASSIGN_OR_RETURN(
      auto writer,
      SafetensorsWriter::Create(files, JoinPath(directory, component.file_name), declarations));
  for (const TensorDecl& tensor : declarations) {
    LT_RETURN_IF_ERROR(AppendTensor(component, tensor, workers, *writer));
  }
  return writer->Finish();
}

}  // namespace longtake
