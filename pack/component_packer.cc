// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "pack/component_packer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/checked.h"
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
  for (const TensorAlias& alias : layout.aliases) TakeAlias(alias);
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
  for (const TensorAlias& alias : layout.aliases) LT_RETURN_IF_ERROR(CheckAlias(alias));
  for (const TensorSpec& table : layout.row_tables) LT_RETURN_IF_ERROR(CheckTable(table));
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
    LT_RETURN_IF_ERROR(CheckEntry(FileName(spec.name), spec.shape));
    expected_.insert(spec.name);
    out.push_back({spec.name, spec.keep_f32 ? DType::kF32 : matrix_dtype, spec.shape});
  }
  return out;
}

absl::Status ComponentPacker::CheckEntry(const std::string& name,
                                         const std::vector<int64_t>& shape) const {
  LT_ASSIGN_OR_RETURN(const SafetensorsEntry* entry, tensors_.Find(name));
  if (entry->shape != shape) {
    return absl::InvalidArgumentError(
        absl::StrCat(tensors_.directory(), ": tensor ", name, " has shape ",
                     ShapeText(entry->shape), "; its config.json asks for ", ShapeText(shape)));
  }
  const auto dtype = DTypeFromName(entry->dtype_name);
  if (dtype.ok() && *dtype != DType::kI8) return absl::OkStatus();
  return absl::UnimplementedError(absl::StrCat(tensors_.directory(), ": tensor ", name, " is ",
                                               entry->dtype_name, "; F32, BF16 and F16 are read"));
}

const std::string& ComponentPacker::FileName(const std::string& name) const {
  const auto stand_in = stand_ins_.find(name);
  return stand_in == stand_ins_.end() ? name : stand_in->second;
}

void ComponentPacker::TakeAlias(const TensorAlias& alias) {
  if (!tensors_.Has(alias.name)) return;
  expected_.insert(alias.name);
  if (!tensors_.Has(alias.of)) stand_ins_[alias.of] = alias.name;
}

absl::Status ComponentPacker::CheckAlias(const TensorAlias& alias) const {
  if (!tensors_.Has(alias.name) || stand_ins_.contains(alias.of)) return absl::OkStatus();
  LT_ASSIGN_OR_RETURN(const SafetensorsEntry* entry, tensors_.Find(alias.of));
  LT_RETURN_IF_ERROR(CheckEntry(alias.name, entry->shape));
  LT_ASSIGN_OR_RETURN(const uint64_t count, ElementCount(entry->shape, alias.of));
  std::vector<std::byte> left(kCopyBytes), right(kCopyBytes);
  const uint64_t step = kCopyBytes / DTypeBytes(dtype_);
  for (uint64_t first = 0; first < count; first += step) {
    const uint64_t bytes = std::min(step, count - first) * DTypeBytes(dtype_);
    LT_RETURN_IF_ERROR(ReadAs(dtype_, alias.of, first, std::span(left).first(bytes)));
    LT_RETURN_IF_ERROR(ReadAs(dtype_, alias.name, first, std::span(right).first(bytes)));
    if (std::memcmp(left.data(), right.data(), bytes) != 0) return AliasDiffers(alias);
  }
  return absl::OkStatus();
}

absl::Status ComponentPacker::AliasDiffers(const TensorAlias& alias) const {
  std::string zeros;
  for (const std::string& name : {alias.of, alias.name}) {
    LT_ASSIGN_OR_RETURN(const bool is_zeros, IsAllZeros(name));
    if (is_zeros) zeros = absl::StrCat(" (", name, " is all zeros)");
  }
  return absl::InvalidArgumentError(
      absl::StrCat(tensors_.directory(), ": tensors ", alias.of, " and ", alias.name,
                   " are two names of one table, but differ", zeros,
                   "; store only the one that the encoder was trained with"));
}

// Prompts would mean nothing. Of a table that is well the first piece is read.
absl::Status ComponentPacker::CheckTable(const TensorSpec& table) const {
  const std::string& name = FileName(table.name);
  LT_ASSIGN_OR_RETURN(const bool is_zeros, IsAllZeros(name));
  if (!is_zeros) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(tensors_.directory(), ": tensor ", name, " is all zeros; the export is broken"));
}

absl::StatusOr<bool> ComponentPacker::IsAllZeros(const std::string& name) const {
  LT_ASSIGN_OR_RETURN(const SafetensorsEntry* entry, tensors_.Find(name));
  LT_ASSIGN_OR_RETURN(const uint64_t count, ElementCount(entry->shape, name));
  std::vector<float> values(std::min<uint64_t>(count, kCopyBytes / sizeof(float)));
  for (uint64_t first = 0; first < count; first += values.size()) {
    const auto piece = std::span(values).first(std::min<uint64_t>(values.size(), count - first));
    LT_RETURN_IF_ERROR(ReadAs(DType::kF32, name, first, std::as_writable_bytes(piece)));
    if (std::any_of(piece.begin(), piece.end(), [](float value) { return value != 0.0f; })) {
      return false;
    }
  }
  return true;
}

absl::Status ComponentPacker::ReadAs(DType dtype, const std::string& name, uint64_t first,
                                     std::span<std::byte> out) const {
  LT_ASSIGN_OR_RETURN(const SafetensorsEntry* entry, tensors_.Find(name));
  LT_ASSIGN_OR_RETURN(const DType from, DTypeFromName(entry->dtype_name));
  std::vector<std::byte> other;
  if (from != dtype) other.resize(out.size() / DTypeBytes(dtype) * DTypeBytes(from));
  const std::span<std::byte> in = from == dtype ? out : std::span(other);
  LT_RETURN_IF_ERROR(tensors_.Read(name, first * DTypeBytes(from), in));
  const auto unfit = CastElements(from, in, dtype, out);
  return unfit.has_value() ? Unfit(name, first, *unfit) : absl::OkStatus();
}

std::string ComponentPacker::MatrixOfScales(const std::string& name) const {
  const std::string suffix = ScaleTensorName("");
  if (layer_dtype_ != DType::kI8 || !name.ends_with(suffix)) return "";
  const std::string matrix = name.substr(0, name.size() - suffix.size());
  return expected_.contains(matrix) ? matrix : "";
}

template <typename Visit>
absl::Status ComponentPacker::ForEachRow(const std::string& name, const Visit& visit) const {
  LT_ASSIGN_OR_RETURN(const SafetensorsEntry* entry, tensors_.Find(FileName(name)));
  LT_ASSIGN_OR_RETURN(const DType from, DTypeFromName(entry->dtype_name));
  const auto rows = static_cast<uint64_t>(entry->shape.front());
  std::vector<std::byte> in(entry->bytes / rows);
  std::vector<float> row(in.size() / DTypeBytes(from));
  for (uint64_t r = 0; r < rows; ++r) {
    LT_RETURN_IF_ERROR(tensors_.Read(FileName(name), r * in.size(), in));
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
  const std::string& name = FileName(tensor.name);
  LT_ASSIGN_OR_RETURN(const uint64_t count, ElementCount(tensor.shape, name));
  const uint64_t step = kCopyBytes / DTypeBytes(tensor.dtype);
  std::vector<std::byte> piece(std::min(step, count) * DTypeBytes(tensor.dtype));
  for (uint64_t first = 0; first < count; first += step) {
    const auto out =
        std::span(piece).first(std::min(step, count - first) * DTypeBytes(tensor.dtype));
    LT_RETURN_IF_ERROR(ReadAs(tensor.dtype, name, first, out));
    LT_RETURN_IF_ERROR(sink(out));
  }
  return absl::OkStatus();
}

}  // namespace longtake
