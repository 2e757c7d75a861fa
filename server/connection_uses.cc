// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/connection_uses.h"

#include "server/peer.h"

namespace longtake {

std::shared_ptr<ConnectionUse> ConnectionUses::Add(const std::string& name,
                                                   const std::string& peer) {
  asked_ = true;
  auto use = std::make_shared<ConnectionUse>(peer);
  MutexLock lock(mutex_);
  uses_[name] = use;
  return use;
}

void ConnectionUses::Remove(const std::string& name, const ConnectionUse& use) {
  MutexLock lock(mutex_);
  const auto found = uses_.find(name);
  if (found != uses_.end() && found->second.get() == &use) uses_.erase(found);
}

std::shared_ptr<ConnectionUse> ConnectionUses::Find(const std::string& grpc_peer) const {
  if (!asked_) return nobodys_;
  const std::string name = ConnectionName(grpc_peer);
  MutexLock lock(mutex_);
  const auto found = uses_.find(name);
  return found == uses_.end() ? nobodys_ : found->second;
}

std::string PeerOf(const ConnectionUse& connection, const std::string& grpc_peer) {
  return connection.peer().empty() ? PeerNetwork(grpc_peer) : connection.peer();
}

}  // namespace longtake
