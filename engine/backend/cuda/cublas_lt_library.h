// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The functions of cuBLASLt that are called, loaded when the program runs. Plain pointers, so that
// a test hands in its own.
#pragma once

#include <cublasLt.h>

#include <string>

#include "base/status_macros.h"

namespace longtake {

#define LONGTAKE_CUBLAS_LT_FUNCTIONS(X) \
  X(Create)                             \
  X(Destroy)                            \
  X(GetStatusString)                    \
  X(GetVersion)                         \
  X(MatmulDescCreate)                   \
  X(MatmulDescDestroy)                  \
  X(MatmulDescSetAttribute)             \
  X(MatrixLayoutCreate)                 \
  X(MatrixLayoutDestroy)                \
  X(MatrixLayoutSetAttribute)           \
  X(MatmulPreferenceCreate)             \
  X(MatmulPreferenceDestroy)            \
  X(MatmulPreferenceSetAttribute)       \
  X(MatmulAlgoGetHeuristic)             \
  X(MatmulAlgoInit)                     \
  X(MatmulAlgoConfigSetAttribute)       \
  X(MatmulAlgoConfigGetAttribute)       \
  X(MatmulAlgoCheck)                    \
  X(Matmul)

// Named as cuBLASLt names them, without the prefix.
struct CublasLt {
#define LONGTAKE_MEMBER(name) decltype(&::cublasLt##name) name = nullptr;
  LONGTAKE_CUBLAS_LT_FUNCTIONS(LONGTAKE_MEMBER)
#undef LONGTAKE_MEMBER
};

inline constexpr char kCublasLtName[] = "libcublasLt.so.13";

// UNAVAILABLE where it is not, lacks a function, or is not of the version compiled for.
absl::StatusOr<CublasLt> LoadCublasLt(const std::string& name = kCublasLtName);

}  // namespace longtake
