// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/kv/kv_image.h"

#include <cstring>
#include <set>
#include <span>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "engine/kv/kv_sweep.h"

namespace longtake {
namespace {

size_t SideBytes(const KvLayout& layout) {
  return static_cast<size_t>(layout.rows) * layout.row_bytes();
}

void AppendSide(std::span<const KeySegment> segments, bool values, uint64_t row_bytes,
                std::vector<std::byte>* out) {
  for (const KeySegment& segment : segments) {
    const auto* rows = static_cast<const std::byte*>(values ? segment.v : segment.k);
    out->insert(out->end(), rows, rows + static_cast<size_t>(segment.rows) * row_bytes);
  }
}

std::vector<float> Widen(std::span<const std::byte> bytes, DType dtype) {
  std::vector<float> out(bytes.size() / DTypeBytes(dtype));
  if (dtype == DType::kF32) {
    std::memcpy(out.data(), bytes.data(), bytes.size());
    return out;
  }
  const auto* half = reinterpret_cast<const uint16_t*>(bytes.data());
  for (size_t i = 0; i < out.size(); ++i) out[i] = Bf16ToFloat(half[i]);
  return out;
}

// Rounding what was rounded changes nothing, so a frame is written as a sweep writes it.
absl::Status PutFrame(std::span<const std::byte> bytes, KvFrame& frame, KvStream* stream) {
  KvSweep sweep(stream);
  KvFrame* const written = &frame;
  LT_RETURN_IF_ERROR(sweep.Begin({}, {&written, 1}, frame.layout().layers));
  const KvLayout& layout = frame.layout();
  const size_t side = SideBytes(layout);
  if (bytes.size() != KvImageBytes(layout)) {
    return absl::InvalidArgumentError(
        absl::StrCat("a frame's K/V of ", bytes.size(), " bytes: has another size"));
  }
  for (int64_t layer = 0; layer < layout.layers; ++layer) {
    const auto at = bytes.subspan(static_cast<size_t>(layer) * 2 * side, 2 * side);
    const std::vector<float> k = Widen(at.first(side), layout.dtype);
    const std::vector<float> v = Widen(at.last(side), layout.dtype);
    LT_RETURN_IF_ERROR(sweep.Write(frame, layer, k.data(), v.data()));
  }
  return sweep.Finish();
}

}  // namespace

uint64_t KvImageBytes(const KvLayout& layout) {
  return static_cast<uint64_t>(layout.layers) * 2 * SideBytes(layout);
}

absl::StatusOr<std::vector<std::byte>> CopyKvFrame(const KvFrame& frame, KvStream* stream) {
  const KvLayout& layout = frame.layout();
  std::vector<std::byte> out;
  out.reserve(KvImageBytes(layout));
  KvSweep sweep(stream);
  const KvFrame* const read = &frame;
  LT_RETURN_IF_ERROR(sweep.Begin({&read, 1}, {}, layout.layers));
  for (int64_t layer = 0; layer < layout.layers; ++layer) {
    std::vector<KeySegment> segments;
    LT_RETURN_IF_ERROR(sweep.AppendSegments(frame, layer, nullptr, 0, &segments));
    AppendSide(segments, /*values=*/false, layout.row_bytes(), &out);
    AppendSide(segments, /*values=*/true, layout.row_bytes(), &out);
    sweep.EndLayer(layer);
  }
  return out;
}

absl::StatusOr<KvImage> CopyKv(const KvTable& table, uint64_t session, KvStream* stream) {
  KvImage image;
  for (const auto& [branch, number] : table.Held(session)) {
    const KvFrame& frame = *table.Find({.session = session, .branch = branch}, number);
    LT_ASSIGN_OR_RETURN((image[{branch, number}]), CopyKvFrame(frame, stream));
  }
  return image;
}

absl::Status PutKv(const KvImage& image, KvTable& table, uint64_t session, KvStream* stream) {
  std::map<size_t, std::set<int64_t>> held;
  for (const auto& [name, bytes] : image) {
    const auto& [branch, number] = name;
    KvFrame* frame = table.ToWrite({.session = session, .branch = branch}, number);
    LT_CHECK(frame != nullptr);
    LT_RETURN_IF_ERROR(PutFrame(bytes, *frame, stream));
    held[branch].insert(number);
  }
  for (const auto& [branch, frames] : held) {
    table.Hold({.session = session, .branch = branch}, frames);
  }
  return absl::OkStatus();
}

}  // namespace longtake
