// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "client/top_page.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/printable_text.h"

namespace longtake {
namespace {

// Two scrapes of the same metrics, so that counters become growth and rates.
class Scrapes {
 public:
  Scrapes(const MetricValues& before, const MetricValues& now, double seconds)
      : before_(before), now_(now), seconds_(seconds) {}

  double Grown(const std::string& name, const std::string& label = "") const {
    return std::max(0.0, now_.Sum(name, label) - before_.Sum(name, label));
  }
  double Rate(const std::string& name, const std::string& label = "") const {
    return seconds_ > 0 ? Grown(name, label) / seconds_ : 0.0;
  }
  const MetricValues& now() const { return now_; }

 private:
  const MetricValues& before_;
  const MetricValues& now_;
  const double seconds_;
};

std::string Size(double bytes) {
  if (bytes >= 1e9) return absl::StrFormat("%.2f GB", bytes / 1e9);
  return absl::StrFormat("%.1f MB", bytes / 1e6);
}

std::string Model(const MetricValues& now) {
  // Whoever serves the page wrote these.
  const auto label = [&now](const char* which) {
    return PrintableText(now.Label("longtake_build_info", which));
  };
  return absl::StrFormat("model     %s   %s   %s   longtaked %s\n", label("model"),
                         label("numerics_profile"), label("instruction_set"), label("version"));
}

std::string Sessions(const Scrapes& scrapes) {
  std::string states;
  for (const char* state : {"starting", "running", "paused", "blocked", "ended", "failed"}) {
    const double count =
        scrapes.now().Get(absl::StrCat("longtake_sessions{state=\"", state, "\"}"));
    if (count > 0) absl::StrAppendFormat(&states, "   %.0f %s", count, state);
  }
  return absl::StrFormat(
      "sessions  %.0f%s   %.1f chunks/s   %.1f frames/s   %.0f waiting to decode\n",
      scrapes.now().Sum("longtake_sessions"), states, scrapes.Rate("longtake_chunks_decoded_total"),
      scrapes.Rate("longtake_frames_decoded_total"),
      scrapes.now().Sum("longtake_decode_backlog_chunks"));
}

// Layer times grow with every layer, sweeps are counted when they end.
std::string Sweeps(const Scrapes& scrapes) {
  const auto layers = [&scrapes](const char* kind) {
    return scrapes.Grown("longtake_layer_seconds_total", absl::StrCat("kind=\"", kind, "\""));
  };
  const double all = layers("compute") + layers("wait") + layers("verify") + layers("kv");
  const auto share = [&](const char* kind) { return 100 * layers(kind) / std::max(1e-9, all); };
  const std::string shares = absl::StrFormat(
      "%.0f %% computing, %.0f %% waiting for the disk, %.0f %% checksums, %.0f %% K/V of the file",
      share("compute"), share("wait"), share("verify"), share("kv"));
  const std::string sweeps = "longtake_weight_sweeps_total";
  const std::string stack = "stack=\"transformer\"";
  const double count = scrapes.Grown(sweeps, stack);
  if (count == 0) {
    return "sweeps    " + (all > 0 ? "one under way: " + shares : "none since the last refresh") +
           "\n";
  }
  const double seconds =
      scrapes.Grown("longtake_component_seconds_total", "component=\"transformer\"");
  return absl::StrFormat("sweeps    %.2f/s   %.3f s each: %s   %.1f items   %.0f tokens\n",
                         scrapes.Rate(sweeps, stack), seconds / count, shares,
                         scrapes.Grown("longtake_sweep_items_total") / count,
                         scrapes.Grown("longtake_sweep_tokens_total") / count);
}

// Only where there are several.
std::string Stages(const Scrapes& scrapes) {
  std::string out;
  const auto count = static_cast<int>(scrapes.now().Sum("longtake_stages"));
  for (int stage = 0; count > 1 && stage < count; ++stage) {
    const auto grown = [&](const char* kind) {
      return scrapes.Grown("longtake_stage_seconds_total",
                           absl::StrCat("stage=\"", stage, "\",kind=\"", kind, "\""));
    };
    const double all = std::max(1e-9, grown("busy") + grown("layers") + grown("rows"));
    absl::StrAppendFormat(
        &out, "stage %-3d %.0f %% computing, %.0f %% waiting for layers, %.0f %% for rows\n", stage,
        100 * grown("busy") / all, 100 * grown("layers") / all, 100 * grown("rows") / all);
  }
  return out;
}

std::string Disk(const Scrapes& scrapes) {
  const MetricValues& now = scrapes.now();
  const auto errors = [&now](const char* kind) {
    return now.Sum("longtake_storage_errors_total", absl::StrCat("kind=\"", kind, "\""));
  };
  return absl::StrFormat(
      "disk      %s/s   %.0f reads/s   %.0f under way   so far: %.0f short, %.0f again, %.0f wrong "
      "checksums, %.0f I/O errors, %.0f without an answer\n",
      Size(scrapes.Rate("longtake_storage_read_bytes_total")),
      scrapes.Rate("longtake_storage_reads_total"), now.Sum("longtake_storage_reads_in_flight"),
      errors("short_read"), errors("retry"), errors("checksum"), errors("io"), errors("timeout"));
}

std::string KvFile(const Scrapes& scrapes) {
  const double limit = scrapes.now().Sum("longtake_kv_file_limit_bytes");
  if (limit == 0) return "";
  const std::string bytes = "longtake_kv_file_bytes_total";
  return absl::StrFormat("kv file   %s of %s   %s/s read   %s/s written\n",
                         Size(scrapes.now().Sum("longtake_kv_file_used_bytes")), Size(limit),
                         Size(scrapes.Rate(bytes, "direction=\"read\"")),
                         Size(scrapes.Rate(bytes, "direction=\"write\"")));
}

std::string Memory(const MetricValues& now) {
  const double budget = now.Sum("longtake_memory_budget_bytes");
  std::string out = absl::StrFormat(
      "memory    %s in RAM, %s taken of %s\n", Size(now.Sum("longtake_process_resident_bytes")),
      Size(now.Sum("longtake_memory_used_bytes")),
      budget > 0 ? Size(budget) + " budget" : Size(now.Sum("longtake_memory_limit_bytes")));
  for (const char* pool :
       {"transformer_layers", "text_layers", "resident", "vae", "buffers", "scratch", "kv",
        "kv_staging", "store_buffers", "prompt_cache", "sessions"}) {
    const std::string label = absl::StrCat("{pool=\"", pool, "\"}");
    const double used = now.Get("longtake_memory_used_bytes" + label);
    const double limit = now.Get("longtake_memory_limit_bytes" + label);
    if (limit == 0) continue;  // nobody has such
    const int filled = limit > 0 ? static_cast<int>(20 * std::min(1.0, used / limit) + 0.5) : 0;
    absl::StrAppendFormat(&out, "          %-18s [%s%s] %s of %s\n", pool,
                          std::string(static_cast<size_t>(filled), '#'),
                          std::string(static_cast<size_t>(20 - filled), ' '), Size(used),
                          Size(limit));
  }
  return out;
}

}  // namespace

std::string RenderTop(const MetricValues& before, const MetricValues& now, double seconds) {
  const Scrapes scrapes(before, now, seconds);
  return absl::StrCat(Model(now), Sessions(scrapes), Sweeps(scrapes), Stages(scrapes),
                      Disk(scrapes), KvFile(scrapes), Memory(now));
}

}  // namespace longtake
