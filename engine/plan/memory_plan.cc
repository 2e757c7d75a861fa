// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/plan/memory_plan.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/checked.h"

namespace longtake {
namespace {

constexpr uint64_t kNoLimit = std::numeric_limits<int64_t>::max();
// A pool whose size was not configured gets at most a quarter of what is left.
constexpr uint64_t kDefaultShare = 4;

std::string Mebibytes(uint64_t bytes) {
  return absl::StrFormat("%d MiB", (bytes + (1 << 20) - 1) >> 20);
}

// A column of the plan, and its limit.
struct Budget {
  const char* name;
  uint64_t MemoryUse::* column;
  uint64_t bytes;
};

absl::Status CheckFits(const MemoryPlan& least, const Budget& budget) {
  const uint64_t needed = least.total().*budget.column;
  if (needed <= budget.bytes) return absl::OkStatus();
  std::string text =
      absl::StrCat(budget.name, ": ", Mebibytes(budget.bytes), " are ",
                   Mebibytes(needed - budget.bytes), " too few; at least needed are ");
  const char* separator = "";
  for (const auto& [name, use] : least.Breakdown()) {
    const uint64_t bytes = use.*budget.column;
    if (bytes == 0) continue;
    absl::StrAppend(&text, std::exchange(separator, ", "), Mebibytes(bytes), " for ", name);
  }
  return absl::ResourceExhaustedError(text);
}

// What LayerStream takes for the transformer and then for the text encoder.
uint64_t KeptWithin(const ModelMemory& model, uint64_t bytes) {
  if (model.transformer_layers + model.text_layers <= bytes) return bytes;
  if (model.transformer_layers <= bytes - model.text_slots) return bytes - model.text_slots;
  return bytes - model.transformer_slots - model.text_slots;
}

}  // namespace

uint64_t MemoryPlan::layers() const {
  if (kept >= model.transformer_layers) {
    const uint64_t rest = kept - model.transformer_layers;
    return model.transformer_layers +
           (rest >= model.text_layers ? model.text_layers : model.text_slots + rest);
  }
  return model.transformer_slots + model.text_slots + kept;
}

MemoryUse MemoryPlan::total() const {
  MemoryUse sum;
  for (const auto& [name, use] : Breakdown()) {
    sum.host = std::min(kNoLimit, CheckedAdd(sum.host, use.host).value_or(kNoLimit));
    sum.device = std::min(kNoLimit, CheckedAdd(sum.device, use.device).value_or(kNoLimit));
  }
  return sum;
}

std::vector<std::pair<std::string, MemoryUse>> MemoryPlan::Breakdown() const {
  const MemoryUse kv_use = model.has_device ? MemoryUse{.device = kv} : MemoryUse{.host = kv};
  std::vector<std::pair<std::string, MemoryUse>> out = {
      {"layers of the model (slots, kept-bytes)", {.host = layers()}},
      {"weights that stay", model.resident},
      {"weights of the VAE (start-frames)", model.vae},
      {"activations (tokens-per-sweep)", model.buffers},
      {"what the workers compute in (threads)", model.scratch},
      {"keys and values (kv-bytes)", kv_use},
      {"keys and values on their way from the file (kv-staging-bytes)", {.host = kv_staging}},
      {"store buffers (state-dir)", {.host = store}},
      {"encoded prompts (prompt-cache-bytes)", {.host = prompt_cache}},
      {"sessions (session-bytes)", sessions}};
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
    return std::max(a.second.host, a.second.device) > std::max(b.second.host, b.second.device);
  });
  return out;
}

namespace {

// Nothing else wants what the model and the least of the others leave.
absl::Status DivideDevice(const MemoryWishes& wishes, MemoryPlan& plan) {
  plan.sessions.device = wishes.device_sessions.value_or(wishes.device_sessions_min);
  if (!wishes.device_budget.has_value()) {
    plan.kv = wishes.kv.value_or(kKvBytesDefault);
    plan.sessions.device = wishes.device_sessions.value_or(kSessionBytesDefault);
    return absl::OkStatus();
  }
  const uint64_t budget = *wishes.device_budget;
  LT_RETURN_IF_ERROR(CheckFits(plan, {"device-memory-budget", &MemoryUse::device, budget}));
  if (!wishes.device_sessions.has_value()) {
    plan.sessions.device += (budget - plan.total().device) / kDefaultShare;
  }
  if (!wishes.kv.has_value()) plan.kv += budget - plan.total().device;
  return absl::OkStatus();
}

absl::Status DivideHost(const MemoryWishes& wishes, MemoryPlan& plan) {
  const ModelMemory& model = plan.model;
  const bool chooses_kv = !wishes.kv.has_value() && !model.has_device;
  if (!wishes.budget.has_value()) {
    if (chooses_kv) plan.kv = kKvBytesDefault;
    plan.sessions.host = wishes.sessions.value_or(kSessionBytesDefault);
    plan.kept = wishes.kept.value_or(kNoLimit);
    return absl::OkStatus();
  }
  const uint64_t budget = *wishes.budget;
  LT_RETURN_IF_ERROR(CheckFits(plan, {wishes.budget_name, &MemoryUse::host, budget}));
  uint64_t left = budget - plan.total().host;
  uint64_t share = left / kDefaultShare;
  // Memory beyond that for all layers has no other use, so the two pools share it.
  const uint64_t layers_not_kept = model.transformer_layers + model.text_layers - plan.layers();
  if (left > layers_not_kept) share = std::max(share, (left - layers_not_kept) / 2);
  // Each pool has its minimum already: it is part of the total.
  const auto clamp = [](uint64_t least, uint64_t most, uint64_t wanted) {
    return std::max(least, std::min(most, wanted));
  };
  if (chooses_kv) plan.kv = clamp(plan.kv, kKvBytesDefault, share);
  if (!wishes.sessions.has_value()) {
    plan.sessions.host = clamp(plan.sessions.host, kSessionBytesDefault, share);
  }
  left = budget - plan.total().host;
  plan.kept = std::min(wishes.kept.value_or(kNoLimit), KeptWithin(model, left + plan.layers()));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<MemoryPlan> PlanMemory(const ModelMemory& model, const MemoryWishes& wishes) {
  MemoryPlan plan;
  plan.model = model;
  plan.budget = wishes.budget;
  plan.device_budget = wishes.device_budget;
  plan.kv = wishes.kv.value_or(wishes.kv_min);
  plan.kv_staging = wishes.kv_staging;
  plan.store = wishes.store;
  plan.prompt_cache = wishes.prompt_cache;
  plan.sessions.host = wishes.sessions.value_or(wishes.sessions_min);
  if (model.has_device) LT_RETURN_IF_ERROR(DivideDevice(wishes, plan));
  LT_RETURN_IF_ERROR(DivideHost(wishes, plan));
  return plan;
}

}  // namespace longtake
