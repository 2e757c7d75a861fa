// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/engine_metrics.h"

#include <prometheus/metric_family.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/machine_memory.h"
#include "server/log.h"

namespace longtake {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

// Collects families in order; a value belongs to the family begun last.
class Page {
 public:
  void Begin(MetricType type, const std::string& name, const std::string& help) {
    families_.push_back({name, help, type, {}});
  }
  template <typename Number>
  void Add(Number number, const std::string& label = "", const std::string& label_value = "") {
    ClientMetric metric;
    if (!label.empty()) metric.label.push_back({label, label_value});
    Put(std::move(metric), static_cast<double>(number));
  }
  void Put(ClientMetric metric, double value) {
    if (families_.back().type == MetricType::Counter) {
      metric.counter.value = value;
    } else {
      metric.gauge.value = value;
    }
    families_.back().metric.push_back(std::move(metric));
  }
  template <typename Number>
  void Counter(const std::string& name, const std::string& help, Number value) {
    Begin(MetricType::Counter, name, help);
    Add(value);
  }
  std::vector<MetricFamily> Take() { return std::move(families_); }

 private:
  std::vector<MetricFamily> families_;
};

void AddFacts(const EngineFacts& facts, Page& page) {
  page.Begin(MetricType::Gauge, "longtake_build_info", "Always 1; the labels say what runs");
  ClientMetric metric;
  metric.label = {{"version", facts.version},
                  {"model", facts.model},
                  {"numerics_profile", facts.numerics_profile},
                  {"instruction_set", facts.instruction_set}};
  page.Put(std::move(metric), 1.0);
}

void AddSessions(const EngineSnapshot& snapshot, Page& page) {
  constexpr std::array kStates = {"starting", "running", "paused", "blocked",
                                  "ended",    "failed",  "parked"};
  std::array<int, kStates.size()> counts{};
  uint64_t outbox_bytes = 0;
  int attached = 0;
  for (const SessionInfo& info : snapshot.sessions) {
    ++counts.at(static_cast<size_t>(info.state));
    outbox_bytes += info.outbox_bytes;
    attached += info.attached ? 1 : 0;
  }
  page.Begin(MetricType::Gauge, "longtake_sessions", "Sessions now, by state");
  for (size_t i = 0; i < kStates.size(); ++i) page.Add(counts[i], "state", kStates[i]);
  page.Begin(MetricType::Gauge, "longtake_sessions_attached", "Sessions with a client now");
  page.Add(attached);
  page.Begin(MetricType::Gauge, "longtake_outbox_bytes", "Frames held for all sessions");
  page.Add(outbox_bytes);
}

void AddStore(const SessionStore::Stats& store, uint64_t snapshots_refused, Page& page) {
  page.Begin(MetricType::Gauge, "longtake_store_durable",
             "1 while what is handed to the session store reaches its disk");
  page.Add(store.queue.durable ? 1 : 0);
  page.Begin(MetricType::Gauge, "longtake_store_sessions", "Sessions in the store");
  page.Add(store.sessions);
  page.Begin(MetricType::Gauge, "longtake_store_sessions_broken_off",
             "Sessions in memory with a gap in their history on disk");
  page.Add(store.broken_off);
  page.Begin(MetricType::Gauge, "longtake_store_bytes", "Taken by sessions in the store");
  page.Add(store.bytes);
  page.Counter("longtake_store_chunks_forgotten_total",
               "Chunks whose latents went, so that their sessions have room", store.forgotten);
  page.Begin(MetricType::Gauge, "longtake_store_waiting_bytes", "Handed over and not yet written");
  page.Add(store.queue.waiting_bytes + store.gap_bytes);
  page.Begin(MetricType::Gauge, "longtake_store_sessions_damaged",
             "Sessions in the store of which something is known to be damaged");
  page.Add(store.damaged.size());
  page.Counter("longtake_store_scrub_passes_total", "Times that all of the store was read again",
               store.scrub.passes);
  page.Counter("longtake_store_scrub_bytes_total", "What that read", store.scrub.bytes);
  page.Counter("longtake_store_commits_total", "Commits of the store", store.queue.commits);
  page.Counter("longtake_store_commit_seconds_total", "Time they took", store.queue.commit_seconds);
  page.Counter("longtake_store_failures_total", "Commits that the disk refused",
               store.queue.failures);
  page.Counter("longtake_store_snapshots_total", "Snapshots of sessions that were written",
               store.snapshots.snapshots);
  page.Counter("longtake_store_snapshot_bytes_total", "What they wrote", store.snapshots.bytes);
  page.Counter("longtake_store_snapshots_refused_total", "Snapshots that found no room",
               store.snapshots.failures + snapshots_refused);
}

void AddWork(const EngineStats& stats, Page& page) {
  page.Counter("longtake_sessions_failed_total", "Sessions ended by an error",
               stats.sessions_failed);
  page.Counter("longtake_sessions_expired_total",
               "Sessions whose ttl ran out or whose client kept them waiting",
               stats.sessions_expired);
  page.Begin(MetricType::Counter, "longtake_weight_sweeps_total", "Passes over all layers");
  page.Add(stats.text_sweeps, "stack", "text");
  page.Add(stats.transformer_sweeps, "stack", "transformer");
  page.Begin(MetricType::Counter, "longtake_prompts_total",
             "Prompts whose states sessions got: encoded, or known from an earlier or waiting one");
  page.Add(stats.prompts_encoded, "source", "encoder");
  page.Add(stats.prompts_known, "source", "known");
  page.Counter("longtake_sweeps_dropped_total", "Sweeps given up by cancel or error",
               stats.sweeps_dropped);
  page.Counter("longtake_sweep_items_total", "Forwards in all transformer sweeps", stats.items);
  page.Counter("longtake_sweep_tokens_total", "Rows in all transformer sweeps", stats.item_tokens);
  page.Begin(MetricType::Gauge, "longtake_sweep_knee_tokens",
             "Rows from which a larger sweep makes hardly more rows per second; 0: not known yet");
  page.Add(stats.knee_tokens);
  page.Counter("longtake_chunks_decoded_total", "Chunks decoded", stats.chunks);
  page.Counter("longtake_frames_decoded_total", "Frames decoded", stats.frames);
  page.Begin(MetricType::Counter, "longtake_component_seconds_total",
             "Time in each component; divided by chunks, what a chunk takes");
  page.Add(stats.text_seconds, "component", "text");
  page.Add(stats.transformer_seconds, "component", "transformer");
  page.Add(stats.decode_seconds, "component", "decode");
  page.Begin(MetricType::Gauge, "longtake_decode_backlog_chunks", "Chunks waiting for the decoder");
  page.Add(stats.decode_backlog_chunks);
}

struct Stack {
  const char* name;
  const LayerStream::Stats& layers;
};

void AddLayerTimes(const std::vector<LayerTimes>& layers, Page& page) {
  page.Begin(MetricType::Counter, "longtake_layer_seconds_total",
             "Time of the transformer's layers: computing, waiting for the disk, checksums, K/V");
  for (size_t i = 0; i < layers.size(); ++i) {
    const std::pair<const char*, double> kinds[] = {{"compute", layers[i].compute_seconds},
                                                    {"wait", layers[i].wait_seconds},
                                                    {"verify", layers[i].verify_seconds},
                                                    {"kv", layers[i].kv_seconds}};
    for (const auto& [kind, seconds] : kinds) {
      ClientMetric metric;
      metric.label = {{"layer", std::to_string(i)}, {"kind", kind}};
      page.Put(std::move(metric), seconds);
    }
  }
}

void AddStages(const std::vector<StageTimes>& stages, Page& page) {
  page.Begin(MetricType::Gauge, "longtake_stages", "Stages that the transformer lies in");
  page.Add(stages.size());
  page.Begin(MetricType::Counter, "longtake_stage_seconds_total",
             "Time of the sweeps on each stage: busy, waiting for layers, waiting for rows");
  for (size_t i = 0; i < stages.size(); ++i) {
    const std::pair<const char*, double> kinds[] = {{"busy", stages[i].busy_seconds},
                                                    {"layers", stages[i].layer_wait_seconds},
                                                    {"rows", stages[i].row_wait_seconds}};
    for (const auto& [kind, seconds] : kinds) {
      ClientMetric metric;
      metric.label = {{"stage", std::to_string(i)}, {"kind", kind}};
      page.Put(std::move(metric), seconds);
    }
  }
}

// Several stages may read from one file, of which there is one series.
std::vector<PathStats> ByFile(const std::vector<PathStats>& paths) {
  std::vector<PathStats> files;
  for (const PathStats& path : paths) {
    const auto found = std::find_if(files.begin(), files.end(),
                                    [&](const PathStats& file) { return file.file == path.file; });
    if (found == files.end()) {
      files.push_back(path);
      continue;
    }
    found->bytes_read += path.bytes_read;
    found->wait_seconds += path.wait_seconds;
  }
  return files;
}

void AddStorage(const EngineStats& stats, Page& page) {
  const Stack stacks[] = {{"text", stats.text_layers}, {"transformer", stats.transformer_layers}};
  page.Begin(MetricType::Counter, "longtake_storage_read_bytes_total", "Layer bytes read");
  for (const Stack& stack : stacks) page.Add(stack.layers.bytes_read, "stack", stack.name);
  page.Begin(MetricType::Counter, "longtake_storage_reads_total", "Layer reads done");
  for (const Stack& stack : stacks) page.Add(stack.layers.reads, "stack", stack.name);
  page.Begin(MetricType::Counter, "longtake_layer_stall_seconds_total",
             "Time the sweeps waited for a read");
  for (const Stack& stack : stacks) page.Add(stack.layers.wait_seconds, "stack", stack.name);
  page.Begin(MetricType::Counter, "longtake_layer_verify_seconds_total",
             "Time the sweeps waited for checksums");
  for (const Stack& stack : stacks) page.Add(stack.layers.verify_seconds, "stack", stack.name);
  page.Begin(MetricType::Gauge, "longtake_storage_reads_in_flight",
             "Layer reads under way when a layer was last begun");
  for (const Stack& stack : stacks) page.Add(stack.layers.in_flight, "stack", stack.name);
  page.Begin(MetricType::Counter, "longtake_layer_path_read_bytes_total",
             "Layer bytes read from each file that layers are in");
  const std::vector<PathStats> files = ByFile(stats.layer_paths);
  for (const PathStats& file : files) page.Add(file.bytes_read, "file", file.file);
  page.Begin(MetricType::Counter, "longtake_layer_path_stall_seconds_total",
             "Time the sweeps waited for a read from it");
  for (const PathStats& file : files) page.Add(file.wait_seconds, "file", file.file);
  AddLayerTimes(stats.transformer_layer_times, page);
  page.Begin(MetricType::Counter, "longtake_storage_errors_total",
             "Reads, and writes of K/V, that did not go as asked, by kind; all stacks");
  const LayerStream::Stats& text = stats.text_layers;
  const LayerStream::Stats& video = stats.transformer_layers;
  const KvStream::Stats& kv = stats.kv_stream;
  page.Add(text.short_reads + video.short_reads + kv.short_transfers, "kind", "short_read");
  page.Add(text.retries + video.retries + kv.retries, "kind", "retry");
  const PackReader::Stats& rows = stats.text_rows;
  page.Add(text.checksum_failures + video.checksum_failures + kv.checksum_failures +
               rows.checksum_failures,
           "kind", "checksum");
  page.Add(text.io_errors + video.io_errors + kv.io_errors + rows.io_errors, "kind", "io");
  page.Add(text.read_timeouts + video.read_timeouts + kv.timeouts, "kind", "timeout");
}

void AddKvFile(const EngineStats& stats, Page& page) {
  page.Begin(MetricType::Gauge, "longtake_kv_file_used_bytes",
             "Keys and values set aside for sessions in the file (kv-file)");
  page.Add(stats.kv_file_bytes);
  page.Begin(MetricType::Gauge, "longtake_kv_file_limit_bytes", "Size of that file; 0: none");
  page.Add(stats.kv_file_bytes_max);
  page.Begin(MetricType::Counter, "longtake_kv_file_bytes_total",
             "Keys and values that came from the file and went there");
  page.Add(stats.kv_stream.bytes_read, "direction", "read");
  page.Add(stats.kv_stream.bytes_written, "direction", "write");
  page.Begin(MetricType::Counter, "longtake_kv_file_stall_seconds_total",
             "Time the sweeps waited for it");
  page.Add(stats.kv_stream.wait_seconds);
}

void AddMemory(const EngineFacts& facts, const EngineStats& stats, Page& page) {
  page.Begin(MetricType::Gauge, "longtake_memory_used_bytes", "Memory taken, by pool");
  page.Add(facts.transformer_layer_bytes, "pool", "transformer_layers");
  page.Add(facts.text_layer_bytes, "pool", "text_layers");
  page.Add(facts.resident_bytes, "pool", "resident");
  page.Add(facts.vae_bytes, "pool", "vae");
  page.Add(facts.buffer_bytes, "pool", "buffers");
  page.Add(facts.scratch_bytes, "pool", "scratch");
  page.Add(stats.kv_bytes, "pool", "kv");
  page.Add(facts.kv_staging_bytes, "pool", "kv_staging");
  page.Add(facts.store_buffer_bytes, "pool", "store_buffers");
  page.Add(stats.prompt_cache_bytes, "pool", "prompt_cache");
  page.Add(stats.session_bytes, "pool", "sessions");
  page.Begin(MetricType::Gauge, "longtake_memory_limit_bytes", "The most a pool can take");
  page.Add(facts.transformer_layer_bytes, "pool", "transformer_layers");
  page.Add(facts.text_layer_bytes, "pool", "text_layers");
  page.Add(facts.resident_bytes, "pool", "resident");
  page.Add(facts.vae_bytes, "pool", "vae");
  page.Add(facts.buffer_bytes, "pool", "buffers");
  page.Add(facts.scratch_bytes, "pool", "scratch");
  page.Add(stats.kv_bytes_max, "pool", "kv");
  page.Add(facts.kv_staging_bytes, "pool", "kv_staging");
  page.Add(facts.store_buffer_bytes, "pool", "store_buffers");
  page.Add(facts.prompt_cache_bytes_max, "pool", "prompt_cache");
  page.Add(facts.session_bytes_max, "pool", "sessions");
  page.Begin(MetricType::Gauge, "longtake_memory_budget_bytes",
             "The limit on all pools together (memory-budget); 0: none");
  page.Add(facts.budget_bytes);
  page.Begin(MetricType::Gauge, "longtake_process_resident_bytes",
             "Memory of the process that is in RAM now, code and libraries included");
  page.Add(ResidentBytes().value_or(0));
}

void AddLog(Page& page) {
  const DroppedLogLines dropped = CountDroppedLogLines();
  page.Begin(MetricType::Counter, "longtake_log_lines_dropped_total",
             "Lines that are not in the log: nobody read it, or too many of one event");
  page.Add(dropped.queue, "reason", "queue");
  page.Add(dropped.rate, "reason", "rate");
}

}  // namespace

EngineMetrics::EngineMetrics(EngineFacts facts, std::function<EngineSnapshot()> read)
    : facts_(std::move(facts)), read_(std::move(read)) {}

std::vector<MetricFamily> EngineMetrics::Collect() const {
  const EngineSnapshot snapshot = read_();
  Page page;
  AddFacts(facts_, page);
  AddSessions(snapshot, page);
  AddWork(snapshot.stats, page);
  if (snapshot.store.has_value()) {
    AddStore(*snapshot.store, snapshot.stats.snapshots_refused, page);
  }
  AddStages(snapshot.stats.stages, page);
  AddStorage(snapshot.stats, page);
  AddKvFile(snapshot.stats, page);
  AddMemory(facts_, snapshot.stats, page);
  AddLog(page);
  return page.Take();
}

}  // namespace longtake
