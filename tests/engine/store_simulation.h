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
    bool forgets = false;  // few sessions, with little room for their history
  };
  StoreSimulation(uint64_t seed, const Options& options);
  ~StoreSimulation();

  // Empty, or what was not as promised.
  std::string Run();
  // A life without random crashes: some events, an end and another beginning, some more, and
  // sessions whose retention is over. What a crash just before any of its calls to the disk would
  // leave is looked at; and of some of these crashes, what another one on the way back would.
  enum class Crashes { kPower, kKill };
  std::string CrashAtEveryCall(Crashes kind);
  // The first half of a life as an earlier program of this version of the tables would have left
  // it; then a crash at every call of the next beginning.
  std::string CrashWhileMigrating(int version, Crashes kind);
  // The same life, once its store is made. This call fails, or it and those after it; then the disk
  // is back. Nothing when there are fewer calls.
  struct Failure {
    DiskFault fault;
    uint64_t calls = 1;
  };
  std::optional<std::string> FailAtCall(uint64_t call, const Failure& failure);
  // The same life up to its middle, and an end in peace, or a kill. Every step-th byte of each file
  // that is left is changed, one at a time.
  struct Flips {
    uint64_t tried = 0;
    uint64_t stores_refused = 0;    // with the file's name
    uint64_t sessions_refused = 0;  // with their own
    uint64_t most_refused = 0;      // by one byte
    uint64_t unharmed = 0;          // bytes that nobody missed
  };
  std::string FlipBytes(uint64_t step, bool killed, Flips* flips);
  int crashes() const { return crashes_; }
  int64_t forgotten() const { return forgotten_; }  // chunks

 private:
  // What was handed over of a session, in order, and how much of it is known to be durable.
  struct Told {
    StoredSession base;           // what is known to be there
    std::vector<Record> records;  // and then
    size_t durable = 0;           // so many of these are durable
    bool unsure = false;          // a call that failed may have happened or not
    int64_t needed = 0;           // chunks before this one might go at most
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
  // Its tables as they were in an earlier version.
  std::string MakeEarlier(int version);
  // The store ends, in peace or not.
  void Close();
  // From now on what a crash before each call would leave is kept.
  void KeepCrashes(Crashes kind);
  // The middle of a life, between its two halves of events, and what follows the second.
  std::string Halfway();
  void Expire();
  // Of a store with a changed byte: sessions that are refused; or what was not as promised.
  absl::StatusOr<uint64_t> CountRefused(SimulatedDisk& disk, bool in_log);
  // What a disk has of what was told by then.
  std::string LookAt(SimulatedDisk& disk, const std::map<std::string, Told>& told, bool again);
  std::string LookAtEach(bool again);
  std::string Open() { return Open(disk_, vfs_.name()); }
  std::string Open(SimulatedDisk& disk, const std::string& vfs);
  void Event();
  void Create();
  void Delete();
  void Fork();
  void Rewind();
  void Append(const std::string& id, Told& told);
  void Put(const std::string& id, const Record& record);
  void PutSnapshot(const std::string& id, Told& told);
  void Crash();
  // Holds what is there against what was told.
  std::string Check();
  std::string CheckSession(const std::string& id, Told& told);
  // What went of its history might go, and what it begins with now is there.
  std::string CheckHistory(const StoredSession& session, const Told& told);
  // What is there of a session's snapshots is whole, and no file is there that none of them names.
  std::string CheckSnapshots(const std::string& id, std::set<std::string>* files);
  std::string CheckFiles();
  Told* Any(std::string* id);

  std::mt19937_64 random_;
  const Options options_;
  const uint64_t latent_row_bytes_max_;  // 0: all of them lie in files
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
  int64_t forgotten_ = 0;
  int faults_left_ = 0;
  // Left by crashes, with what was told before each; not yet looked at.
  std::vector<std::pair<std::unique_ptr<SimulatedDisk>, std::map<std::string, Told>>> left_;
};

}  // namespace longtake
