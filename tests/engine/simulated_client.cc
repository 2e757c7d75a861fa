// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "tests/engine/simulated_client.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/serve/making_room.h"
#include "engine/serve/resolve.h"
#include "tests/engine/take_oracle.h"

namespace longtake {
namespace {

constexpr int64_t kChunkFrames = 3;  // of every recipe here

}  // namespace

template <typename... Args>
void SimulatedClient::Log(const Args&... args) const {
  if (world_->log) std::fprintf(stderr, "%s %s\n", id_.c_str(), absl::StrCat(args...).c_str());
}

SimulatedClient::SimulatedClient(SimulatedWorld& world, std::string id, const ResolvedSpec& spec,
                                 std::vector<uint8_t> start)
    : world_(&world), id_(std::move(id)), spec_(spec), start_(std::move(start)) {}

void SimulatedClient::Fail(const std::string& what) {
  world_->Fail(
      absl::StrCat("session ", id_, ", chunk ", next_, " of ", chunks_.size(), ": ", what));
}

void SimulatedClient::MayBeRewound(int64_t chunk) {
  may_be_rewound_ = chunk;
  session_ = nullptr;
}

void SimulatedClient::Rewound(int64_t chunk) {
  CutAt(chunk);
  ++epoch_;
  may_be_rewound_.reset();
}

SimulatedClient SimulatedClient::Fork(std::string id, int64_t chunk, bool ended) const {
  SimulatedClient fork = *this;
  fork.id_ = std::move(id);
  fork.CutAt(chunk);
  fork.epoch_ = 0;
  fork.durable_through_ = 0;
  fork.start_kept_ = 0;  // what is no latents yet is not its own
  if (ended) fork.ended_fork_ = chunk;
  return fork;
}

// What did not hold before the chunk is forgotten by everybody.
void SimulatedClient::CutAt(int64_t chunk) {
  Log("goes on from before chunk ", chunk);
  session_ = nullptr;
  last_session_.reset();
  ended_ = false;
  ended_fork_.reset();
  chunks_.resize(std::min(chunks_.size(), static_cast<size_t>(chunk)));
  durable_through_ = std::min(durable_through_, chunk);
  forgotten_ = {};
  std::erase_if(controls_, [chunk](const Control& control) {
    return control.applied.value_or(chunk) >= chunk;
  });
}

void SimulatedClient::ForgetWhatMayBeLost() {
  if (!world_->disk_failed) return;
  if (chunks_.size() > forgotten_.chunks.size()) {
    forgotten_ = {.chunks = chunks_, .controls = controls_};
  }
  ForgetFrom(durable_through_);
}

void SimulatedClient::ForgetFrom(int64_t chunk) {
  chunks_.resize(std::min(chunks_.size(), static_cast<size_t>(chunk)));
  ended_ = false;
  for (Control& control : controls_) {
    if (control.applied.value_or(0) >= chunk) control.applied.reset();
    if (!control.lasts && !control.applied.has_value()) control.sequence = 0;
    control.latest = Control().latest;
  }
}

bool SimulatedClient::RememberWhatMayBeLost() {
  if (!may_begin_later() || std::ssize(forgotten_.chunks) <= chunks()) return false;
  std::vector<Control> asked = std::move(controls_);
  controls_ = std::move(forgotten_.controls);
  for (const Control& control : asked) {
    if (Find(control.event.control_id) == nullptr) controls_.push_back(control);
  }
  chunks_ = std::move(forgotten_.chunks);
  forgotten_ = {};
  return true;
}

void SimulatedClient::ServerIsGone() {
  Log("the server is gone");
  session_ = nullptr;
  last_session_.reset();
  shown_again_ = false;
  ForgetWhatMayBeLost();
}

bool SimulatedClient::LookAt(const absl::StatusOr<SessionInfo>& info) {
  if (absl::IsNotFound(info.status()) && (may_be_gone_ || Miss())) {
    gone_ = true;
    return false;
  }
  if (!info.ok()) {
    if (!IsExpected(info.status())) Fail(absl::StrCat("Describe: ", info.status().ToString()));
    return false;
  }
  // What this process could not write it has not done, and yet the next one may find it done.
  if (!world_->disk_failed) may_be_gone_ = false;
  if (may_be_rewound_.has_value() && info->epoch == epoch_ + 1) Rewound(*may_be_rewound_);
  if (!world_->disk_failed) may_be_rewound_.reset();
  if (info->state == SessionState::kParked) KnowLatest(info->next_chunk);
  if (info->create_wall_nanos > world_->clock.WallNanos()) Fail("it was made in the future");
  const bool is_parked = info->state == SessionState::kParked;
  if ((info->epoch < epoch_ || (is_parked && info->next_chunk < chunks())) && Miss()) return false;
  if (info->epoch != epoch_) Fail(absl::StrCat("epoch ", info->epoch, ", not ", epoch_));
  return true;
}

// What was accepted and names its frame holds at once where it comes back, if that has passed.
void SimulatedClient::KnowLatest(int64_t made) {
  for (Control& control : controls_) {
    if (!control.lasts || !control.event.frame.has_value()) continue;
    control.latest =
        std::min(control.latest, std::max(made, ChunkFrom(*control.event.frame, kChunkFrames)));
  }
}

// Errors that are no broken promise: the disk fails, or the session's damage has been named.
bool SimulatedClient::IsExpected(const absl::Status& status) {
  if (!ReasonOf(status).has_value()) Fail("without a reason: " + status.ToString());
  if (world_->disk_failed && absl::IsUnavailable(status)) return true;
  if (!world_->damaged || !absl::IsDataLoss(status)) return false;
  const bool named = absl::StrContains(status.message(), id_) ||
                     absl::StrContains(status.message(), "state/");  // the file that is damaged
  if (!named) Fail("unnamed: " + status.ToString());
  if (world_->named.has_value() && !world_->named->contains(id_)) {
    Fail("a scrub found nothing: " + status.ToString());
  }
  ++world_->refused;
  gone_ = true;
  return true;
}

bool SimulatedClient::Miss() {
  if (!world_->may_miss) return false;
  world_->missed += gone_ ? 0 : 1;
  gone_ = true;
  session_ = nullptr;
  return true;
}

void SimulatedClient::FailOrMiss(const std::string& what) {
  if (!Miss()) Fail(what);
}

void SimulatedClient::Attach(Engine& engine, int64_t next_chunk) {
  session_ = nullptr;
  const absl::StatusOr<SessionInfo> before = engine.Describe(id_);
  if (world_->dead || !LookAt(before)) return;
  next_chunk = std::min(next_chunk, chunks());
  // Some ask again while it is still leaving, and some do not wait.
  const int64_t now_nanos = world_->clock.MonotonicNanos();
  const Caller caller = {.asks_until_nanos = now_nanos % 4 == 0 ? now_nanos + 1 : 0};
  absl::StatusOr<std::shared_ptr<Session>> session = engine.Wake(id_, next_chunk, caller);
  if (world_->dead) return;
  if (session.ok() && *session != last_session_.lock()) ForgetWhatMayBeLost();
  if (!session.ok() && world_->disk_failed) {
    ForgetWhatMayBeLost();
    if (absl::IsOutOfRange(session.status())) return;
  }
  if (IsMakingRoom(session.status())) return;
  if (!session.ok()) {
    // One that reads on never misses a chunk; one that wants to see an early one again may.
    const bool begins_later = absl::IsOutOfRange(session.status()) && may_begin_later();
    if (begins_later && (next_chunk < chunks() || RememberWhatMayBeLost())) {
      ForgetFrom(before->next_chunk);  // what came after that was not durable
      return Attach(engine, chunks());
    }
    if (!IsExpected(session.status())) Fail(absl::StrCat("Wake: ", session.status().ToString()));
    return;
  }
  if (absl::IsUnavailable((*session)->end_status()) && engine.InfoOf(**session).durable) {
    return Fail("it does not go on after a failure that may pass");
  }
  next_ = std::min(next_chunk, chunks());
  const absl::StatusOr<uint64_t> reader = (*session)->Attach(next_, nullptr);
  if (world_->dead) return;
  if (!reader.ok()) {
    // What is shown again is not there yet, and so is not what comes behind it. And what lies
    // before a gap may be neither in memory any more nor on disk.
    const bool may_be =
        world_->disk_failed || shown_again_ || (may_begin_later() && next_ < chunks());
    if (!absl::IsOutOfRange(reader.status()) || !may_be) {
      Fail(absl::StrCat("Attach: ", reader.status().ToString()));
    }
    return;
  }
  shown_again_ |= next_ < chunks();
  heard_.clear();
  session_ = *session;
  Log("attached at ", next_, " of ", chunks(), ", durable through ", session_->durable_through());
  last_session_ = session_;
  reader_ = *reader;
  const SessionInfo info = session_->Info();
  if (info.durable_through < durable_through_) {
    FailOrMiss(absl::StrCat(durable_through_, " chunks were durable, ", info.durable_through,
                            " came back"));
  }
  if (gone_) return;
  durable_through_ = std::max(durable_through_, info.durable_through);
  if (info.start_bytes < start_kept_ && !world_->disk_failed) {
    FailOrMiss(absl::StrCat(start_kept_, " bytes of its start had come, ", info.start_bytes,
                            " came back"));
  }
  start_sent_ = info.start_bytes;
  if (!start_.empty()) SendStart(world_->Below(start_.size()) + 1);
  Repeat(engine);
}

// In parts, as a stream sends it.
void SimulatedClient::SendStart(size_t bytes_max) {
  if (session_ == nullptr || start_sent_ >= start_.size()) return;
  const std::string_view bytes(reinterpret_cast<const char*>(start_.data()), start_.size());
  const std::string_view part = bytes.substr(start_sent_, bytes_max);
  const absl::Status put = session_->PutStart(reader_, static_cast<int64_t>(start_sent_), part,
                                              [session = session_](const absl::Status&) {});
  if (!put.ok() && !world_->dead) Fail(absl::StrCat("PutStart: ", put.ToString()));
  start_sent_ += part.size();
}

void SimulatedClient::Repeat(Engine& engine) {
  std::vector<SessionEvent> open;
  for (const Control& control : controls_) {
    if (!control.applied.has_value()) open.push_back(control.event);
  }
  for (const SessionEvent& event : open) Submit(engine, event);
}

void SimulatedClient::Ask(Engine& engine, SessionEvent event) {
  event.control_id = world_->next_control++;
  Log("asks control ", event.control_id, ", kind ", static_cast<int>(event.kind), ", frame ",
      event.frame.value_or(-1));
  controls_.push_back({.event = event});
  Submit(engine, event);
}

// The answer may come when the world has forgotten this session, so it finds it by its name.
void SimulatedClient::Submit(Engine& engine, const SessionEvent& event) {
  if (session_ == nullptr) return;
  engine.Submit(session_, event, reader_,
                [this, alive = std::weak_ptr<Session>(session_),
                 number = event.control_id](const absl::StatusOr<EventAccepted>& answer) {
                  if (!world_->dead && alive.lock() == session_) TakeAnswer(number, answer);
                });
}

SimulatedClient::Control* SimulatedClient::Find(uint64_t control_id) {
  const auto found = std::find_if(controls_.begin(), controls_.end(), [&](const Control& control) {
    return control.event.control_id == control_id;
  });
  return found == controls_.end() ? nullptr : &*found;
}

void SimulatedClient::TakeAnswer(uint64_t control_id, const absl::StatusOr<EventAccepted>& answer) {
  Control* control = Find(control_id);
  if (control == nullptr) return;
  const std::string name = absl::StrCat("control ", control_id);
  if (!answer.ok()) {
    // Refused: too many wait, or the session is over. What was accepted is not refused.
    if (control->sequence != 0) Fail(absl::StrCat(name, ": ", answer.status().ToString()));
    return;
  }
  if (control->sequence != 0 && control->sequence != answer->sequence) {
    FailOrMiss(
        absl::StrCat(name, " was accepted twice: ", control->sequence, ", ", answer->sequence));
  }
  control->sequence = answer->sequence;
  Log(name, " is accepted as ", answer->sequence, answer->durable ? "" : ", not durable");
  control->lasts |= answer->durable;
  if (!answer->durable && !world_->disk_failed && !may_be_gone_ && !had_gap_) {
    Fail(name + " will not last");
  }
  if (answer->applied_chunk.has_value()) HearApplied(control_id, *answer->applied_chunk);
}

// A session that fails tells its last receipts without writing them down; so where it may fail, one
// counts when its chunk has come.
void SimulatedClient::HearApplied(uint64_t control_id, int64_t chunk) {
  heard_.push_back({control_id, chunk});
  if (!world_->disk_failed) TakeHeard(chunk);
}

void SimulatedClient::TakeHeard(int64_t chunk_max) {
  std::erase_if(heard_, [&](const auto& heard) {
    if (heard.second > chunk_max) return false;
    if (Control* control = Find(heard.first)) TakeApplied(*control, heard.second);
    return true;
  });
}

void SimulatedClient::TakeApplied(Control& control, int64_t chunk) {
  Log("control ", control.event.control_id, " holds from ", chunk);
  const std::string name = absl::StrCat("control ", control.event.control_id);
  if (control.sequence == 0) Fail(name + " holds and was not accepted");
  if (control.applied.has_value() && *control.applied != chunk) {
    FailOrMiss(absl::StrCat(name, " holds from ", *control.applied, ", then from ", chunk));
  }
  if (!control.applied.has_value() && chunk < chunks()) {
    Fail(absl::StrCat(name, " holds from ", chunk, ", which was shown before"));
  }
  if (chunk > control.latest) {
    FailOrMiss(absl::StrCat(name, " holds late, from ", chunk, ", not ", control.latest));
  }
  control.applied = chunk;
}

bool SimulatedClient::Read(size_t outputs_max) {
  for (size_t i = 0; i < outputs_max && session_ != nullptr; ++i) {
    // As a stream does: what a session says after it was taken away is not sent.
    if (!session_->CheckReader(reader_).ok()) {
      session_ = nullptr;
      return true;
    }
    SendStart(world_->Below(start_.size() + 1) + 1);
    if (!world_->disk_failed) start_kept_ = std::max(start_kept_, session_->Info().start_bytes);
    absl::StatusOr<std::optional<SessionOutput>> output = session_->Poll(reader_);
    if (world_->dead) return false;
    if (!output.ok()) {
      session_ = nullptr;
      return true;
    }
    if (!output->has_value()) return i > 0;
    durable_through_ = std::max(durable_through_, session_->durable_through());
    if (const auto* chunk = std::get_if<std::shared_ptr<const MediaChunk>>(&**output)) {
      TakeChunk(**chunk);
    } else if (const auto* applied = std::get_if<EventApplied>(&**output)) {
      HearApplied(applied->control_id, applied->chunk);
    } else {
      TakeEnd(std::get<SessionEnd>(**output).status);
    }
  }
  return true;
}

void SimulatedClient::TakeChunk(const MediaChunk& chunk) {
  ++world_->chunks_read;
  Log("gets chunk ", chunk.index, " ", chunk.digest.ToHex());
  TakeHeard(chunk.index);
  if (chunk.index != next_) Fail(absl::StrCat("chunk ", chunk.index, " came"));
  if (next_ < chunks()) {
    if (chunks_[static_cast<size_t>(next_)] != chunk.digest) Fail("it is another than before");
  } else {
    chunks_.push_back(chunk.digest);
    forgotten_ = {};
  }
  ++next_;
}

std::optional<int64_t> SimulatedClient::ChunksInAll() const {
  std::optional<int64_t> all;
  if (spec_.frame_count != 0) all = LatentGrid::ChunkCount(spec_.frame_count, kChunkFrames);
  if (ended_fork_.has_value()) all = ended_fork_;
  for (const Control& control : controls_) {
    if (control.event.kind != EventKind::kEnd || !control.applied.has_value()) continue;
    all = std::min(all.value_or(*control.applied), *control.applied);
  }
  return all;
}

void SimulatedClient::TakeEnd(const absl::Status& status) {
  Log("end: ", status.ToString());
  session_ = nullptr;
  if (absl::IsCancelled(status) || ReasonFor(status) == Reason::kSessionParked ||
      ReasonFor(status) == Reason::kSessionExpired || ReasonFor(status) == Reason::kShuttingDown) {
    return;
  }
  if (!status.ok()) {
    if (!IsExpected(status)) Fail(absl::StrCat("it failed: ", status.ToString()));
    return;
  }
  ended_ = true;
  TakeHeard(next_);
  if (ChunksInAll() != next_) {
    Fail(absl::StrCat("it ended, and not at chunk ", ChunksInAll().value_or(-1)));
  }
}

void SimulatedClient::Leave(bool with_a_word) {
  if (session_ != nullptr && with_a_word) session_->Detach(reader_);
  session_ = nullptr;
}

void SimulatedClient::CheckFrames(HashModel& model) {
  if (gone_) return;
  std::map<int64_t, std::string> prompts;
  for (const PromptChange& change : spec_.prompt_changes) {
    prompts[ChunkFrom(change.frame, kChunkFrames)] = change.prompt;
  }
  std::vector<const Control*> controls;
  for (const Control& control : controls_) {
    if (control.applied.has_value() && control.event.kind == EventKind::kPrompt) {
      controls.push_back(&control);
    }
  }
  // Of those that hold from the same chunk on the last one that was accepted is shown.
  std::sort(controls.begin(), controls.end(),
            [](const Control* a, const Control* b) { return a->sequence < b->sequence; });
  for (const Control* control : controls) {
    const int64_t chunk = *control->applied;
    if (chunk < chunks() && chunk < ChunkFrom(control->event.frame.value_or(0), kChunkFrames)) {
      Fail(absl::StrCat("control ", control->event.control_id, " holds early, from ", chunk));
    }
    prompts[chunk] = control->event.prompt;
  }
  const std::vector<Hash128> expected = TakeOracle(model, spec_, prompts, start_).Digests(chunks());
  for (size_t i = 0; i < expected.size(); ++i) {
    if (expected[i] == chunks_[i]) continue;
    next_ = static_cast<int64_t>(i);
    return Fail("it is not what the model makes of the receipts");
  }
}

}  // namespace longtake
