// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "tests/engine/store_simulation.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"
#include "tests/engine/kv_bytes.h"

namespace longtake {
namespace {

// Of what a history may take before its older half goes: some chunks.
constexpr uint64_t kLittleBytes = 3 << 10;
constexpr int64_t kLargeSide = 12;

Latents SomeLatents(uint64_t seed, bool large) {
  const int64_t side = large ? kLargeSide : 2;
  Latents latents(1, {.frames = 1, .height = side, .width = side});
  for (float& value : latents.values()) value = static_cast<float>(seed++ % 1000);
  return latents;
}

// All that a session's records led to, but for latents of chunks before this one.
std::string Text(const StoredSession& session, int64_t first) {
  std::string text = absl::StrCat(session.epoch, " ", session.ended, " ", session.next_sequence);
  for (const StoredEvent& event : session.events) {
    absl::StrAppend(&text, " e", event.accepted.sequence, event.accepted.event.prompt, ":",
                    event.applied_chunk.value_or(-1), event.shown);
  }
  for (const size_t index : session.applied) absl::StrAppend(&text, " a", index);
  for (int64_t chunk = 0; chunk < std::ssize(session.settled); ++chunk) {
    const LatentsRef& ref = session.settled[static_cast<size_t>(chunk)].ref;
    absl::StrAppend(&text, " s", chunk < first ? "" : ref.hash.ToHex());
  }
  for (const ChunkDecoded& chunk : session.decoded) absl::StrAppend(&text, " d", chunk.end_frame);
  return text;
}

SessionCreated CreatedAt(int number) {
  SessionCreated created;
  created.spec.prompt = absl::StrCat("prompt ", number);
  created.model_digest = "model";
  return created;
}

}  // namespace

StoreSimulation::StoreSimulation(uint64_t seed, const Options& options)
    : random_(seed),
      options_(options),
      latent_row_bytes_max_(seed % 2 == 0 ? 0 : 64 << 10),
      vfs_(disk_, static_cast<uint32_t>(seed)) {}

StoreSimulation::~StoreSimulation() = default;

std::string StoreSimulation::Open(SimulatedDisk& disk, const std::string& vfs) {
  auto store =
      SessionStore::Open({.files = &disk,
                          .directory = "state",
                          .holder = "simulation",
                          .vfs = vfs,
                          .history_bytes_max = options_.forgets ? kLittleBytes : UINT64_MAX,
                          .latent_row_bytes_max = latent_row_bytes_max_,
                          .snapshot_turn_bytes = 3000},
                         clock_);
  if (!store.ok()) return absl::StrCat("open: ", store.status().ToString());
  store_ = *std::move(store);
  opened_ = &disk;
  newest_.clear();
  return "";
}

std::string StoreSimulation::Run() {
  std::string problem = Open();
  for (int i = 0; i < options_.events && problem.empty(); ++i) {
    Event();
    if (!Chance(options_.crash_per_mille) && i + 1 != options_.events / 2) continue;
    Crash();
    problem = Open();
    if (problem.empty()) problem = Check();
  }
  if (!problem.empty()) return problem;
  // An end as it should be: what was handed over is there.
  disk_.set_decide({});
  for (int i = 0; i < 100 && store_->Step(); ++i) clock_.Advance(2'000'000'000);
  if (!store_->stats().queue.durable) {
    return "the disk is back: " + store_->stats().queue.failure.ToString();
  }
  for (auto& [id, told] : told_) told.durable = told.records.size();
  Close();
  problem = Open();
  return problem.empty() ? Check() : problem;
}

void StoreSimulation::Close() {
  if (store_ != nullptr) forgotten_ += store_->stats().forgotten;
  store_ = nullptr;
}

void StoreSimulation::Event() {
  clock_.Advance(1'000'000);
  if (options_.faults && Chance(8)) {
    // The disk fails for some calls, or is full.
    faults_left_ = static_cast<int>(Below(6)) + 1;
    const bool full = Chance(300);
    disk_.set_decide([this, full](const DiskCall& call) {
      if (call.op == DiskOp::kAsk || faults_left_ == 0 || Chance(500)) return DiskFault{};
      --faults_left_;
      if (call.op == DiskOp::kWrite && Chance(300)) return DiskFault{.bytes_max = call.bytes / 2};
      return DiskFault{.error = full && call.op == DiskOp::kWrite ? ENOSPC : EIO};
    });
  }
  const uint64_t what = Below(100);
  std::string id;
  Told* told = Any(&id);
  if (told == nullptr || (what < 4 && (!options_.forgets || told_.size() < 2))) return Create();
  if (what < 5) return Delete();
  if (what < 7) return Fork();
  if (what < 9) return Rewind();
  if (what < 30) {
    store_->Step();
    return;
  }
  if (what < (options_.forgets ? 44 : 36)) return PutSnapshot(id, *told);
  Append(id, *told);
}

StoreSimulation::Told* StoreSimulation::Any(std::string* id) {
  std::vector<std::string> ids;
  for (const auto& [candidate, told] : told_) {
    if (!told.unsure) ids.push_back(candidate);
  }
  if (ids.empty()) return nullptr;
  *id = ids[Below(ids.size())];
  return &told_[*id];
}

void StoreSimulation::Create() {
  const std::string id = absl::StrCat("s", next_id_);
  Told& told = told_[id];
  told.unsure = true;  // until the call has come back
  const SessionCreated created = CreatedAt(next_id_++);
  const absl::Status status = store_->Create({.id = id, .life = life_}, created);
  told.base.created = told.now.created = created;
  told.unsure = !status.ok();
}

void StoreSimulation::Delete() {
  std::string id;
  Any(&id)->unsure = true;
  if (store_->Delete(id).ok()) told_.erase(id);
}

// All that was pushed before is written with it.
void StoreSimulation::Fork() {
  std::string id;
  const Told& parent = *Any(&id);
  const std::string fork_id = absl::StrCat("s", next_id_++);
  const auto chunk = static_cast<int64_t>(Below(parent.now.settled.size() + 1));
  StoredSession cut = parent.now;
  cut.CutAt(chunk);
  cut.epoch = 0;
  Told& child = told_[fork_id];
  child.unsure = true;
  child.needed = parent.needed;
  const absl::Status status = store_->Fork(id, {.id = fork_id, .chunk = chunk});
  if (options_.forgets && ReasonFor(status) == Reason::kChunkNotHeld) {
    told_.erase(fork_id);
    return;
  }
  store_->BeginLife({.id = fork_id, .life = life_});
  child.Settle(std::move(cut));
  child.unsure = !status.ok();
}

void StoreSimulation::Rewind() {
  std::string id;
  Told& told = *Any(&id);
  const auto chunk = static_cast<int64_t>(Below(told.now.settled.size() + 1));
  told.unsure = true;
  const absl::Status status = store_->Rewind(id, chunk);
  if (options_.forgets && ReasonFor(status) == Reason::kChunkNotHeld) told.unsure = false;
  if (!status.ok()) return;
  StoredSession there = told.now;
  LT_CHECK(there.Add(0, 0, SessionRewound{.chunk = chunk, .epoch = told.now.epoch + 1}).ok());
  told.Settle(std::move(there));
}

void StoreSimulation::Append(const std::string& id, Told& told) {
  StoredSession& now = told.now;
  switch (Below(4)) {
    case 0:
      return Put(id, AcceptedEvent{.sequence = now.next_sequence + Below(2),
                                   .event = {.prompt = absl::StrCat("p", Below(100))},
                                   .prompt_ids = {}});
    case 1:
      for (const StoredEvent& event : now.events) {
        if (event.applied_chunk.has_value()) continue;
        return Put(id, EventHolds{.sequence = event.accepted.sequence,
                                  .chunk = std::ssize(now.settled),
                                  .shown = Chance(500)});
      }
      return;
    case 2:
      return Put(id, ChunkSettled{.chunk = std::ssize(now.settled),
                                  .latents = RefOf(SomeLatents(random_(), options_.forgets))});
    default:
      if (now.decoded.size() == now.settled.size()) return;
      return Put(id, ChunkDecoded{.chunk = std::ssize(now.decoded),
                                  .end_frame = static_cast<int64_t>(Below(1000))});
  }
}

void StoreSimulation::Put(const std::string& id, const Record& record) {
  Told& told = told_[id];
  Record written = record;
  const size_t number = told.records.size() + 1;
  const auto done = [this, id, number](bool durable) {
    const auto found = told_.find(id);
    if (durable && found != told_.end()) found->second.durable = number;
  };
  const SessionKey key = {.id = id, .life = life_};
  if (auto* settled = std::get_if<ChunkSettled>(&written)) {
    const Latents latents = SomeLatents(random_(), options_.forgets);
    settled->latents = RefOf(latents);
    told.records.push_back(written);
    LT_CHECK(told.now.Add(0, 0, written).ok());
    store_->PutChunk(key, settled->chunk, latents, done);
    return;
  }
  told.records.push_back(written);
  LT_CHECK(told.now.Add(0, 0, written).ok());
  store_->Put(key, written, done);
}

// Some frames of K/V, of which an earlier one may have written the first.
void StoreSimulation::PutSnapshot(const std::string& id, Told& told) {
  const auto chunk = std::ssize(told.now.settled);
  if (chunk == 0 || !store_->CheckSnapshotRoom(id, 1000, 1000).ok()) return;
  NewSnapshot made;
  made.snapshot = {.point = {.chunk = chunk, .before = told.now.settled.back().ref.hash},
                   .rollout = {.chunk = chunk,
                               .unwritten = {SomeLatents(random_(), /*large=*/false)},
                               .frames = {}},
                   .prompts = {.branches = {{1}}, .old = {}}};
  SnapshotPoint& point = made.snapshot.point;
  point.events = std::ssize(told.now.applied);
  if (point.events > 0) {
    point.last_event = told.now.events[told.now.applied.back()].accepted.sequence;
  }
  if (options_.forgets) {
    made.needed = {.from = std::ssize(told.now.decoded) - static_cast<int64_t>(Below(4)),
                   .warm_up = static_cast<int64_t>(Below(2))};
    told.needed = std::max(told.needed, made.needed->from - made.needed->warm_up);
  }
  const auto newest = newest_.find(id);
  for (int64_t frame = 0; frame < 3; ++frame) {
    const KvFrameName name = {0, frame};
    if (newest != newest_.end() && Chance(500)) {
      made.written[name] = newest->second.kv.at(name);
    } else {
      made.kv[name] = std::make_unique<KvBytes>(
          std::vector<std::byte>(Below(5000), static_cast<std::byte>(Below(256))));
    }
  }
  store_->PutSnapshot({.id = id, .life = life_}, std::move(made),
                      [this, id](const SnapshotPlaces* places) {
                        if (places == nullptr) {
                          newest_.erase(id);
                        } else {
                          newest_[id] = *places;
                        }
                      });
}

void StoreSimulation::Crash() {
  ++crashes_;
  disk_.set_decide({});
  disk_.Crash(random_());
  Close();
}

std::string StoreSimulation::Check() {
  for (auto told = told_.begin(); told != told_.end();) {
    const std::string problem = CheckSession(told->first, told->second);
    if (!problem.empty()) return absl::StrCat("session ", told->first, ": ", problem);
    told = store_->Contains(told->first) ? std::next(told) : told_.erase(told);
  }
  ++life_;
  for (const auto& [id, told] : told_) store_->BeginLife({.id = id, .life = life_});
  if (store_->Sessions().size() != told_.size()) return "there are sessions that nobody made";
  return CheckFiles();
}

std::string StoreSimulation::CheckFiles() {
  std::set<std::string> named;
  for (const auto& [id, told] : told_) {
    const std::string problem = CheckSnapshots(id, &named);
    if (!problem.empty()) return absl::StrCat("session ", id, ": ", problem);
  }
  // All chunks were read: these are those that they lie in, and that no more than sessions that are
  // there or have forks may have.
  for (const std::string& file : store_->bulk().Names(BulkUse::kLatents)) named.insert(file);
  const auto there = opened_->List("state/bulk");
  if (!there.ok()) return there.status().ToString();
  if (std::set<std::string>(there->begin(), there->end()) == named) return "";
  return absl::StrCat(there->size(), " bulk files are there, ", named.size(), " are named");
}

std::string StoreSimulation::CheckSnapshots(const std::string& id, std::set<std::string>* files) {
  const auto found = store_->LoadSnapshots(id);
  if (!found.ok()) return found.status().ToString();
  if (!found->damaged.empty()) return "a snapshot's row is damaged";
  if (found->rows.size() > SnapshotTable::kKept + (options_.forgets ? 1 : 0)) {
    return "too many snapshots";
  }
  for (const SnapshotRow& row : found->rows) {
    const auto take = store_->snapshots().ReadTake(row);
    if (!take.ok()) return take.status().ToString();
    const auto places = DecodePlaces(row.body);
    if (!places.ok()) return places.status().ToString();
    for (const auto& [name, place] : places->kv) {
      const auto bytes = store_->snapshots().ReadBytes(place);
      if (!bytes.ok()) return bytes.status().ToString();
    }
    files->merge(places->Files());
  }
  return "";
}

std::string StoreSimulation::CheckSession(const std::string& id, Told& told) {
  const absl::StatusOr<StoredSession> session = store_->Load(id);
  if (absl::IsNotFound(session.status())) {
    return told.unsure ? "" : "is gone";
  }
  if (!session.ok()) return session.status().ToString();
  for (auto chunk = session->settled.begin() + session->first_kept; chunk != session->settled.end();
       ++chunk) {
    const absl::Status latents = store_->LoadLatents(*chunk).status();
    if (!latents.ok()) return latents.ToString();
  }
  std::string problem = CheckHistory(*session, told);
  if (!problem.empty()) return problem;
  // It may be as it was before or after a call that failed; from now on it is what it is.
  if (told.unsure) {
    told.Settle(*session);
    return "";
  }
  // What is there is some beginning of what was told, with all of it that was durable.
  const std::string there = Text(*session, session->first_kept);
  StoredSession at = told.base;
  for (size_t count = 0;; ++count) {
    if (count >= told.durable && Text(at, session->first_kept) == there) {
      told.Settle(std::move(at));
      return "";
    }
    if (count == told.records.size()) break;
    LT_CHECK(at.Add(0, 0, told.records[count]).ok());
  }
  return absl::StrCat("is ", there, "; told ", Text(told.now, /*first=*/0), ", of which ",
                      told.durable, " of ", told.records.size(), " records were durable");
}

std::string StoreSimulation::CheckHistory(const StoredSession& session, const Told& told) {
  if (session.base == 0 && session.first_kept == 0) return "";
  if (session.first_kept > told.needed) {
    return absl::StrCat("begins with chunk ", session.first_kept, ", and ", told.needed,
                        " was needed");
  }
  const auto snapshots = store_->LoadSnapshots(session.id);
  if (!snapshots.ok()) return snapshots.status().ToString();
  for (const SnapshotRow& row : snapshots->rows) {
    const auto point = DecodePoint(row.body);
    if (row.chunk != session.base || !point.ok()) continue;
    if (LiesOnTheWayOf(session, *point)) return "";
  }
  return absl::StrCat("has no snapshot of chunk ", session.base, ", with which it begins");
}

}  // namespace longtake
