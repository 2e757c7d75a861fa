// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A resolved specification to and from its message. Pure functions.
#pragma once

#include "base/status_macros.h"
#include "engine/session/resolved_spec.h"

namespace longtake::store::v1 {
class Spec;
}

namespace longtake {

// The longest side of latents, and the most frames or channels of them, that a record may name.
inline constexpr int64_t kLatentSideMax = 1 << 14;

void EncodeSpec(const ResolvedSpec& spec, store::v1::Spec* out);
// DATA_LOSS when a value is none of its enum. Whether this server would make such a session is seen
// by who resolves it again.
absl::StatusOr<ResolvedSpec> DecodeSpec(const store::v1::Spec& in);

}  // namespace longtake
