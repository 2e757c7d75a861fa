// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The machine's own limit, to compare kernels with: independent fused multiply-adds on registers.
#pragma once

#include "base/worker_pool.h"

namespace longtake {

// Processor time of all threads of this process. On a busy machine it leaves out what others take.
double ProcessCpuSeconds();

// Floating point operations per second of processor time of one worker, all of them running.
double MeasureFmaPeak(WorkerPool& workers, int bursts);

}  // namespace longtake
