// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Stored inputs and outputs of the reference implementations (tests/golden/README.md), and how a
// result is held against them. A fixture that cannot be read ends the test program: nothing can be
// said without it.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "storage/json.h"
#include "storage/safetensors/safetensors.h"

namespace longtake {

inline void MustBeOk(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::abort();
}

template <typename T>
T Must(absl::StatusOr<T> result) {
  MustBeOk(result.status());
  return *std::move(result);
}

// A new empty directory below the test's temporary directory, removed with the object.
class ScratchDirectory {
 public:
  explicit ScratchDirectory(const std::string& name);
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class Fixture {
 public:
  // name of tests/golden/fixtures/<name>.safetensors.
  explicit Fixture(const std::string& name);

  std::vector<float> Floats(const std::string& tensor) const;
  std::vector<int32_t> Ints(const std::string& tensor) const;
  std::vector<uint8_t> Bytes(const std::string& tensor) const;
  std::vector<int64_t> Shape(const std::string& tensor) const;
  // The text of a metadata value: a config.json, or a seed.
  std::string Metadata(const std::string& key) const;
  uint64_t Seed(const std::string& key) const { return std::stoull(Metadata(key)); }

 private:
  template <typename T>
  std::vector<T> Values(const std::string& tensor, const std::string& dtype_name) const;

  std::unique_ptr<Safetensors> file_;
};

// |actual - expected| / |expected| in L2; sizes that differ are an error of 1.
double RelativeError(std::span<const float> actual, std::span<const float> expected);
// 1 for the same direction; sizes that differ are 0.
double Cosine(std::span<const float> actual, std::span<const float> expected);

}  // namespace longtake
