// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What all fMP4 streams of one picture size and rate share: the encoder's parameters and the init
// segment. To make them an encoder is opened, which a client that attaches again and again would
// otherwise cost a thread each time. The latest used are kept. Any thread.
#pragma once

#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/status_macros.h"
#include "engine/session/resolved_spec.h"
#include "media/fmp4_encoder.h"

namespace longtake {

struct MediaFormat {
  std::unique_ptr<const Fmp4Encoder> encoder;
  std::string init_segment;
};

class MediaFormats {
 public:
  // Some KiB each.
  static constexpr size_t kKeptMax = 64;

  // Of a resolved spec that passed CheckMedia. Computes when it is new; what the encoder refuses is
  // INTERNAL.
  absl::StatusOr<std::shared_ptr<const MediaFormat>> Get(const ResolvedSpec& spec)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Key = std::tuple<int64_t, int64_t, int64_t>;  // width, height, fps
  std::shared_ptr<const MediaFormat> Find(const Key& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Mutex mutex_;
  std::vector<std::pair<Key, std::shared_ptr<const MediaFormat>>> kept_
      ABSL_GUARDED_BY(mutex_);  // the latest used first
};

// Whatever its code, it is neither the client's nor the session's fault.
absl::Status MediaEncoderError(const absl::Status& status);

}  // namespace longtake
