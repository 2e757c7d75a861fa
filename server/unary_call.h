// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A call with one request and one answer, as gRPC sees it a stream: only so does it begin when its
// headers are there, and a request that does not come or never ends can be given up after
// kFirstMessageSeconds, an answer that is not taken after kAnswerSeconds.
//
// Threads: gRPC's, the worker pool for what computes, and those of the context's store_calls. Owns
// itself until OnDone, as gRPC does not say who frees a reactor.
#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>
#include <optional>

#include "base/mutex.h"
#include "server/service_context.h"

namespace longtake {

class UnaryCall final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                        public std::enable_shared_from_this<UnaryCall> {
 public:
  // From the request's bytes, which it empties, to the answer's, for which done is called once:
  // before it returns, or later. Any thread.
  using Done = std::function<void(const absl::StatusOr<grpc::ByteBuffer>& answer)>;
  using Work =
      std::function<void(const Caller& caller, grpc::ByteBuffer* request, const Done& done)>;
  struct Method {
    RpcMethod id = RpcMethod::kGetSession;
    int64_t request_bytes_max = 0;
    bool computes = false;  // then on the worker pool: gRPC's threads are everybody's
    Work work;              // where it is NeedsDisk, it is done again on the threads that may wait
  };

  // The reactor for gRPC; it frees itself. The method must outlive every call.
  static UnaryCall* Start(ServiceContext& context, const Method& method,
                          grpc::CallbackServerContext& call);
  UnaryCall(ServiceContext& context, const Method& method, grpc::CallbackServerContext& call);

  void OnReadDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnCancel() override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnDone() override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  enum class Phase { kWaiting, kWorking, kFinished };
  // Calls it under the lock after so long, unless the alarm is cancelled.
  void After(grpc::Alarm& alarm, int64_t nanos, void (UnaryCall::*act)());
  void GiveUpRequest() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void GiveUpAnswer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RunAnswer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Answer() ABSL_LOCKS_EXCLUDED(mutex_);
  // An answer for now, or for good.
  void FinishOrAskAgain(const absl::StatusOr<grpc::ByteBuffer>& answer)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FinishCall(const absl::StatusOr<grpc::ByteBuffer>& answer)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FinishUnasked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  ServiceContext& context_;
  const Method& method_;
  grpc::CallbackServerContext& call_;  // until OnDone
  const std::shared_ptr<ConnectionUse> connection_;
  std::shared_ptr<UnaryCall> self_;
  Mutex mutex_;
  Caller caller_ ABSL_GUARDED_BY(mutex_);
  Phase phase_ ABSL_GUARDED_BY(mutex_) = Phase::kWaiting;
  grpc::ByteBuffer request_;                        // gRPC's until OnReadDone
  grpc::ByteBuffer response_;                       // gRPC's once finished
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;  // nobody waits for the answer
  bool done_ ABSL_GUARDED_BY(mutex_) = false;       // OnDone was called
  bool unasked_ ABSL_GUARDED_BY(mutex_) = false;    // no request came; it is counted when done
  std::optional<grpc::Alarm> room_alarm_;           // to ask again
  grpc::Alarm request_alarm_;
  grpc::Alarm answer_alarm_;
};

}  // namespace longtake
