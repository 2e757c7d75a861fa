// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/stage.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "engine/video/stacks.h"
#include "engine/video/sweep_items.h"

namespace longtake {
namespace {

// Without a wake-up the stage looks at its sessions this often, for their ttl.
constexpr std::chrono::milliseconds kIdlePeriod{100};

}  // namespace

Stage::Stage(VideoModel& model, DecodeLane& decode_lane, const KvStages& kv_memory,
             const TakeJournal& journal, SweepCostModel& costs, Clock& clock, WakeUp& wake_up,
             Options options)
    : model_(model),
      kv_memory_(kv_memory),
      wake_up_(wake_up),
      costs_(costs),
      draining_(costs, clock),
      kv_(model.stage_count()),
      snapshots_(options.snapshots, model, kv_, costs, clock, board_),
      scheduler_(model, kv_, kv_memory, decode_lane, journal, snapshots_, board_,
                 {.on_gone = std::move(options.on_gone), .on_left = std::move(options.on_left)}),
      runner_(model, kv_memory, clock, decode_lane.lane_costs(), costs, board_,
              std::move(options.on_sweep)),
      prompts_(model, runner_, board_, options.prompt_cache_bytes_max,
               [this] { return !stopping_; }) {}

Stage::~Stage() { Stop(); }

void Stage::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Stage::Stop() {
  if (stopping_.exchange(true)) return;
  wake_up_.Wake();
  if (thread_.joinable()) thread_.join();
  scheduler_.CloseAll();
}

void Stage::Add(Arrival arrival) {
  scheduler_.Add(std::move(arrival));
  wake_up_.Wake();
}

void Stage::Run() {
  while (!stopping_) {
    if (!Step()) wake_up_.WaitFor(kIdlePeriod);
  }
}

bool Stage::Step() {
  scheduler_.TakeNews();
  const bool known = prompts_.PutKnown(scheduler_.sessions());
  // The stacks take turns: a flood of prompts must not keep the video waiting, nor the other way.
  const bool text_first = !text_had_turn_;
  text_had_turn_ = text_first && prompts_.EncodeSome(scheduler_.sessions());
  if (text_had_turn_) return true;
  const bool applied = scheduler_.ApplyEvents();
  if (SweepChunks() || applied) return true;
  return (!text_first && prompts_.EncodeSome(scheduler_.sessions())) || known;
}

bool Stage::SweepChunks() {
  const bool draining = draining_.begun();
  const std::vector<LiveSession*> plan = scheduler_.Plan(costs_, /*begin_chunks=*/!draining);
  if (plan.empty() || draining_.IsTooLate(plan, /*sweeps_done=*/0, kv_)) {
    at_rest_ = draining && scheduler_.LeaveAll();
    return false;
  }
  SweepTogether(plan);
  return true;
}

// A sweep that fails is repeated for each session alone, so that a fault in one session's bytes
// ends only that session. A layer that fails is missing for all.
bool Stage::SweepTogether(std::span<LiveSession* const> plan) {
  const absl::Status status = Sweep(plan);
  if (absl::IsCancelled(status)) return true;
  if (IsLayerFault(status)) {
    scheduler_.FailReady(status);
    return false;
  }
  if (status.ok()) {
    scheduler_.Settle(plan);
  } else if (plan.size() == 1) {
    scheduler_.Fail(plan, status);
  } else {
    for (size_t i = 0; i < plan.size() && SweepTogether(plan.subspan(i, 1)); ++i) {
    }
  }
  return true;
}

absl::Status Stage::Sweep(std::span<LiveSession* const> plan) {
  StagedItems items(kv_);
  for (LiveSession* live : plan) {
    LT_RETURN_IF_ERROR(items.Add(live->arrival.number, live->rollout(), live->rows_max));
  }
  TransformerStack stack(model_, &kv_memory_, items.of_stages());
  return runner_.RunTakes(stack, items.count(), stack.load(),
                          [&] { return AnyoneLeft(plan) && !draining_.IsTooLate(plan, 1, kv_); });
}

bool Stage::AnyoneLeft(std::span<LiveSession* const> plan) const {
  return !stopping_ && std::any_of(plan.begin(), plan.end(),
                                   [](LiveSession* live) { return !live->abandoned(); });
}

}  // namespace longtake
