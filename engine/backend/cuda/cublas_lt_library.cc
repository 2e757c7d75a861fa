// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/cublas_lt_library.h"

#include "absl/strings/str_cat.h"
#include "engine/backend/cuda/shared_library.h"

namespace longtake {

absl::StatusOr<CublasLt> LoadCublasLt(const std::string& name) {
  LT_ASSIGN_OR_RETURN(SharedLibrary library, SharedLibrary::Open(name));
  CublasLt out;
#define LONGTAKE_READ(function) library.Read("cublasLt" #function, &out.function);
  LONGTAKE_CUBLAS_LT_FUNCTIONS(LONGTAKE_READ)
#undef LONGTAKE_READ
  LT_RETURN_IF_ERROR(library.status());
  const size_t version = out.GetVersion();
  if (version / 10000 != CUBLAS_VER_MAJOR) {
    return absl::UnavailableError(absl::StrCat(name, " is version ", version, " of cuBLASLt, not ",
                                               CUBLAS_VER_MAJOR, "xxxx"));
  }
  return out;
}

}  // namespace longtake
