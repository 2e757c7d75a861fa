// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One chunk on its way to a client: frames become media bytes, media bytes become messages of at
// most kPartBytesMax. Encode computes and belongs on the worker pool; everything else is cheap.
// One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "base/status_macros.h"
#include "engine/session/media_chunk.h"
#include "engine/session/resolved_spec.h"
#include "longtake/v1/longtake.pb.h"
#include "server/media_formats.h"

namespace longtake {

// INVALID_ARGUMENT, beginning with the field, for what the session's container cannot hold. The
// spec is resolved.
absl::Status CheckMedia(const ResolvedSpec& spec);

class MediaWriter {
 public:
  // The spec is resolved and passed CheckMedia. Computes when the formats do; what the encoder
  // refuses is INTERNAL, here and in Encode.
  static absl::StatusOr<MediaWriter> Create(const ResolvedSpec& spec, MediaFormats& formats);

  // For the Opened message; empty for raw frames.
  std::string init_segment() const;

  // Takes a chunk; the one before must have been sent in full.
  absl::Status Encode(std::shared_ptr<const MediaChunk> chunk);
  // Whether parts of the chunk are left.
  bool HasPart() const { return chunk_ != nullptr; }
  // The next part; after the last, the chunk's memory is given back.
  void NextPart(v1::Chunk* out);

 private:
  MediaWriter(std::shared_ptr<const MediaFormat> format, int64_t fps);
  std::pair<const char*, size_t> bytes() const;

  std::shared_ptr<const MediaFormat> format_;  // null: raw frames
  int64_t fps_;
  std::shared_ptr<const MediaChunk> chunk_;
  std::string fragment_;
  size_t sent_bytes_ = 0;
};

}  // namespace longtake
