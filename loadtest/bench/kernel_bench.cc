// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Ops of the CPU backend at the shapes of Wan 1.3B and of the embedded model. Each line gives the
// achieved GFLOP/s and its ratio to the peak measured right before it on the same workers, so that
// a busy machine lowers both. LONGTAKE_THREADS and LONGTAKE_ISA (x86-64-v3) choose what is
// measured.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "engine/backend/backend.h"
#include "loadtest/bench/fma_peak.h"

namespace longtake {
namespace {

struct Machine {
  Machine()
      : workers(std::getenv("LONGTAKE_THREADS") ? std::atoi(std::getenv("LONGTAKE_THREADS")) : 2),
        backend(*CreateCpuBackend(
            workers, std::getenv("LONGTAKE_ISA") ? std::getenv("LONGTAKE_ISA") : "")) {}
  WorkerPool workers;
  std::unique_ptr<Backend> backend;
};

Machine& TheMachine() {
  static Machine machine;
  return machine;
}

std::vector<float> Floats(int64_t count) {
  std::vector<float> out(count);
  uint32_t state = 1;
  for (float& x : out) {
    state = state * 1664525u + 1013904223u;
    x = static_cast<float>(state >> 8) * 0x1p-23f - 1.0f;
  }
  return out;
}

std::vector<uint16_t> Bf16s(int64_t count) {
  const std::vector<float> floats = Floats(count);
  std::vector<uint16_t> out(count);
  for (int64_t i = 0; i < count; ++i) out[i] = FloatToBf16(floats[i]);
  return out;
}

template <typename Run>
void Measure(benchmark::State& state, double operations, Run run) {
  run();
  const double peak = MeasureFmaPeak(TheMachine().workers, 200);
  const double start = ProcessCpuSeconds();
  for (auto _ : state) run();
  const double seconds = ProcessCpuSeconds() - start;
  const double rate = operations * static_cast<double>(state.iterations()) / seconds;
  state.counters["GFLOPS"] = rate * 1e-9;
  state.counters["peak"] = peak * 1e-9;
  state.counters["ratio"] = rate / peak;
}

void BM_Linear(benchmark::State& state) {
  const int64_t rows = state.range(0), in = state.range(1), out = state.range(2);
  const bool bf16 = state.range(3) != 0;
  const std::vector<float> x = Floats(rows * in), bias = Floats(out);
  const std::vector<float> wide = Floats(bf16 ? 1 : in * out);
  const std::vector<uint16_t> narrow = Bf16s(bf16 ? in * out : 1);
  std::vector<float> y(rows * out);
  const LinearArgs args = {
      .in = x.data(),
      .rows = rows,
      .weight = {.data = bf16 ? static_cast<const void*>(narrow.data()) : wide.data(),
                 .dtype = bf16 ? DType::kBf16 : DType::kF32,
                 .out_features = out,
                 .in_features = in},
      .bias = bias.data(),
      .activation = Activation::kNone,
      .out = y.data()};
  Measure(state, 2.0 * static_cast<double>(rows * in * out),
          [&] { TheMachine().backend->Linear(args); });
}

void BM_Attention(benchmark::State& state) {
  const int64_t rows = state.range(0), keys = state.range(1);
  const int64_t heads = state.range(2), head_dim = state.range(3);
  const bool rotated = state.range(4) != 0;
  const std::vector<float> q = Floats(rows * heads * head_dim);
  const std::vector<uint16_t> k = Bf16s(keys * heads * head_dim);
  const std::vector<float> table = Floats(keys * head_dim);
  std::vector<float> out(q.size());
  const KeySegment segment = {.k = k.data(),
                              .v = k.data(),
                              .dtype = DType::kBf16,
                              .rows = keys,
                              .rotary = rotated ? table.data() : nullptr};
  const AttentionArgs args = {.q = q.data(),
                              .rows = rows,
                              .heads = heads,
                              .head_dim = head_dim,
                              .keys = {&segment, 1},
                              .scale = 0.125f,
                              .out = out.data()};
  Measure(state, 4.0 * static_cast<double>(rows * keys * heads * head_dim),
          [&] { TheMachine().backend->Attention({&args, 1}); });
}

void BM_LayerNormModulate(benchmark::State& state) {
  const int64_t rows = state.range(0), width = state.range(1);
  const std::vector<float> x = Floats(rows * width), table = Floats(2 * width);
  std::vector<float> y(x.size());
  const LayerNormModulateArgs args = {.in = x.data(),
                                      .rows = rows,
                                      .width = width,
                                      .shift = table.data(),
                                      .scale = table.data() + width,
                                      .group_rows = rows,
                                      .out = y.data()};
  Measure(state, 8.0 * static_cast<double>(rows * width),
          [&] { TheMachine().backend->LayerNormModulate(args); });
}

void BM_Silu(benchmark::State& state) {
  std::vector<float> x = Floats(state.range(0));
  Measure(state, 16.0 * static_cast<double>(x.size()),
          [&] { TheMachine().backend->Silu(x.data(), static_cast<int64_t>(x.size())); });
}

BENCHMARK(BM_Linear)
    ->ArgNames({"rows", "in", "out", "bf16"})
    ->Args({1, 1536, 1536, 1})
    ->Args({8, 1536, 1536, 1})
    ->Args({18, 1536, 1536, 1})
    ->Args({32, 1536, 1536, 1})
    ->Args({180, 192, 192, 1})
    ->Args({180, 192, 768, 1})
    ->Args({180, 384, 1536, 1})
    ->Args({180, 1536, 1536, 1})
    ->Args({180, 1536, 1536, 0})
    ->Args({180, 1536, 8960, 1})
    ->Args({180, 8960, 1536, 1})
    ->Args({1560, 1536, 1536, 1})
    ->Args({1560, 1536, 8960, 1})
    ->Args({1560, 8960, 1536, 1})
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_Attention)
    ->ArgNames({"rows", "keys", "heads", "dim", "rotary"})
    ->Args({18, 378, 12, 16, 1})
    ->Args({180, 180, 6, 64, 1})
    ->Args({180, 1260, 6, 64, 1})
    ->Args({180, 512, 6, 64, 0})
    ->Args({1560, 1560, 4, 128, 1})
    ->Args({1560, 32760, 1, 128, 1})
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_LayerNormModulate)
    ->Args({180, 384})
    ->Args({1560, 1536})
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_Silu)->Arg(180 * 384)->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace longtake

BENCHMARK_MAIN();
