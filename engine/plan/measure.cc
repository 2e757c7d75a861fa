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
  // Of one of the pack's layer files.
  static absl::StatusOr<DiskTrials> Open(const PackReader& pack, size_t path, IoChoice io) {
    DiskTrials out(pack, path);
    LT_ASSIGN_OR_RETURN(out.file_, OpenBlockFile([&](ReadMode mode) {
                          return pack.file_system().OpenRead(pack.layer_files()[path], mode);
                        }));
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
                            .offsets = Offsets(request_bytes),
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
  DiskTrials(const PackReader& pack, size_t path) : pack_(&pack), path_(path) {}
  // A twin has holes, which no disk reads: of its layers only, but for what is too small for that.
  std::vector<uint64_t> Offsets(uint64_t request_bytes) const {
    std::vector<uint64_t> out;
    if (pack_->layer_files().size() == 1) return out;
    for (size_t i = path_; i < pack_->layer_count(); i += pack_->layer_files().size()) {
      for (const PartInfo& part : pack_->layer(i).parts) {
        for (uint64_t at = 0; at + request_bytes <= part.bytes; at += request_bytes) {
          out.push_back(pack_->header().payload_offset + part.offset + at);
        }
      }
    }
    return out;
  }

  static constexpr uint64_t kRequestAlignment = 4096;
  const PackReader* pack_;
  size_t path_;
  BlockFile file_;
  uint64_t bytes_ = 0;
  uint32_t sum_ = 0;
  AlignedBuffer memory_;
  std::unique_ptr<BlockIo> io_;  // last: it may still read into the memory
};

// Requests are those that the first path likes best; disks are read one after the other, each from
// the first path that is on it.
absl::Status MeasureDisk(const PackReader& pack, const VideoModelOptions& options,
                         WorkerPool& workers, Clock& clock, Calibration& out) {
  LT_ASSIGN_OR_RETURN(DiskTrials trials, DiskTrials::Open(pack, 0, options.io));
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
  LT_ASSIGN_OR_RETURN(out.disk_bytes_per_second.emplace_back(),
                      trials.Rate(least, kSteadyNanos, clock));
  for (size_t path = 1; path < pack.layer_files().size(); ++path) {
    if (pack.layer_disks()[path] < out.disk_bytes_per_second.size()) continue;  // measured
    LT_ASSIGN_OR_RETURN(DiskTrials further, DiskTrials::Open(pack, path, options.io));
    LT_ASSIGN_OR_RETURN(out.disk_bytes_per_second.emplace_back(),
                        further.Rate(least, kSteadyNanos, clock));
  }
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
  LT_ASSIGN_OR_RETURN(const PackDirectory pack,
                      PackDirectory::Open(files, directory, options.layer_paths));
  LT_RETURN_IF_ERROR(CheckNumericsProfile(options.numerics_profile));
  // For its names only.
  LT_ASSIGN_OR_RETURN(const auto backend,
                      CreateCpuBackend(workers, {.instruction_set_max = options.instruction_set_max,
                                                 .numerics_profile = options.numerics_profile,
                                                 .narrow_bytes = 0}));
  Calibration out;
  out.model_digest = pack.model_digest();
  out.layer_paths = options.layer_paths;
  if (!out.layer_paths.empty()) {
    LT_ASSIGN_OR_RETURN(const PackReader* transformer, pack.Component("transformer"));
    out.layer_disks = transformer->layer_disks();
  }
  out.numerics_profile = std::string(backend->numerics_profile());
  out.instruction_set = std::string(backend->instruction_set());
  out.threads = static_cast<uint64_t>(workers.thread_count());
  return out;
}

absl::StatusOr<Calibration> Calibrate(FileSystem& files, const std::string& directory,
                                      const VideoModelOptions& options, WorkerPool& workers,
                                      Clock& clock) {
  LT_ASSIGN_OR_RETURN(Calibration out, CalibrationSubject(files, directory, options, workers));
  LT_ASSIGN_OR_RETURN(const PackDirectory directory_pack,
                      PackDirectory::Open(files, directory, options.layer_paths));
  LT_ASSIGN_OR_RETURN(const PackReader* pack, directory_pack.Component("transformer"));
  LT_ASSIGN_OR_RETURN(const auto backend, SweepBackend(directory_pack, options, workers));
  LT_RETURN_IF_ERROR(MeasureDisk(*pack, options, workers, clock, out));
  LT_RETURN_IF_ERROR(MeasureLayers(*pack, options, *backend, clock, out));
  LT_ASSIGN_OR_RETURN(out.decode, MeasureDecoders(directory_pack, options, workers, clock));
  return out;
}

}  // namespace longtake
