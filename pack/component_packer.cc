// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "pack/component_packer.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "pack/quantise.h"

namespace longtake {
namespace {

constexpr uint64_t kCopyBytes = 1 << 20;

std::string ShapeText(const std::vector<int64_t>& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ","), "]");
}

}  // namespace

absl::StatusOr<PackSpec> ComponentPacker::MakeSpec(const ComponentLayout& layout,
                                                   const std::string& config) {
  PackSpec spec;
  spec.component = layout.component;
  spec.config = config;
  LT_ASSIGN_OR_RETURN(spec.resident, Declare(layout.resident, dtype_));
  LT_ASSIGN_OR_RETURN(spec.row_tables, Declare(layout.row_tables, dtype_));
  for (const auto& layer : layout.layers) {
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
  const auto ignored = [&layout](const std::string& name) {
    return std::any_of(layout.ignored_prefixes.begin(), layout.ignored_prefixes.end(),
                       [&name](const std::string& prefix) { return name.starts_with(prefix); });
  };
  for (const std::string& name : tensors_.Names()) {
    if (!expected_.contains(name) && !ignored(name)) {
      return absl::InvalidArgumentError(
          absl::StrCat(tensors_.directory(), ": tensor ", name,
                       " is not part of the architecture its config.json gives"));
    }
  }
  return spec;
}

absl::StatusOr<std::vector<TensorDecl>> ComponentPacker::Declare(
    const std::vector<TensorSpec>& specs, DType matrix_dtype) {
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

std::string ComponentPacker::MatrixOfScales(const std::string& name) const {
  const std::string suffix = ScaleTensorName("");
  if (layer_dtype_ != DType::kI8 || !name.ends_with(suffix)) return "";
  const std::string matrix = name.substr(0, name.size() - suffix.size());
  return expected_.contains(matrix) ? matrix : "";
}

template <typename Visit>
absl::Status ComponentPacker::ForEachRow(const std::string& name, const Visit& visit) const {
  LT_ASSIGN_OR_RETURN(const SafetensorsEntry* entry, tensors_.Find(name));
  LT_ASSIGN_OR_RETURN(const DType from, DTypeFromName(entry->dtype_name));
  const auto rows = static_cast<uint64_t>(entry->shape.front());
  std::vector<std::byte> in(entry->bytes / rows);
  std::vector<float> row(in.size() / DTypeBytes(from));
  for (uint64_t r = 0; r < rows; ++r) {
    LT_RETURN_IF_ERROR(tensors_.Read(name, r * in.size(), in));
    const auto unfit = CastElements(from, in, DType::kF32, std::as_writable_bytes(std::span(row)));
    if (unfit.has_value()) return Unfit(name, r * row.size(), *unfit);
    LT_RETURN_IF_ERROR(visit(row, RowScale(row)));
  }
  return absl::OkStatus();
}

absl::Status ComponentPacker::Unfit(const std::string& name, uint64_t first,
                                    const UnfitElement& element) const {
  return absl::InvalidArgumentError(absl::StrCat(
      tensors_.directory(), ": tensor ", name, ": value ", first + element.index, " is ",
      element.value,
      std::isfinite(element.value) ? ", more than BF16 can hold; --dtype f32 keeps it"
                                   : "; weights must be finite numbers: get the file again"));
}

absl::Status ComponentPacker::Copy(const TensorDecl& tensor, const TensorSink& sink) const {
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

absl::Status ComponentPacker::CopyAsIs(const TensorDecl& tensor, const TensorSink& sink) const {
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
    if (const auto unfit = CastElements(from, piece, tensor.dtype, cast); unfit.has_value()) {
      return Unfit(tensor.name, offset / DTypeBytes(from), *unfit);
    }
    LT_RETURN_IF_ERROR(sink(cast));
  }
  return absl::OkStatus();
}

}  // namespace longtake
