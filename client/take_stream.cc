// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "client/take_stream.h"

#include <utility>

namespace longtake {

TakeStream::TakeStream(v1::LongtakeService::Stub& stub) {
  stub.async()->Stream(&context_, this);
  AddHold();  // writes begin outside of the library's calls; Finish removes it
}

void TakeStream::Start() {
  started_ = true;
  StartCall();
}

TakeStream::~TakeStream() {
  Cancel();
  if (!started_) Start();  // the library ends only what has begun
  Finish();
}

void TakeStream::Send(v1::StreamRequest request) {
  MutexLock lock(mutex_);
  if (broken_) return;
  unsent_.push_back(std::move(request));
  if (unsent_.size() == 1) StartWrite(&unsent_.front());
}

void TakeStream::Flush() {
  MutexLock lock(mutex_);
  while (!unsent_.empty()) changed_.Wait(mutex_);
}

bool TakeStream::Read(v1::StreamResponse* response) {
  MutexLock lock(mutex_);
  reading_ = true;
  StartRead(response);
  while (reading_) changed_.Wait(mutex_);
  return read_ok_;
}

grpc::Status TakeStream::Finish() {
  MutexLock lock(mutex_);
  broken_ = true;
  if (std::exchange(held_, false)) RemoveHold();
  while (!done_) changed_.Wait(mutex_);
  return status_;
}

void TakeStream::OnWriteDone(bool ok) {
  MutexLock lock(mutex_);
  unsent_.pop_front();
  if (!ok) {
    broken_ = true;
    unsent_.clear();
  }
  if (!unsent_.empty()) StartWrite(&unsent_.front());
  changed_.NotifyAll();
}

void TakeStream::OnReadDone(bool ok) {
  MutexLock lock(mutex_);
  reading_ = false;
  read_ok_ = ok;
  changed_.NotifyAll();
}

void TakeStream::OnDone(const grpc::Status& status) {
  MutexLock lock(mutex_);
  status_ = status;
  done_ = true;
  changed_.NotifyAll();
}

}  // namespace longtake
