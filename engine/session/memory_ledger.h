// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Promised memory of the host and of a device, which a session has both of or is refused. Thread
// rules of their ledgers.
#pragma once

#include <memory>

#include "base/memory_use.h"
#include "base/status_macros.h"
#include "engine/session/ledger.h"

namespace longtake {

struct MemoryReservation {
  Reservation host = {};
  Reservation device = {};

  // As Reservation.
  MemoryReservation Split(const MemoryUse& bytes) {
    return {.host = host.Split(bytes.host), .device = device.Split(bytes.device)};
  }
  void Return() {
    host.Return();
    device.Return();
  }
};

struct MemoryLedger {
  std::shared_ptr<Ledger> host = {};
  std::shared_ptr<Ledger> device = {};

  // As Ledger; errors say of which memory.
  absl::StatusOr<MemoryReservation> Reserve(const MemoryUse& bytes,
                                            const MemoryUse& working) const {
    MemoryReservation out;
    auto of_host = host->Reserve(bytes.host, working.host);
    if (!of_host.ok()) return Annotate(of_host.status(), kHostName);
    auto of_device = device->Reserve(bytes.device, working.device);
    if (!of_device.ok()) return Annotate(of_device.status(), kDeviceName);
    return MemoryReservation{.host = *std::move(of_host), .device = *std::move(of_device)};
  }
  absl::Status CheckRoom(const MemoryUse& bytes, const MemoryUse& working) const {
    LT_RETURN_IF_ERROR(Annotate(host->CheckRoom(bytes.host, working.host), kHostName));
    return Annotate(device->CheckRoom(bytes.device, working.device), kDeviceName);
  }
  MemoryUse bytes_taken() const {
    return {.host = host->bytes_taken(), .device = device->bytes_taken()};
  }

  static constexpr char kHostName[] = "memory of sessions beside K/V";
  static constexpr char kDeviceName[] = "device memory of sessions beside K/V";
};

}  // namespace longtake
