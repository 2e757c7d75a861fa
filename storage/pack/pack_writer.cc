// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/pack/pack_writer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/aligned_buffer.h"
#include "base/checked.h"
#include "storage/json.h"
#include "storage/pack/pack_file.h"

namespace longtake {
namespace {

constexpr uint64_t kLargeAlignment = 2ull << 20;
constexpr uint64_t kLargeCrcBlockBytes = 1ull << 20;

TensorInfo ToInfo(const TensorDecl& decl) {
  return {.name = decl.name, .dtype = decl.dtype, .shape = decl.shape};
}

// Cuts a layer into parts in the greedy way: as many tensors as fit, at least one.
absl::StatusOr<LayerInfo> CutLayer(const std::vector<TensorDecl>& decls, uint64_t part_bytes_max) {
  LayerInfo layer;
  uint64_t part_bytes = 0;
  for (const TensorDecl& decl : decls) {
    LT_ASSIGN_OR_RETURN(const uint64_t bytes,
                        TensorBytes(decl.dtype, decl.shape, "tensor \"" + decl.name + "\""));
    const std::optional<uint64_t> start = CheckedAlignUp(part_bytes, kPackTensorAlignment);
    const std::optional<uint64_t> end = start ? CheckedAdd(*start, bytes) : std::nullopt;
    if (layer.parts.empty() || !end || *end > part_bytes_max) {
      layer.parts.emplace_back();
      part_bytes = bytes;
    } else {
      part_bytes = *end;
    }
    layer.parts.back().tensors.push_back(ToInfo(decl));
  }
  return layer;
}

// Small models would be mostly padding at 2 MiB; large ones would have too many checksums at 4 KiB.
void ChooseSizes(PackTable table, PackSizes& sizes) {
  if (sizes.alignment == 0) {
    uint64_t bytes = 0;
    const auto placed = PlacePackTable(table, kPackBlockBytes, kPackBlockBytes);
    if (placed.ok()) bytes = *placed;  // an error comes again, and is reported, right after
    if (!table.layers.empty()) {
      bytes = 0;
      for (const LayerInfo& layer : table.layers) bytes += layer.bytes();
      bytes /= table.layers.size();
    }
    sizes.alignment = bytes < kLargeAlignment ? kPackBlockBytes : kLargeAlignment;
  }
  if (sizes.crc_block_bytes == 0) {
    sizes.crc_block_bytes =
        std::min(sizes.alignment >= kLargeCrcBlockBytes ? kLargeCrcBlockBytes : kPackBlockBytes,
                 sizes.alignment);
  }
}

// The payload as it grows: bytes go to the file a buffer at a time, checksums fall out on the way.
class PayloadWriter {
 public:
  PayloadWriter(File& file, const PackHeader& header, AlignedBuffer buffer,
                const PackProgress& progress)
      : file_(file), header_(header), buffer_(std::move(buffer)), progress_(progress) {
    crcs_.reserve(header.crc_count);
  }

  absl::Status Append(std::span<const std::byte> bytes) {
    hash_.Update(bytes);
    while (!bytes.empty()) {
      const size_t count = std::min<size_t>(bytes.size(), buffer_.size() - used_);
      std::copy_n(bytes.data(), count, buffer_.data() + used_);
      used_ += count;
      bytes = bytes.subspan(count);
      if (used_ == buffer_.size()) LT_RETURN_IF_ERROR(FlushCrcBlock());
    }
    return absl::OkStatus();
  }

  // Zeros up to an offset in the payload.
  absl::Status PadTo(uint64_t offset) {
    static constexpr std::array<std::byte, 4096> kZeros{};
    LT_CHECK(offset >= position());
    while (position() < offset) {
      const size_t count = std::min<uint64_t>(kZeros.size(), offset - position());
      LT_RETURN_IF_ERROR(Append(std::span(kZeros).first(count)));
    }
    return absl::OkStatus();
  }

  void BeginHash() { hash_.Reset(); }
  Hash128 hash() const { return hash_.Digest(); }
  uint64_t position() const { return written_ + used_; }
  const std::vector<uint32_t>& crcs() const { return crcs_; }

 private:
  // The buffer is one CRC block.
  absl::Status FlushCrcBlock() {
    crcs_.push_back(Crc32c(buffer_.span()));
    LT_RETURN_IF_ERROR(file_.WriteAt(header_.payload_offset + written_, buffer_.span()));
    written_ += used_;
    used_ = 0;
    if (progress_) progress_(written_, header_.payload_bytes);
    return absl::OkStatus();
  }

