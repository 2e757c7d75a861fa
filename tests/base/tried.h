// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Tests that try something many times: how often is asked of the environment, what came of it is
// noted for docs/reliability.md (tools/reliability.py) where LONGTAKE_RESULTS names a folder.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace longtake {

inline uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// LONGTAKE_SEEDS of them from LONGTAKE_FIRST_SEED on.
struct Seeds {
  uint64_t first = 1;
  uint64_t end = 1;
};
inline Seeds SeedsToTry(uint64_t otherwise) {
  const uint64_t first = FromEnvironment("LONGTAKE_FIRST_SEED", 1);
  return {.first = first, .end = first + FromEnvironment("LONGTAKE_SEEDS", otherwise)};
}
inline int EventsToTry(uint64_t otherwise) {
  return static_cast<int>(FromEnvironment("LONGTAKE_EVENTS", otherwise));
}

// The command that tries this one alone, from the root of the repository.
inline std::string AgainWith(uint64_t seed) {
  const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
  std::string command = "LONGTAKE_SOURCE_DIR=. LONGTAKE_SEEDS=1 LONGTAKE_FIRST_SEED=";
  command += std::to_string(seed);
  if (const char* events = std::getenv("LONGTAKE_EVENTS")) {
    command += std::string(" LONGTAKE_EVENTS=") + events;
  }
  return command + " LONGTAKE_LOG=1 " + program_invocation_name +
         " --gtest_filter=" + test.test_suite_name() + "." + test.name();
}

// What came of trying to break a promise, by its name in docs/reliability.md. Noted when it goes.
class Tried {
 public:
  explicit Tried(std::string promise) : promise_(std::move(promise)) {}
  ~Tried() {
    const char* folder = std::getenv("LONGTAKE_RESULTS");
    if (folder == nullptr || tried_ == 0) return;
    std::ofstream out(
        std::string(folder) + "/" + promise_ + "-" + std::to_string(getpid()) + ".jsonl",
        std::ios::app);
    out << "{\"promise\": \"" << promise_ << "\", \"tried\": " << tried_;
    if (violated_) out << ", \"violation\": \"seed " << violation_ << "\"";
    for (const auto& [name, count] : counts_) out << ", \"" << name << "\": " << count;
    if (!millis_.empty()) {
      std::nth_element(millis_.begin(), millis_.begin() + std::ssize(millis_) / 2, millis_.end());
      out << ", \"median_ms\": " << millis_[millis_.size() / 2];
    }
    out << "}\n";
  }
  Tried(const Tried&) = delete;
  Tried& operator=(const Tried&) = delete;

  void Add(uint64_t seed, bool held) {
    ++tried_;
    const std::clock_t now = std::clock();  // of the processor: others may be busy, too
    millis_.push_back(1e3 * static_cast<double>(now - last_) / CLOCKS_PER_SEC);
    last_ = now;
    if (held) return;
    violated_ = true;
    violation_ = seed;
  }
  // Of what there was beside.
  void Count(const std::string& name, uint64_t count) { counts_[name] += count; }

 private:
  const std::string promise_;
  uint64_t tried_ = 0;
  bool violated_ = false;
  uint64_t violation_ = 0;
  std::map<std::string, uint64_t> counts_;
  std::vector<double> millis_;
  std::clock_t last_ = std::clock();
};

}  // namespace longtake
