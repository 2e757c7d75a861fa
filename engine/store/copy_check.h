// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Whether a copy of a database has what its source has: a page that was changed or written
// somewhere else on its way to the disk is found before the copy takes the place of its source.
#pragma once

#include "base/status_macros.h"
#include "storage/database/database.h"

namespace longtake {

// Reads all of the copy, and every row of both. Where the source itself is damaged the copy need
// not be better. UNAVAILABLE says where they differ; otherwise as the databases. One thread.
absl::Status CheckCopy(Database& source, Database& copy);

}  // namespace longtake
