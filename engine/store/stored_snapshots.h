// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The snapshots of a store: their rows and their files. Bytes are durable before the row that names
// them is committed; a file that no row names any more is removed after the commit. K/V is read
// from where it lies through a few buffers, however large it is, and held back by the disk; what an
// earlier snapshot wrote is named again, not written again. One file is written at a time, and
// other snapshots wait for it.
//
// Within the store's transactions, on its thread, unless said otherwise.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/status_macros.h"
#include "engine/kv/kv_image.h"
#include "engine/kv/kv_pieces.h"
#include "engine/store/bulk_directory.h"
#include "engine/store/snapshot.h"
#include "engine/store/snapshot_table.h"
#include "storage/bulk/bulk_reader.h"
#include "storage/bulk/bulk_sequence.h"

namespace longtake {

// What a session needs of its chunks beside a snapshot: all from this one on; and of those before
// whichever it decodes first so many, from which its decoder warms up.
struct NeededChunks {
  int64_t from = 0;
  int64_t warm_up = 0;
};

// A snapshot to be kept.
struct NewSnapshot {
  Snapshot snapshot;
  std::map<KvFrameName, std::unique_ptr<KvSource>> kv = {};  // frames that are to be written
  std::map<KvFrameName, BulkPlace> written = {};             // those that an earlier one wrote
  // Where the session takes too much, others may go with it.
  std::optional<NeededChunks> needed = {};
};

// One on its way to the disk, turn by turn, so that others need not wait for all of it.
class SnapshotInWork {
 public:
  // Told where its parts lie, or null when it is not kept; once.
  using Done = std::function<void(const SnapshotPlaces*)>;
  // gap: the session's history begins anew with it (engine/store/session_gap.h).
  SnapshotInWork(NewSnapshot snapshot, Done done, std::optional<uint64_t> gap = {});
  int64_t chunk() const { return snapshot_.point.chunk; }
  // Of it in memory: its latents. K/V is where it was.
  uint64_t bytes() const { return LatentBytesOf(snapshot_.rollout); }
  std::optional<uint64_t> gap() const { return gap_; }
  const std::optional<NeededChunks>& needed() const { return needed_; }
  // Whether something of it was written already.
  bool begun() const { return whole_ || !name_.empty(); }
  // Whether nothing is left to be written.
  bool whole() const { return whole_; }
  // Nobody wants it any more. Any thread.
  void GiveUp() { given_up_ = true; }
  void Answer(bool kept) { std::exchange(done_, nullptr)(kept ? &places_ : nullptr); }

 private:
  friend class StoredSnapshots;
  // K/V that is to be written, the oldest frames first: a session may soon need their room.
  using Frames = std::deque<std::pair<KvFrameName, std::unique_ptr<KvSource>>>;

  Snapshot snapshot_;
  const std::optional<uint64_t> gap_;
  const std::optional<NeededChunks> needed_;
  Frames frames_;
  Done done_;
  std::string name_;
  std::unique_ptr<BulkFile> file_;  // while it is written
  uint64_t file_bytes_ = 0;         // of the whole file
  SnapshotPlaces places_;
  bool whole_ = false;
  absl::Status failed_;
  std::atomic<bool> given_up_{false};
};

class StoredSnapshots {
 public:
  // What all snapshots of a store go through at once: those that are written, from the first one
  // on; those that sessions come back from; and one that is read again to be verified.
  static constexpr uint64_t kComingBackMax = 2;        // sessions at once, of a server
  static constexpr uint64_t kSliceBytesMax = 4 << 20;  // the disk has a few of them to work on
  static constexpr uint64_t kBufferBytesMax =
      WriteBehind::kSlices * kSliceBytesMax + kKvPieceBytes +  // written
      kComingBackMax * (BulkSequence::kMemoryBytesMax + kKvPieceBytes) +
      kBulkPieceBytes;  // read again

  // One turn writes so much, and less than a piece of K/V more. The directory outlives it.
  StoredSnapshots(BulkDirectory& bulk, uint64_t turn_bytes)
      : bulk_(bulk), turn_bytes_(turn_bytes) {}

  // So much of it as one turn takes; with the last turn its row. ABORTED: it is given up, by
  // somebody, because its K/V is gone or because its file cannot be written, and nothing of it
  // stays. One whose transaction failed is to be given up.
  // base: as SnapshotTable::Put.
  absl::Status Write(SnapshotTable& table, int64_t session, int64_t base, SnapshotInWork& snapshot);

  // Records need so much room: snapshots go, the oldest first, of one session or of any (0).
  absl::Status MakeRoom(SnapshotTable& table, int64_t session, uint64_t bytes);
  // What goes with the transaction under way.
  uint64_t leaving_bytes() const { return leaving_bytes_; }

  void OnCommitted(SnapshotTable& table);
  void OnAbandoned();

  // Any thread. DATA_LOSS names the file and what is damaged.
  absl::StatusOr<Snapshot> ReadTake(const SnapshotRow& row) const;
  absl::StatusOr<std::vector<std::byte>> ReadBytes(const BulkPlace& place) const;
  absl::StatusOr<std::unique_ptr<BulkReader>> OpenBytes(const BulkPlace& place) const;
  // Of one file; the memory is BulkSequence's.
  absl::StatusOr<std::unique_ptr<BulkSequence>> OpenSequence(const std::string& file,
                                                             std::span<const BulkExtent> extents,
                                                             std::span<std::byte> memory) const;
  struct Stats {
    uint64_t snapshots = 0;  // committed
    uint64_t bytes = 0;      // that they wrote
    uint64_t failures = 0;   // given up
  };
  Stats stats() const { return {.snapshots = snapshots_, .bytes = bytes_, .failures = failures_}; }

 private:
  absl::Status WriteTurn(int64_t session, SnapshotInWork& snapshot);
  // The next piece of the next frame, or the frame's end; how much it was.
  absl::StatusOr<uint64_t> WritePiece(SnapshotInWork& snapshot);
  // Of all that is to be written.
  static uint64_t RoomFor(const SnapshotInWork& snapshot);
  absl::Status WriteLatents(SnapshotInWork& snapshot);
  // The next one's turn.
  void EndFile(SnapshotInWork& snapshot);
  absl::Status PutRow(SnapshotTable& table, int64_t session, int64_t base,
                      SnapshotInWork& snapshot);
  absl::Status CreateFile(int64_t session, SnapshotInWork& snapshot);
  absl::Status GiveUp(SnapshotInWork& snapshot, const absl::Status& why);

  BulkDirectory& bulk_;
  const uint64_t turn_bytes_;
  // From the first snapshot on: of a piece of K/V, and of what the file is written through.
  AlignedBuffer buffer_;
  AlignedBuffer slices_;
  const SnapshotInWork* writing_ = nullptr;  // whose file it is
  uint64_t pending_ = 0;  // finished in the transaction under way, and what they wrote
  uint64_t pending_bytes_ = 0;
  uint64_t leaving_bytes_ = 0;
  std::atomic<uint64_t> snapshots_{0};
  std::atomic<uint64_t> bytes_{0};
  std::atomic<uint64_t> failures_{0};
};

}  // namespace longtake
