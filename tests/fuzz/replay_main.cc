// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Runs a fuzz target's entry point over every file of the folders given, so that a corpus is also a
// unit test. An empty corpus is a failure: it would test nothing.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int main(int argc, char** argv) {
  int replayed_count = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (!entry.is_regular_file()) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      std::vector<uint8_t> bytes{std::istreambuf_iterator<char>(file), {}};
      LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
      ++replayed_count;
    }
  }
  std::printf("%d inputs replayed\n", replayed_count);
  return replayed_count > 0 ? 0 : 1;
}
