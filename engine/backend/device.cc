// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/backend/device.h"

namespace longtake {

void Device::OnLoss(LossObserver observer) {
  MutexLock lock(loss_mutex_);
  on_loss_ = std::move(observer);
  if (on_loss_ && !loss_.ok()) on_loss_(loss_);
}

void Device::Lose(const absl::Status& why) {
  MutexLock lock(loss_mutex_);
  if (!loss_.ok()) return;
  loss_ = why;
  if (on_loss_) on_loss_(loss_);
}

absl::Status Device::loss() const {
  MutexLock lock(loss_mutex_);
  return loss_;
}

}  // namespace longtake
