// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/safetensors/safetensors_header.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <span>
#include <utility>

#include "base/checked.h"
#include "storage/json.h"

namespace longtake {
namespace {

constexpr size_t kDimensionsMax = 16;
constexpr char kMetadataKey[] = "__metadata__";

std::string TensorWhat(const std::string& name) { return "tensor \"" + name + "\""; }

// Bits per element of every type the format has had so far; nullopt for one we do not know, whose
// tensors can be listed but not read.
std::optional<uint64_t> ElementBytes(std::string_view dtype_name) {
  constexpr std::pair<std::string_view, uint64_t> kTypes[] = {
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1},
      {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},
      {"U32", 4},  {"F32", 4}, {"I64", 8}, {"U64", 8},     {"F64", 8}};
  for (const auto& [name, bytes] : kTypes) {
    if (name == dtype_name) return bytes;
  }
  return std::nullopt;
}

// Accepts exactly the shape of a safetensors header and stops at the first other token, so that no
// tree is built from bytes nobody vouches for. Offsets stay relative to the data here.
class HeaderSax final : public nlohmann::json_sax<Json> {
 public:
  SafetensorsHeader header;
  std::string fault;

  bool null() override { return Fail("unexpected null"); }
  bool boolean(bool) override { return Fail("unexpected boolean"); }
  bool number_integer(Json::number_integer_t) override {
    return Fail("unexpected negative number");
  }
  bool number_float(Json::number_float_t, const std::string&) override {
    return Fail("unexpected fraction, or a number beyond 64 bits");
  }
  bool binary(Json::binary_t&) override { return Fail("unexpected binary"); }

  bool number_unsigned(Json::number_unsigned_t value) override {
    if (where_ == Where::kShape) {
      std::vector<int64_t>& shape = header.entries.back().shape;
      if (shape.size() == kDimensionsMax) return Fail("more than 16 dimensions");
      if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
        return Fail("extent beyond 63 bits");
      }
      shape.push_back(static_cast<int64_t>(value));
      return true;
    }
    if (where_ != Where::kOffsets) return Fail("unexpected number");
    if (offset_count_ == 2) return Fail("more than two data_offsets");
    (offset_count_++ == 0 ? header.entries.back().offset : end_) = value;
    return true;
  }

  bool string(std::string& value) override {
    if (where_ == Where::kMetadata) {
      header.metadata[key_] = std::move(value);
      return true;
    }
    if (where_ != Where::kTensor || key_ != "dtype") return Fail("unexpected string");
    header.entries.back().dtype_name = std::move(value);
    return true;
  }

  bool key(std::string& value) override {
    if (where_ == Where::kTop) {
      if (value == kMetadataKey && std::exchange(metadata_seen_, true)) {
        return Fail("__metadata__ given twice");
      }
    } else if (where_ == Where::kMetadata) {
      if (header.metadata.contains(value)) return Fail("key \"" + value + "\" given twice");
    } else {
      const unsigned bit = value == "dtype" ? 1 : value == "shape" ? 2 : 4;
      if (bit == 4 && value != "data_offsets") return Fail("unknown field \"" + value + "\"");
      if ((fields_ & bit) != 0) return Fail("field \"" + value + "\" given twice");
      fields_ |= bit;
    }
    key_ = std::move(value);
    return true;
  }

  bool start_object(size_t) override {
    if (where_ == Where::kStart) {
      where_ = Where::kTop;
    } else if (where_ == Where::kTop && key_ == kMetadataKey) {
      where_ = Where::kMetadata;
    } else if (where_ == Where::kTop) {
      where_ = Where::kTensor;
      fields_ = 0;
      offset_count_ = 0;
      header.entries.push_back({.name = key_, .dtype_name = {}, .shape = {}});
    } else {
      return Fail("unexpected object");
    }
    return true;
  }

  bool end_object() override {
    if (where_ == Where::kTensor && !FinishTensor()) return false;
    where_ = where_ == Where::kTop ? Where::kEnd : Where::kTop;
    return true;
  }

  bool start_array(size_t) override {
    if (where_ != Where::kTensor || key_ == "dtype") return Fail("unexpected array");
    where_ = key_ == "shape" ? Where::kShape : Where::kOffsets;
    return true;
  }

  bool end_array() override {
    where_ = Where::kTensor;
    return true;
  }

