// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/peer_shares.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"

namespace longtake {
namespace {

bool IsIdle(const PeerShare& share) {
  const auto untaken = [](const Ledger& ledger) { return ledger.bytes_taken() == 0; };
  return untaken(*share.places) && untaken(*share.kv) && untaken(*share.kv_file) &&
         untaken(*share.memory.host) && untaken(*share.memory.device);
}

}  // namespace

uint64_t PeerShares::Part(uint64_t whole) const {
  return whole / 100 * percent_ + whole % 100 * percent_ / 100;
}

std::shared_ptr<Ledger> PeerShares::PartOf(const std::shared_ptr<Ledger>& whole) const {
  return Ledger::CreatePart(whole, Part(whole->bytes_max()));
}

std::shared_ptr<const PeerShare> PeerShares::Of(const std::string& peer) {
  if (peer.empty() || percent_ >= 100) return nullptr;
  MutexLock lock(mutex_);
  if (const auto found = shares_.find(peer); found != shares_.end()) return found->second;
  ForgetIdle();
  // A small server has a place for everybody, too.
  PeerShare share = {
      .peer = peer,
      .places = Ledger::Create(std::max<uint64_t>(1, Part(whole_.places))),
      .kv = Ledger::Create(Part(whole_.kv)),
      .kv_file = Ledger::Create(Part(whole_.kv_file)),
      .memory = {.host = PartOf(whole_.memory.host), .device = PartOf(whole_.memory.device)}};
  return shares_[peer] = std::make_shared<const PeerShare>(std::move(share));
}

// One that somebody is about to reserve from is held by him, too.
void PeerShares::ForgetIdle() {
  std::erase_if(shares_, [](const auto& entry) {
    return entry.second.use_count() == 1 && IsIdle(*entry.second);
  });
}

absl::Status CheckShare(const PeerShare& share, const Ledger& ledger, const std::string& what,
                        uint64_t amount, uint64_t working_bytes) {
  const absl::Status room = ledger.CheckRoom(amount, working_bytes);
  if (room.ok()) return room;
  const uint64_t most = ledger.bytes_max();
  if (working_bytes > most || amount > most - working_bytes) {
    return Error(Reason::kSessionTooLarge,
                 absl::StrCat("the session needs ", amount + working_bytes, " ", what,
                              ", and one peer may have ", most, " (peer-share)"));
  }
  return Error(Reason::kPeerShareExhausted,
               absl::StrCat("one peer may have ", most, " ", what, " (peer-share), ", share.peer,
                            " has ", ledger.bytes_taken(), " and asks for ", amount));
}

}  // namespace longtake
