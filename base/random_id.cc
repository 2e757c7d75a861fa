// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "base/random_id.h"

#include <sys/random.h>

#include <array>
#include <cstdint>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"

namespace longtake {

std::string RandomId() {
  std::array<uint64_t, 2> bits;
  // So few bytes come whole and without an error, once the system has started.
  LT_CHECK(getrandom(bits.data(), sizeof(bits), 0) == sizeof(bits));
  return absl::StrFormat("%016x%016x", bits[0], bits[1]);
}

}  // namespace longtake