  bool parse_error(size_t position, const std::string&, const Json::exception&) override {
    return Fail("not valid JSON at byte " + std::to_string(position));
  }

 private:
  enum class Where { kStart, kTop, kTensor, kMetadata, kShape, kOffsets, kEnd };

  bool Fail(const std::string& what) {
    const bool inside =
        where_ == Where::kTensor || where_ == Where::kShape || where_ == Where::kOffsets;
    fault = inside ? TensorWhat(header.entries.back().name) + ": " + what : "header: " + what;
    return false;
  }

  bool FinishTensor() {
    SafetensorsEntry& entry = header.entries.back();
    if (fields_ != 7) return Fail("dtype, shape or data_offsets missing");
    if (offset_count_ != 2) return Fail("data_offsets needs two numbers");
    if (end_ < entry.offset) return Fail("data_offsets end before they begin");
    entry.bytes = end_ - entry.offset;
    return true;
  }

  Where where_ = Where::kStart;
  std::string key_;
  bool metadata_seen_ = false;
  unsigned fields_ = 0;
  int offset_count_ = 0;
  uint64_t end_ = 0;
};

absl::Status CheckSize(const SafetensorsEntry& entry) {
  const std::string what = TensorWhat(entry.name);
  LT_ASSIGN_OR_RETURN(const uint64_t count, ElementCount(entry.shape, what));
  const std::optional<uint64_t> element_bytes = ElementBytes(entry.dtype_name);
  if (!element_bytes) return absl::OkStatus();
  LT_ASSIGN_OR_RETURN(const uint64_t bytes, CheckedProduct({count, *element_bytes}, what));
  if (bytes == entry.bytes) return absl::OkStatus();
  return absl::InvalidArgumentError(what + ": dtype " + entry.dtype_name + " and shape need " +
                                    std::to_string(bytes) + " bytes, data_offsets span " +
                                    std::to_string(entry.bytes));
}

// The format has neither overlaps nor gaps: in order of their offset, tensors touch.
absl::Status CheckCover(const std::vector<SafetensorsEntry>& entries, uint64_t data_bytes) {
  std::vector<const SafetensorsEntry*> placed;
  placed.reserve(entries.size());
  for (const SafetensorsEntry& entry : entries) placed.push_back(&entry);
  std::sort(placed.begin(), placed.end(), [](const auto* a, const auto* b) {
    return std::pair(a->offset, a->bytes) < std::pair(b->offset, b->bytes);
  });
  uint64_t end = 0;
  for (const SafetensorsEntry* entry : placed) {
    const std::string what = TensorWhat(entry->name);
    if (entry->offset < end) return absl::InvalidArgumentError(what + ": overlaps another tensor");
    if (entry->offset > end) return absl::InvalidArgumentError(what + ": unused bytes before it");
    // No overflow: bytes came from end - offset.
    end = entry->offset + entry->bytes;
    if (end > data_bytes) {
      return absl::InvalidArgumentError(what + ": ends at data byte " + std::to_string(end) +
                                        ", the file holds " + std::to_string(data_bytes) +
                                        " (cut short?)");
    }
  }
  if (end == data_bytes) return absl::OkStatus();
  return absl::InvalidArgumentError("header: " + std::to_string(data_bytes - end) +
                                    " bytes after the last tensor");
}

}  // namespace

absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(std::string_view text,
                                                         uint64_t data_offset,
                                                         uint64_t data_bytes) {
  if (!IsJsonText(text)) return absl::InvalidArgumentError("header: not valid JSON");
  HeaderSax sax;
  if (!Json::sax_parse(text, &sax) || !sax.fault.empty()) {
    return absl::InvalidArgumentError(sax.fault.empty() ? "header: not valid JSON" : sax.fault);
  }
  SafetensorsHeader header = std::move(sax.header);
  std::sort(header.entries.begin(), header.entries.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  for (size_t i = 1; i < header.entries.size(); ++i) {
    if (header.entries[i].name == header.entries[i - 1].name) {
      return absl::InvalidArgumentError(TensorWhat(header.entries[i].name) + ": given twice");
    }
  }
  for (const SafetensorsEntry& entry : header.entries) LT_RETURN_IF_ERROR(CheckSize(entry));
  LT_RETURN_IF_ERROR(CheckCover(header.entries, data_bytes));
  for (SafetensorsEntry& entry : header.entries) entry.offset += data_offset;
  return header;
}

}  // namespace longtake
