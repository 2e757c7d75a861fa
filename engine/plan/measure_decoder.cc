// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/plan/measure_decoder.h"

#include <algorithm>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/model/vae/decoder.h"
#include "engine/model/vae/latent_grid.h"
#include "engine/model/vae/layers.h"
#include "engine/model/vae/tiny_decoder.h"
#include "engine/video/backend_options.h"

namespace longtake {
namespace {

constexpr uint64_t kMemoryBytes = 64 << 20;
constexpr int64_t kSideMin = 4;  // of a square of latents
constexpr int64_t kSideMax = 32;
constexpr int kRuns = 3;
constexpr double kRunsSecondsMax = 1.0;  // beyond this no further run

// The largest square that fits; bytes tells what one takes.
template <class Bytes>
int64_t SideThatFits(const Bytes& bytes) {
  int64_t side = kSideMax;
  while (side > kSideMin && bytes(side) > kMemoryBytes) side /= 2;
  return side;
}

// The least of some later latents of a stream; the first one warms up.
template <class Decoder>
absl::StatusOr<double> SecondsPerPixel(Decoder& decoder, int64_t channels, int64_t side,
                                       Clock& clock) {
  const std::vector<float> values(static_cast<size_t>(channels * side * side), 0.1f);
  const VaeLatents latents = {.values = values, .frames = 1, .height = side, .width = side};
  VaeCache cache;
  std::vector<uint8_t> rgb;
  LT_RETURN_IF_ERROR(decoder.Decode(latents, cache, &rgb));
  const int64_t start = clock.MonotonicNanos();
  int64_t least = INT64_MAX;
  for (int run = 0; run < kRuns; ++run) {
    const int64_t begin = clock.MonotonicNanos();
    if (run > 0 && NanosToSeconds(begin - start) > kRunsSecondsMax) break;
    LT_RETURN_IF_ERROR(decoder.Decode(latents, cache, &rgb));
    least = std::min(least, clock.MonotonicNanos() - begin);
  }
  return std::max(NanosToSeconds(least), 1e-9) / (static_cast<double>(rgb.size()) / 3.0);
}

absl::StatusOr<double> MeasureFull(const PackDirectory& pack, Backend& backend, Clock& clock) {
  LT_ASSIGN_OR_RETURN(const PackReader* vae, pack.Component("vae"));
  LT_ASSIGN_OR_RETURN(const VaeConfig config, ParseVaeConfig(vae->config(), vae->path()));
  LT_ASSIGN_OR_RETURN(const ResidentSection section, vae->LoadResident());
  LT_ASSIGN_OR_RETURN(const auto decoder, WanVaeDecoder::Create(config, section, backend));
  const int64_t side = SideThatFits([&](int64_t tried) {
    return VaeScratchBytes(config, tried, tried) + VaeCacheBytes(config, tried, tried);
  });
  return SecondsPerPixel(*decoder, config.z_dim, side, clock);
}

absl::StatusOr<double> MeasureTiny(const PackDirectory& pack, Backend& backend, Clock& clock) {
  LT_ASSIGN_OR_RETURN(const PackReader* tiny, pack.Component("tiny_decoder"));
  LT_ASSIGN_OR_RETURN(const ResidentSection section, tiny->LoadResident());
  LT_ASSIGN_OR_RETURN(const auto decoder, TinyDecoder::Create(section, backend));
  const int64_t side = SideThatFits([](int64_t tried) {
    return TinyDecoderScratchBytes(tried, tried) + TinyDecoderCacheBytes(tried, tried);
  });
  return SecondsPerPixel(*decoder, kTinyDecoderChannels, side, clock);
}

}  // namespace

absl::StatusOr<PixelSeconds> MeasureDecoders(const PackDirectory& pack,
                                             const VideoModelOptions& options, WorkerPool& workers,
                                             Clock& clock) {
  LT_ASSIGN_OR_RETURN(const auto backend, CreateCpuBackend(workers, DecodeBackendOptions(options)));
  PixelSeconds out;
  LT_ASSIGN_OR_RETURN(out.full, MeasureFull(pack, *backend, clock));
  if (pack.Has("tiny_decoder")) {
    LT_ASSIGN_OR_RETURN(out.tiny, MeasureTiny(pack, *backend, clock));
  }
  return out;
}

}  // namespace longtake
