// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The engine's own figures as Prometheus families, read when somebody asks.
#pragma once

#include <prometheus/collectable.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/serve/engine_stats.h"
#include "engine/session/session_info.h"
#include "engine/store/session_store.h"

namespace longtake {

// What is read at one scrape.
struct EngineSnapshot {
  EngineStats stats;
  std::vector<SessionInfo> sessions;
  std::optional<SessionStore::Stats> store = {};  // none without a state-dir
};

// Does not change while the server runs. Bytes.
struct EngineFacts {
  std::string version;
  std::string model;
  std::string numerics_profile;
  std::string instruction_set;
  uint64_t transformer_layer_bytes = 0;
  uint64_t text_layer_bytes = 0;
  uint64_t resident_bytes = 0;
  uint64_t vae_bytes = 0;
  uint64_t buffer_bytes = 0;   // activations
  uint64_t scratch_bytes = 0;  // of the workers
  uint64_t kv_staging_bytes = 0;
  uint64_t store_buffer_bytes = 0;
  uint64_t prompt_cache_bytes_max = 0;
  uint64_t session_bytes_max = 0;
  uint64_t budget_bytes = 0;  // 0: none
};

class EngineMetrics final : public prometheus::Collectable {
 public:
  // read is called on the thread of the scrape.
  EngineMetrics(EngineFacts facts, std::function<EngineSnapshot()> read);
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const EngineFacts facts_;
  const std::function<EngineSnapshot()> read_;
};

}  // namespace longtake
