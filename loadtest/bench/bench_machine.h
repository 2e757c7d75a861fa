// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What benchmarks run on, and what they put into it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/dtype.h"
#include "base/worker_pool.h"
#include "engine/backend/backend.h"
#include "loadtest/bench/instruction_peak.h"

namespace longtake {

struct BenchMachine {
  BenchMachine(int threads, const CpuBackendOptions& options)
      : workers(threads), backend(*CreateCpuBackend(workers, options)) {}
  WorkerPool workers;
  std::unique_ptr<Backend> backend;
};

// How the factors of a product are held and multiplied.
enum class Arithmetic {
  kF32,      // fp32 weights
  kBf16,     // bf16 weights widened to fp32
  kVnni,     // int8 weights, AVX512-VNNI
  kAmxInt8,  // int8 weights, AMX
  kAmxBf16,  // bf16 weights, products of bf16 in AMX: the profile cpu-amx-bf16-v1
};
inline constexpr std::string_view kArithmeticNames[] = {"f32", "bf16", "int8-vnni", "int8-amx",
                                                        "bf16-amx"};

inline Instruction InstructionOf(Arithmetic arithmetic) {
  switch (arithmetic) {
    case Arithmetic::kVnni:
      return Instruction::kVnni;
    case Arithmetic::kAmxInt8:
      return Instruction::kAmxInt8;
    case Arithmetic::kAmxBf16:
      return Instruction::kAmxBf16;
    default:
      return Instruction::kFma;
  }
}

// Made on first use; the process keeps them.
inline BenchMachine& MachineFor(Arithmetic arithmetic, int threads) {
  static auto& machines = *new std::map<std::pair<Arithmetic, int>, std::unique_ptr<BenchMachine>>;
  std::unique_ptr<BenchMachine>& machine = machines[{arithmetic, threads}];
  if (machine == nullptr) {
    CpuBackendOptions options;
    if (arithmetic == Arithmetic::kVnni) options.instruction_set_max = "x86-64-v4+vnni";
    if (arithmetic == Arithmetic::kAmxBf16) options.numerics_profile = kAmxBf16Profile;
    machine = std::make_unique<BenchMachine>(threads, options);
  }
  return *machine;
}

inline std::vector<float> BenchFloats(int64_t count) {
  std::vector<float> out(static_cast<size_t>(count));
  uint32_t state = 1;
  for (float& x : out) {
    state = state * 1664525u + 1013904223u;
    x = static_cast<float>(state >> 8) * 0x1p-23f - 1.0f;
  }
  return out;
}

// A matrix in the type the arithmetic wants.
struct BenchWeight {
  BenchWeight(Arithmetic arithmetic, int64_t out, int64_t in)
      : dtype(arithmetic == Arithmetic::kF32                                          ? DType::kF32
              : arithmetic == Arithmetic::kBf16 || arithmetic == Arithmetic::kAmxBf16 ? DType::kBf16
                                                                                      : DType::kI8),
        out_features(out),
        in_features(in) {
    std::vector<float> values = BenchFloats(out * in);
    if (dtype == DType::kBf16) {
      for (float x : values) narrow.push_back(FloatToBf16(x));
    } else if (dtype == DType::kI8) {
      for (float x : values) bytes.push_back(static_cast<int8_t>(x * 127.0f));
      scales.assign(static_cast<size_t>(out), 0.01f);
    } else {
      wide = std::move(values);
    }
  }
  Weight weight() const {
    const void* data = dtype == DType::kF32    ? static_cast<const void*>(wide.data())
                       : dtype == DType::kBf16 ? static_cast<const void*>(narrow.data())
                                               : bytes.data();
    return {.data = DevicePtr(data),
            .dtype = dtype,
            .out_features = out_features,
            .in_features = in_features,
            .scales = scales.empty() ? DevicePtr<const float>() : DevicePtr(scales.data())};
  }
  DType dtype;
  int64_t out_features, in_features;
  std::vector<float> wide;
  std::vector<uint16_t> narrow;
  std::vector<int8_t> bytes;
  std::vector<float> scales;
};

}  // namespace longtake
