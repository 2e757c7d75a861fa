// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/stage.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"
#include "engine/serve/batcher.h"
#include "engine/serve/sweep.h"

namespace longtake {
namespace {

// Without a wake-up the stage looks at its sessions this often, for their ttl.
constexpr std::chrono::milliseconds kIdlePeriod{100};

uint64_t ChunkBytesMax(const SessionSpec& spec, int64_t chunk_frames) {
  return static_cast<uint64_t>(spec.width * spec.height * 3 * chunk_frames * 4);
}

// A read that fails may well succeed when asked again; twice is a verdict.
absl::Status RunTwice(const std::function<absl::Status()>& sweep) {
  absl::Status status = sweep();
  if (!status.ok() && !absl::IsCancelled(status)) status = sweep();
  return status;
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

Stage::Stage(VideoModel& model, DecodeLane& decode_lane, KvStream* kv_stream, Clock& clock,
             std::function<void(const std::string& id)> on_gone, SweepObserver on_sweep)
    : model_(model),
      decode_lane_(decode_lane),
      kv_stream_(kv_stream),
      file_layer_bytes_max_(kv_stream == nullptr ? 0 : kv_stream->layer_bytes_max()),
      clock_(clock),
      on_gone_(std::move(on_gone)),
      on_sweep_(std::move(on_sweep)),
      layer_times_(model.transformer_layers().layer_count()) {}

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

void Stage::PutStart(std::shared_ptr<Session> session, absl::StatusOr<StartLatents> latents) {
  {
    MutexLock lock(mutex_);
    starts_.emplace_back(std::move(session), std::move(latents));
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
  MoveStarts();
  DropFinished();
  for (auto& live : live_) {
    if (!live->done()) TakeEvents(*live);
  }
  // The stacks take turns: a flood of prompts must not keep the video waiting, nor the other way.
  const bool text_first = !text_had_turn_;
  text_had_turn_ = text_first && EncodeTexts();
  if (text_had_turn_) return true;
  bool applied = false;
  for (auto& live : live_) applied |= ApplyEvents(*live);
  if (SweepChunks() || applied) return true;
  return !text_first && EncodeTexts();
}

void Stage::TakeArrivals() {
  MutexLock lock(mutex_);
  for (Arrival& arrival : arrivals_) {
    live_.push_back(std::make_unique<Live>());
    live_.back()->arrival = std::move(arrival);
    live_.back()->last_served_sweep = sweep_;  // behind those who wait already
  }
  arrivals_.clear();
}

void Stage::MoveStarts() {
  for (auto& live : live_) {
    if (live->done() || live->rollout().HasStart()) continue;
    std::optional<std::vector<uint8_t>> frames = live->session().TakeStart();
    if (!frames.has_value()) continue;
    const std::shared_ptr<Session>& session = live->arrival.session;
    decode_lane_.PutStart({session,
                           *std::move(frames),
                           {},
                           {},
                           0,
                           [this, session](absl::StatusOr<StartLatents> latents) {
                             PutStart(session, std::move(latents));
                           }});
  }
  std::vector<std::pair<std::shared_ptr<Session>, absl::StatusOr<StartLatents>>> starts;
  {
    MutexLock lock(mutex_);
    starts.swap(starts_);
  }
  for (auto& [session, latents] : starts) {
    for (auto& live : live_) {
      if (live->arrival.session != session || live->done()) continue;
      if (latents.ok()) {
        live->rollout().SetStart(*std::move(latents));
      } else {
        Live* failed[] = {live.get()};
        Fail(failed, Annotate(latents.status(), "encoding the start frames"));
      }
      break;
    }
  }
}

// Whoever is over gives its K/V back at once; what is left of it waits in over_ for its reader.
void Stage::DropFinished() {
  std::erase_if(live_, [this](std::unique_ptr<Live>& live) {
    if (Gone(live->session())) return true;
    if (!live->done() || live->arrival.decode->chunks_in_flight != 0) return false;
    ApplyEvents(*live);  // also those of a session that failed get their second receipt
    live->session().PutEnd(live->failure);
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

Stage::PendingEvent* Stage::Live::next_prompt() {
  const auto last = std::find_if(events.rbegin(), events.rend(),
                                 [](const PendingEvent& event) { return event.is_prompt(); });
  return last == events.rend() ? nullptr : &*last;
}

// Not called for a session that is over: what it is asked then stays in the inbox, and PutEnd
// answers it.
void Stage::TakeEvents(Live& live) {
  for (AcceptedEvent& event : live.session().TakeEvents()) {
    PendingEvent* superseded = live.next_prompt();
    if (event.event.kind == EventKind::kPrompt && superseded != nullptr) superseded->text = nullptr;
    live.events.push_back({std::move(event), nullptr});
  }
}

std::vector<Stage::TextJob> Stage::CollectTextJobs() {
  std::vector<TextJob> jobs;
  int64_t tokens = 0;
  const auto add = [&](TextJob job) {
    const auto rows = static_cast<int64_t>(job.ids.size());
    if (!jobs.empty() && tokens + rows > model_.prompt_rows_max()) return;
    tokens += rows;
    jobs.push_back(std::move(job));
  };
  for (auto& live : live_) {
    if (live->done()) continue;
    for (size_t i = 0; i < live->arrival.prompt_ids.size(); ++i) {
      if (live->rollout().HasText(i)) continue;
      add({live->arrival.prompt_ids[i], live.get(), i, nullptr, {}});
    }
    // A new prompt comes after the first ones, or they would replace it.
    PendingEvent* prompt = live->next_prompt();
    if (prompt == nullptr || prompt->text != nullptr || !live->rollout().HasText()) continue;
    add({prompt->accepted.prompt_ids, live.get(), 0, prompt, {}});
  }
  return jobs;
}

bool Stage::EncodeTexts() {
  std::vector<TextJob> jobs = CollectTextJobs();
  if (jobs.empty()) return false;
  const int64_t start_nanos = clock_.MonotonicNanos();
  EncodeJobs(jobs);
  PublishDisk();
  MutexLock lock(mutex_);
  ++stats_.text_sweeps;
  stats_.text_seconds += NanosToSeconds(clock_.MonotonicNanos() - start_nanos);
  return true;
}

// What fails together is tried one by one, so that a fault takes along only who needs the bytes.
void Stage::EncodeJobs(std::span<TextJob> jobs) {
  const absl::Status status = RunTwice([&] { return RunTextSweep(jobs); });
  if (absl::IsCancelled(status)) return;
  if (on_sweep_) on_sweep_(SweepStack::kText, status);
  if (status.ok()) {
    for (TextJob& job : jobs) PutText(job);
  } else if (jobs.size() > 1) {
    for (size_t i = 0; i < jobs.size(); ++i) EncodeJobs(jobs.subspan(i, 1));
  } else {
    FailText(jobs[0], status);
  }
}

void Stage::PutText(TextJob& job) {
  auto text = model_.NewTextContext(job.states, static_cast<int64_t>(job.ids.size()));
  if (!text.ok()) {
    FailText(job, text.status());
  } else if (job.event != nullptr) {
    job.event->text = *std::move(text);
  } else {
    job.live->rollout().SetText(job.branch, *std::move(text));
    if (job.live->rollout().HasText()) job.live->arrival.prompt_ids.clear();
  }
}

void Stage::FailText(TextJob& job, const absl::Status& status) {
  Live* failed[] = {job.live};
  Fail(failed, Annotate(status, "encoding the prompt"));
}

absl::Status Stage::RunTextSweep(std::span<TextJob> jobs) {
  std::vector<TextItem> items;
  for (TextJob& job : jobs) {
    job.states.assign(job.ids.size() * static_cast<size_t>(model_.config().text_dim), 0.0f);
    items.push_back({job.ids, job.states.data()});
  }
  LT_ASSIGN_OR_RETURN(std::unique_ptr<StackPass> pass, model_.text_encoder().NewPass(items));
  return RunSweep(*pass, model_.text_layers(),
                  [&] {
                    PublishDisk();
                    return !stopping_ &&
                           std::any_of(jobs.begin(), jobs.end(),
                                       [this](TextJob& job) { return IsLeft(*job.live); });
                  },
                  {clock_, model_.options().trace, "text layers"});
}

void Stage::PublishDisk() {
  MutexLock lock(mutex_);
  stats_.text_layers = model_.text_layers().stats();
  stats_.transformer_layers = model_.transformer_layers().stats();
  stats_.transformer_layer_times = layer_times_;
  if (kv_stream_ != nullptr) stats_.kv_stream = kv_stream_->stats();
}

// Events hold from a chunk boundary on, in the order they were accepted; a prompt that is not
// encoded yet holds back those after it. A session that is over has no boundary to wait for.
bool Stage::ApplyEvents(Live& live) {
  if (!live.done() && !live.rollout().at_chunk_start()) return false;
  PendingEvent* next_prompt = live.next_prompt();
  const bool text_missing = next_prompt != nullptr && next_prompt->text == nullptr;
  size_t applied = 0;
  while (applied < live.events.size()) {
    PendingEvent& event = live.events[applied];
    if (event.is_prompt() && text_missing && !live.done()) break;
    Apply(live, event);
    ++applied;
  }
  live.events.erase(live.events.begin(), live.events.begin() + static_cast<ptrdiff_t>(applied));
  return applied > 0;
}

void Stage::Apply(Live& live, PendingEvent& event) {
  switch (event.accepted.event.kind) {
    case EventKind::kPrompt:
      if (event.text != nullptr && !live.done()) live.rollout().SetText(0, std::move(event.text));
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
  if (live.done() || !live.rollout().HasText() || !live.rollout().HasStart()) return false;
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
  int64_t waiting = 0;
  int64_t largest = 0;
  for (auto& live : live_) {
    if (!Ready(*live)) continue;
    ready.push_back(live.get());
    candidates.push_back({live->rollout().tokens_per_sweep(), live->last_served_sweep});
    waiting += candidates.back().tokens;
    largest = std::max(largest, candidates.back().tokens);
  }
  const int64_t budget = costs_.TokenBudget(waiting, largest, model_.options().tokens_max);
  std::vector<Live*> plan;
  int64_t text_rows = 0;
  uint64_t file_bytes = 0;
  for (size_t index : PlanSweep(candidates, budget)) {
    const Rollout& rollout = ready[index]->rollout();
    text_rows += rollout.new_text_rows();
    if (!plan.empty() && text_rows > model_.prompt_rows_max()) break;
    // Who finds no room on the way from the file waits longest and leads the next sweep; those
    // behind need not wait with it.
    const uint64_t with_it = file_bytes + rollout.file_layer_bytes();
    if (!plan.empty() && with_it > std::max(file_bytes, file_layer_bytes_max_)) continue;
    file_bytes = with_it;
    plan.push_back(ready[index]);
  }
  return plan;
}

bool Stage::SweepChunks() {
  const std::vector<Live*> plan = Plan();
  if (plan.empty()) return false;
  ++sweep_;
  SweepTogether(plan);
  return true;
}

// What fails together is tried one by one, so that a fault takes along only who needs the bytes.
void Stage::SweepTogether(std::span<Live* const> plan) {
  const absl::Status status = RunTwice([&] { return RunVideoSweep(plan); });
  if (absl::IsCancelled(status)) return;
  if (on_sweep_) on_sweep_(SweepStack::kTransformer, status);
  if (!status.ok() && plan.size() > 1) {
    for (size_t i = 0; i < plan.size(); ++i) SweepTogether(plan.subspan(i, 1));
    return;
  }
  if (!status.ok()) return Fail(plan, status);
  for (Live* live : plan) {
    live->last_served_sweep = sweep_;
    if (!live->session().cancelled()) SettleSession(*live);
  }
}

absl::Status Stage::RunVideoSweep(std::span<Live* const> plan) {
  if (!AnyoneLeft(plan)) return absl::CancelledError("nobody is left in the sweep");
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
  const auto waited = [this] {
    const double for_kv = kv_stream_ == nullptr ? 0.0 : kv_stream_->stats().wait_seconds;
    return model_.transformer_layers().stats().wait_seconds + for_kv;
  };
  const double waited_before = waited();
  const auto kv_seconds = [this] {
    if (kv_stream_ == nullptr) return 0.0;
    const KvStream::Stats kv = kv_stream_->stats();
    return kv.wait_seconds + kv.verify_seconds;
  };
  const auto run = [&]() -> absl::Status {
    LT_ASSIGN_OR_RETURN(std::unique_ptr<StackPass> pass,
                        model_.transformer().NewPass(items, kv_stream_));
    return RunSweep(
        *pass, model_.transformer_layers(),
        [&] {
          PublishDisk();
          return AnyoneLeft(plan);
        },
        {clock_, model_.options().trace, "transformer layers", &layer_times_, kv_seconds});
  };
  const TraceSpan span(model_.options().trace, clock_, "sweeps",
                       absl::StrCat("sweep of ", items.size(), ", ", tokens, " tokens"));
  LaneCosts& lanes = decode_lane_.lane_costs();
  lanes.Begin(LaneCosts::Lane::kSweep, clock_.MonotonicNanos());
  const absl::Status status = run();
  lanes.End(LaneCosts::Lane::kSweep, clock_.MonotonicNanos(), status.ok() ? flops : 0.0);
  const double seconds = NanosToSeconds(clock_.MonotonicNanos() - start_nanos);
  if (status.ok()) costs_.Add({tokens, seconds, waited() - waited_before});
  PublishDisk();
  MutexLock lock(mutex_);
  stats_.knee_tokens = static_cast<uint64_t>(costs_.Knee().value_or(0));
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

bool Stage::IsLeft(Live& live) { return !live.session().cancelled() && !live.session().Expired(); }

bool Stage::AnyoneLeft(std::span<Live* const> plan) {
  return !stopping_ &&
         std::any_of(plan.begin(), plan.end(), [this](Live* live) { return IsLeft(*live); });
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
  if (live.done()) {  // before the lane can end the session: every event gets its second receipt
    TakeEvents(live);
    ApplyEvents(live);
  }
  decode_lane_.Put({.session = live.arrival.session,
                    .state = live.arrival.decode,
                    .chunk = chunk,
                    .latent_frames = model_.recipe().chunk_frames,
                    .latents = std::move(latents),
                    .last = live.rollout().done()});
}

void Stage::Fail(std::span<Live* const> plan, const absl::Status& status) {
  for (Live* live : plan) {
    live->failure = status;
    live->ending = true;
  }
  MutexLock lock(mutex_);
  stats_.sessions_failed += plan.size();
}

}  // namespace longtake
