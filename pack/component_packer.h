// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One component of a published model on its way into a pack: its tensors held against the layout
// its model states, then copied, narrowed or quantised one by one. Nothing large is held in memory.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/status_macros.h"
#include "engine/model/component_layout.h"
#include "pack/cast.h"
#include "storage/pack/pack_writer.h"
#include "storage/safetensors/safetensors_set.h"

namespace longtake {

class ComponentPacker {
 public:
  // Layers take layer_dtype (kI8: with scales), everything else dtype (kF32 or kBf16). The tensors
  // outlive the packer.
  ComponentPacker(const SafetensorsSet& tensors, DType dtype, DType layer_dtype)
      : tensors_(tensors), dtype_(dtype), layer_dtype_(layer_dtype) {}

  // Checks every tensor of the layout against the files, and that the files hold nothing else; a
  // tensor that is stored under two names must be the same both times, and no table of embeddings
  // may be all zeros. NOT_FOUND, INVALID_ARGUMENT or UNIMPLEMENTED naming the tensor.
  absl::StatusOr<PackSpec> MakeSpec(const ComponentLayout& layout, const std::string& config);

  // The bytes of a tensor of that spec, for WritePack. INVALID_ARGUMENT naming tensor, index and
  // value of what is NaN, infinite or beyond the type it is packed as.
  absl::Status Copy(const TensorDecl& tensor, const TensorSink& sink) const;

 private:
  absl::StatusOr<std::vector<TensorDecl>> Declare(const std::vector<TensorSpec>& specs,
                                                  DType matrix_dtype);
  // Shape and type are what the layout asks for.
  absl::Status CheckEntry(const std::string& name, const std::vector<int64_t>& shape) const;
  // Remembers an alias that stands in for its tensor.
  void TakeAlias(const TensorAlias& alias);
  // OK unless the files hold both and they would be packed as other bytes.
  absl::Status CheckAlias(const TensorAlias& alias) const;
  absl::Status AliasDiffers(const TensorAlias& alias) const;
  absl::Status CheckTable(const TensorSpec& table) const;
  // What the files call a tensor of the layout.
  const std::string& FileName(const std::string& name) const;
  absl::StatusOr<bool> IsAllZeros(const std::string& name) const;
  // Elements of a tensor from first on, as many as out has room for, converted.
  absl::Status ReadAs(DType dtype, const std::string& name, uint64_t first,
                      std::span<std::byte> out) const;
  // The matrix whose scales this tensor is; empty for all others.
  std::string MatrixOfScales(const std::string& name) const;
  // Calls visit(row, scale) for each row of a matrix, widened.
  template <typename Visit>
  absl::Status ForEachRow(const std::string& name, const Visit& visit) const;
  // The error of the tensor's element first + element.index.
  absl::Status Unfit(const std::string& name, uint64_t first, const UnfitElement& element) const;
  absl::Status CopyAsIs(const TensorDecl& tensor, const TensorSink& sink) const;

  const SafetensorsSet& tensors_;
  const DType dtype_;
  const DType layer_dtype_;
  std::set<std::string> expected_;
  std::map<std::string, std::string> stand_ins_;  // a layout's name -> the alias that is there
};

}  // namespace longtake
