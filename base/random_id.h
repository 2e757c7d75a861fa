// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Names that nobody can guess and that never meet: whoever knows a session's id may read and delete
// it, and a temporary file of a foreseen name may be somebody's link. Any thread.
#pragma once

#include <string>

namespace longtake {

// 128 random bits of the system's, as 32 of [0-9a-f].
std::string RandomId();

}  // namespace longtake
