// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/plan/measure_decoder.h"

#include <algorithm>
#include <limits>
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

// The least that some streams of pictures of one size took.
struct StreamTime {
  double first_two = std::numeric_limits<double>::infinity();  // latents; five frames
  double later = std::numeric_limits<double>::infinity();      // one latent; four frames
  double picture = 0;                                          // pixels of a frame
  double frames = 0;                                           // of a later latent
};

// Each stream begins with a decoder that holds no memory. Its second latent is the first to give
// four frames, so only the third is one like all that follow.
template <class Decoder>
absl::StatusOr<StreamTime> TimeStreams(Decoder& decoder, int64_t channels, int64_t side,
                                       Clock& clock) {
  const std::vector<float> values(static_cast<size_t>(channels * side * side), 0.1f);
  const VaeLatents latents = {.values = values, .frames = 1, .height = side, .width = side};
  std::vector<uint8_t> rgb;
  StreamTime out;
  const int64_t start = clock.MonotonicNanos();
  for (int run = 0; run < kRuns; ++run) {
    if (run > 0 && NanosToSeconds(clock.MonotonicNanos() - start) > kRunsSecondsMax) break;
    decoder.Release();
    VaeCache cache;
    double seconds[3] = {};
    for (double& each : seconds) {
      const int64_t begin = clock.MonotonicNanos();
      LT_RETURN_IF_ERROR(decoder.Decode(latents, cache, &rgb));
      each = NanosToSeconds(clock.MonotonicNanos() - begin);
      if (&each == seconds) out.picture = static_cast<double>(rgb.size()) / 3.0;
    }
    out.first_two = std::min(out.first_two, seconds[0] + seconds[1]);
    out.later = std::min(out.later, std::max(seconds[2], 1e-9));
  }
  out.frames = static_cast<double>(rgb.size()) / 3.0 / out.picture;
  return out;
}

// Pictures of two sizes tell what a latent takes whatever its size from what its pixels take.
template <class Decoder>
absl::StatusOr<DecoderSeconds> TimeDecoder(Decoder& decoder, int64_t channels, int64_t side,
                                           Clock& clock) {
  LT_ASSIGN_OR_RETURN(const StreamTime large, TimeStreams(decoder, channels, side, clock));
  DecoderSeconds out = {.pixel = large.later / (large.frames * large.picture)};
  if (side > kSideMin) {
    LT_ASSIGN_OR_RETURN(const StreamTime small, TimeStreams(decoder, channels, kSideMin, clock));
    const double pixels = large.frames * (large.picture - small.picture);
    if (large.later > small.later) out.pixel = (large.later - small.later) / pixels;
    out.latent = std::max(0.0, large.later - large.frames * large.picture * out.pixel);
  }
  const double expected = 2 * out.latent + (1 + large.frames) * large.picture * out.pixel;
  out.begin = std::max(0.0, large.first_two - expected) / large.picture;
  return out;
}

absl::StatusOr<DecoderSeconds> MeasureFull(const PackDirectory& pack, Backend& backend,
                                           Clock& clock) {
  LT_ASSIGN_OR_RETURN(const PackReader* vae, pack.Component("vae"));
  LT_ASSIGN_OR_RETURN(const VaeConfig config, ParseVaeConfig(vae->config(), vae->path()));
  LT_ASSIGN_OR_RETURN(const ResidentSection section, vae->LoadResident());
  LT_ASSIGN_OR_RETURN(const auto decoder, WanVaeDecoder::Create(config, section, backend));
  const int64_t side = SideThatFits([&](int64_t tried) {
    return VaeScratchBytes(config, tried, tried) + VaeCacheBytes(config, tried, tried);
  });
  return TimeDecoder(*decoder, config.z_dim, side, clock);
}

absl::StatusOr<DecoderSeconds> MeasureTiny(const PackDirectory& pack, Backend& backend,
                                           Clock& clock) {
  LT_ASSIGN_OR_RETURN(const PackReader* tiny, pack.Component("tiny_decoder"));
  LT_ASSIGN_OR_RETURN(const ResidentSection section, tiny->LoadResident());
  LT_ASSIGN_OR_RETURN(const auto decoder, TinyDecoder::Create(section, backend));
  const int64_t side = SideThatFits([](int64_t tried) {
    return TinyDecoderScratchBytes(tried, tried) + TinyDecoderCacheBytes(tried, tried);
  });
  return TimeDecoder(*decoder, kTinyDecoderChannels, side, clock);
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
