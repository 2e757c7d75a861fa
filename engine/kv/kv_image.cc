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

KvStream* StreamOf(const KvStages* memory, size_t stage) {
  return memory == nullptr ? nullptr : memory->stage(stage).stream();
}

absl::Status PutPart(std::span<const std::byte> bytes, KvFrame& frame, KvStream* stream) {
  if (const KvPages* pages = frame.pages()) return PutInPages(bytes, *pages);
  if (stream == nullptr) return absl::FailedPreconditionError("K/V in a file, but no stream");
  return PutInFile(bytes, *frame.extent(), *stream);
}

absl::Status PutFrame(std::span<const std::byte> bytes, const KvOwner& owner, int64_t number,
                      KvTables& tables, const KvStages* memory) {
  std::vector<KvFrame*> parts;
  uint64_t size = 0;
  for (size_t i = 0; i < tables.stage_count(); ++i) {
    parts.push_back(tables.stage(i).ToWrite(owner, number));
    LT_CHECK(parts.back() != nullptr);
    size += KvImageBytes(parts.back()->layout());
  }
  if (bytes.size() != size) {
    return absl::InvalidArgumentError(
        absl::StrCat("a frame's K/V of ", bytes.size(), " bytes: has another size"));
  }
  for (size_t i = 0; i < parts.size(); ++i) {
    const uint64_t part = KvImageBytes(parts[i]->layout());
    LT_RETURN_IF_ERROR(PutPart(bytes.first(part), *parts[i], StreamOf(memory, i)));
    bytes = bytes.subspan(part);
  }
  return absl::OkStatus();
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

absl::StatusOr<KvImage> CopyKv(const KvTables& tables, uint64_t session, const KvStages* memory) {
  KvImage image;
  for (const auto& [branch, number] : tables.Held(session)) {
    std::vector<std::byte>& whole = image[{branch, number}];
    for (size_t i = 0; i < tables.stage_count(); ++i) {
      const KvOwner owner = {.session = session, .branch = branch};
      const KvFrame& frame = *tables.stage(i).Find(owner, number);
      LT_ASSIGN_OR_RETURN(const auto part, CopyKvFrame(frame, StreamOf(memory, i)));
      whole.insert(whole.end(), part.begin(), part.end());
    }
  }
  return image;
}

absl::Status PutKv(const KvImage& image, KvTables& tables, uint64_t session,
                   const KvStages* memory) {
  std::map<size_t, std::set<int64_t>> held;
  for (const auto& [name, bytes] : image) {
    const auto& [branch, number] = name;
    LT_RETURN_IF_ERROR(
        PutFrame(bytes, {.session = session, .branch = branch}, number, tables, memory));
    held[branch].insert(number);
  }
  for (const auto& [branch, frames] : held) {
    tables.Hold({.session = session, .branch = branch}, frames);
  }
  return absl::OkStatus();
}

}  // namespace longtake
