// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A whole server below gRPC, in one thread: engine, scheduler, decode lane, journal and store are
// the real ones and take turns as the seed has it; the model computes hashes, the disk and the
// clock are scripted, and clients open, steer, leave, come back, fork, rewind, park and delete.
// Processes are killed or lose power at any call to the disk, which fails now and then. Everything
// follows from the seed.
//
// Outside: threads (what runs at once in the server takes turns here), K/V in a file, and waiting
// for memory, which is plentiful.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/serve/engine.h"
#include "engine/store/session_store.h"
#include "tests/engine/hash_model.h"
#include "tests/engine/simulated_client.h"
#include "tests/storage/file_system_vfs.h"
#include "tests/storage/simulated_disk.h"

namespace longtake {

// Opened once for all seeds.
struct SimulatedModels {
  std::unique_ptr<HashModel> chunks = HashModel::Open("self-forcing");
  std::unique_ptr<HashModel> rolling = HashModel::Open("rolling-forcing");
};

class SessionSimulation {
 public:
  struct Options {
    // A turn of the engine or of the store, or what a client does. One seed of ten has four times
    // as many: most faults show soon, some need a long history.
    int events = 200;
    bool faults = false;  // calls that fail, and a disk that is full for a while
    bool damage = false;  // in the end something that was synced is not what was written
  };
  SessionSimulation(SimulatedModels& models, uint64_t seed, const Options& options);
  ~SessionSimulation();

  // Empty, or what was not as promised.
  std::string Run();

  struct Counts {
    int crashes = 0;
    uint64_t chunks = 0;   // that clients got
    uint64_t checked = 0;  // sessions that were held against the model
    uint64_t resumed = 0;  // sessions that came back from the disk
    uint64_t from_snapshots = 0;
    uint64_t gaps = 0;        // sessions of which something found no room
    uint64_t begun_anew = 0;  // and whose history began anew
    int64_t forgotten = 0;    // chunks of sessions whose history took too much
    uint64_t refused = 0;     // sessions, for damage that was named
    uint64_t missed = 0;      // that the disk lost without a trace, and their clients found
    bool store_refused = false;
    uint64_t written_anew = 0;  // databases, where damage was in everybody's way
  };
  const Counts& counts() const { return counts_; }

 private:
  struct Process;  // what goes with a kill

  int EventsMax();
  bool Chance(uint64_t per_mille) { return world_.Chance(per_mille); }
  uint64_t Below(uint64_t end) { return world_.Below(end); }
  // The disk kills the process at some call, or fails, or does neither.
  void Begin();
  DiskFault Decide(const DiskCall& call);
  void Event();
  void Turn();
  void PassTime();
  void ClientEvent();
  void Steer(SimulatedClient& client);
  void Create();
  void Fork(SimulatedClient& client);
  void Rewind(SimulatedClient& client);
  void Park(SimulatedClient& client);
  void Delete(SimulatedClient& client);
  // The call did what it was asked to; otherwise nobody knows, or it was refused.
  bool Happened(const SimulatedClient& client, const absl::Status& status, const char* what);
  void Stop();
  void Crash();
  void HearDisk(const absl::Status& status);
  void HearDamage(const std::string& id, const std::string& damage);
  void HearGap(const std::string& id, bool has_gap);
  void RefuseStore(const absl::Status& status);
  // Flips a bit, loses what a block was written with, or finds another block in its place.
  void Damage();
  // Reads all that there is once; whom it does not name nobody refuses for damage from then on.
  void Scrub(SessionStore& store);
  void ReplaceBlock(const std::string& path, uint64_t offset, std::span<const std::byte> bytes);
  void CheckAll();
  void CheckMemory();
  // Turns until nothing happens any more.
  void RunUntilIdle();
  SessionSpec RandomSpec();
  SimulatedClient* Any();

  HashModel& model_;
  SimulatedWorld world_;
  const Options options_;
  const int events_max_;
  int events_ = 0;
  std::unique_ptr<SimulatedDisk> disk_ = std::make_unique<SimulatedDisk>();
  std::unique_ptr<SimulatedDisk> left_;   // by the process, which died
  std::unique_ptr<SimulatedDisk> older_;  // what was on it some time ago
  std::unique_ptr<Process> process_;
  std::map<std::string, std::unique_ptr<SimulatedClient>> clients_;
  double resume_seconds_max_ = 120;
  size_t clients_max_ = 0;
  uint64_t turns_max_ = 0;  // of the engine, at once
  uint64_t calls_to_live_ = UINT64_MAX;
  bool loses_power_ = false;
  bool healthy_ = false;  // from now on no faults and no kills
  int faults_left_ = 0;
  bool disk_is_full_ = false;
  int full_events_ = 0;  // so many events it is full for every write
  uint64_t scrub_bytes_per_second_ = 0;
  uint64_t waiting_bytes_max_ = uint64_t{256} << 20;
  uint64_t history_bytes_max_ = UINT64_MAX;  // of a session, before it forgets
  int next_id_ = 0;
  Counts counts_;
};

}  // namespace longtake
