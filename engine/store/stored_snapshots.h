// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The snapshots of a store: their rows and their files. Bytes are durable before the row that names
// them is committed; a file that no row names any more is removed after the commit. K/V that an
// earlier snapshot wrote is named again, not written again.
//
// Within the store's transactions, on its thread, unless said otherwise.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/status_macros.h"
#include "engine/kv/kv_image.h"
#include "engine/store/bulk_directory.h"
#include "engine/store/snapshot.h"
#include "engine/store/snapshot_table.h"

namespace longtake {

// A snapshot to be kept.
struct NewSnapshot {
  Snapshot snapshot;
  KvImage kv = {};                                // frames that are to be written
  std::map<KvFrameName, BulkPlace> written = {};  // those that an earlier one wrote
  uint64_t bytes() const;                         // to be written
};

// One on its way to the disk, piece by piece, so that others need not wait for all of it.
class SnapshotInWork {
 public:
  explicit SnapshotInWork(NewSnapshot snapshot);
  // How often StoredSnapshots::Write is to be called, and what it writes at most.
  size_t piece_count() const { return piece_count_; }
  uint64_t piece_bytes() const { return piece_bytes_; }
  // Any thread: nobody wants it any more.
  void GiveUp() { given_up_ = true; }
  // Once it is committed.
  const SnapshotPlaces& places() const { return places_; }

 private:
  friend class StoredSnapshots;
  NewSnapshot snapshot_;
  const size_t piece_count_;
  uint64_t piece_bytes_ = 0;
  std::string name_;
  std::unique_ptr<BulkFile> file_;
  SnapshotPlaces places_;
  bool whole_ = false;  // what it consists of is on the disk
  absl::Status failed_;
  std::atomic<bool> given_up_{false};
};

class StoredSnapshots {
 public:
  StoredSnapshots(FileSystem& files, const std::string& directory) : bulk_(files, directory) {}

  // Before anything is written: files without a row go.
  absl::Status CollectGarbage(SnapshotTable& table);

  // The next piece of it, and what it consists of once all are written. After a transaction that
  // failed it may be called for the same pieces again. ABORTED: it is given up, by somebody or
  // because its file cannot be written, and nothing of it stays.
  absl::Status Write(int64_t session, SnapshotInWork& snapshot);
  absl::Status Finish(SnapshotTable& table, int64_t session, SnapshotInWork& snapshot);

  void OnCommitted(SnapshotTable& table);
  void OnAbandoned();

  // Any thread. DATA_LOSS names the file and what is damaged.
  absl::StatusOr<Snapshot> ReadTake(const SnapshotRow& row) const;
  absl::StatusOr<std::vector<std::byte>> ReadBytes(const BulkPlace& place) const;
  const BulkDirectory& bulk() const { return bulk_; }
  struct Stats {
    uint64_t snapshots = 0;  // committed
    uint64_t bytes = 0;      // that they wrote
    uint64_t failures = 0;   // given up
  };
  Stats stats() const { return {.snapshots = snapshots_, .bytes = bytes_, .failures = failures_}; }

 private:
  absl::Status Append(int64_t session, SnapshotInWork& snapshot, std::span<const std::byte> bytes,
                      BulkPlace* place);
  absl::Status FinishFile(int64_t session, SnapshotInWork& snapshot);
  absl::Status CheckWanted(SnapshotInWork& snapshot);
  absl::Status GiveUp(SnapshotInWork& snapshot, absl::Status why);

  BulkDirectory bulk_;
  uint64_t pending_ = 0;  // finished in the transaction under way, and what they wrote
  uint64_t pending_bytes_ = 0;
  std::atomic<uint64_t> snapshots_{0};
  std::atomic<uint64_t> bytes_{0};
  std::atomic<uint64_t> failures_{0};
};

}  // namespace longtake
