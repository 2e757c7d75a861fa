// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One life of a store, crashed or failed at each of its calls to the disk.
#include <cerrno>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "tests/engine/store_simulation.h"

namespace longtake {
namespace {

constexpr int64_t kDayNanos = 24LL * 3600 * 1'000'000'000;
// Of so many crashes one is followed by others at each call on the way back.
constexpr int kAgainEach = 29;

}  // namespace

std::string StoreSimulation::Halfway() {
  while (store_->Step()) {
  }
  Close();
  return Open();
}

// All of them may go, one after the other.
void StoreSimulation::Expire() {
  for (auto& [id, told] : told_) told.unsure = true;
  clock_.Advance(2 * kDayNanos);
  for (int turn = 0; turn < 20; ++turn) {
    store_->Step();
    clock_.Advance(kDayNanos);
  }
}

std::string StoreSimulation::LookAt(SimulatedDisk& disk, const std::map<std::string, Told>& told,
                                    bool again) {
  if (again) {
    const FileSystemVfs vfs(disk, 1);  // outlives the store
    StoreSimulation recovery(/*seed=*/1, options_);
    recovery.told_ = told;
    const std::unique_ptr<SimulatedDisk> before = disk.CrashedCopy(/*seed=*/0);
    disk.set_decide([&](const DiskCall& call) {
      if (call.Changes()) recovery.left_.emplace_back(disk.CrashedCopy(call.number), told);
      return DiskFault{};
    });
    std::string problem = recovery.Open(disk, vfs.name());
    disk.set_decide({});
    recovery.store_ = nullptr;
    if (problem.empty()) problem = recovery.LookAtEach(/*again=*/false);
    crashes_ += recovery.crashes_;
    return problem.empty() ? problem : absl::StrCat("recovering: ", problem);
  }
  const FileSystemVfs vfs(disk, 1);  // outlives the store
  StoreSimulation after(/*seed=*/1, options_);
  after.told_ = told;
  std::string problem = after.Open(disk, vfs.name());
  if (problem.empty()) problem = after.Check();
  after.store_ = nullptr;
  return problem;
}

std::string StoreSimulation::LookAtEach(bool again) {
  for (auto& [disk, told] : std::exchange(left_, {})) {
    const std::string problem = LookAt(*disk, told, again && ++crashes_ % kAgainEach == 0);
    if (!again) ++crashes_;
    if (!problem.empty()) return absl::StrCat("crash ", crashes_, ": ", problem);
  }
  return "";
}

void StoreSimulation::KeepCrashes(Crashes kind) {
  disk_.set_decide([this, kind](const DiskCall& call) {
    if (call.Changes()) {
      left_.emplace_back(
          kind == Crashes::kKill ? disk_.KilledCopy() : disk_.CrashedCopy(call.number), told_);
    }
    return DiskFault{};
  });
}

std::string StoreSimulation::MakeEarlier(int version) {
  std::string sql =
      "BEGIN; ALTER TABLE sessions DROP COLUMN base; ALTER TABLE sessions DROP COLUMN first_kept;";
  if (version < 3) sql += "DROP TABLE latent_places; DROP TABLE start_parts;";
  if (version < 2) sql += "DROP TABLE snapshots; DROP TABLE snapshot_files;";
  const auto database = Database::Open({.path = "state/sessions-1.db", .vfs = vfs_.name()});
  if (!database.ok()) return database.status().ToString();
  const absl::Status made =
      (*database)->Execute(absl::StrCat(sql, "PRAGMA user_version=", version, "; COMMIT"));
  return made.ok() ? "" : made.ToString();
}

std::string StoreSimulation::CrashWhileMigrating(int version, Crashes kind) {
  std::string problem = Open();
  for (int i = 0; i < options_.events && problem.empty(); ++i) Event();
  while (problem.empty() && store_->Step()) {
  }
  for (auto& [id, told] : told_) told.durable = told.records.size();
  store_ = nullptr;
  if (problem.empty()) problem = MakeEarlier(version);
  KeepCrashes(kind);
  if (problem.empty()) problem = Open();
  if (problem.empty()) problem = LookAtEach(/*again=*/true);
  disk_.set_decide({});
  if (problem.empty()) problem = Check();
  store_ = nullptr;
  return problem;
}

std::string StoreSimulation::CrashAtEveryCall(Crashes kind) {
  KeepCrashes(kind);
  std::string problem = Open();
  for (int i = 0; i <= options_.events && problem.empty(); ++i) {
    if (i == options_.events / 2) problem = Halfway();
    if (i < options_.events) {
      Event();
    } else {
      Expire();
    }
    if (problem.empty()) problem = LookAtEach(/*again=*/true);
  }
  disk_.set_decide({});
  Close();
  return problem;
}

std::optional<std::string> StoreSimulation::FailAtCall(uint64_t call, const Failure& failure) {
  const absl::Cleanup done = [this] { disk_.set_decide({}); };  // it looks at what lives here
  std::string problem = Open();
  bool looking = false;  // by the test
  bool opening = false;
  disk_.set_decide([&](const DiskCall& now) {
    // Of names that failed to be synced only that process knows: as file systems write them in
    // order, the next one need not.
    const bool spared = looking || (opening && now.op == DiskOp::kSyncDir);
    const bool fails = !spared && now.number >= call && now.number < call + failure.calls;
    return fails ? failure.fault : DiskFault{};
  });
  const auto open = [&] {
    opening = true;
    std::string failed = Open();
    for (int tries = 0; !failed.empty() && tries < 100; ++tries) failed = Open();
    opening = false;
    return failed;
  };
  for (int i = 0; i < options_.events && problem.empty(); ++i) {
    if (i == options_.events / 2) {  // what waits for the disk goes with its process
      Close();
      problem = open();
      looking = true;
      if (problem.empty()) problem = Check();
      looking = false;
    }
    if (problem.empty()) Event();
  }
  if (!problem.empty()) return problem;
  if (disk_.calls() <= call) return std::nullopt;
  disk_.set_decide({});
  for (int i = 0; i < 100 && store_->Step(); ++i) clock_.Advance(2'000'000'000);
  if (!store_->stats().queue.durable) {
    return "the disk is back: " + store_->stats().queue.failure.ToString();
  }
  for (auto& [id, told] : told_) told.durable = told.records.size();
  ++crashes_;
  disk_.Crash(call);
  Close();
  problem = Open();
  return problem.empty() ? Check() : problem;
}

}  // namespace longtake
