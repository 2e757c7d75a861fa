// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Convolution and channel norm at the shapes of the embedded model's VAE (base 8, 160 x 96 pixels,
// four frames a call) and of Wan's (base 96, 832 x 480, a strip of it). GFLOP/s count the published
// channels, not the lanes computed, and are per second of processor time; the ratio is to the peak
// measured right before. LONGTAKE_THREADS and LONGTAKE_ISA choose what is measured.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "base/worker_pool.h"
#include "engine/backend/backend.h"
#include "loadtest/bench/instruction_peak.h"

namespace longtake {
namespace {

struct ConvCase {
  const char* name;
  ConvShape shape;
  int64_t in_h;
  int64_t in_w;
  int64_t frames;
  bool upsample = false;
};

constexpr ConvCase kCases[] = {
    {"embedded 64->64 20x12", {64, 64, 3, 3, 3}, 12, 20, 1},
    {"embedded 32->32 40x24", {32, 32, 3, 3, 3}, 24, 40, 2},
    {"embedded 16->16 80x48", {16, 16, 3, 3, 3}, 48, 80, 4},
    {"embedded 8->8 160x96", {8, 8, 3, 3, 3}, 96, 160, 4},
    {"embedded up 16->8 160x96", {8, 16, 1, 3, 3}, 48, 80, 4, true},
    {"embedded 8->3 160x96", {3, 8, 3, 3, 3}, 96, 160, 4},
    {"wan 384->384 104x12", {384, 384, 3, 3, 3}, 12, 104, 1},
    {"wan 192->192 416x12", {192, 192, 3, 3, 3}, 12, 416, 1},
    {"wan 96->96 832x12", {96, 96, 3, 3, 3}, 12, 832, 2},
    {"wan 96->3 832x12", {3, 96, 3, 3, 3}, 12, 832, 2},
    {"wan 384->384 1x1 104x12", {384, 384, 1, 1, 1}, 12, 104, 1},
};

std::vector<float> Floats(int64_t count) {
  std::vector<float> out(count);
  uint32_t state = 1;
  for (float& x : out) {
    state = state * 1664525u + 1013904223u;
    x = static_cast<float>(state >> 8) * 0x1p-23f - 1.0f;
  }
  return out;
}

template <typename Run>
double SecondsPerRun(Run run) {
  run();
  int64_t runs = 0;
  const double start = ProcessCpuSeconds();
  double now = start;
  while (now - start < 0.5) {
    run();
    ++runs;
    now = ProcessCpuSeconds();
  }
  return (now - start) / static_cast<double>(runs);
}

void MeasureConv(const ConvCase& c, WorkerPool& workers, Backend& backend) {
  const int64_t taps = c.shape.taps_t * c.shape.taps_h * c.shape.taps_w;
  const int64_t scale = c.upsample ? 2 : 1;
  const int64_t pixels = c.in_h * c.in_w * scale * scale;
  const std::vector<float> weights = Floats(c.shape.out_channels * c.shape.in_channels * taps);
  const std::vector<float> bias = Floats(c.shape.out_channels);
  const auto packed = *backend.PackConv(c.shape, weights.data(), DType::kF32, bias.data());
  const std::vector<float> input =
      Floats((c.frames + c.shape.taps_t - 1) * c.in_h * c.in_w * c.shape.in_channels);
  std::vector<float> output(c.frames * pixels * c.shape.out_channels);
  std::vector<DevicePtr<const float>> inputs;
  for (int64_t i = 0; i < c.frames + c.shape.taps_t - 1; ++i) {
    inputs.push_back(DevicePtr(input.data() + i * c.in_h * c.in_w * c.shape.in_channels));
  }
  std::vector<ConvFrame> frames;
  for (int64_t i = 0; i < c.frames; ++i) {
    frames.push_back({.in = std::span(inputs).subspan(i, c.shape.taps_t),
                      .out = DevicePtr(output.data() + i * pixels * c.shape.out_channels)});
  }
  const int64_t pad_h = c.shape.taps_h / 2;
  const int64_t pad_w = c.shape.taps_w / 2;
  const ConvArgs args = {.weights = packed.get(),
                         .frames = frames,
                         .in_h = c.in_h,
                         .in_w = c.in_w,
                         .pad_top = pad_h,
                         .pad_left = pad_w,
                         .pad_bottom = pad_h,
                         .pad_right = pad_w,
                         .upsample = c.upsample};
  const double peak = MeasurePeak(workers, Instruction::kFma);
  const double seconds = SecondsPerRun([&] { backend.Conv(args); });
  const double operations = 2.0 * static_cast<double>(c.frames * pixels * c.shape.out_channels) *
                            static_cast<double>(c.shape.in_channels * taps);
  std::printf("%-26s %8.3f ms %7.1f GFLOP/s %5.1f %%\n", c.name, seconds * 1e3,
              operations / seconds * 1e-9, 100 * operations / seconds / peak);
}

void MeasureNorm(int64_t rows, int64_t width, Backend& backend) {
  const std::vector<float> in = Floats(rows * width);
  const std::vector<float> gamma = Floats(width);
  std::vector<float> out(rows * width);
  const double seconds = SecondsPerRun([&] {
    backend.ChannelNorm({.in = DevicePtr(in.data()),
                         .rows = rows,
                         .width = width,
                         .gamma = DevicePtr(gamma.data()),
                         .silu = true,
                         .out = DevicePtr(out.data())});
  });
  std::printf("norm + silu %6lld x %-6lld %9.3f ms %7.2f ns a value\n",
              static_cast<long long>(rows), static_cast<long long>(width), seconds * 1e3,
              seconds * 1e9 / static_cast<double>(rows * width));
}

int Main() {
  const char* threads = std::getenv("LONGTAKE_THREADS");
  const char* instruction_set = std::getenv("LONGTAKE_ISA");
  WorkerPool workers(threads == nullptr ? 2 : std::atoi(threads));
  const auto backend = CreateCpuBackend(
      workers, {.instruction_set_max = instruction_set == nullptr ? "" : instruction_set});
  if (!backend.ok()) return 1;
  for (const ConvCase& c : kCases) MeasureConv(c, workers, **backend);
  for (const int64_t width : {8, 16, 64, 96, 384}) MeasureNorm(15360, width, **backend);
  return 0;
}

}  // namespace
}  // namespace longtake

int main() { return longtake::Main(); }
