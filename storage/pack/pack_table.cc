// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include <set>
#include <utility>

#include "base/checked.h"
#include "storage/json.h"
#include "storage/pack/pack_format.h"

namespace longtake {
namespace {

constexpr char kTable[] = "table";

// Hands out offsets from the front of the payload.
class Placer {
 public:
  Placer(uint64_t alignment, uint64_t crc_block_bytes)
      : alignment_(alignment), crc_block_bytes_(crc_block_bytes) {}

  absl::Status PlacePart(PartInfo& part, const std::string& section, std::set<std::string>& names) {
    part.offset = end_;
    uint64_t part_end = 0;
    for (TensorInfo& tensor : part.tensors) {
      const std::string what = section + ": tensor \"" + tensor.name + "\"";
      if (!names.insert(tensor.name).second) return absl::InvalidArgumentError(what + ": twice");
      LT_RETURN_IF_ERROR(PlaceTensor(tensor, part_end, what));
      part_end = tensor.offset + tensor.bytes;
    }
    return Take(part_end, section, part.bytes);
  }

  absl::Status PlaceRowTable(RowTableInfo& table, std::set<std::string>& names) {
    const std::string what = "row table \"" + table.tensor.name + "\"";
    if (table.tensor.shape.size() != 2) return absl::InvalidArgumentError(what + ": not a matrix");
    if (!names.insert(table.tensor.name).second)
      return absl::InvalidArgumentError(what + ": twice");
    table.offset = end_;
    LT_RETURN_IF_ERROR(PlaceTensor(table.tensor, 0, what));
    return Take(table.tensor.bytes, what, table.bytes);
  }

  absl::Status BeginSlab(const std::string& section) {
    const std::optional<uint64_t> start = CheckedAlignUp(end_, alignment_);
    if (!start) return Overflow(section);
    end_ = *start;
    return absl::OkStatus();
  }

  uint64_t end() const { return end_; }

 private:
  static absl::Status Overflow(const std::string& what) {
    return absl::InvalidArgumentError(what + ": size overflows 64 bits");
  }

  static absl::Status PlaceTensor(TensorInfo& tensor, uint64_t after, const std::string& what) {
    LT_ASSIGN_OR_RETURN(tensor.bytes, TensorBytes(tensor.dtype, tensor.shape, what));
    if (tensor.bytes == 0) return absl::InvalidArgumentError(what + ": holds nothing");
    const std::optional<uint64_t> offset = CheckedAlignUp(after, kPackTensorAlignment);
    if (!offset || !CheckedAdd(*offset, tensor.bytes)) return Overflow(what);
    tensor.offset = *offset;
    return absl::OkStatus();
  }

  absl::Status Take(uint64_t used_bytes, const std::string& what, uint64_t& bytes) {
    const std::optional<uint64_t> padded = CheckedAlignUp(used_bytes, crc_block_bytes_);
    const std::optional<uint64_t> end = padded ? CheckedAdd(end_, *padded) : std::nullopt;
    if (!end) return Overflow(what);
    bytes = *padded;
    end_ = *end;
    return absl::OkStatus();
  }

