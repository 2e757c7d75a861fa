// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How the two lanes of the engine, sweeps and decoding, share the time of a chunk. In a long take a
// chunk is decoded beside the next one's sweeps, so a chunk takes as long as the lane that takes
// longer. The lanes share the cores and slow each other down, and short takes run them in turns: so
// it is measured how much of what they did lately was beside the other lane. What sweeps take is
// told by engine/serve/sweep_cost_model.h; what decoding takes is learned here, by decoder: in
// proportion to what the calibration says, else to pixels.
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
  // Of one latent; pixels is 0 when nothing was decoded. A decoder's first time includes warming
  // up, so it counts only until there is a second one.
  void EndDecode(int64_t now_nanos, DecoderKind decoder, double pixels) ABSL_LOCKS_EXCLUDED(mutex_);

  // Of so many latents that make so many pixels. nullopt while it is neither calibrated nor
  // measured.
  std::optional<double> DecodeSeconds(DecoderKind decoder, double pixels, int64_t latents) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  struct DecodedChunk {
    int64_t latents = 0;
    int64_t frames = 0;
    double frame_pixels = 0;
  };
  // Of a take that begins while nothing else of it is under way: its first chunk's sweeps, then
  // decoding beside the next chunk's sweeps (none: all zero). Where the lanes want the workers at
  // the same time each is expected to get half of them. So sweeps that were measured beside
  // decoding took less alone, and decoding that was only calibrated, which is alone, takes longer.
  // nullopt as DecodeSeconds.
  std::optional<double> FirstChunkSeconds(const SweepTime& sweeps, DecoderKind decoder,
                                          const DecodedChunk& chunk,
                                          const SweepTime& next_sweeps) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // From one chunk to the next of a take that has many: what the longer lane takes. sweeps is the
  // sum of its sweeps. Measured with the other lane beside it as much as it will be, that holds how
  // they slow each other down. What was measured alone, or never, is expected to fill the time that
  // the other lane waits for the disk, and no more.
  double ChunkSeconds(const SweepTime& sweeps, double decode_seconds) const
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Lane {
    bool active = false;
    double busy_seconds = 0.0;  // since the other lane's were last forgotten
  };
  struct Decoder {
    DecoderSeconds calibrated;
    int64_t count = 0;
    // Of the latents that count: as calibrated, or their pixels, and what they took.
    double expected = 0.0;
    double seconds = 0.0;

    bool is_calibrated() const { return calibrated.pixel > 0; }
    bool is_known() const { return expected > 0; }
    bool is_measured() const { return count > (is_calibrated() ? 1 : 0); }
    double Expect(double pixels, int64_t latents) const;
    double slower() const { return seconds / expected; }
  };
  // Brings the time both lanes were busy up to now.
  void Advance(int64_t now_nanos) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Of what a lane took, the part that it would have taken without the other one.
  double Alone(const Lane& lane) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  Lane sweep_ ABSL_GUARDED_BY(mutex_);
  Lane decode_ ABSL_GUARDED_BY(mutex_);
  int64_t decode_begin_nanos_ ABSL_GUARDED_BY(mutex_) = 0;
  std::array<Decoder, 2> decoders_ ABSL_GUARDED_BY(mutex_);  // by DecoderKind
  double both_seconds_ ABSL_GUARDED_BY(mutex_) = 0.0;
  int64_t now_nanos_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace longtake
