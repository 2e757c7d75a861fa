// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/reflection.h"

#include <dlfcn.h>

#include "absl/strings/str_cat.h"

namespace longtake {

absl::Status LoadReflection() {
  if (dlopen(LONGTAKE_REFLECTION_LIBRARY, RTLD_NOW | RTLD_LOCAL) != nullptr)
    return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("reflection: ", dlerror()));
}

}  // namespace longtake
