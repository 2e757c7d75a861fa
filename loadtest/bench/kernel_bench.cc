// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Ops of the CPU backend at the shapes of Wan 1.3B, 14B and the embedded model, on one and on all
// threads. Each line gives the achieved rate, the peak of the instruction it is made of, measured
// right before it on the same workers, and their ratio, all per second of processor time, so that a
// busy machine lowers both.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <thread>

#include "loadtest/bench/bench_machine.h"

namespace longtake {
namespace {

template <typename Run>
void Measure(benchmark::State& state, BenchMachine& machine, Instruction instruction,
             double operations, Run run) {
  run();
  const double peak = MeasurePeak(machine.workers, instruction);
  const double start = ProcessCpuSeconds();
  for (auto _ : state) run();
  const double seconds = ProcessCpuSeconds() - start;
  const double rate = operations * static_cast<double>(state.iterations()) / seconds;
  state.counters["Gop/s"] = rate * 1e-9;
  state.counters["peak"] = peak * 1e-9;
  state.counters["ratio"] = rate / peak;
  state.SetLabel(std::string(InstructionName(instruction)));
}

struct LinearShape {
  int64_t rows;
  int64_t in;
  int64_t out;
};

void BenchLinear(benchmark::State& state, Arithmetic arithmetic, int threads, LinearShape shape) {
  BenchMachine& machine = MachineFor(arithmetic, threads);
  const BenchWeight weight(arithmetic, shape.out, shape.in);
  const std::vector<float> x = BenchFloats(shape.rows * shape.in);
  const std::vector<float> bias = BenchFloats(shape.out);
  std::vector<float> y(static_cast<size_t>(shape.rows * shape.out));
  const LinearArgs args = {.in = DevicePtr(x.data()),
                           .rows = shape.rows,
                           .weight = weight.weight(),
                           .bias = DevicePtr(bias.data()),
                           .out = DevicePtr(y.data())};
  Measure(state, machine, InstructionOf(arithmetic),
          2.0 * static_cast<double>(shape.rows * shape.in * shape.out),
          [&] { machine.backend->Linear(args); });
}

struct AttentionShape {
  int64_t rows;
  int64_t keys;
  int64_t heads;
  int64_t head_dim;
  int64_t piece = 0;  // keys that lie together, as rows of a page do; 0: all
};

void BenchAttention(benchmark::State& state, Arithmetic arithmetic, int threads,
                    AttentionShape shape) {
  BenchMachine& machine = MachineFor(arithmetic, threads);
  const int64_t width = shape.heads * shape.head_dim;
  const std::vector<float> q = BenchFloats(shape.rows * width);
  const BenchWeight k(Arithmetic::kBf16, shape.keys, width);
  const std::vector<float> table = BenchFloats(shape.keys * shape.head_dim);
  std::vector<float> out(q.size());
  const DevicePtr<const uint16_t> keys(static_cast<const uint16_t*>(k.weight().data.address()));
  const int64_t piece = shape.piece == 0 ? shape.keys : shape.piece;
  std::vector<KeySegment> segments;
  for (int64_t row = 0; row < shape.keys; row += piece) {
    segments.push_back({.k = keys + row * width,
                        .v = keys + row * width,
                        .dtype = DType::kBf16,
                        .rows = std::min(piece, shape.keys - row),
                        .rotary = DevicePtr(table.data()) + row * shape.head_dim});
  }
  const AttentionArgs args = {.q = DevicePtr(q.data()),
                              .rows = shape.rows,
                              .heads = shape.heads,
                              .head_dim = shape.head_dim,
                              .keys = segments,
                              .scale = 0.125f,
                              .out = DevicePtr(out.data())};
  Measure(state, machine, InstructionOf(arithmetic),
          4.0 * static_cast<double>(shape.rows * shape.keys * width),
          [&] { machine.backend->Attention({&args, 1}); });
}

// Bytes in and out against nothing: these ops are bound by memory, their share of a layer is in
// layer_bench.
void BenchNorm(benchmark::State& state, int threads, int64_t rows, int64_t width) {
  BenchMachine& machine = MachineFor(Arithmetic::kF32, threads);
  const std::vector<float> x = BenchFloats(rows * width);
  const std::vector<float> table = BenchFloats(2 * width);
  std::vector<float> y(x.size());
  for (auto _ : state) {
    machine.backend->LayerNormModulate({.in = DevicePtr(x.data()),
                                        .rows = rows,
                                        .width = width,
                                        .shift = DevicePtr(table.data()),
                                        .scale = DevicePtr(table.data() + width),
                                        .group_rows = rows,
                                        .out = DevicePtr(y.data())});
  }
  state.counters["GB/s"] = benchmark::Counter(8e-9 * static_cast<double>(rows * width),
                                              benchmark::Counter::kIsIterationInvariantRate);
}

std::string Name(const char* op, Arithmetic arithmetic, int threads,
                 std::initializer_list<int64_t> sizes) {
  std::string name = std::string(op) + "/" + std::string(kArithmeticNames[int(arithmetic)]) + "/" +
                     std::to_string(threads) + "t/";
  for (int64_t size : sizes) name += std::to_string(size) + "x";
  name.pop_back();
  return name;
}

void RegisterLinears(Arithmetic arithmetic, int threads) {
  // Widths and hidden widths of the embedded model, 1.3B and 14B.
  const int64_t models[][2] = {{192, 768}, {1536, 8960}, {5120, 13824}};
  for (const auto& [width, hidden] : models) {
    for (int64_t rows : {18, 180, 1560, 4680}) {
      if (rows == 4680 && width == 5120 && arithmetic <= Arithmetic::kBf16) continue;  // a minute
      const LinearShape shapes[] = {
          {rows, width, width}, {rows, width, hidden}, {rows, hidden, width}};
      for (const LinearShape& shape : shapes) {
        benchmark::RegisterBenchmark(
            Name("linear", arithmetic, threads, {shape.rows, shape.in, shape.out}).c_str(),
            [=](benchmark::State& state) { BenchLinear(state, arithmetic, threads, shape); })
            ->UseRealTime()
            ->Unit(benchmark::kMillisecond);
      }
    }
  }
}

void RegisterAttention(Arithmetic arithmetic, int threads) {
  const AttentionShape shapes[] = {
      {18, 378, 12, 16},
      {180, 180, 3, 64},
      {180, 1260, 3, 64},
      {1560, 1560, 12, 128},
      {1560, 32760, 2, 128},
      {4680, 32760, 2, 128},
      // K/V of a frame in one piece, in pages of 64 KiB of 1.3B, of 14B.
      {4680, 32760, 2, 128, 1560},
      {4680, 32760, 2, 128, 21},
      {4680, 32760, 2, 128, 6}};
  for (const AttentionShape& shape : shapes) {
    std::string name = Name("attention", arithmetic, threads,
                            {shape.rows, shape.keys, shape.heads, shape.head_dim});
    if (shape.piece != 0) name += "/pieces_of_" + std::to_string(shape.piece);
    benchmark::RegisterBenchmark(
        name.c_str(),
        [=](benchmark::State& state) { BenchAttention(state, arithmetic, threads, shape); })
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
  }
}

void RegisterAll() {
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  for (int threads : {1, cores}) {
    for (Arithmetic arithmetic : {Arithmetic::kF32, Arithmetic::kBf16, Arithmetic::kVnni,
                                  Arithmetic::kAmxInt8, Arithmetic::kAmxBf16}) {
      if (HasInstruction(InstructionOf(arithmetic))) RegisterLinears(arithmetic, threads);
    }
    for (Arithmetic arithmetic : {Arithmetic::kBf16, Arithmetic::kAmxBf16}) {
      if (HasInstruction(InstructionOf(arithmetic))) RegisterAttention(arithmetic, threads);
    }
    for (int64_t width : {192, 1536, 5120}) {
      benchmark::RegisterBenchmark(
          Name("norm", Arithmetic::kF32, threads, {1560, width}).c_str(),
          [=](benchmark::State& state) { BenchNorm(state, threads, 1560, width); })
          ->UseRealTime()
          ->Unit(benchmark::kMillisecond);
    }
    if (cores == 1) break;
  }
}

}  // namespace
}  // namespace longtake

int main(int argc, char** argv) {
  longtake::RegisterAll();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
