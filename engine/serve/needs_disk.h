// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// An answer that is not the last word: it needs the session store's disk, and who asks must not
// wait for that on his thread (Caller::may_wait). He asks again where he may.
#pragma once

#include "absl/strings/cord.h"
#include "base/error_reason.h"
#include "base/status_macros.h"

namespace longtake {

constexpr char kNeedsDisk[] = "longtake/needs-disk";

inline absl::Status NeedsDisk() {
  absl::Status status = Error(Reason::kStorageUnavailable, "the session store was not asked");
  status.SetPayload(kNeedsDisk, absl::Cord());
  return status;
}
inline bool IsNeedsDisk(const absl::Status& status) {
  return !status.ok() && status.GetPayload(kNeedsDisk).has_value();
}

}  // namespace longtake
