// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What the tests of ops share: seeded data, every (instruction set, threads) the machine offers,
// and comparison of bits.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/worker_pool.h"
#include "engine/backend/backend.h"

namespace longtake {

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  // In [low, high].
  int64_t Int(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(engine_() % static_cast<uint64_t>(high - low + 1));
  }
  // Uniform in [-scale, scale].
  std::vector<float> Floats(int64_t count, float scale = 1.0f) {
    std::vector<float> out(static_cast<size_t>(count));
    for (float& x : out) {
      x = scale * (static_cast<float>(engine_() >> 8) * 0x1p-23f - 1.0f);
    }
    return out;
  }

 private:
  std::mt19937 engine_;
};

// Values of either type, with what they are as floats.
struct Values {
  Values(std::vector<float> floats, DType type) : dtype(type), wide(std::move(floats)) {
    if (dtype == DType::kF32) return;
    for (float& x : wide) {
      narrow.push_back(FloatToBf16(x));
      x = Bf16ToFloat(narrow.back());
    }
  }
  const void* data() const { return At(0); }
  const void* At(int64_t index) const {
    if (dtype == DType::kF32) return wide.data() + index;
    return narrow.data() + index;
  }
  DType dtype;
  std::vector<float> wide;
  std::vector<uint16_t> narrow;
};

// A backend with its own workers.
struct Machine {
  explicit Machine(int threads, const CpuBackendOptions& options = {})
      : workers(threads), backend(*CreateCpuBackend(workers, options)) {}
  std::string Name() const {
    return std::string(backend->instruction_set()) + " on " +
           std::to_string(workers.thread_count()) + " threads";
  }
  WorkerPool workers;
  std::unique_ptr<Backend> backend;
};

// The first is the one results are compared with values by; all others must give its bits. What the
// processor lacks repeats the instruction set before.
inline std::vector<std::unique_ptr<Machine>>& Machines() {
  static auto& machines = *[] {
    auto* out = new std::vector<std::unique_ptr<Machine>>;
    for (const char* isa : {"x86-64-v3", "x86-64-v4", "x86-64-v4+vnni", "x86-64-v4+amx"}) {
      for (int threads : {1, 2, 3}) {
        out->push_back(
            std::make_unique<Machine>(threads, CpuBackendOptions{.instruction_set_max = isa}));
      }
    }
    return out;
  }();
  return machines;
}

// The machines of the profile cpu-amx-bf16-v1; empty where the processor lacks AMX.
inline std::vector<std::unique_ptr<Machine>>& AmxMachines() {
  static auto& machines = *[] {
    auto* out = new std::vector<std::unique_ptr<Machine>>;
    const auto profiles = CpuNumericsProfiles();
    if (std::find(profiles.begin(), profiles.end(), kAmxBf16Profile) == profiles.end()) return out;
    for (int threads : {1, 2, 3}) {
      out->push_back(std::make_unique<Machine>(
          threads, CpuBackendOptions{.numerics_profile = kAmxBf16Profile}));
    }
    return out;
  }();
  return machines;
}

inline bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// Runs the op on every machine; returns the first result. Names in *different the machines whose
// bits differ from it.
inline std::vector<float> RunOn(const std::vector<std::unique_ptr<Machine>>& machines,
                                const std::function<std::vector<float>(Backend&)>& run,
                                std::string* different) {
  std::vector<float> first;
  for (const std::unique_ptr<Machine>& machine : machines) {
    std::vector<float> out = run(*machine->backend);
    if (first.empty()) first = out;
    if (!SameBits(first, out)) *different += machine->Name() + "; ";
  }
  return first;
}

inline std::vector<float> RunEverywhere(const std::function<std::vector<float>(Backend&)>& run,
                                        std::string* different) {
  return RunOn(Machines(), run, different);
}

}  // namespace longtake
