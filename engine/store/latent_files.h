// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Latents too large for a row of the database, in bulk files: of each session one file for so many
// chunks, to which they are appended as they come. They are synced before the row that says where
// they lie is committed, and the session's record proves them. A file goes with its session, or
// with the last of its latents; forks read that of the session they were made from, which stays as
// long as they do.
//
// A file that could not be written or synced is appended to no more: what was committed of it can
// still be read, and what comes next begins another.
//
// Within the store's transactions, on its thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>

#include "base/status_macros.h"
#include "engine/store/bulk_directory.h"
#include "engine/store/old_latents.h"
#include "engine/store/session_tables.h"

namespace longtake {

class LatentFiles {
 public:
  static constexpr int64_t kChunksPerFile = 64;

  // What takes at most row_bytes_max goes into a row. The directory outlives it.
  LatentFiles(BulkDirectory& bulk, uint64_t row_bytes_max)
      : bulk_(bulk), row_bytes_max_(row_bytes_max) {}

  // Beside the record that is appended next, which names them. Errors as the disk's.
  absl::Status Put(SessionTables& tables, SessionRow& row, const Latents& latents);
  // DATA_LOSS when they are not those that the record names.
  absl::StatusOr<Latents> Get(SessionTables& tables, const StoredLatents& stored) const;
  // What was put since the last call is named by rows that are committed; files of which latents
  // went with it are removed, where they have no others.
  void OnCommitted(OldLatents& old);
  // Nothing more comes of this session for a while; or it is gone.
  void Close(int64_t session);
  void Remove(int64_t session);

 private:
  // Where what comes next is appended.
  struct Tail {
    std::string name = {};
    int64_t group = 0;                    // of kChunksPerFile chunks
    uint64_t end = 0;                     // of the file
    std::unique_ptr<BulkFile> file = {};  // null: closed
  };
  absl::StatusOr<LatentPlace> Append(Tail& tail, int64_t session, int64_t group,
                                     const Latents& latents);
  // After an error nothing more is appended to it.
  void GiveUp(int64_t session);
  absl::Status OpenTail(Tail& tail, int64_t session, int64_t group);

  absl::StatusOr<Latents> Read(const LatentPlace& place, const LatentsRef& ref) const;

  BulkDirectory& bulk_;
  const uint64_t row_bytes_max_;
  std::map<int64_t, Tail> tails_;  // by session, of this process
  // Where latents are durable that no commit names yet, by their session and hash: a transaction
  // that is tried again finds them there, so that a disk that fails or is full is not filled by
  // tries.
  std::map<std::tuple<int64_t, uint64_t, uint64_t>, LatentPlace> written_;
};

}  // namespace longtake
