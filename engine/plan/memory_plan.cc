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

absl::Status TooSmall(const MemoryPlan& least) {
  std::string text =
      absl::StrCat("memory-budget: ", Mebibytes(*least.budget), " are ",
                   Mebibytes(least.total() - *least.budget), " too few; at least needed are ");
  const char* separator = "";
  for (const auto& [name, bytes] : least.Breakdown()) {
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

uint64_t MemoryPlan::total() const {
  uint64_t sum = 0;
  for (const uint64_t part : {model.resident, model.vae, model.buffers, model.scratch, layers(), kv,
                              kv_staging, prompt_cache, sessions}) {
    sum = std::min(kNoLimit, CheckedAdd(sum, part).value_or(kNoLimit));
  }
  return sum;
}

std::vector<std::pair<std::string, uint64_t>> MemoryPlan::Breakdown() const {
  std::vector<std::pair<std::string, uint64_t>> out = {
      {"layers of the model (slots, kept-bytes)", layers()},
      {"weights that stay", model.resident},
      {"weights of the VAE (start-frames)", model.vae},
      {"activations (tokens-per-sweep)", model.buffers},
      {"what the workers compute in (threads)", model.scratch},
      {"keys and values (kv-bytes)", kv},
      {"keys and values on their way from the file (kv-staging-bytes)", kv_staging},
      {"encoded prompts (prompt-cache-bytes)", prompt_cache},
      {"sessions (session-bytes)", sessions}};
  std::sort(out.begin(), out.end(),
            [](const auto& a, const auto& b) { return a.second > b.second; });
  return out;
}

absl::StatusOr<MemoryPlan> PlanMemory(const ModelMemory& model, const MemoryWishes& wishes) {
  MemoryPlan plan;
  plan.model = model;
  plan.budget = wishes.budget;
  plan.kv_staging = wishes.kv_staging;
  plan.prompt_cache = wishes.prompt_cache;
  if (!wishes.budget.has_value()) {
    plan.kv = wishes.kv.value_or(kKvBytesDefault);
    plan.sessions = wishes.sessions.value_or(kSessionBytesDefault);
    plan.kept = wishes.kept.value_or(kNoLimit);
    return plan;
  }
  plan.kv = wishes.kv.value_or(wishes.kv_min);
  plan.sessions = wishes.sessions.value_or(wishes.sessions_min);
  if (plan.total() > *wishes.budget) return TooSmall(plan);
  uint64_t left = *wishes.budget - plan.total();
  uint64_t share = left / kDefaultShare;
  // Memory beyond that for all layers has no other use, so the two pools share it.
  const uint64_t layers_not_kept = model.transformer_layers + model.text_layers - plan.layers();
  if (left > layers_not_kept) share = std::max(share, (left - layers_not_kept) / 2);
  // Each pool has its minimum already: it is part of the total.
  const auto clamp = [](uint64_t least, uint64_t most, uint64_t wanted) {
    return std::max(least, std::min(most, wanted));
  };
  if (!wishes.kv.has_value()) plan.kv = clamp(plan.kv, kKvBytesDefault, share);
  if (!wishes.sessions.has_value()) {
    plan.sessions = clamp(plan.sessions, kSessionBytesDefault, share);
  }
  left = *wishes.budget - plan.total();
  const uint64_t most = KeptWithin(model, left + plan.layers());
  plan.kept = std::min(wishes.kept.value_or(kNoLimit), most);
  return plan;
}

}  // namespace longtake