  File& file_;
  const PackHeader& header_;
  AlignedBuffer buffer_;
  const PackProgress& progress_;
  size_t used_ = 0;
  uint64_t written_ = 0;
  Xxh3Stream hash_;
  std::vector<uint32_t> crcs_;
};

absl::Status WriteTensor(PayloadWriter& out, const TensorInfo& tensor, const TensorSource& source) {
  uint64_t left = tensor.bytes;
  const std::string what = "tensor \"" + tensor.name + "\"";
  const TensorSink sink = [&](std::span<const std::byte> bytes) -> absl::Status {
    if (bytes.size() > left) return absl::InvalidArgumentError(what + ": more bytes than declared");
    left -= bytes.size();
    return out.Append(bytes);
  };
  LT_RETURN_IF_ERROR(
      source({.name = tensor.name, .dtype = tensor.dtype, .shape = tensor.shape}, sink));
  if (left == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(what + ": " + std::to_string(left) + " bytes missing");
}

absl::Status WritePart(PayloadWriter& out, PartInfo& part, const TensorSource& source) {
  LT_RETURN_IF_ERROR(out.PadTo(part.offset));
  out.BeginHash();
  for (const TensorInfo& tensor : part.tensors) {
    LT_RETURN_IF_ERROR(out.PadTo(part.offset + tensor.offset));
    LT_RETURN_IF_ERROR(WriteTensor(out, tensor, source));
  }
  LT_RETURN_IF_ERROR(out.PadTo(part.offset + part.bytes));
  part.hash = out.hash();
  return absl::OkStatus();
}

absl::Status WritePayload(PayloadWriter& out, PackTable& table, const TensorSource& source) {
  LT_RETURN_IF_ERROR(WritePart(out, table.resident, source));
  for (RowTableInfo& row_table : table.row_tables) {
    LT_RETURN_IF_ERROR(out.PadTo(row_table.offset));
    out.BeginHash();
    LT_RETURN_IF_ERROR(WriteTensor(out, row_table.tensor, source));
    LT_RETURN_IF_ERROR(out.PadTo(row_table.offset + row_table.bytes));
    row_table.hash = out.hash();
  }
  for (LayerInfo& layer : table.layers) {
    for (PartInfo& part : layer.parts) LT_RETURN_IF_ERROR(WritePart(out, part, source));
  }
  return absl::OkStatus();
}

absl::Status WriteAll(File& file, PackLayout layout, const PackWriteCalls& calls) {
  const PackHeader& header = layout.header;
  LT_ASSIGN_OR_RETURN(AlignedBuffer buffer,
                      AlignedBuffer::Allocate(header.crc_block_bytes, kPackBlockBytes));
  PayloadWriter payload(file, header, std::move(buffer), calls.progress);
  LT_RETURN_IF_ERROR(WritePayload(payload, layout.table, calls.source));
  LT_CHECK(payload.position() == header.payload_bytes);
  const std::string text = EncodePackTable(layout.table);
  LT_CHECK(text.size() == header.table_bytes);
  const PackSizes sizes = {.alignment = header.alignment,
                           .crc_block_bytes = header.crc_block_bytes,
                           .table_bytes = header.table_bytes,
                           .payload_bytes = header.payload_bytes};
  return WritePackCopies(file, sizes, text, payload.crcs());
}

}  // namespace

absl::StatusOr<PackLayout> PlanPack(const PackSpec& spec) {
  const std::string what = "pack " + spec.component;
  LT_RETURN_IF_ERROR(ParseJson(spec.config, what + ": config"));
  PackLayout layout;
  PackTable& table = layout.table;
  table.component = spec.component;
  table.config = spec.config;
  for (const TensorDecl& decl : spec.resident) table.resident.tensors.push_back(ToInfo(decl));
  for (const TensorDecl& decl : spec.row_tables) {
    table.row_tables.emplace_back().tensor = ToInfo(decl);
  }
  for (const std::vector<TensorDecl>& decls : spec.layers) {
    absl::StatusOr<LayerInfo> layer = CutLayer(decls, spec.part_bytes_max);
    if (!layer.ok()) return Annotate(layer.status(), what);
    table.layers.push_back(*std::move(layer));
  }
  PackSizes sizes = {.alignment = spec.alignment, .crc_block_bytes = spec.crc_block_bytes};
  ChooseSizes(table, sizes);
  // Placing needs sound sizes, so these are checked first, with the table's length yet unknown.
  sizes.table_bytes = 1;
  LT_RETURN_IF_ERROR(PlacePackHeader(sizes, 0));
  absl::StatusOr<uint64_t> payload_bytes =
      PlacePackTable(table, sizes.alignment, sizes.crc_block_bytes);
  if (!payload_bytes.ok()) return Annotate(payload_bytes.status(), what);
  sizes.payload_bytes = *payload_bytes;
  sizes.table_bytes = EncodePackTable(table).size();
  LT_ASSIGN_OR_RETURN(layout.header, PlacePackHeader(sizes, 0));
  return layout;
}

absl::Status WritePack(FileSystem& files, const std::string& path, const PackSpec& spec,
                       const PackWriteCalls& calls) {
  LT_ASSIGN_OR_RETURN(PackLayout layout, PlanPack(spec));
  return WritePackFile(files, path, layout.header.file_bytes,
                       [&](File& file) { return WriteAll(file, std::move(layout), calls); });
}

}  // namespace longtake
