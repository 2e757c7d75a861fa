// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/cudnn_library.h"

#include "absl/strings/str_cat.h"
#include "engine/backend/cuda/shared_library.h"

namespace longtake {

absl::StatusOr<Cudnn> LoadCudnn(const std::string& name) {
  LT_ASSIGN_OR_RETURN(SharedLibrary library, SharedLibrary::Open(name));
  Cudnn out;
#define LONGTAKE_READ(function) library.Read("cudnn" #function, &out.function);
  LONGTAKE_CUDNN_FUNCTIONS(LONGTAKE_READ)
#undef LONGTAKE_READ
  LT_RETURN_IF_ERROR(library.status());
  const size_t version = out.GetVersion();
  if (version < kCudnnVersionMin || version / 10000 != CUDNN_MAJOR) {
    return absl::UnavailableError(absl::StrCat(name, " is version ", version, " of cuDNN, not ",
                                               kCudnnVersionMin, " or a later one of ", CUDNN_MAJOR,
                                               "xxxx"));
  }
  return out;
}

}  // namespace longtake
