// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "base/aligned_buffer.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "base/checked.h"

namespace longtake {
namespace {

constexpr uint64_t kHugePage = 2 << 20;

// A disk that reads into one huge page is told one address where it would be told hundreds. Only
// whole pages: the end stays as small as it is. A system without huge pages ignores it.
void AskForHugePages(void* memory, uint64_t bytes) {
  if (bytes >= kHugePage) madvise(memory, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
}

}  // namespace

absl::StatusOr<AlignedBuffer> AlignedBuffer::Allocate(uint64_t bytes, uint64_t alignment) {
  LT_CHECK(alignment > 0 && (alignment & (alignment - 1)) == 0);
  if (bytes == 0) return AlignedBuffer();
  const std::optional<uint64_t> padded = CheckedAlignUp(bytes, alignment);
  const uint64_t begin = std::max<uint64_t>(
      {alignment, alignof(std::max_align_t), bytes >= kHugePage ? kHugePage : 1});
  void* memory = nullptr;
  if (!padded || posix_memalign(&memory, begin, *padded) != 0) {
    return absl::ResourceExhaustedError("cannot allocate " + std::to_string(bytes) + " bytes");
  }
  AskForHugePages(memory, *padded);
  std::memset(memory, 0, *padded);
  return AlignedBuffer(static_cast<std::byte*>(memory), bytes);
}

}  // namespace longtake
