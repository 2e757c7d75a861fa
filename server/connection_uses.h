// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How much of what a connection sent became messages. The acceptor holds it against what came over
// the wire (connection-waste-bytes): headers without end, calls that are reset as soon as they
// begin and messages that never end cost a server much more than their sender, and gRPC neither
// counts nor tells them. And who is at the other end of a Unix socket, of which gRPC knows nothing.
//
// Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/mutex.h"

namespace longtake {

class ConnectionUse {
 public:
  explicit ConnectionUse(std::string peer = {}) : peer_(std::move(peer)) {}

  // As UnixPeer (unix_socket.h); empty where gRPC knows the peer.
  const std::string& peer() const { return peer_; }
  // With what is around it: frames, and the headers of its call.
  void CountMessage(uint64_t bytes) { useful_bytes_ += bytes + bytes / 8 + kCallBytes; }
  uint64_t useful_bytes() const { return useful_bytes_; }

 private:
  static constexpr uint64_t kCallBytes = 512;
  const std::string peer_;
  std::atomic<uint64_t> useful_bytes_{0};
};

class ConnectionUses {
 public:
  // By ConnectionName (peer.h). A connection that begins replaces one of the same name that ended
  // unnoticed.
  std::shared_ptr<ConnectionUse> Add(const std::string& name, const std::string& peer = {})
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Remove(const std::string& name, const ConnectionUse& use) ABSL_LOCKS_EXCLUDED(mutex_);
  // By what gRPC calls the peer. Never null: where nobody asks, what is counted goes nowhere, and
  // no call takes the lock.
  std::shared_ptr<ConnectionUse> Find(const std::string& grpc_peer) const
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  std::atomic<bool> asked_{false};  // there was a connection
  mutable Mutex mutex_;
  std::map<std::string, std::shared_ptr<ConnectionUse>> uses_ ABSL_GUARDED_BY(mutex_);
  const std::shared_ptr<ConnectionUse> nobodys_ = std::make_shared<ConnectionUse>();
};

// Whose share of places and memory a call of this connection takes.
std::string PeerOf(const ConnectionUse& connection, const std::string& grpc_peer);

}  // namespace longtake
