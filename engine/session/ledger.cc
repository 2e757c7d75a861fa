// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/session/ledger.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"

namespace longtake {

Reservation::Reservation(std::shared_ptr<Ledger> ledger, uint64_t bytes, uint64_t working_bytes)
    : ledger_(std::move(ledger)), bytes_(bytes), working_bytes_(working_bytes) {}

Reservation::Reservation(Reservation&& other) noexcept
    : ledger_(std::move(other.ledger_)),
      bytes_(std::exchange(other.bytes_, 0)),
      working_bytes_(std::exchange(other.working_bytes_, 0)) {}

Reservation& Reservation::operator=(Reservation&& other) noexcept {
  if (this == &other) return *this;
  Return();
  ledger_ = std::move(other.ledger_);
  bytes_ = std::exchange(other.bytes_, 0);
  working_bytes_ = std::exchange(other.working_bytes_, 0);
  return *this;
}

Reservation Reservation::Split(uint64_t bytes) {
  LT_CHECK(bytes <= bytes_);
  bytes_ -= bytes;
  return Reservation(ledger_, bytes, 0);
}

void Reservation::Shrink(uint64_t bytes) {
  if (bytes >= bytes_) return;
  ledger_->Give(bytes_ - bytes, 0);
  bytes_ = bytes;
}

void Reservation::Return() {
  if (ledger_ != nullptr) ledger_->Give(bytes_, working_bytes_);
  ledger_ = nullptr;
  bytes_ = 0;
  working_bytes_ = 0;
}

std::shared_ptr<Ledger> Ledger::Create(uint64_t bytes_max) {
  return CreatePart(nullptr, bytes_max);
}

std::shared_ptr<Ledger> Ledger::CreatePart(std::shared_ptr<Ledger> whole, uint64_t bytes_max) {
  return std::shared_ptr<Ledger>(new Ledger(std::move(whole), bytes_max));
}

absl::StatusOr<Reservation> Ledger::Reserve(uint64_t bytes, uint64_t working_bytes) {
  LT_RETURN_IF_ERROR(Take(bytes, working_bytes));
  return Reservation(shared_from_this(), bytes, working_bytes);
}

absl::Status Ledger::Take(uint64_t bytes, uint64_t working_bytes) {
  {
    MutexLock lock(mutex_);
    LT_RETURN_IF_ERROR(CheckRoomLocked(bytes, working_bytes));
    bytes_ += bytes;
    if (working_bytes != 0) working_.insert(working_bytes);
  }
  if (whole_ == nullptr) return absl::OkStatus();
  absl::Status taken = whole_->Take(bytes, working_bytes);
  if (!taken.ok()) GiveOwn(bytes, working_bytes);
  return taken;
}

absl::Status Ledger::CheckRoom(uint64_t bytes, uint64_t working_bytes) const {
  MutexLock lock(mutex_);
  return CheckRoomLocked(bytes, working_bytes);
}

absl::Status Ledger::CheckRoomLocked(uint64_t bytes, uint64_t working_bytes) const {
  const uint64_t taken = std::min(bytes_max_, Taken(working_bytes));
  if (bytes <= bytes_max_ - taken) return absl::OkStatus();
  return Error(Reason::kSessionMemoryExhausted,
               absl::StrCat(bytes, " bytes are needed, ", bytes_max_ - taken, " of ", bytes_max_,
                            " are free"));
}

uint64_t Ledger::bytes_taken() const {
  MutexLock lock(mutex_);
  return Taken(0);
}

uint64_t Ledger::Taken(uint64_t working_bytes) const {
  const uint64_t largest = working_.empty() ? 0 : *working_.rbegin();
  const uint64_t working = std::max(largest, working_bytes);
  constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();
  return working > kMost - bytes_ ? kMost : bytes_ + working;
}

void Ledger::Give(uint64_t bytes, uint64_t working_bytes) {
  GiveOwn(bytes, working_bytes);
  if (whole_ != nullptr) whole_->Give(bytes, working_bytes);
}

void Ledger::GiveOwn(uint64_t bytes, uint64_t working_bytes) {
  MutexLock lock(mutex_);
  bytes_ -= bytes;
  if (working_bytes != 0) working_.erase(working_.find(working_bytes));
}

}  // namespace longtake
