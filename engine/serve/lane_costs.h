// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How the two lanes of the engine, sweeps and decoding, share the time of a chunk, learned from
// what they did lately. A chunk takes as long as both lanes less what overlaps: the longer one when
// one runs beside the other all the time, their sum when they take turns. The lanes share the cores
// and slow each other down, so both must be measured over the same time. What sweeps take is told
// by engine/serve/sweep_cost_model.h; what decoding takes is learned here, by decoder and pixel.
//
// Any thread. Times are Clock's monotonic nanoseconds, seconds those of the wall.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/mutex.h"
#include "engine/session/session_spec.h"
#include "engine/video/pixel_seconds.h"
#include "storage/stream/stream_time.h"

namespace longtake {

class LaneCosts {
 public:
  // What decoding takes, until it is measured.
  explicit LaneCosts(const PixelSeconds& calibrated = {});

  void BeginSweep(int64_t now_nanos) ABSL_LOCKS_EXCLUDED(mutex_);
  void EndSweep(int64_t now_nanos) ABSL_LOCKS_EXCLUDED(mutex_);
  void BeginDecode(int64_t now_nanos) ABSL_LOCKS_EXCLUDED(mutex_);
  // pixels is 0 when nothing was decoded. A decoder's first time includes warming up, so it counts
  // only until there is a second one.
  void EndDecode(int64_t now_nanos, DecoderKind decoder, double pixels) ABSL_LOCKS_EXCLUDED(mutex_);

  // nullopt while it is neither calibrated nor measured.
  std::optional<double> DecodeSeconds(DecoderKind decoder, double pixels) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // From one chunk to the next. sweeps is the sum of its sweeps. Until both lanes have done
  // something, decoding is expected to fill the time that sweeps wait for the disk.
  double ChunkSeconds(const SweepTime& sweeps, double decode_seconds) const
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Lane {
    bool active = false;
    double busy_seconds = 0.0;  // since the other lane's were last forgotten
  };
  struct Decoder {
    int64_t count = 0;
    double pixels = 0.0;
    double seconds = 0.0;  // of those pixels
  };
  // Brings the time both lanes were busy up to now.
  void Advance(int64_t now_nanos) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  Lane sweep_ ABSL_GUARDED_BY(mutex_);
  Lane decode_ ABSL_GUARDED_BY(mutex_);
  int64_t decode_begin_nanos_ ABSL_GUARDED_BY(mutex_) = 0;
  std::array<Decoder, 2> decoders_ ABSL_GUARDED_BY(mutex_);  // by DecoderKind
  double both_seconds_ ABSL_GUARDED_BY(mutex_) = 0.0;
  int64_t now_nanos_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace longtake
