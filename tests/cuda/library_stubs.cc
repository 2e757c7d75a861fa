// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What passes for cuBLASLt and cuDNN where they are loaded: functions of their names, which answer
// with a version (LONGTAKE_STUB_VERSION) and nothing else.
#include "engine/backend/cuda/cublas_lt_library.h"
#include "engine/backend/cuda/cudnn_library.h"

// Under another name in C++, where the headers declare those of the library.
#define LONGTAKE_STUB(prefix, name)                                        \
  extern "C" size_t longtake_stub_##prefix##name() __asm__(#prefix #name); \
  extern "C" size_t longtake_stub_##prefix##name() { return LONGTAKE_STUB_VERSION; }
#define LONGTAKE_CUBLAS_LT_STUB(name) LONGTAKE_STUB(cublasLt, name)
#define LONGTAKE_CUDNN_STUB(name) LONGTAKE_STUB(cudnn, name)

LONGTAKE_CUBLAS_LT_FUNCTIONS(LONGTAKE_CUBLAS_LT_STUB)
LONGTAKE_CUDNN_FUNCTIONS(LONGTAKE_CUDNN_STUB)
