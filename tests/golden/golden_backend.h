// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The backends golden tests run on: the product's kernels, and plain double loops, which tell a
// model's mistake from a kernel's.
#pragma once

#include <memory>
#include <string>

#include "base/worker_pool.h"
#include "engine/backend/backend.h"
#include "tests/golden/fixture.h"
#include "tests/late/late_backend.h"
#include "tests/model/reference_backend.h"

namespace longtake {

class GoldenBackend {
 public:
  // "reference"; "late", the kernels on a device that is not the host; the most a CPU may use:
  // "x86-64-v3", "x86-64-v4", "" for the best there is; or a numerics profile, "cpu-...".
  explicit GoldenBackend(const std::string& name) {
    if (name == "reference") {
      backend_ = std::make_unique<ReferenceBackend>();
    } else if (name == "late") {
      backend_ = std::make_unique<LateBackend>(7, Must(CreateCpuBackend(workers_)));
    } else if (name.starts_with("cpu-")) {
      backend_ = Must(CreateCpuBackend(workers_, {.numerics_profile = name}));
    } else {
      backend_ = Must(CreateCpuBackend(workers_, {.instruction_set_max = name}));
    }
  }
  Backend& get() { return *backend_; }

 private:
  WorkerPool workers_{2};
  std::unique_ptr<Backend> backend_;
};

}  // namespace longtake
