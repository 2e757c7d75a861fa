// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/stage.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/error_reason.h"
#include "engine/batcher.h"
#include "engine/sweep.h"

namespace longtake {
namespace {

// Without a wake-up the stage looks at its sessions this often, for their ttl.
constexpr std::chrono::milliseconds kIdlePeriod{100};

uint64_t ChunkBytesMax(const SessionSpec& spec, int64_t chunk_frames) {
  return static_cast<uint64_t>(spec.width * spec.height * 3 * chunk_frames * 4);
}

}  // namespace

// A prompt waiting for the text encoder, and where its states go.
struct Stage::TextJob {
  std::span<const int32_t> ids;
  Live* live = nullptr;
  size_t branch = 0;
  PendingEvent* event = nullptr;  // null: the session's first text of that branch
  std::vector<float> states;
};

Stage::Stage(VideoModel& model, DecodeLane& decode_lane, Clock& clock,
             std::function<void(const std::string& id)> on_gone)
    : model_(model), decode_lane_(decode_lane), clock_(clock), on_gone_(std::move(on_gone)) {}

Stage::~Stage() { Stop(); }

void Stage::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Stage::Stop() {
  stopping_ = true;
  Wake();
  if (thread_.joinable()) thread_.join();
}

void Stage::Add(Arrival arrival) {
  {
    MutexLock lock(mutex_);
    arrivals_.push_back(std::move(arrival));
    ++stats_.sessions_created;
  }
  Wake();
}

void Stage::Wake() {
  {
    MutexLock lock(mutex_);
    woken_ = true;
  }
  wake_condition_.NotifyOne();
}

EngineStats Stage::stats() const {
  MutexLock lock(mutex_);
  return stats_;
}

void Stage::Run() {
  while (!stopping_) {
    if (Step()) continue;
    MutexLock lock(mutex_);
    if (!woken_ && !stopping_) wake_condition_.WaitFor(mutex_, kIdlePeriod);
    woken_ = false;
  }
}

bool Stage::Step() {
  TakeArrivals();
  DropFinished();
  TakeEvents();
  if (EncodeTexts()) return true;
  bool applied = false;
  for (auto& live : live_) applied |= ApplyEvents(*live);
  return SweepChunks() || applied;
}

void Stage::TakeArrivals() {
  MutexLock lock(mutex_);
  for (Arrival& arrival : arrivals_) {
    live_.push_back(std::make_unique<Live>());
    live_.back()->arrival = std::move(arrival);
  }
  arrivals_.clear();
}

// Whoever is over gives its K/V back at once; what is left of it waits in over_ for its reader.
void Stage::DropFinished() {
  std::erase_if(live_, [this](std::unique_ptr<Live>& live) {
    if (Gone(live->session())) return true;
    if (!live->done() || live->arrival.decode->chunks_in_flight != 0) return false;
    live->session().PutEnd(absl::OkStatus());
    over_.push_back(live->arrival.session);
    return true;
  });
  std::erase_if(over_, [this](std::shared_ptr<Session>& session) { return Gone(*session); });
}

bool Stage::Gone(Session& session) {
  const bool expired = !session.cancelled() && session.Expired();
  if (expired) {
    session.Cancel(WithReason(absl::CancelledError("nobody attached within the session's ttl"),
                              {"SESSION_EXPIRED", {{"session", session.id()}}}));
  }
  if (!session.cancelled()) return false;
  on_gone_(session.id());
  MutexLock lock(mutex_);
  stats_.sessions_expired += expired ? 1 : 0;
  return true;
}

void Stage::TakeEvents() {
  for (auto& live : live_) {
    for (AcceptedEvent& event : live->session().TakeEvents()) {
      live->events.push_back({std::move(event), nullptr});
    }
  }
}

std::vector<Stage::TextJob> Stage::CollectTextJobs() {
  std::vector<TextJob> jobs;
  int64_t tokens = 0;
  const auto add = [&](TextJob job) {
    const auto rows = static_cast<int64_t>(job.ids.size());
    if (!jobs.empty() && tokens + rows > VideoModel::kPromptRowsMax) return;
    tokens += rows;
    jobs.push_back(std::move(job));
  };
  for (auto& live : live_) {
    for (size_t i = 0; i < live->arrival.prompt_ids.size(); ++i) {
      add({live->arrival.prompt_ids[i], live.get(), i, nullptr, {}});
    }
    for (PendingEvent& event : live->events) {
      if (event.accepted.event.kind != EventKind::kPrompt || event.text != nullptr) continue;
      add({event.accepted.prompt_ids, live.get(), 0, &event, {}});
    }
  }
  return jobs;
}

bool Stage::EncodeTexts() {
  std::vector<TextJob> jobs = CollectTextJobs();
  if (jobs.empty()) return false;
  const int64_t start_nanos = clock_.MonotonicNanos();
  absl::Status status = RunTextSweep(jobs);
  for (TextJob& job : jobs) {
    std::unique_ptr<TextContext> text;
    if (status.ok()) {
      auto created = model_.NewTextContext(job.states, static_cast<int64_t>(job.ids.size()));
      if (created.ok()) {
        text = *std::move(created);
      } else {
        status = created.status();
      }
    }
    if (!status.ok()) {
      job.live->arrival.prompt_ids.clear();
      Live* failed[] = {job.live};
      Fail(failed, Annotate(status, "encoding the prompt"));
    } else if (job.event != nullptr) {
      job.event->text = std::move(text);
    } else {
      job.live->rollout().SetText(job.branch, std::move(text));
      if (job.live->rollout().HasText()) job.live->arrival.prompt_ids.clear();
    }
  }
  MutexLock lock(mutex_);
  ++stats_.text_sweeps;
  stats_.text_seconds += NanosToSeconds(clock_.MonotonicNanos() - start_nanos);
  stats_.text_layers = model_.text_layers().stats();
  return true;
}

absl::Status Stage::RunTextSweep(std::span<TextJob> jobs) {
  std::vector<TextItem> items;
  for (TextJob& job : jobs) {
    job.states.resize(job.ids.size() * static_cast<size_t>(model_.config().text_dim));
    items.push_back({job.ids, job.states.data()});
  }
  LT_ASSIGN_OR_RETURN(std::unique_ptr<StackPass> pass, model_.text_encoder().NewPass(items));
  return RunSweep(*pass, model_.text_layers(), [this] { return !stopping_.load(); });
}

// Events hold from a chunk boundary on, in the order they were accepted; a prompt that is not
// encoded yet holds back those after it.
bool Stage::ApplyEvents(Live& live) {
  if (!live.rollout().at_chunk_start()) return false;
  size_t applied = 0;
  while (applied < live.events.size()) {
    PendingEvent& event = live.events[applied];
    if (event.accepted.event.kind == EventKind::kPrompt && event.text == nullptr) break;
    Apply(live, event);
    ++applied;
  }
  live.events.erase(live.events.begin(), live.events.begin() + static_cast<ptrdiff_t>(applied));
  return applied > 0;
}

void Stage::Apply(Live& live, PendingEvent& event) {
  switch (event.accepted.event.kind) {
    case EventKind::kPrompt:
      live.rollout().SetText(0, std::move(event.text));
      break;
    case EventKind::kPause:
      live.paused = true;
      break;
    case EventKind::kResume:
      live.paused = false;
      break;
    case EventKind::kEnd:
      // With chunks in flight the decode lane's order decides; nothing is cut off.
      live.ending = true;
      break;
  }
  live.session().PutApplied({event.accepted.sequence, live.rollout().chunk()});
}

// Sets the state a client sees, too.
bool Stage::Ready(Live& live) {
  Session& session = live.session();
  if (live.done() || !live.rollout().HasText()) return false;
  if (live.rollout().at_chunk_start()) {
    if (live.paused) {
      session.SetState(SessionState::kPaused);
      return false;
    }
    const uint64_t bytes = ChunkBytesMax(session.spec(), model_.recipe().chunk_frames);
    const auto in_flight = static_cast<uint64_t>(live.arrival.decode->chunks_in_flight.load());
    if (!session.HasRoom(bytes, in_flight * bytes)) {
      session.SetState(SessionState::kBlocked);
      return false;
    }
  }
  session.SetState(SessionState::kRunning);
  return true;
}

std::vector<Stage::Live*> Stage::Plan() {
  std::vector<Live*> ready;
  std::vector<SweepCandidate> candidates;
  for (auto& live : live_) {
    if (!Ready(*live)) continue;
    ready.push_back(live.get());
    candidates.push_back({live->rollout().tokens_per_sweep(), live->last_served_sweep});
  }
  std::vector<Live*> plan;
  int64_t text_rows = 0;
  for (size_t index : PlanSweep(candidates, model_.options().tokens_max)) {
    text_rows += ready[index]->rollout().new_text_rows();
    if (!plan.empty() && text_rows > VideoModel::kPromptRowsMax) break;
    plan.push_back(ready[index]);
  }
  return plan;
}

bool Stage::SweepChunks() {
  const std::vector<Live*> plan = Plan();
  if (plan.empty()) return false;
  ++sweep_;
  absl::Status status = RunVideoSweep(plan);
  // A read that fails may well succeed when asked again; twice is a verdict.
  if (!status.ok() && !absl::IsCancelled(status)) status = RunVideoSweep(plan);
  if (absl::IsCancelled(status)) return true;
  if (!status.ok()) {
    Fail(plan, status);
    return true;
  }
  for (Live* live : plan) {
    live->last_served_sweep = sweep_;
    if (!live->session().cancelled()) SettleSession(*live);
  }
  return true;
}

absl::Status Stage::RunVideoSweep(std::span<Live* const> plan) {
  const int64_t start_nanos = clock_.MonotonicNanos();
  std::vector<VideoItem> items;
  for (Live* live : plan) live->rollout().AppendItems(&items);
  double flops = 0.0;
  int64_t tokens = 0;
  for (const VideoItem& item : items) {
    const int64_t frame_tokens = item.height / 2 * (item.width / 2);
    const auto context = static_cast<int64_t>(item.context.size());
    flops +=
        model_.ForwardFlops(item.frames * frame_tokens, (item.frames + context) * frame_tokens);
    tokens += item.frames * frame_tokens;
  }
  const auto run = [&]() -> absl::Status {
    LT_ASSIGN_OR_RETURN(std::unique_ptr<StackPass> pass, model_.transformer().NewPass(items));
    return RunSweep(*pass, model_.transformer_layers(), [&] { return AnyoneLeft(plan); });
  };
  const absl::Status status = run();
  const double seconds = NanosToSeconds(clock_.MonotonicNanos() - start_nanos);
  if (status.ok() && seconds > 0) flops_per_second_ = flops / seconds;
  MutexLock lock(mutex_);
  stats_.transformer_layers = model_.transformer_layers().stats();
  if (!status.ok()) {
    ++stats_.sweeps_dropped;
    return status;
  }
  ++stats_.transformer_sweeps;
  stats_.items += items.size();
  stats_.item_tokens += static_cast<uint64_t>(tokens);
  stats_.transformer_seconds += seconds;
  return status;
}

bool Stage::AnyoneLeft(std::span<Live* const> plan) {
  if (stopping_) return false;
  return std::any_of(plan.begin(), plan.end(),
                     [](Live* live) { return !live->session().cancelled(); });
}

void Stage::SettleSession(Live& live) {
  std::vector<float> latents;
  const int64_t chunk = live.rollout().chunk();
  const absl::Status status = live.rollout().Settle(&latents);
  if (!status.ok()) {
    Live* failed[] = {&live};
    Fail(failed, status);
    return;
  }
  if (latents.empty()) return;
  decode_lane_.Put({.session = live.arrival.session,
                    .state = live.arrival.decode,
                    .chunk = chunk,
                    .latent_frames = model_.recipe().chunk_frames,
                    .latents = std::move(latents),
                    .last = live.rollout().done()});
}

void Stage::Fail(std::span<Live* const> plan, const absl::Status& status) {
  for (Live* live : plan) {
    live->session().PutEnd(status);
    live->ending = true;
  }
  MutexLock lock(mutex_);
  stats_.sessions_failed += plan.size();
}

}  // namespace longtake