  uint64_t alignment_;
  uint64_t crc_block_bytes_;
  uint64_t end_ = 0;
};

std::string LayerName(size_t layer) { return "layer " + std::to_string(layer); }

Json TensorToJson(const TensorInfo& tensor) {
  return {{"name", tensor.name},
          {"dtype", DTypeName(tensor.dtype)},
          {"shape", tensor.shape},
          {"offset", tensor.offset}};
}

Json PartToJson(const PartInfo& part) {
  Json tensors = Json::array();
  for (const TensorInfo& tensor : part.tensors) tensors.push_back(TensorToJson(tensor));
  return {{"offset", part.offset},
          {"bytes", part.bytes},
          {"hash", part.hash.ToHex()},
          {"tensors", std::move(tensors)}};
}

absl::StatusOr<TensorInfo> TensorFromJson(const Json& json, const std::string& section) {
  TensorInfo tensor;
  LT_ASSIGN_OR_RETURN(tensor.name, JsonString(json, "name", section));
  const std::string what = section + ": tensor \"" + tensor.name + "\"";
  LT_ASSIGN_OR_RETURN(const std::string dtype_name, JsonString(json, "dtype", what));
  const absl::StatusOr<DType> dtype = DTypeFromName(dtype_name);
  if (!dtype.ok()) return absl::InvalidArgumentError(what + ": unknown type " + dtype_name);
  tensor.dtype = *dtype;
  if (!json.contains("shape") || !json["shape"].is_array()) {
    return absl::InvalidArgumentError(what + ": no shape");
  }
  for (const Json& extent : json["shape"]) {
    if (!extent.is_number_unsigned() || extent.get<uint64_t>() > INT64_MAX) {
      return absl::InvalidArgumentError(what + ": bad shape");
    }
    tensor.shape.push_back(extent.get<int64_t>());
  }
  return tensor;
}

absl::StatusOr<Hash128> HashFromJson(const Json& json, const std::string& what) {
  LT_ASSIGN_OR_RETURN(const std::string hex, JsonString(json, "hash", what));
  absl::StatusOr<Hash128> hash = Hash128::FromHex(hex);
  if (!hash.ok()) return Annotate(hash.status(), what);
  return hash;
}

absl::StatusOr<const Json*> ArrayField(const Json& json, const char* field,
                                       const std::string& what) {
  if (!json.is_object() || !json.contains(field) || !json[field].is_array()) {
    return absl::InvalidArgumentError(what + ": no list \"" + field + "\"");
  }
  return &json[field];
}

absl::StatusOr<PartInfo> PartFromJson(const Json& json, const std::string& what) {
  PartInfo part;
  LT_ASSIGN_OR_RETURN(part.hash, HashFromJson(json, what));
  LT_ASSIGN_OR_RETURN(const Json* tensors, ArrayField(json, "tensors", what));
  for (const Json& item : *tensors) {
    LT_ASSIGN_OR_RETURN(TensorInfo tensor, TensorFromJson(item, what));
    part.tensors.push_back(std::move(tensor));
  }
  return part;
}

// What is stated, without offsets.
absl::StatusOr<PackTable> TableFromJson(const Json& json) {
  PackTable table;
  LT_ASSIGN_OR_RETURN(table.component, JsonString(json, "component", kTable));
  LT_ASSIGN_OR_RETURN(table.config, JsonString(json, "config", kTable));
  if (!json.contains("resident")) return absl::InvalidArgumentError("table: no resident section");
  LT_ASSIGN_OR_RETURN(table.resident, PartFromJson(json["resident"], "resident section"));
  LT_ASSIGN_OR_RETURN(const Json* row_tables, ArrayField(json, "row_tables", kTable));
  for (const Json& item : *row_tables) {
    RowTableInfo row_table;
    LT_ASSIGN_OR_RETURN(row_table.tensor, TensorFromJson(item, "row tables"));
    LT_ASSIGN_OR_RETURN(row_table.hash, HashFromJson(item, "row tables"));
    table.row_tables.push_back(std::move(row_table));
  }
  LT_ASSIGN_OR_RETURN(const Json* layers, ArrayField(json, "layers", kTable));
  for (const Json& item : *layers) {
    const std::string what = LayerName(table.layers.size());
    LayerInfo layer;
    if (!item.is_array()) return absl::InvalidArgumentError(what + ": not a list of parts");
    for (const Json& part_item : item) {
      LT_ASSIGN_OR_RETURN(PartInfo part, PartFromJson(part_item, what));
      layer.parts.push_back(std::move(part));
    }
    table.layers.push_back(std::move(layer));
  }
  return table;
}

}  // namespace

absl::StatusOr<uint64_t> PlacePackTable(PackTable& table, uint64_t alignment,
                                        uint64_t crc_block_bytes) {
  Placer placer(alignment, crc_block_bytes);
  std::set<std::string> names;
  LT_RETURN_IF_ERROR(placer.PlacePart(table.resident, "resident section", names));
  for (RowTableInfo& row_table : table.row_tables) {
    LT_RETURN_IF_ERROR(placer.PlaceRowTable(row_table, names));
  }
  for (size_t i = 0; i < table.layers.size(); ++i) {
    const std::string what = LayerName(i);
    LT_RETURN_IF_ERROR(placer.BeginSlab(what));
    if (table.layers[i].parts.empty()) return absl::InvalidArgumentError(what + ": no tensors");
    names.clear();
    for (PartInfo& part : table.layers[i].parts) {
      if (part.tensors.empty()) return absl::InvalidArgumentError(what + ": a part is empty");
      LT_RETURN_IF_ERROR(placer.PlacePart(part, what, names));
    }
  }
  return placer.end();
}

std::string EncodePackTable(const PackTable& table) {
  Json row_tables = Json::array();
  for (const RowTableInfo& row_table : table.row_tables) {
    Json item = TensorToJson(row_table.tensor);
    item["offset"] = row_table.offset;
    item["bytes"] = row_table.bytes;
    item["hash"] = row_table.hash.ToHex();
    row_tables.push_back(std::move(item));
  }
  Json layers = Json::array();
  for (const LayerInfo& layer : table.layers) {
    Json parts = Json::array();
    for (const PartInfo& part : layer.parts) parts.push_back(PartToJson(part));
    layers.push_back(std::move(parts));
  }
  return DumpJson({{"component", table.component},
                   {"config", table.config},
                   {"resident", PartToJson(table.resident)},
                   {"row_tables", std::move(row_tables)},
                   {"layers", std::move(layers)}});
}

absl::StatusOr<PackTable> DecodePackTable(std::string_view text, const PackHeader& header) {
  LT_ASSIGN_OR_RETURN(const Json json, ParseJson(text, kTable));
  LT_ASSIGN_OR_RETURN(PackTable table, TableFromJson(json));
  LT_ASSIGN_OR_RETURN(const uint64_t payload_bytes,
                      PlacePackTable(table, header.alignment, header.crc_block_bytes));
  if (payload_bytes != header.payload_bytes) {
    return absl::InvalidArgumentError("table: describes " + std::to_string(payload_bytes) +
                                      " bytes, the payload has " +
                                      std::to_string(header.payload_bytes));
  }
  if (EncodePackTable(table) != text) {
    return absl::InvalidArgumentError("table: offsets do not follow from the tensors");
  }
  return table;
}

}  // namespace longtake
