// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "base/aligned_buffer.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/memory_populator.h"

namespace longtake {
namespace {

constexpr uint64_t kHugePage = 2 << 20;

absl::Status Refused(uint64_t bytes) {
  return absl::ResourceExhaustedError(absl::StrCat("cannot allocate ", bytes, " bytes"));
}

// Address space of so many bytes at a multiple of alignment; null when there is none.
std::byte* MapAligned(uint64_t bytes, uint64_t alignment) {
  const uint64_t all = bytes + alignment;
  void* const mapped =
      mmap(nullptr, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  auto* const begin = static_cast<std::byte*>(mapped);
  const uint64_t over = reinterpret_cast<uintptr_t>(begin) % alignment;
  const uint64_t before = over == 0 ? 0 : alignment - over;
  if (before > 0) munmap(begin, before);
  if (before < alignment) munmap(begin + before + bytes, alignment - before);
  return begin + before;
}

}  // namespace

void AlignedBuffer::Free::operator()(std::byte* memory) const {
  if (hook != nullptr) hook(memory);
  if (mapped_bytes == 0) {
    std::free(memory);
  } else {
    munmap(memory, mapped_bytes);
  }
}

absl::StatusOr<AlignedBuffer> AlignedBuffer::Allocate(uint64_t bytes, uint64_t alignment,
                                                      const MemoryPopulator* populator) {
  LT_CHECK(alignment > 0 && (alignment & (alignment - 1)) == 0);
  if (bytes == 0) return AlignedBuffer();
  const std::optional<uint64_t> padded = CheckedAlignUp(bytes, alignment);
  if (!padded) return Refused(bytes);
  return bytes < kHugePage ? OfHeap(bytes, alignment, *padded)
                           : OfPages(bytes, alignment, *padded, populator);
}

absl::StatusOr<AlignedBuffer> AlignedBuffer::OfHeap(uint64_t bytes, uint64_t alignment,
                                                    uint64_t padded) {
  const uint64_t begin = std::max<uint64_t>(alignment, alignof(std::max_align_t));
  void* memory = nullptr;
  if (posix_memalign(&memory, begin, padded) != 0) return Refused(bytes);
  std::memset(memory, 0, padded);
  return AlignedBuffer(static_cast<std::byte*>(memory), bytes, 0);
}

absl::StatusOr<AlignedBuffer> AlignedBuffer::OfPages(uint64_t bytes, uint64_t alignment,
                                                     uint64_t padded,
                                                     const MemoryPopulator* populator) {
  constexpr uint64_t kPage = 4096;
  const std::optional<uint64_t> mapped = CheckedAlignUp(padded, kPage);
  const uint64_t begin = std::max(alignment, kHugePage);
  if (!mapped || *mapped > UINT64_MAX - begin) return Refused(bytes);
  std::byte* const memory = MapAligned(*mapped, begin);
  if (memory == nullptr) return Refused(bytes);
  AlignedBuffer buffer(memory, bytes, *mapped);
  // A disk that reads into one huge page is told one address where it would be told hundreds. Only
  // whole pages: the end stays as small as it is. A system without huge pages ignores it.
  madvise(memory, *mapped / kHugePage * kHugePage, MADV_HUGEPAGE);
  const std::span<std::byte> all(memory, *mapped);
  LT_RETURN_IF_ERROR(populator == nullptr ? PopulateMemory(all) : populator->Populate(all));
  return buffer;
}

}  // namespace longtake
