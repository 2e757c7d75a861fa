// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A whole .safetensors file of any bytes: an error, or entries that lie inside the file and can be
// read.
#include <cstdlib>
#include <vector>

#include "storage/safetensors/safetensors.h"
#include "tests/storage/memory_files.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  longtake::MemoryFileSystem files;
  files.Put("f", std::as_bytes(std::span(data, size)));
  auto file = files.OpenRead("f", longtake::ReadMode::kBuffered);
  const auto opened = longtake::Safetensors::Open(*std::move(file));
  if (!opened.ok()) return 0;
  for (const longtake::SafetensorsEntry& entry : opened->entries()) {
    if (entry.offset > size || entry.bytes > size - entry.offset) std::abort();
    if (opened->Find(entry.name) != &entry) std::abort();
    std::vector<std::byte> out(entry.bytes);
    if (!opened->Read(entry, 0, out).ok()) std::abort();
  }
  return 0;
}
