// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What the server counts itself, as Prometheus families; docs/metrics.md lists all names. Counting
// is wait-free but for the first time of each label, from any thread. No session, prompt or user is
// ever a label.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "base/error_reason.h"

namespace longtake {

// The methods of longtake.v1.LongtakeService.
enum class RpcMethod {
  kCreateSession,
  kEstimateSession,
  kGetSession,
  kListSessions,
  kDeleteSession,
  kForkSession,
  kRewindSession,
  kParkSession,
  kStream,
  kListModels,
  kGetModel,
};
inline constexpr std::array<const char*, 11> kRpcMethodNames = {
    "CreateSession", "EstimateSession", "GetSession",    "ListSessions",
    "DeleteSession", "ForkSession",     "RewindSession", "ParkSession",
    "Stream",        "ListModels",      "GetModel"};
constexpr const char* NameOf(RpcMethod method) {
  return kRpcMethodNames.at(static_cast<size_t>(method));
}

class ServerMetrics {
 public:
  ServerMetrics();

  void CountRpc(RpcMethod method, absl::StatusCode code);
  void CountAdmitted() { admitted_.Increment(); }
  void CountRejected(Reason reason);
  void StreamOpened() { streams_.Increment(); }
  void StreamClosed() { streams_.Decrement(); }
  // From Open to the first chunk on its way.
  void FirstFrame(double seconds) { first_frame_.Observe(seconds); }
  // Between two chunks of one stream.
  void ChunkInterval(double seconds) { chunk_interval_.Observe(seconds); }
  void ChunkEncoded(double seconds) { encode_seconds_.Observe(seconds); }
  void ChunkDelivered(int64_t frames, uint64_t bytes);
  void SetDraining() { draining_.Set(1.0); }
  void SetConnections(int64_t count) { connections_.Set(static_cast<double>(count)); }
  void SetConnectionsLimit(int64_t count) { connections_limit_.Set(static_cast<double>(count)); }
  void CountConnectionRefused() { connections_refused_.Increment(); }
  void CountConnectionCut() { connections_cut_.Increment(); }
  void CountAcceptError() { accept_errors_.Increment(); }

  const std::shared_ptr<prometheus::Registry>& registry() const { return registry_; }

 private:
  // Counters of one family, each made when it is first needed: a client decides how often they are
  // counted, so that no lock and no table of labels is on the way afterwards.
  template <size_t kCount>
  using Counters = std::array<std::atomic<prometheus::Counter*>, kCount>;
  static constexpr size_t kCodes = 17;  // of gRPC

  std::shared_ptr<prometheus::Registry> registry_;
  prometheus::Family<prometheus::Counter>& rpcs_;
  std::array<Counters<kCodes>, kRpcMethodNames.size()> rpc_counters_{};
  prometheus::Counter& admitted_;
  prometheus::Family<prometheus::Counter>& rejected_;
  Counters<kReasonCount> rejected_counters_{};
  prometheus::Gauge& streams_;
  prometheus::Histogram& first_frame_;
  prometheus::Histogram& chunk_interval_;
  prometheus::Histogram& encode_seconds_;
  prometheus::Counter& chunks_;
  prometheus::Counter& frames_;
  prometheus::Counter& bytes_;
  prometheus::Gauge& draining_;
  prometheus::Gauge& connections_;
  prometheus::Gauge& connections_limit_;
  prometheus::Counter& connections_refused_;
  prometheus::Counter& connections_cut_;
  prometheus::Counter& accept_errors_;
};

}  // namespace longtake
