// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// cuDNN's graph interface without a GPU: it proposes the engines that a test says for the attention
// that it was told, and attends in memory of the host at once, by what its descriptors say.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/backend/cuda/cudnn_library.h"

namespace fake_cudnn {

struct Engine {
  int64_t id = 9;
  std::vector<cudnnBackendNumericalNote_t> notes = {CUDNN_NUMERICAL_NOTE_TENSOR_CORE};
  std::vector<std::pair<int, int64_t>> knobs = {{24, 7}};
  int64_t workspace_bytes = 256;
};

struct Tensor {
  cudnnDataType_t type = CUDNN_DATA_FLOAT;
  std::vector<int64_t> sizes = {};
  std::vector<int64_t> strides = {};
  int64_t id = 0;
  int64_t alignment = 0;
  bool by_value = false;
  friend bool operator==(const Tensor&, const Tensor&) = default;
};

// Of a plan that was built or run.
struct Attention {
  int64_t engine = 0;
  Tensor q = {};
  Tensor k = {};
  Tensor v = {};
  Tensor out = {};
  Tensor scale = {};
  cudnnBackendHeurMode_t mode = CUDNN_HEUR_MODE_INSTANT;
  int32_t card = -1;
};

struct State {
  bool starts = true;
  std::vector<Engine> engines = {Engine()};
  cudnnStatus_t execute = CUDNN_STATUS_SUCCESS;  // what Execute answers
  std::string fails = {};                        // the finalising of a descriptor of this kind
  std::vector<Attention> built = {};
  std::vector<Attention> run = {};
  void* workspace = nullptr;  // of the latest run
  cudaStream_t stream = nullptr;
  int alive = 0;  // handles and descriptors
};

// Forgets all; nothing may be alive.
State& Reset();
longtake::Cudnn Functions();

}  // namespace fake_cudnn
