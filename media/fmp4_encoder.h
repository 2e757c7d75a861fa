// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// RGB frames to fragmented MP4 (H.264), one fragment per chunk. Every fragment is a closed group of
// pictures that depends on its frames and its place in the take only: it can be encoded again at
// any time, in any order, with the same bytes (same libx264), and the init segment followed by
// fragments k..n for any k is a file that plays. Container: ISO/IEC 14496-12 (moof, tfdt), 14496-15
// (avcC).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/status_macros.h"

namespace longtake {

struct Fmp4Options {
  int width = 0;   // pixels, even, 16..4096
  int height = 0;  // pixels, even, 16..4096
  int fps = 0;     // whole frames a second, 1..240
  int crf = 20;    // x264's quality, 1 (best) .. 51
};

// Where a chunk stands in its take.
struct ChunkTiming {
  int64_t chunk_index = 0;  // from 0; the fragment's sequence number is one more
  int64_t first_frame = 0;  // pixel frames before this chunk; its time is first_frame / fps seconds
};

// Thread-safe: all methods are const and share nothing that changes.
class Fmp4Encoder {
 public:
  using Options = Fmp4Options;

  // Time stamps in the file count 1/(fps * kTicksPerFrame) seconds.
  static constexpr int kTicksPerFrame = 1000;

  // INVALID_ARGUMENT naming the option that is out of range; FAILED_PRECONDITION if libavcodec has
  // no libx264.
  static absl::StatusOr<std::unique_ptr<Fmp4Encoder>> Create(const Options& options);

  ~Fmp4Encoder();

  // ftyp and moov: what a player needs before any fragment. The same bytes at every call.
  absl::StatusOr<std::string> InitSegment() const;

  // One moof and mdat. rgb is [frame][height][width][3] u8, 1 to 1024 frames. INVALID_ARGUMENT for
  // part frames or a timing out of range; RESOURCE_EXHAUSTED or INTERNAL when libav fails.
  absl::StatusOr<std::string> EncodeChunk(ChunkTiming timing, std::span<const uint8_t> rgb) const;

 private:
  struct Stream;  // codec parameters, SPS and PPS among them

  Fmp4Encoder(const Options& options, std::unique_ptr<const Stream> stream);

  Options options_;
  std::unique_ptr<const Stream> stream_;
};

}  // namespace longtake
