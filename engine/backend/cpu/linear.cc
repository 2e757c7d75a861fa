// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/cpu_backend.h"

namespace longtake {

void CpuBackend::Linear(const LinearArgs&) { LT_CHECK(false); }

}  // namespace longtake
