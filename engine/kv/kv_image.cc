// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/kv/kv_image.h"

#include <algorithm>
#include <set>
#include <span>

#include "absl/strings/str_cat.h"
#include "engine/backend/backend.h"

namespace longtake {
namespace {

size_t SideBytes(const KvLayout& layout) {
  return static_cast<size_t>(layout.rows) * layout.row_bytes();
}

// Where a frame's image lies, in order: layer by layer.
std::vector<KvRun> RunsOf(const KvPages& pages) {
  std::vector<KvRun> all;
  for (int64_t layer = 0; layer < pages.layout().layers; ++layer) {
    const std::vector<KvRun> runs = pages.Runs(layer);
    all.insert(all.end(), runs.begin(), runs.end());
  }
  return all;
}

absl::Status AwaitCopies(Device& device) {
  return device.Wait(device.Mark(Lane::kSweep), kOpsTimeoutNanos);
}

absl::Status PutInPages(std::span<const std::byte> bytes, const KvPages& pages) {
  for (const KvRun& run : RunsOf(pages)) {
    pages.device().CopyIn(Lane::kSweep, run.begin, bytes.first(run.bytes));
    bytes = bytes.subspan(run.bytes);
  }
  return AwaitCopies(pages.device());
}

absl::Status PutInFile(std::span<const std::byte> bytes, KvExtent& extent, KvStream& stream) {
  LT_RETURN_IF_ERROR(stream.Begin({}, extent.layout().layers));
  const size_t layer_bytes = 2 * SideBytes(extent.layout());
  for (int64_t layer = 0; layer < extent.layout().layers; ++layer) {
    const auto from = bytes.subspan(static_cast<size_t>(layer) * layer_bytes, layer_bytes);
    LT_RETURN_IF_ERROR(stream.Write(extent, layer, [&](std::span<std::byte> to) {
      std::fill(std::copy(from.begin(), from.end(), to.begin()), to.end(), std::byte{0});
      return absl::OkStatus();
    }));
  }
  return stream.Finish();
}

absl::Status PutFrame(std::span<const std::byte> bytes, KvFrame& frame, KvStream* stream) {
  if (bytes.size() != KvImageBytes(frame.layout())) {
    return absl::InvalidArgumentError(
        absl::StrCat("a frame's K/V of ", bytes.size(), " bytes: has another size"));
  }
  if (const KvPages* pages = frame.pages()) return PutInPages(bytes, *pages);
  if (stream == nullptr) return absl::FailedPreconditionError("K/V in a file, but no stream");
  return PutInFile(bytes, *frame.extent(), *stream);
}

absl::Status CopyFromFile(const KvExtent& extent, KvStream& stream, std::span<std::byte> out) {
  LT_RETURN_IF_ERROR(stream.Begin({&extent}, extent.layout().layers));
  const size_t layer_bytes = 2 * SideBytes(extent.layout());
  for (int64_t layer = 0; layer < extent.layout().layers; ++layer) {
    LT_ASSIGN_OR_RETURN(const auto bytes, stream.Await(extent, layer));
    std::copy_n(bytes.begin(), layer_bytes, out.begin());
    out = out.subspan(layer_bytes);
    stream.EndLayer(layer);
  }
  return absl::OkStatus();
}

}  // namespace

uint64_t KvImageBytes(const KvLayout& layout) {
  return static_cast<uint64_t>(layout.layers) * 2 * SideBytes(layout);
}

absl::StatusOr<std::vector<std::byte>> CopyKvFrame(const KvFrame& frame, KvStream* stream) {
  std::vector<std::byte> out(KvImageBytes(frame.layout()));
  if (const KvPages* pages = frame.pages()) {
    std::span<std::byte> to(out);
    for (const KvRun& run : RunsOf(*pages)) {
      pages->device().CopyOut(Lane::kSweep, to.first(run.bytes), run.begin);
      to = to.subspan(run.bytes);
    }
    LT_RETURN_IF_ERROR(AwaitCopies(pages->device()));
    return out;
  }
  if (stream == nullptr) return absl::FailedPreconditionError("K/V in a file, but no stream");
  LT_RETURN_IF_ERROR(CopyFromFile(*frame.extent(), *stream, out));
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
