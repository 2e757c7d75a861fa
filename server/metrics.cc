// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/metrics.h"

namespace longtake {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Registry;

// From a frame of a fast stream to a chunk of a large model on a small machine.
Histogram::BucketBoundaries SecondsBuckets() {
  return {0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0};
}

Counter& AddCounter(Registry& registry, const std::string& name, const std::string& help) {
  return BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

Gauge& AddGauge(Registry& registry, const std::string& name, const std::string& help) {
  return BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

Histogram& AddSeconds(Registry& registry, const std::string& name, const std::string& help) {
  return BuildHistogram().Name(name).Help(help).Register(registry).Add({}, SecondsBuckets());
}

Family<Counter>& AddFamily(Registry& registry, const std::string& name, const std::string& help) {
  return BuildCounter().Name(name).Help(help).Register(registry);
}

// Threads that make the same counter at once get the same one from its family.
template <typename Make>
void Bump(std::atomic<Counter*>& counter, Make make) {
  Counter* known = counter.load(std::memory_order_acquire);
  if (known == nullptr) {
    known = make();
    counter.store(known, std::memory_order_release);
  }
  known->Increment();
}

}  // namespace

ServerMetrics::ServerMetrics()
    : registry_(std::make_shared<Registry>()),
      rpcs_(AddFamily(*registry_, "longtake_rpcs_total", "Calls that ended, by method and status")),
      admitted_(AddCounter(*registry_, "longtake_sessions_admitted_total", "Sessions created")),
      rejected_(AddFamily(*registry_, "longtake_sessions_rejected_total",
                          "Sessions refused, by the reason of the error")),
      streams_(AddGauge(*registry_, "longtake_streams", "Stream calls open now")),
      first_frame_(AddSeconds(*registry_, "longtake_first_frame_seconds",
                              "From the open of a stream to its first chunk on the way")),
      chunk_interval_(AddSeconds(*registry_, "longtake_chunk_interval_seconds",
                                 "Between the starts of two chunks of one stream")),
      encode_seconds_(AddSeconds(*registry_, "longtake_chunk_encode_seconds",
                                 "H.264 encoding of one chunk, waiting for a thread excluded")),
      chunks_(AddCounter(*registry_, "longtake_chunks_delivered_total",
                         "Chunks written to streams in full")),
      frames_(AddCounter(*registry_, "longtake_frames_delivered_total",
                         "Frames written to streams in full chunks")),
      bytes_(AddCounter(*registry_, "longtake_media_delivered_bytes_total",
                        "Media written to streams in full chunks")),
      draining_(AddGauge(*registry_, "longtake_draining", "1 once the server was told to end")),
      connections_(AddGauge(*registry_, "longtake_connections", "gRPC connections open now")),
      connections_limit_(AddGauge(*registry_, "longtake_connections_limit",
                                  "The most connections at once (connections-max)")),
      connections_refused_(AddCounter(*registry_, "longtake_connections_refused_total",
                                      "Connections closed at once, because there were too many")),
      connections_cut_(AddCounter(*registry_, "longtake_connections_cut_total",
                                  "Connections ended because what they sent was of no use")),
      accept_errors_(AddCounter(*registry_, "longtake_accept_errors_total",
                                "Times that accepting stopped for a moment: no descriptors or "
                                "memory")) {}

void ServerMetrics::CountRpc(RpcMethod method, absl::StatusCode code) {
  Bump(rpc_counters_.at(static_cast<size_t>(method)).at(static_cast<size_t>(code)), [&] {
    return &rpcs_.Add({{"method", NameOf(method)}, {"code", absl::StatusCodeToString(code)}});
  });
}

void ServerMetrics::CountRejected(Reason reason) {
  Bump(rejected_counters_.at(static_cast<size_t>(reason)),
       [&] { return &rejected_.Add({{"reason", InfoOf(reason).name}}); });
}

void ServerMetrics::ChunkDelivered(int64_t frames, uint64_t bytes) {
  chunks_.Increment();
  frames_.Increment(static_cast<double>(frames));
  bytes_.Increment(static_cast<double>(bytes));
}

}  // namespace longtake
