// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The session store that the options ask for, with its lines in the log.
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/status_macros.h"
#include "engine/store/session_store.h"
#include "server/config_options.h"

namespace longtake {

// Started; null without a state-dir. Errors begin with the option and are otherwise those of
// SessionStore::Open.
absl::StatusOr<std::unique_ptr<SessionStore>> OpenStore(const Config& config, Clock& clock);

}  // namespace longtake
