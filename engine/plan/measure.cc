// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/plan/measure.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "engine/plan/measure_decoder.h"
#include "engine/plan/measure_layer.h"
#include "engine/video/backend_options.h"
#include "storage/io/disk_rate.h"
#include "storage/pack/block_crcs.h"
#include "storage/pack/pack_directory.h"

namespace longtake {
namespace {

constexpr uint64_t kRequestBytes[] = {256 << 10, 512 << 10, 1 << 20, 2 << 20, 4 << 20};
constexpr uint64_t kReadMemoryBytes = 64 << 20;
constexpr int64_t kTrialNanos = 400'000'000;
constexpr int64_t kSteadyNanos = 3'000'000'000;
// A larger request must be worth it: small ones are verified and used sooner.
constexpr double kWorth = 1.02;
constexpr int64_t kSideMax = 128;         // of the square of tokens
constexpr double kLayerSecondsMax = 1.0;  // larger ones follow in proportion
constexpr int kRuns = 3;

class DiskTrials {
 public:
  static absl::StatusOr<DiskTrials> Open(FileSystem& files, const PackReader& pack, IoChoice io) {
    DiskTrials out;
    LT_ASSIGN_OR_RETURN(
        out.file_, OpenBlockFile([&](ReadMode mode) { return files.OpenRead(pack.path(), mode); }));
    LT_ASSIGN_OR_RETURN(out.bytes_, out.file_.file->Size());
    LT_ASSIGN_OR_RETURN(out.memory_, AlignedBuffer::Allocate(kReadMemoryBytes, kRequestAlignment));
    const std::span<std::byte> memory[] = {out.memory_.span()};
    const size_t depth = kReadMemoryBytes / kRequestBytes[0];
    LT_ASSIGN_OR_RETURN(OpenedBlockIo opened,
                        OpenBlockIo(out.file_, memory, {.choice = io, .depth = depth}));
    out.io_ = std::move(opened.io);
    return out;
  }

  absl::StatusOr<double> Rate(uint64_t request_bytes, int64_t nanos, Clock& clock) {
    return MeasureReadRate(*io_, memory_.span(),
                           {.request_bytes = request_bytes,
                            .depth = kReadMemoryBytes / request_bytes,
                            .file_bytes = bytes_,
                            .bytes_max = UINT64_MAX,
                            .nanos_max = nanos},
                           clock);
  }
  // Checksums of what was read last.
  double VerifyRate(uint64_t crc_block_bytes, WorkerPool& workers, Clock& clock) {
    int64_t least = INT64_MAX;
    for (int run = 0; run < kRuns; ++run) {
      const int64_t start = clock.MonotonicNanos();
      sum_ ^= BlockCrcs(memory_.span(), crc_block_bytes, &workers).back();
      least = std::min(least, clock.MonotonicNanos() - start);
    }
    return static_cast<double>(memory_.size()) / std::max(NanosToSeconds(least), 1e-9);
  }

 private:
  static constexpr uint64_t kRequestAlignment = 4096;
  BlockFile file_;
  uint64_t bytes_ = 0;
  uint32_t sum_ = 0;
  AlignedBuffer memory_;
  std::unique_ptr<BlockIo> io_;  // last: it may still read into the memory
};

absl::Status MeasureDisk(FileSystem& files, const PackReader& pack,
                         const VideoModelOptions& options, WorkerPool& workers, Clock& clock,
                         Calibration& out) {
  LT_ASSIGN_OR_RETURN(DiskTrials trials, DiskTrials::Open(files, pack, options.io));
  const uint64_t crc_block_bytes = pack.header().crc_block_bytes;
  out.request_bytes = std::max(crc_block_bytes, kRequestBytes[0]);
  double best = 0;
  for (const uint64_t bytes : kRequestBytes) {
    // A pack that is smaller than a request has nothing to choose.
    if (bytes < crc_block_bytes || bytes > pack.header().payload_bytes) continue;
    LT_ASSIGN_OR_RETURN(const double rate, trials.Rate(bytes, kTrialNanos, clock));
    if (rate <= best * kWorth) continue;
    best = rate;
    out.request_bytes = bytes;
  }
  const uint64_t least = std::min(out.request_bytes, pack.header().payload_bytes);
  LT_ASSIGN_OR_RETURN(out.disk_bytes_per_second, trials.Rate(least, kSteadyNanos, clock));
  out.verify_bytes_per_second = trials.VerifyRate(crc_block_bytes, workers, clock);
  return absl::OkStatus();
}

absl::Status MeasureLayers(const PackReader& pack, const VideoModelOptions& options,
                           Backend& backend, Clock& clock, Calibration& out) {
  LayerTrial layer(pack, options, clock);
  LT_RETURN_IF_ERROR(layer.Open(backend));
  LT_RETURN_IF_ERROR(layer.Run(1).status());  // warms up
  for (int64_t side = 1; side <= kSideMax && side * side <= options.tokens_max; side *= 2) {
    LT_ASSIGN_OR_RETURN(const LayerCost cost, layer.Run(side));
    out.layers.push_back(cost);
    if (4 * cost.layer_seconds > kLayerSecondsMax) break;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Backend>> SweepBackend(const PackDirectory& pack,
                                                      const VideoModelOptions& options,
                                                      WorkerPool& workers) {
  LT_ASSIGN_OR_RETURN(const CpuBackendOptions sweeping, SweepBackendOptions(pack, options));
  return CreateCpuBackend(workers, sweeping);
}

}  // namespace

absl::StatusOr<Calibration> CalibrationSubject(FileSystem& files, const std::string& directory,
                                               const VideoModelOptions& options,
                                               WorkerPool& workers) {
  LT_ASSIGN_OR_RETURN(const PackDirectory pack, PackDirectory::Open(files, directory));
  // For its names only.
  LT_ASSIGN_OR_RETURN(const auto backend,
                      CreateCpuBackend(workers, {.instruction_set_max = options.instruction_set_max,
                                                 .numerics_profile = options.numerics_profile,
                                                 .narrow_bytes = 0}));
  Calibration out;
  out.model_digest = pack.model_digest();
  out.numerics_profile = std::string(backend->numerics_profile());
  out.instruction_set = std::string(backend->instruction_set());
  out.threads = static_cast<uint64_t>(workers.thread_count());
  return out;
}

absl::StatusOr<Calibration> Calibrate(FileSystem& files, const std::string& directory,
                                      const VideoModelOptions& options, WorkerPool& workers,
                                      Clock& clock) {
  LT_ASSIGN_OR_RETURN(Calibration out, CalibrationSubject(files, directory, options, workers));
  LT_ASSIGN_OR_RETURN(const PackDirectory directory_pack, PackDirectory::Open(files, directory));
  LT_ASSIGN_OR_RETURN(const PackReader* pack, directory_pack.Component("transformer"));
  LT_ASSIGN_OR_RETURN(const auto backend, SweepBackend(directory_pack, options, workers));
  LT_RETURN_IF_ERROR(MeasureDisk(files, *pack, options, workers, clock, out));
  LT_RETURN_IF_ERROR(MeasureLayers(*pack, options, *backend, clock, out));
  LT_ASSIGN_OR_RETURN(out.decode, MeasureDecoders(directory_pack, options, workers, clock));
  return out;
}

}  // namespace longtake
