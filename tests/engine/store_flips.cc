// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A store of which one byte is another.
#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/engine/store_simulation.h"

namespace longtake {
namespace {

absl::Status Broken(const std::string& what) { return absl::InternalError(what); }

}  // namespace

// A session is what it was, or refused by its name. Of a log's last transaction a change looks like
// a crash that cut it short: its sessions are what they were before.
absl::StatusOr<uint64_t> StoreSimulation::CountRefused(SimulatedDisk& disk, bool in_log) {
  const FileSystemVfs vfs(disk, 1);  // outlives the store
  StoreSimulation after(/*seed=*/1, options_);
  after.told_ = told_;
  const std::string problem = after.Open(disk, vfs.name());
  if (!problem.empty()) {
    const bool named =
        absl::StrContains(problem, "DATA_LOSS") && absl::StrContains(problem, "state/");
    return named ? absl::DataLossError(problem) : Broken(problem);
  }
  const size_t rows_damaged = after.store_->stats().damaged.size();
  uint64_t refused = 0;
  uint64_t missing = 0;
  for (auto& [id, told] : after.told_) {
    if (in_log) told.durable = 0;
    told.unsure |= in_log;
    const absl::StatusOr<StoredSession> session = after.store_->Load(id);
    if (absl::IsNotFound(session.status())) {
      missing += told.unsure ? 0 : 1;
      continue;
    }
    if (absl::IsDataLoss(session.status()) && absl::StrContains(session.status().message(), id)) {
      ++refused;
      continue;
    }
    const std::string another = after.CheckSession(id, told);
    if (absl::StrContains(another, "DATA_LOSS")) {
      ++refused;  // its latents
    } else if (!another.empty()) {
      return Broken(absl::StrCat("session ", id, ": ", another));
    }
  }
  if (missing > rows_damaged) return Broken(absl::StrCat(missing, " sessions are missing"));
  return refused + missing;
}

std::string StoreSimulation::FlipBytes(uint64_t step, bool killed, Flips* flips) {
  std::string problem = Open();
  for (int i = 0; i < options_.events && problem.empty(); ++i) Event();
  while (problem.empty() && store_->Step()) {
  }
  for (auto& [id, told] : told_) told.durable = told.records.size();
  if (!killed) store_ = nullptr;
  const std::unique_ptr<SimulatedDisk> left = disk_.KilledCopy();
  store_ = nullptr;
  for (const std::string folder : {"state", "state/bulk"}) {
    const absl::StatusOr<std::vector<std::string>> names = left->List(folder);
    for (const std::string& name : *names) {
      const std::string path = JoinPath(folder, name);
      if (name == "LOCK") continue;
      const uint64_t bytes = left->Contents(path).size();
      for (uint64_t at = Below(step); at < bytes && problem.empty(); at += step) {
        const std::unique_ptr<SimulatedDisk> disk = left->KilledCopy();
        disk->Damage(path, at, static_cast<std::byte>(1 + Below(255)));
        const absl::StatusOr<uint64_t> refused = CountRefused(*disk, name.ends_with("-wal"));
        ++flips->tried;
        if (absl::IsDataLoss(refused.status())) {
          ++flips->stores_refused;
        } else if (!refused.ok()) {
          problem = absl::StrCat("byte ", at, " of ", path, ": ", refused.status().message());
        } else {
          flips->sessions_refused += *refused;
          flips->most_refused = std::max(flips->most_refused, *refused);
          flips->unharmed += *refused == 0 ? 1 : 0;
        }
      }
    }
  }
  return problem;
}

}  // namespace longtake
