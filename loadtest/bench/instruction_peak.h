// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The machine's own limits, to compare kernels with: the arithmetic instructions a kernel is made
// of, on registers, independent of one another.
#pragma once

#include <string_view>

#include "base/worker_pool.h"

namespace longtake {

// Processor time of all threads of this process. On a busy machine it leaves out what others take.
double ProcessCpuSeconds();

enum class Instruction {
  kFma,      // fp32, AVX-512 or AVX2
  kVnni,     // vpdpbusd
  kAmxInt8,  // tdpbusd
  kAmxBf16,  // tdpbf16ps
};

std::string_view InstructionName(Instruction instruction);
bool HasInstruction(Instruction instruction);

// Operations (a multiply-add is two) per second of processor time of one worker, all of them
// running. The machine has the instruction.
double MeasurePeak(WorkerPool& workers, Instruction instruction);

}  // namespace longtake
