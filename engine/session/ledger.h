// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Bytes that were promised. A promise is a Reservation, held by the object that uses the memory and
// returned by its destructor, so that the same bytes are never promised twice while somebody still
// has them. Any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <utility>

#include "base/mutex.h"
#include "base/status_macros.h"

namespace longtake {

class Ledger;

// Some bytes of a ledger. Movable value; empty by default. Not safe for several threads at once.
class Reservation {
 public:
  Reservation() = default;
  Reservation(Reservation&& other) noexcept;
  Reservation& operator=(Reservation&& other) noexcept;
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;
  ~Reservation() { Return(); }

  uint64_t bytes() const { return bytes_; }
  // Takes some of its bytes off, for another object to hold. There must be so many.
  Reservation Split(uint64_t bytes);
  // Gives back what is beyond these bytes; does nothing when it holds less.
  void Shrink(uint64_t bytes);
  void Return();

 private:
  friend class Ledger;
  Reservation(std::shared_ptr<Ledger> ledger, uint64_t bytes, uint64_t working_bytes);

  std::shared_ptr<Ledger> ledger_;
  uint64_t bytes_ = 0;
  uint64_t working_bytes_ = 0;
};

class Ledger : public std::enable_shared_from_this<Ledger> {
 public:
  // Shared, because a reservation may outlive the object that made it.
  static std::shared_ptr<Ledger> Create(uint64_t bytes_max);
  // A part of the whole for some who reserve: what is taken of it is taken of the whole, too.
  static std::shared_ptr<Ledger> CreatePart(std::shared_ptr<Ledger> whole, uint64_t bytes_max);

  // working_bytes is memory that only one holder works in at a time, so of all reservations only
  // the largest counts. RESOURCE_EXHAUSTED says what is free.
  absl::StatusOr<Reservation> Reserve(uint64_t bytes, uint64_t working_bytes = 0)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // What Reserve would answer; a part does not ask the whole.
  absl::Status CheckRoom(uint64_t bytes, uint64_t working_bytes = 0) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  uint64_t bytes_max() const { return bytes_max_; }
  uint64_t bytes_taken() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  friend class Reservation;
  Ledger(std::shared_ptr<Ledger> whole, uint64_t bytes_max)
      : whole_(std::move(whole)), bytes_max_(bytes_max) {}
  absl::Status Take(uint64_t bytes, uint64_t working_bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status CheckRoomLocked(uint64_t bytes, uint64_t working_bytes) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t Taken(uint64_t working_bytes) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Give(uint64_t bytes, uint64_t working_bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  void GiveOwn(uint64_t bytes, uint64_t working_bytes) ABSL_LOCKS_EXCLUDED(mutex_);

  const std::shared_ptr<Ledger> whole_;  // or null
  const uint64_t bytes_max_;
  mutable Mutex mutex_;
  uint64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::multiset<uint64_t> working_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace longtake
