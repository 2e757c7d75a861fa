// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a client that attaches was told before of what is on disk. It is held against what there is,
// as a disk that lost something without a trace does not know of it. A plain value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"

namespace longtake {

struct Told {
  int64_t durable_through = 0;
  int64_t epoch = 0;  // of which that was said
};

// HISTORY_LOST when the session has less, or was rewound less often: a store was put back. One that
// was rewound since is another video, of which nothing was told.
inline absl::Status CheckTold(const std::optional<Told>& told, const std::string& id,
                              int64_t durable_through, int64_t epoch) {
  if (!told.has_value() || told->epoch < epoch) return absl::OkStatus();
  std::string lost;
  if (told->epoch > epoch) {
    lost = absl::StrCat("it was said to be in epoch ", told->epoch, ", and is in ", epoch);
  } else if (told->durable_through > durable_through) {
    lost = absl::StrCat(told->durable_through, " chunks were said to be on disk, and there are ",
                        durable_through);
  } else {
    return absl::OkStatus();
  }
  return Error(Reason::kHistoryLost, absl::StrCat("session ", id, ": ", lost),
               {{"session", id},
                {"told", std::to_string(told->durable_through)},
                {"durable_through", std::to_string(durable_through)},
                {"epoch", std::to_string(epoch)}});
}

}  // namespace longtake
