// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The functions of cuDNN that are called, all of its graph interface, loaded when the program runs.
// Plain pointers, so that a test hands in its own.
#pragma once

#include <cudnn_graph.h>

#include <string>

#include "base/status_macros.h"

namespace longtake {

#define LONGTAKE_CUDNN_FUNCTIONS(X) \
  X(GetVersion)                     \
  X(GetErrorString)                 \
  X(GetLastErrorString)             \
  X(Create)                         \
  X(Destroy)                        \
  X(SetStream)                      \
  X(BackendCreateDescriptor)        \
  X(BackendDestroyDescriptor)       \
  X(BackendSetAttribute)            \
  X(BackendGetAttribute)            \
  X(BackendFinalize)                \
  X(BackendExecute)

// Named as cuDNN names them, without the prefix.
struct Cudnn {
#define LONGTAKE_MEMBER(name) decltype(&::cudnn##name) name = nullptr;
  LONGTAKE_CUDNN_FUNCTIONS(LONGTAKE_MEMBER)
#undef LONGTAKE_MEMBER
};

inline constexpr char kCudnnName[] = "libcudnn.so.9";
// Attention is one operation since then.
inline constexpr size_t kCudnnVersionMin = 91301;

// UNAVAILABLE where it is not, lacks a function, or is older than kCudnnVersionMin.
absl::StatusOr<Cudnn> LoadCudnn(const std::string& name = kCudnnName);

}  // namespace longtake
