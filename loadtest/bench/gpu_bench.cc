// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A GPU by itself: what it is, what its copies reach, and the op list of CUDA at the shapes of Wan
// 1.3B and 14B, a chunk of 832x480 against windows of 12 and 21 frames. A line of JSON each: the
// median over rounds, by events of the device, of random values in memory that takes turns, so that
// no round finds the last one's in the cache.
//
// usage: longtake_gpu_bench card | copies | ops. Exits with 77 where there is no GPU.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/dtype.h"
#include "engine/backend/cuda/cuda_backend.h"
#include "loadtest/bench/bench_machine.h"

namespace longtake {
namespace {

constexpr int kNoGpu = 77;
constexpr int kRounds = 21;
constexpr int kWarmUps = 3;
constexpr int kTurns = 3;  // copies of what an op works on: together beyond the cache
constexpr int64_t kRows = kGemmPlanRows;
constexpr int64_t kFrameKeys = kRows / 3;

// Of calls of CUDA that are not the backend's.
absl::Status Must(cudaError_t error, const char* call) {
  if (error == cudaSuccess) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(call, ": ", cudaGetErrorString(error)));
}

class Bench {
 public:
  static absl::StatusOr<std::unique_ptr<Bench>> Create(const CudaBackendOptions& options) {
    auto bench = std::unique_ptr<Bench>(new Bench);
    LT_ASSIGN_OR_RETURN(auto device, CudaDevice::Create(options.device));
    bench->device_ = device.get();
    CudaLibraries libraries;
    LT_ASSIGN_OR_RETURN(libraries.cublas_lt, LoadCublasLt());
    LT_ASSIGN_OR_RETURN(libraries.cudnn, LoadCudnn());
    LT_ASSIGN_OR_RETURN(bench->backend_,
                        CudaBackend::Create(std::move(device), libraries, options));
    LT_RETURN_IF_ERROR(Must(cudaEventCreate(&bench->begin_), "cudaEventCreate"));
    LT_RETURN_IF_ERROR(Must(cudaEventCreate(&bench->end_), "cudaEventCreate"));
    return bench;
  }
  ~Bench() {
    if (begin_ != nullptr) static_cast<void>(cudaEventDestroy(begin_));
    if (end_ != nullptr) static_cast<void>(cudaEventDestroy(end_));
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  CudaBackend& backend() { return *backend_; }
  // Random values, fp32 or bf16.
  absl::StatusOr<DeviceBuffer> Random(int64_t count, DType dtype) {
    const std::vector<float> floats = BenchFloats(std::min(count, kDrawnMax));
    std::vector<uint16_t> narrow;
    for (const float x : floats) narrow.push_back(FloatToBf16(x));
    const std::span<const std::byte> drawn =
        dtype == DType::kF32 ? std::as_bytes(std::span(floats)) : std::as_bytes(std::span(narrow));
    const uint64_t bytes = static_cast<uint64_t>(count) * (dtype == DType::kF32 ? 4 : 2);
    LT_ASSIGN_OR_RETURN(DeviceBuffer out, device_->Allocate(bytes, nullptr));
    for (uint64_t at = 0; at < bytes; at += drawn.size()) {
      device_->CopyIn(backend_->lane(), out.As<std::byte>() + static_cast<int64_t>(at),
                      drawn.first(std::min<uint64_t>(drawn.size(), bytes - at)));
    }
    LT_RETURN_IF_ERROR(backend_->Await());
    return out;
  }
  // What put takes for a turn of kTurns, in milliseconds.
  absl::StatusOr<double> Milliseconds(const std::function<void(int turn)>& put) {
    std::vector<float> times;
    cudaStream_t stream = device_->stream(backend_->lane());
    for (int round = -kWarmUps; round < kRounds; ++round) {
      LT_RETURN_IF_ERROR(Must(cudaEventRecord(begin_, stream), "cudaEventRecord"));
      put((round + kWarmUps) % kTurns);
      LT_RETURN_IF_ERROR(Must(cudaEventRecord(end_, stream), "cudaEventRecord"));
      LT_RETURN_IF_ERROR(backend_->Await());
      float milliseconds = 0;
      LT_RETURN_IF_ERROR(
          Must(cudaEventElapsedTime(&milliseconds, begin_, end_), "cudaEventElapsedTime"));
      if (round >= 0) times.push_back(milliseconds);
    }
    std::nth_element(times.begin(), times.begin() + kRounds / 2, times.end());
    return static_cast<double>(times[kRounds / 2]);
  }

 private:
  static constexpr int64_t kDrawnMax = int64_t{1} << 22;
  Bench() = default;

  CudaDevice* device_ = nullptr;  // the backend's
  std::unique_ptr<CudaBackend> backend_;
  cudaEvent_t begin_ = nullptr;
  cudaEvent_t end_ = nullptr;
};

// kTurns of the same kind.
absl::StatusOr<std::vector<DeviceBuffer>> Turns(Bench& bench, int64_t count, DType dtype) {
  std::vector<DeviceBuffer> out(kTurns);
  for (DeviceBuffer& buffer : out) {
    LT_ASSIGN_OR_RETURN(buffer, bench.Random(count, dtype));
  }
  return out;
}

void Print(const std::string& what, double milliseconds, double amount, const char* unit) {
  std::printf("{\"what\":\"%s\",\"ms\":%.4f,\"%s\":%.1f}\n", what.c_str(), milliseconds, unit,
              amount / milliseconds * 1e3);
  std::fflush(stdout);
}

absl::Status BenchLinear(Bench& bench, int64_t rows, int64_t out, int64_t in) {
  LT_ASSIGN_OR_RETURN(const auto x, Turns(bench, rows * in, DType::kF32));
  LT_ASSIGN_OR_RETURN(const auto weight, Turns(bench, out * in, DType::kBf16));
  LT_ASSIGN_OR_RETURN(const auto y, Turns(bench, rows * out, DType::kF32));
  LT_ASSIGN_OR_RETURN(const DeviceBuffer bias, bench.Random(out, DType::kF32));
  LT_ASSIGN_OR_RETURN(const double ms, bench.Milliseconds([&](int turn) {
    const auto i = static_cast<size_t>(turn);
    bench.backend().Linear({.in = x[i].As<float>(),
                            .rows = rows,
                            .weight = {.data = weight[i].As<uint16_t>(),
                                       .dtype = DType::kBf16,
                                       .out_features = out,
                                       .in_features = in},
                            .bias = bias.As<float>(),
                            .out = y[i].As<float>()});
  }));
  Print(absl::StrCat("Linear ", out, "x", in, ", ", rows, " rows"), ms,
        2e-12 * static_cast<double>(rows * out * in), "tflop_per_s");
  return absl::OkStatus();
}

absl::Status BenchAttention(Bench& bench, const SdpaShape& shape) {
  const int64_t width = shape.heads * shape.head_dim;
  LT_RETURN_IF_ERROR(bench.backend().ReserveAttention(shape));
  LT_ASSIGN_OR_RETURN(const auto q, Turns(bench, shape.rows * width, DType::kF32));
  LT_ASSIGN_OR_RETURN(const auto k, Turns(bench, shape.keys * width, DType::kBf16));
  LT_ASSIGN_OR_RETURN(const auto v, Turns(bench, shape.keys * width, DType::kBf16));
  LT_ASSIGN_OR_RETURN(const auto out, Turns(bench, shape.rows * width, DType::kF32));
  LT_ASSIGN_OR_RETURN(const auto table, bench.Random(shape.keys * shape.head_dim, DType::kF32));
  LT_ASSIGN_OR_RETURN(const double ms, bench.Milliseconds([&](int turn) {
    const auto i = static_cast<size_t>(turn);
    std::vector<KeySegment> segments;  // a frame each
    for (int64_t row = 0; row < shape.keys; row += kFrameKeys) {
      segments.push_back({.k = k[i].As<uint16_t>() + row * width,
                          .v = v[i].As<uint16_t>() + row * width,
                          .dtype = DType::kBf16,
                          .rows = std::min(kFrameKeys, shape.keys - row),
                          .rotary = table.As<float>() + row * shape.head_dim});
    }
    const AttentionArgs item = {.q = q[i].As<float>(),
                                .rows = shape.rows,
                                .heads = shape.heads,
                                .head_dim = shape.head_dim,
                                .keys = segments,
                                .scale = 1.0f / std::sqrt(static_cast<float>(shape.head_dim)),
                                .out = out[i].As<float>()};
    bench.backend().Attention({&item, 1});
  }));
  Print(absl::StrCat("Attention ", SdpaShapeName(shape)), ms,
        4e-12 * static_cast<double>(shape.rows * shape.keys * width), "tflop_per_s");
  bench.backend().ReleaseAttention(shape);
  return absl::OkStatus();
}

// What memory bounds, by the bytes that each must read and write.
absl::Status BenchRowOps(Bench& bench, int64_t width) {
  LT_ASSIGN_OR_RETURN(const auto x, Turns(bench, kRows * width, DType::kF32));
  LT_ASSIGN_OR_RETURN(const auto y, Turns(bench, kRows * width, DType::kF32));
  LT_ASSIGN_OR_RETURN(const DeviceBuffer table, bench.Random(kRows * 128, DType::kF32));
  const double array = 4e-9 * static_cast<double>(kRows * width);
  Backend& ops = bench.backend();
  const DevicePtr<float> parameters = table.As<float>();
  const auto measure = [&](const char* name, double arrays,
                           const std::function<void(size_t)>& put) -> absl::Status {
    LT_ASSIGN_OR_RETURN(const double ms,
                        bench.Milliseconds([&](int turn) { put(static_cast<size_t>(turn)); }));
    Print(absl::StrCat(name, " ", kRows, "x", width), ms, arrays * array, "gb_per_s");
    return absl::OkStatus();
  };
  LT_RETURN_IF_ERROR(measure("LayerNormModulate", 2, [&](size_t i) {
    ops.LayerNormModulate({.in = x[i].As<float>(),
                           .rows = kRows,
                           .width = width,
                           .shift = parameters,
                           .scale = parameters + width,
                           .group_rows = kRows,
                           .out = y[i].As<float>()});
  }));
  LT_RETURN_IF_ERROR(measure("RmsNorm", 2, [&](size_t i) {
    ops.RmsNorm({.in = x[i].As<float>(),
                 .rows = kRows,
                 .width = width,
                 .gain = parameters,
                 .out = y[i].As<float>()});
  }));
  LT_RETURN_IF_ERROR(measure("Rotary", 2, [&](size_t i) {
    ops.Rotary({.x = x[i].As<float>(),
                .rows = kRows,
                .heads = width / 128,
                .head_dim = 128,
                .table = parameters});
  }));
  LT_RETURN_IF_ERROR(measure("GatedAdd", 3, [&](size_t i) {
    ops.GatedAdd({.x = x[i].As<float>(),
                  .y = y[i].As<float>(),
                  .rows = kRows,
                  .width = width,
                  .gate = parameters,
                  .group_rows = kRows});
  }));
  return measure("StoreRows bf16", 1.5, [&](size_t i) {
    const RowPiece piece = {.out = y[i].As<std::byte>(), .rows = kRows};
    ops.StoreRows(
        {.in = x[i].As<float>(), .width = width, .dtype = DType::kBf16, .out = {&piece, 1}});
  });
}

absl::Status RunOps() {
  const int64_t models[][3] = {{1536, 8960, 12}, {5120, 13824, 40}};  // width, hidden, heads
  std::vector<CudaWeight> weights;
  for (const auto& [width, hidden, heads] : models) {
    weights.push_back({.out_features = width, .in_features = width});
    weights.push_back({.out_features = hidden, .in_features = width});
    weights.push_back({.out_features = width, .in_features = hidden});
  }
  LT_ASSIGN_OR_RETURN(
      const auto bench,
      Bench::Create(
          {.weights = weights, .rows_max = kRows, .keys_max = 21 * kFrameKeys, .width_max = 5120}));
  std::printf("{\"what\":\"profile\",\"name\":\"%s\"}\n",
              std::string(bench->backend().numerics_profile()).c_str());
  for (const auto& [width, hidden, heads] : models) {
    for (const int64_t rows : {kRows, 2 * kRows}) {
      LT_RETURN_IF_ERROR(BenchLinear(*bench, rows, width, width));
      LT_RETURN_IF_ERROR(BenchLinear(*bench, rows, hidden, width));
      LT_RETURN_IF_ERROR(BenchLinear(*bench, rows, width, hidden));
    }
    for (const int64_t keys : {int64_t{512}, 12 * kFrameKeys, 21 * kFrameKeys}) {
      LT_RETURN_IF_ERROR(
          BenchAttention(*bench, {.heads = heads, .rows = kRows, .keys = keys, .head_dim = 128}));
    }
    LT_RETURN_IF_ERROR(BenchRowOps(*bench, width));
  }
  return absl::OkStatus();
}

// Ceilings: within the device, counting bytes that are read and written, and between it and
// page-locked memory of the host.
absl::Status RunCopies() {
  constexpr int64_t kCount = int64_t{1} << 28;  // 1 GiB
  constexpr double kGigabytes = 4e-9 * static_cast<double>(kCount);
  LT_ASSIGN_OR_RETURN(const auto bench, Bench::Create({}));
  Device& device = bench->backend().device();
  const Lane lane = bench->backend().lane();
  LT_ASSIGN_OR_RETURN(const DeviceBuffer a, bench->Random(kCount, DType::kF32));
  LT_ASSIGN_OR_RETURN(const DeviceBuffer b, bench->Random(kCount, DType::kF32));
  LT_ASSIGN_OR_RETURN(AlignedBuffer pinned, device.AllocatePinned(a.size(), nullptr));
  const std::span<std::byte> host = pinned.span().first(a.size());
  LT_ASSIGN_OR_RETURN(double ms, bench->Milliseconds([&](int) {
    device.Copy(lane, b.As<std::byte>(), a.As<std::byte>(), a.size());
  }));
  Print("copy within the device, 1 GiB", ms, 2 * kGigabytes, "gb_per_s");
  LT_ASSIGN_OR_RETURN(
      ms, bench->Milliseconds([&](int) { device.CopyOut(lane, host, a.As<std::byte>()); }));
  Print("copy out, page-locked, 1 GiB", ms, kGigabytes, "gb_per_s");
  LT_ASSIGN_OR_RETURN(
      ms, bench->Milliseconds([&](int) { device.CopyIn(lane, b.As<std::byte>(), host); }));
  Print("copy in, page-locked, 1 GiB", ms, kGigabytes, "gb_per_s");
  return absl::OkStatus();
}

absl::Status RunCard() {
  int driver = 0;
  int runtime = 0;
  LT_RETURN_IF_ERROR(Must(cudaDriverGetVersion(&driver), "cudaDriverGetVersion"));
  LT_RETURN_IF_ERROR(Must(cudaRuntimeGetVersion(&runtime), "cudaRuntimeGetVersion"));
  size_t memory_free = 0;
  size_t memory = 0;
  LT_ASSIGN_OR_RETURN(const auto device, CudaDevice::Create(0));
  LT_RETURN_IF_ERROR(Must(cudaMemGetInfo(&memory_free, &memory), "cudaMemGetInfo"));
  const auto version = [](const auto& library) {
    return library.ok() ? absl::StrCat(library->GetVersion())
                        : std::string(library.status().message());
  };
  std::printf(
      "{\"what\":\"card\",\"name\":\"%s\",\"memory_bytes\":%zu,\"memory_free_bytes\":%zu,"
      "\"cuda_of_driver\":%d,\"cuda_runtime\":%d,\"cublas_lt\":\"%s\",\"cudnn\":\"%s\"}\n",
      std::string(device->name()).c_str(), memory, memory_free, driver, runtime,
      version(LoadCublasLt()).c_str(), version(LoadCudnn()).c_str());
  std::printf("%s\n", std::string(device->name()).c_str());
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  const std::string_view what = argc == 2 ? argv[1] : "";
  absl::Status (*const run)() = what == "card"     ? RunCard
                                : what == "copies" ? RunCopies
                                : what == "ops"    ? RunOps
                                                   : nullptr;
  if (run == nullptr) {
    std::fprintf(stderr, "usage: longtake_gpu_bench card | copies | ops\n");
    return 2;
  }
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess || count == 0) {
    std::printf("%s\n", error == cudaSuccess ? "CUDA counts none" : cudaGetErrorString(error));
    return kNoGpu;
  }
  const absl::Status status = run();
  if (status.ok()) return 0;
  std::printf("longtake_gpu_bench: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace
}  // namespace longtake

int main(int argc, char** argv) { return longtake::Main(argc, argv); }
