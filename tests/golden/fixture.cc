// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "tests/golden/fixture.h"

#include <cmath>
#include <filesystem>

namespace longtake {

ScratchDirectory::ScratchDirectory(const std::string& name) {
  const char* base = std::getenv("TEST_TMPDIR");
  const std::filesystem::path parent =
      base != nullptr ? std::filesystem::path(base) : std::filesystem::temp_directory_path();
  std::string pattern = parent / ("longtake-" + name + "-XXXXXX");
  LT_CHECK(mkdtemp(pattern.data()) != nullptr);
  path_ = pattern;
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Fixture::Fixture(const std::string& name) {
  const char* source = std::getenv("LONGTAKE_SOURCE_DIR");
  const std::string path = std::string(source != nullptr ? source : ".") +
                           "/tests/golden/fixtures/" + name + ".safetensors";
  file_ = std::make_unique<Safetensors>(
      Must(Safetensors::Open(Must(PosixFileSystem().OpenRead(path, ReadMode::kBuffered)))));
}

template <typename T>
std::vector<T> Fixture::Values(const std::string& tensor, const std::string& dtype_name) const {
  const SafetensorsEntry* entry = file_->Find(tensor);
  if (entry == nullptr || entry->dtype_name != dtype_name) {
    MustBeOk(absl::NotFoundError(file_->path() + ": " + tensor + " of " + dtype_name));
  }
  std::vector<T> values(entry->bytes / sizeof(T));
  MustBeOk(file_->Read(*entry, 0, std::as_writable_bytes(std::span(values))));
  return values;
}

std::vector<float> Fixture::Floats(const std::string& tensor) const {
  return Values<float>(tensor, "F32");
}

std::vector<int32_t> Fixture::Ints(const std::string& tensor) const {
  return Values<int32_t>(tensor, "I32");
}

std::vector<uint8_t> Fixture::Bytes(const std::string& tensor) const {
  return Values<uint8_t>(tensor, "U8");
}

std::vector<int64_t> Fixture::Shape(const std::string& tensor) const {
  const SafetensorsEntry* entry = file_->Find(tensor);
  LT_CHECK(entry != nullptr);
  return entry->shape;
}

std::string Fixture::Metadata(const std::string& key) const {
  const auto found = file_->metadata().find(key);
  if (found == file_->metadata().end()) {
    MustBeOk(absl::NotFoundError(file_->path() + ": metadata " + key));
  }
  return found->second;
}

double Cosine(std::span<const float> actual, std::span<const float> expected) {
  if (actual.size() != expected.size()) return 0.0;
  double product = 0;
  double norm_a = 0;
  double norm_b = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double a = actual[i];
    const double b = expected[i];
    product += a * b;
    norm_a += a * a;
    norm_b += b * b;
  }
  return product / std::sqrt(norm_a * norm_b);
}

double RelativeError(std::span<const float> actual, std::span<const float> expected) {
  if (actual.size() != expected.size() || expected.empty()) return 1.0;
  double difference = 0;
  double norm = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    difference += std::pow(static_cast<double>(actual[i]) - expected[i], 2);
    norm += std::pow(static_cast<double>(expected[i]), 2);
  }
  return std::sqrt(difference / norm);
}

}  // namespace longtake
