// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/worker_pool.h"
#include "client/doctor_checks.h"
#include "engine/backend/backend.h"

namespace longtake {

Finding CheckInstructionSet() {
  WorkerPool workers(1);
  const auto backend = CreateCpuBackend(workers);
  if (!backend.ok()) {
    return {Finding::Level::kProblem, "processor", std::string(backend.status().message()),
            "longtake needs AVX2 and FMA (any x86-64 server since 2015)"};
  }
  const std::string isa((*backend)->instruction_set());
  Finding finding{Finding::Level::kGood, "processor",
                  absl::StrCat(isa, " kernels, ", sysconf(_SC_NPROCESSORS_ONLN), " cores"), ""};
  if (!isa.starts_with("x86-64-v4")) {
    finding.level = Finding::Level::kNote;
    finding.advice = "a processor with AVX-512 is about twice as fast; the bits are the same";
  }
  return finding;
}

Finding CheckNumerics() {
  WorkerPool workers(1);
  const auto backend = CreateCpuBackend(workers);
  if (!backend.ok()) return {Finding::Level::kProblem, "numerics", "none", "see processor"};
  const std::vector<std::string_view> profiles = CpuNumericsProfiles();
  std::vector<std::string> names(profiles.begin(), profiles.end());
  Finding finding{Finding::Level::kGood, "numerics",
                  absl::StrCat("profile ", absl::StrJoin(names, ", ")), ""};
  if (profiles.size() > 1) {
    finding.advice = absl::StrCat("longtaked --numerics-profile ", names.back(),
                                  " is several times faster here; its bits are its own");
  }
  return finding;
}

}  // namespace longtake
