// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/scheduler.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/error_reason.h"
#include "engine/serve/resolve.h"
#include "engine/serve/save_take.h"

namespace longtake {
Scheduler::Scheduler(VideoModel& model, KvTables& kv, const KvStages& kv_memory,
                     DecodeLane& decode_lane, const TakeJournal& journal, Snapshots& snapshots,
                     StatsBoard& board, Observers observers)
    : model_(model),
      kv_(kv),
      kv_memory_(kv_memory),
      decode_lane_(decode_lane),
      journal_(journal),
      snapshots_(snapshots),
      delivery_(decode_lane, journal, board, model.recipe().chunk_frames),
      board_(board),
      observers_(std::move(observers)) {}

void Scheduler::Add(Arrival arrival) {
  {
    MutexLock lock(mutex_);
    arrivals_.push_back(std::move(arrival));
  }
  board_.Update([](EngineStats& stats) { ++stats.sessions_created; });
}

void Scheduler::TakeNews() {
  TakeArrivals();
  MoveStarts();
  FailEnded();
  DropFinished();
  for (auto& live : live_) {
    if (!live->done() && !live->replaying()) TakeEvents(*live);
  }
}

void Scheduler::TakeArrivals() {
  std::vector<Arrival> arrivals;
  {
    MutexLock lock(mutex_);
    arrivals.swap(arrivals_);
  }
  for (Arrival& arrival : arrivals) {  // one that resumes may wait for the disk
    LiveSession& live = *live_.emplace_back(std::make_unique<LiveSession>());
    live.arrival = std::move(arrival);
    kv_.Open(live.arrival.number, std::move(live.arrival.kv));
    AddPromptChanges(live);
    if (live.arrival.resumed.has_value()) Resume(live);
    live.turn_tag = turns_.TagOfNewcomer(static_cast<double>(live.needs().rows));
  }
}

void Scheduler::Resume(LiveSession& live) {
  Resumed& resumed = *live.arrival.resumed;
  const absl::Status put = PutKv(resumed.kv, kv_, live.arrival.number, &kv_memory_);
  if (!put.ok()) FailSession(live, Annotate(put, "K/V of the resumed session"), board_);
  for (WaitingEvent& event : resumed.events) {
    live.AddEvent(std::move(event), /*again=*/resumed.replay.has_value());
  }
  live.paused = resumed.paused;
  live.ending |= resumed.ending;
  live.replay = std::move(resumed.replay);
  live.chunks = resumed.chunks;
  live.past = resumed.past;
  snapshots_.Begin(live, resumed.snapshot_chunk, std::move(resumed.frames));
  live.FinishReplay();  // it had no chunk yet
  int64_t chunk = live.arrival.decode->decoder.chunk;
  for (Latents& latents : resumed.undecoded) delivery_.Decode(live, {chunk++, std::move(latents)});
  live.arrival.resumed.reset();
}

absl::StatusOr<SavedTake> Scheduler::Save(const Session& session) const {
  const auto found = std::find_if(live_.begin(), live_.end(),
                                  [&](const auto& live) { return &live->session() == &session; });
  if (found == live_.end()) return absl::FailedPreconditionError("the session is over");
  return SaveTake(**found, kv_, kv_memory_, decode_lane_);
}

void Scheduler::MoveStarts() {
  for (auto& live : live_) {
    if (live->done() || live->rollout().HasStart()) continue;
    std::optional<StartFrames> frames = live->session().TakeStart();
    if (!frames.has_value()) continue;
    decode_lane_.PutStart({.session = live->arrival.session, .frames = *std::move(frames)});
  }
  for (FinishedStart& start : decode_lane_.TakeStarts()) PutStart(start);
}

void Scheduler::PutStart(FinishedStart& start) {
  const auto live = std::find_if(live_.begin(), live_.end(), [&](const auto& candidate) {
    return candidate->arrival.session == start.session;
  });
  if (live == live_.end() || (*live)->done()) return;
  if (start.latents.ok()) {
    journal_.Started((*live)->session(), *start.latents);
    (*live)->rollout().SetStart(*std::move(start.latents));
  } else {
    FailSession(**live, Annotate(start.latents.status(), "encoding the start frames"), board_);
  }
}

void Scheduler::FailEnded() {
  for (auto& live : live_) {
    const Session& session = live->session();
    if (live->done() || !session.ended() || session.cancelled()) continue;
    FailSession(*live, session.end_status(), board_);
  }
}

void Scheduler::DropFinished() {
  const size_t count = live_.size();
  std::erase_if(live_, [this](std::unique_ptr<LiveSession>& live) {
    if (ForgetIfAbandoned(live->session())) {
      leaving_.push_back(std::move(live));
      return true;
    }
    if (!live->done() || live->arrival.decode->chunks_in_flight != 0) return false;
    ApplyEvents(*live);  // also those of a session that failed get their second receipt
    live->session().PutEnd(live->failure);
    over_.push_back(live->arrival.session);
    kv_.Close(live->arrival.number);
    return true;
  });
  std::erase_if(over_, [this](std::shared_ptr<Session>& session) {
    if (!ForgetIfAbandoned(*session)) return false;
    Left(*session);
    return true;
  });
  std::erase_if(leaving_, [this](std::unique_ptr<LiveSession>& live) {
    if (!snapshots_.Leave(*live)) return false;
    kv_.Close(live->arrival.number);
    Left(live->session());
    return true;
  });
  // The memory that the last session was decoded in may be promised to others now.
  if (live_.empty() && count != 0) decode_lane_.ReleaseWhenIdle();
}

bool Scheduler::ForgetIfAbandoned(Session& session) {
  const absl::Status life = session.CheckLife();
  const bool expired = !session.cancelled() && !life.ok();
  if (expired) session.Cancel(life);
  if (!session.cancelled()) return false;
  observers_.on_gone(session.id());
  board_.Update([&](EngineStats& stats) { stats.sessions_expired += expired ? 1 : 0; });
  return true;
}

void Scheduler::AddPromptChanges(LiveSession& live) {
  const std::vector<PromptChange>& changes = live.session().spec().prompt_changes;
  for (size_t i = live.arrival.changes_held; i < live.arrival.change_ids.size(); ++i) {
    live.AddEvent({.accepted = {.sequence = 0,
                                .event = {.kind = EventKind::kPrompt, .prompt = changes[i].prompt},
                                .prompt_ids = std::move(live.arrival.change_ids[i])},
                   .chunk = ChunkFrom(changes[i].frame, model_.recipe().chunk_frames),
                   .timed = true});
  }
  live.arrival.change_ids.clear();
}

// Not called for a session that is over: what it is asked then stays in the inbox, and PutEnd
// answers it.
void Scheduler::TakeEvents(LiveSession& live) {
  for (AcceptedEvent& event : live.session().TakeEvents()) {
    const std::optional<int64_t> frame = event.event.frame;
    const int64_t asked = ChunkFrom(frame.value_or(0), model_.recipe().chunk_frames);
    // An event for a frame that has passed holds from the next boundary on, like one that names no
    // frame: in the order they were accepted.
    live.AddEvent({.accepted = std::move(event),
                   .chunk = std::max(asked, live.next_boundary()),
                   .timed = frame.has_value()});
  }
}

bool Scheduler::ApplyEvents() {
  bool applied = false;
  for (auto& live : live_) applied |= ApplyEvents(*live);
  return applied;
}

// Events hold from a chunk boundary on, in the order they were accepted; a prompt that is not
// encoded yet holds back those after it. A session that is over has no boundary to wait for.
bool Scheduler::ApplyEvents(LiveSession& live) {
  if (!live.done() && !live.take().at_chunk_start()) return false;
  PendingEvent* next_prompt = live.next_prompt();
  const bool text_missing = next_prompt != nullptr && next_prompt->text.empty();
  size_t applied = 0;
  while (applied < live.events.size()) {
    PendingEvent& event = live.events[applied];
    if (event.chunk > live.take().chunk() && !live.done()) break;
    if (event.is_prompt() && text_missing && !live.done()) break;
    Apply(live, event);
    ++applied;
  }
  live.events.erase(live.events.begin(), live.events.begin() + static_cast<ptrdiff_t>(applied));
  return applied > 0;
}

void Scheduler::Apply(LiveSession& live, PendingEvent& event) {
  const bool shown = !event.text.empty() && !live.done();
  switch (event.accepted.event.kind) {
    case EventKind::kPrompt:
      if (shown) ChangePrompt(live, event);
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
  const uint64_t sequence = event.accepted.sequence;
  if (sequence == 0) {
    if (!event.again) ++live.past.changes;
    return;
  }
  // What a session that failed was asked waits on in the store, for when it comes back.
  if (!live.failure.ok()) return live.session().PutLeftOver(sequence, live.take().chunk());
  ++live.past.events;
  live.past.last_event = sequence;
  journal_.Applied(live.arrival.session,
                   {.sequence = sequence, .chunk = live.take().chunk(), .shown = shown});
}

void Scheduler::ChangePrompt(LiveSession& live, PendingEvent& event) {
  TakePrompts& prompts = live.arrival.prompts;
  const bool old_is_needed = live.rollout().needs_old_text();
  live.rollout().ChangeText(std::move(event.text));
  live.snapshots.changes.push_back(live.take().chunk());
  std::swap(prompts.branches[0], event.accepted.prompt_ids);
  // The clean passes that wait use the prompt from before the first of these changes.
  if (!old_is_needed) prompts.old = std::move(event.accepted.prompt_ids);
  HoldFrames(live);
}

bool Scheduler::Ready(LiveSession& live) const {
  if (live.done() || live.decodes_again()) return false;
  if (!live.take().has_inputs() || live.awaits_log()) return false;
  if (live.needs_clean_passes()) return true;
  return !live.held_back() && delivery_.StateOf(live) == SessionState::kRunning;
}

// Each ends at a chunk boundary like any other.
void Scheduler::DeliverGiven(LiveSession& live) {
  for (;;) {
    const absl::Status fed = live.FeedReplay();
    if (!fed.ok()) FailSession(live, fed, board_);
    if (!Ready(live) || live.has_enough_given()) return;
    std::optional<FinishedChunk> given = live.take().TakeGiven();
    if (!given.has_value()) return;
    HoldFrames(live);
    Deliver(live, *std::move(given));
    ApplyEvents(live);
  }
}

// Not while the next chunk's prompt is being encoded: that is no state of its own.
void Scheduler::ShowState(LiveSession& live) const {
  if (live.done() || !live.take().has_inputs()) return;
  if (live.needs_clean_passes() || live.held_back()) return;
  live.session().SetState(delivery_.StateOf(live));
}

// Clean passes ride along for nothing while a sweep is bound by its layers. Beyond the knee they
// would only make others wait.
int64_t Scheduler::RowsMax(size_t ready, const SweepLimits& limits) {
  if (ready == 1 || !limits.knee.has_value()) return limits.tokens_max;
  return std::min(*limits.knee, limits.tokens_max);
}

std::vector<LiveSession*> Scheduler::Plan(const SweepCostModel& costs, bool begin_chunks) {
  std::vector<LiveSession*> ready;
  std::vector<SweepCandidate> candidates;
  int64_t waiting_tokens = 0;
  for (auto& live : live_) {
    if (!begin_chunks && (live->decodes_again() || live->take().at_chunk_start())) continue;
    if (live->decodes_again()) {
      delivery_.DecodeAgain(*live);
      if (live->done() || live->decodes_again()) continue;
      // What was accepted before it left memory may be for the very next chunk.
      if (!live->replaying()) TakeEvents(*live);
      ApplyEvents(*live);
    }
    DeliverGiven(*live);
    snapshots_.MakeIfDue(*live);
    ShowState(*live);
    if (Ready(*live)) ready.push_back(live.get());
  }
  const SweepLimits limits = {.tokens_max = model_.options().tokens_max, .knee = costs.Knee()};
  for (LiveSession* live : ready) {
    live->rows_max = live->needs_clean_passes() ? 0 : RowsMax(ready.size(), limits);
    candidates.push_back({.tokens = live->needs().rows, .tag = turns_.Current(live->turn_tag)});
    waiting_tokens += candidates.back().tokens;
  }
  std::vector<LiveSession*> plan = Fit(ready, PlanSweep(candidates, limits));
  if (!plan.empty()) Charge(plan, waiting_tokens, limits);
  return plan;
}

std::vector<LiveSession*> Scheduler::Fit(std::span<LiveSession* const> ready,
                                         std::span<const size_t> plan) {
  std::vector<LiveSession*> fit;
  int64_t text_rows = 0;
  uint64_t file_bytes = 0;
  for (size_t index : plan) {
    const SweepNeeds needs = ready[index]->needs();
    text_rows += needs.text_rows;
    if (!fit.empty() && text_rows > model_.prompt_rows_max()) break;
    // A session that finds no room on the way from the file keeps its tag and will lead a sweep;
    // those behind it need not wait with it.
    const bool in_file = kv_.InFile(ready[index]->arrival.number);
    const SweepNeeds least = ready[index]->take().needs(/*rows_max=*/0);
    const uint64_t with_it = file_bytes + (in_file ? least.kv_read_bytes : 0);
    if (!fit.empty() && with_it > std::max(file_bytes, kv_memory_.FileLayerBytesMax())) continue;
    file_bytes = with_it;
    fit.push_back(ready[index]);
  }
  FitChained(fit);
  return fit;
}

// Frames of the file that are written and read in one sweep stay in memory for a layer, and what is
// written after them cannot leave before; and several forwards read more than one. Where a layer of
// all that finds no room there, clean passes take sweeps of their own.
void Scheduler::FitChained(std::span<LiveSession* const> plan) {
  uint64_t read = 0;
  uint64_t written = 0;
  uint64_t largest = 0;
  bool chained = false;
  for (LiveSession* live : plan) {
    if (!kv_.InFile(live->arrival.number)) continue;
    const SweepNeeds needs = live->needs();
    read += needs.kv_read_bytes;
    written += needs.kv_written_bytes;
    largest = std::max(largest, needs.kv_frame_bytes);
    chained |= needs.chained;
  }
  if (!chained) return;
  if (written <= kv_memory_.LendBytesMax(largest) && read <= kv_memory_.FileLayerBytesMax()) return;
  for (LiveSession* live : plan) {
    if (kv_.InFile(live->arrival.number)) live->rows_max = 0;
  }
}

void Scheduler::Charge(std::span<LiveSession* const> plan, int64_t waiting_tokens,
                       const SweepLimits& limits) {
  int64_t tokens = 0;
  for (LiveSession* live : plan) tokens += live->needs().rows;
  const double cost_of_row = CostOfRow(tokens, waiting_tokens, limits);
  turns_.Lead(turns_.Current(plan[0]->turn_tag));
  for (LiveSession* live : plan) {
    live->turn_tag =
        turns_.Current(live->turn_tag) + cost_of_row * static_cast<double>(live->needs().rows);
  }
}

void Scheduler::Settle(std::span<LiveSession* const> plan) {
  for (LiveSession* live : plan) {
    if (!live->session().cancelled()) SettleSession(*live);
  }
}

void Scheduler::SettleSession(LiveSession& live) {
  absl::StatusOr<std::optional<FinishedChunk>> settled = live.take().Settle();
  if (!settled.ok()) {
    FailSession(live, settled.status(), board_);
    return;
  }
  HoldFrames(live);
  if (settled->has_value()) Deliver(live, **std::move(settled));
}

void Scheduler::Deliver(LiveSession& live, FinishedChunk chunk) {
  if (!delivery_.Tell(live, chunk)) return;
  // What was accepted meanwhile may be for the very next chunk.
  if (live.FinishReplay()) TakeEvents(live);
  if (live.done()) {  // before the lane can end the session: every event gets its second receipt
    TakeEvents(live);
    ApplyEvents(live);
  }
  delivery_.Decode(live, std::move(chunk));
}

void Scheduler::HoldFrames(LiveSession& live) {
  for (size_t branch = 0; branch < live.take().branch_count(); ++branch) {
    kv_.Hold({.session = live.arrival.number, .branch = branch}, live.take().frames(branch));
  }
}

void Scheduler::Fail(std::span<LiveSession* const> plan, const absl::Status& status) {
  for (LiveSession* live : plan) FailSession(*live, status, board_);
}

bool Scheduler::LeaveAll() {
  bool left = leaving_.empty();
  for (auto& live : live_) left = snapshots_.Leave(*live) && left;
  return left;
}

void Scheduler::CloseAll() {
  for (const auto* some : {&live_, &leaving_}) {
    for (const auto& live : *some) kv_.Close(live->arrival.number);
  }
}

void Scheduler::Left(const Session& session) {
  if (observers_.on_left) observers_.on_left(session.key());
}

void Scheduler::FailReady(const absl::Status& status) {
  for (auto& live : live_) {
    if (Ready(*live)) FailSession(*live, status, board_);
  }
}

}  // namespace longtake
