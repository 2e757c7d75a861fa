// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "client/lasting_stream.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace longtake {
namespace {

constexpr int64_t kWaitNanosMin = 200'000'000;
constexpr int64_t kWaitNanosMax = 5'000'000'000;

}  // namespace

LastingStream::LastingStream(v1::LongtakeService::Stub& stub, v1::StreamRequest first,
                             Options options)
    : stub_(stub),
      first_(std::move(first)),
      options_(std::move(options)),
      call_(std::make_unique<TakeStream>(stub)),
      reading_(call_.get()) {
  reading_->Send(first_);
}

void LastingStream::Start() { reading_->Start(); }

void LastingStream::Send(const v1::StreamRequest& request) {
  MutexLock lock(mutex_);
  if (request.control().id() != 0) unsettled_.push_back(request);
  call_->Send(request);
}

void LastingStream::Flush() { reading_->Flush(); }

void LastingStream::Cancel() { reading_->Cancel(); }

void LastingStream::Leave(const v1::StreamRequest& end) {
  MutexLock lock(mutex_);
  leaving_ = true;
  if (!away_) return call_->Send(end);
  call_->Cancel();
  changed_.NotifyAll();
}

absl::StatusOr<std::optional<v1::StreamResponse>> LastingStream::Next() {
  for (;;) {
    v1::StreamResponse response;
    if (reading_->Read(&response)) {
      LT_ASSIGN_OR_RETURN(auto taken, Take(std::move(response)));
      if (taken.has_value()) return taken;
      continue;
    }
    const grpc::Status status = reading_->Finish();
    if (status.ok() || ended_) return std::nullopt;
    LT_RETURN_IF_ERROR(Resume(status));
  }
}

absl::StatusOr<std::optional<v1::StreamResponse>> LastingStream::Take(v1::StreamResponse response) {
  if (response.has_opened()) LT_RETURN_IF_ERROR(OnOpened(response.opened()));
  if (response.has_receipt()) OnReceipt(response.receipt());
  if (response.has_chunk()) {
    LT_ASSIGN_OR_RETURN(auto chunk, chunks_.Add(response.chunk()));
    if (!chunk.has_value()) return std::nullopt;
    *response.mutable_chunk() = *std::move(chunk);
  }
  // A call that brings nothing but its first message is no way out of a break.
  if (response.has_chunk()) break_.reset();
  ended_ |= response.has_ended();
  return response;
}

absl::Status LastingStream::OnOpened(const v1::Opened& opened) {
  LT_RETURN_IF_ERROR(chunks_.Open(opened));
  session_ = opened.session().name();
  durable_ = opened.session().durable();
  MutexLock lock(mutex_);
  away_ = false;
  return absl::OkStatus();
}

void LastingStream::OnReceipt(const v1::Receipt& receipt) {
  if (!receipt.has_error() && !receipt.has_applied_chunk()) return;
  MutexLock lock(mutex_);
  std::erase_if(unsettled_, [&](const v1::StreamRequest& request) {
    return request.control().id() == receipt.control_id();
  });
}

// A chunk that is not there is refused before the session could be seen to have lost it.
absl::Status LastingStream::CheckRefusal(const grpc::Status& status) const {
  std::optional<v1::Session> session = SessionOnDisk(status);
  if (!break_.has_value() || !session.has_value()) return absl::OkStatus();
  session->set_name(session_);
  return chunks_.CheckSession(*session);
}

absl::Status LastingStream::Resume(const grpc::Status& status) {
  LT_RETURN_IF_ERROR(CheckRefusal(status));
  const bool may_come_back =
      IsBreak(status) || IsDiskFailure(status) || (break_.has_value() && MayRetry(status));
  if (!durable_ || options_.reconnect_nanos == 0 || !may_come_back) return FromGrpc(status);
  if (!break_.has_value()) {
    break_ = Break{.status = FromGrpc(status),
                   .end_nanos = clock_.MonotonicNanos() + options_.reconnect_nanos,
                   .wait_nanos = kWaitNanosMin};
    if (IsLeaving()) return GiveUp();
    options_.say(absl::StrFormat(
        "%s (%s); %s is on its disk, so this waits for it, for %g s at most",
        IsDiskFailure(status) ? "a disk of the server fails" : "the server is gone",
        break_->status.message(), session_, NanosToSeconds(options_.reconnect_nanos)));
  }
  if (!WaitForCall()) return GiveUp();
  v1::StreamRequest request;
  v1::Attach& attach = *request.mutable_attach();
  attach.set_name(session_);
  attach.set_next_chunk(chunks_.next_chunk());
  attach.set_durable_through(chunks_.durable_through());
  attach.set_epoch(chunks_.epoch());
  StartCall(request);
  return absl::OkStatus();
}

bool LastingStream::IsLeaving() {
  MutexLock lock(mutex_);
  return leaving_;
}

absl::Status LastingStream::GiveUp() const {
  return absl::UnavailableError(
      absl::StrCat(std::string(break_->status.message()), "; ", session_,
                   " is on the server's disk, and longtake attach goes on with it"));
}

bool LastingStream::WaitForCall() {
  const int64_t now_nanos = clock_.MonotonicNanos();
  if (now_nanos >= break_->end_nanos) return false;
  const int64_t next_nanos = std::min(now_nanos + break_->wait_nanos, break_->end_nanos);
  break_->wait_nanos = std::min(2 * break_->wait_nanos, kWaitNanosMax);
  MutexLock lock(mutex_);
  away_ = true;
  for (;;) {
    if (leaving_) return false;
    const int64_t left_nanos = next_nanos - clock_.MonotonicNanos();
    if (left_nanos <= 0) return true;
    changed_.WaitFor(mutex_, std::chrono::nanoseconds(left_nanos));
  }
}

void LastingStream::StartCall(const v1::StreamRequest& first) {
  auto call = std::make_unique<TakeStream>(stub_);
  call->Send(first);
  reading_ = call.get();
  {
    MutexLock lock(mutex_);
    for (const v1::StreamRequest& request : unsettled_) call->Send(request);
    call_.swap(call);
    // Whoever left before this call could be cancelled.
    if (leaving_) reading_->Cancel();
  }
  reading_->Start();
}

}  // namespace longtake
