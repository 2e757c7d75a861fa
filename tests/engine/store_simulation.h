// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The session store on a disk that a test scripts: random sessions are written down, the disk fails
// now and then, power is lost at any moment, and what comes back is held against what was promised.
// Everything follows from the seed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/store/session_store.h"
#include "tests/storage/file_system_vfs.h"
#include "tests/storage/simulated_disk.h"

namespace longtake {

class StoreSimulation {
 public:
  struct Options {
    int events = 200;
    bool faults = true;  // calls that fail, and a disk that is full for a while
    int crash_per_mille = 15;
  };
  StoreSimulation(uint64_t seed, const Options& options);
  ~StoreSimulation();

  // Empty, or what was not as promised.
  std::string Run();
  // The same events without random crashes; power is lost just before this call to the disk, and
  // what that leaves is looked at. Nothing when there are fewer calls.
  std::optional<std::string> CrashAtCall(uint64_t call);
  int crashes() const { return crashes_; }

 private:
  // What was handed over of a session, in order, and how much of it is known to be durable.
  struct Told {
    StoredSession base;           // what is known to be there
    std::vector<Record> records;  // and then
    size_t durable = 0;           // so many of these are durable
    bool unsure = false;          // a call that failed may have happened or not
    StoredSession now;            // with all of them
    void Settle(StoredSession there) {
      base = now = std::move(there);
      records.clear();
      durable = 0;
      unsure = false;
    }
  };

  bool Chance(uint64_t per_mille) { return random_() % 1000 < per_mille; }
  uint64_t Below(uint64_t end) { return random_() % end; }
  std::string Open() { return Open(disk_, vfs_.name()); }
  std::string Open(SimulatedDisk& disk, const std::string& vfs);
  void Event();
  void Create();
  void Delete();
  void Fork();
  void Rewind();
  void Append(const std::string& id, Told& told);
  void Put(const std::string& id, const Record& record);
  void PutSnapshot(const std::string& id, const Told& told);
  void Crash();
  // Holds what is there against what was told.
  std::string Check();
  std::string CheckSession(const std::string& id, Told& told);
  // What is there of a session's snapshots is whole, and no file is there that none of them names.
  std::string CheckSnapshots(const std::string& id, std::set<std::string>* files);
  std::string CheckFiles();
  Told* Any(std::string* id);

  std::mt19937_64 random_;
  const Options options_;
  ManualClock clock_;
  SimulatedDisk disk_;
  FileSystemVfs vfs_;
  std::unique_ptr<SessionStore> store_;
  std::map<std::string, Told> told_;
  std::map<std::string, SnapshotPlaces> newest_;  // of each session's snapshots, in this process
  SimulatedDisk* opened_ = nullptr;               // the disk that the store is on
  uint64_t life_ = 1;
  int next_id_ = 0;
  int crashes_ = 0;
  int faults_left_ = 0;
};

}  // namespace longtake
