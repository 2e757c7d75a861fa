// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/store/commit_queue.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "base/error_reason.h"

namespace longtake {
namespace {

// What a task takes in memory beside its bytes, roughly.
constexpr uint64_t kOverheadBytes = 512;

}  // namespace

CommitQueue::CommitQueue(Transactions& transactions, Clock& clock, int64_t answer_nanos_max,
                         std::function<void()> idle, std::function<int64_t()> rest)
    : transactions_(transactions),
      clock_(clock),
      answer_nanos_max_(answer_nanos_max),
      idle_(std::move(idle)),
      rest_(std::move(rest)) {}

CommitQueue::~CommitQueue() { Stop(); }

void CommitQueue::Start() {
  thread_ = std::thread([this] { Run(); });
}

void CommitQueue::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  work_.NotifyAll();
  if (thread_.joinable()) thread_.join();
  std::deque<Entry> dropped;  // with all that its done calls hold
  MutexLock lock(mutex_);
  dropped.swap(entries_);
}

void CommitQueue::Run() {
  for (;;) {
    const bool worked = Step();
    if (!worked || !stats().durable) WaitForWork();
    MutexLock lock(mutex_);
    if (stopping_ && (entries_.empty() || !stats_.durable)) return;
  }
}

// A disk that fails is asked again once a period, however much comes meanwhile.
void CommitQueue::WaitForWork() {
  MutexLock lock(mutex_);
  const bool failing = !stats_.durable;
  const int64_t now_nanos = clock_.MonotonicNanos();
  const int64_t end_nanos =
      failing ? now_nanos + kRetryNanos : std::min(now_nanos + kIdleNanos, rest_nanos_);
  while (!stopping_ && (failing || entries_.empty())) {
    const int64_t left_nanos = end_nanos - clock_.MonotonicNanos();
    if (left_nanos <= 0) return;
    work_.WaitFor(mutex_, std::chrono::nanoseconds(left_nanos));
  }
}

bool CommitQueue::Step() {
  {
    MutexLock lock(mutex_);
    turn_nanos_ = clock_.MonotonicNanos();
  }
  const bool worked = Turn();
  MutexLock lock(mutex_);
  turn_nanos_.reset();
  return worked;
}

bool CommitQueue::Turn() {
  idle_();
  std::deque<Entry> entries = TakeSome();
  if (entries.empty() && stats().durable) {
    rest_nanos_ = rest_();
    return !IsEmpty();
  }
  const int64_t start_nanos = clock_.MonotonicNanos();
  const absl::Status status = Commit(entries);
  if (status.ok()) {
    Succeed(std::move(entries), clock_.MonotonicNanos() - start_nanos);
  } else {
    Fail(std::move(entries), status);
  }
  return true;
}

bool CommitQueue::IsEmpty() const {
  MutexLock lock(mutex_);
  return entries_.empty();
}

std::deque<CommitQueue::Entry> CommitQueue::TakeSome() {
  std::deque<Entry> taken;
  uint64_t bytes = 0;
  MutexLock lock(mutex_);
  while (!entries_.empty() && taken.size() < kTasksMax && bytes < kTaskBytesMax) {
    bytes += entries_.front().task.bytes;
    taken.push_back(std::move(entries_.front()));
    entries_.pop_front();
  }
  return taken;
}

absl::Status CommitQueue::Commit(std::deque<Entry>& entries) {
  for (;;) {
    absl::Status status = transactions_.Begin();
    if (status.ok()) status = entries.empty() ? transactions_.Probe() : RunAll(entries);
    if (status.ok()) status = transactions_.Commit();
    if (status.ok()) return status;
    transactions_.Abandon();
    if (!transactions_.PutAside(status)) return status;
  }
}

absl::Status CommitQueue::RunAll(std::deque<Entry>& entries) {
  for (Entry& entry : entries) {
    if (entry.task.kind == Kind::kRead || IsGivenUp(entry)) continue;
    entry.status = entry.task.run();
    if (entry.status.ok()) continue;
    if (!transactions_.IsRefusal(entry.status) || !transactions_.UnderWay()) return entry.status;
  }
  return absl::OkStatus();
}

void CommitQueue::Succeed(std::deque<Entry> entries, int64_t nanos) {
  transactions_.OnCommitted();
  // Damage that is read within a transaction would keep SQLite from writing in it.
  for (Entry& entry : entries) {
    if (entry.task.kind == Kind::kRead) Read(entry);
  }
  if (!stats().durable) transactions_.OnDisk(absl::OkStatus());
  {
    MutexLock lock(mutex_);
    ++stats_.commits;
    stats_.commit_seconds += NanosToSeconds(nanos);
    stats_.durable = true;
    stats_.failure = absl::OkStatus();
    for (Entry& entry : entries) {
      stats_.waiting_bytes -= entry.task.bytes;
      if (entry.answer != nullptr) entry.answer->status = entry.status;
    }
  }
  answered_.NotifyAll();
  for (const Entry& entry : entries) {
    if (entry.task.done) entry.task.done(entry.status.ok());
  }
}

// Whoever waits is told, whoever only reads may read what there is, and all else waits.
void CommitQueue::Fail(std::deque<Entry> entries, const absl::Status& status) {
  std::vector<Done> not_durable;
  for (Entry& entry : entries) {
    if (!entry.once() && entry.task.done) not_durable.push_back(std::exchange(entry.task.done, {}));
  }
  std::deque<Entry> once;
  if (stats().durable) transactions_.OnDisk(status);
  {
    MutexLock lock(mutex_);
    ++stats_.failures;
    stats_.durable = false;
    stats_.failure = status;
    once = KeepWrites(std::move(entries));
  }
  for (Entry& entry : once) {
    entry.status = status;
    if (entry.task.kind == Kind::kRead) Read(entry);
  }
  {
    MutexLock lock(mutex_);
    for (Entry& entry : once) {
      if (entry.answer != nullptr) entry.answer->status = entry.status;
    }
  }
  answered_.NotifyAll();
  for (const Done& call : not_durable) call(/*durable=*/false);
  for (const Entry& entry : once) {
    if (entry.task.done) entry.task.done(/*durable=*/false);
  }
}

std::deque<CommitQueue::Entry> CommitQueue::KeepWrites(std::deque<Entry> tried) {
  for (Entry& entry : entries_) tried.push_back(std::move(entry));
  entries_.clear();
  std::deque<Entry> once;
  for (Entry& entry : tried) {
    if (entry.once()) stats_.waiting_bytes -= entry.task.bytes;
    (entry.once() ? once : entries_).push_back(std::move(entry));
  }
  return once;
}

void CommitQueue::Push(Task task) { PushEntry({.task = std::move(task)}); }

void CommitQueue::PushEntry(Entry entry) {
  entry.task.bytes += kOverheadBytes;
  Done not_durable;
  {
    MutexLock lock(mutex_);
    if (!stats_.durable && !entry.once()) not_durable = std::exchange(entry.task.done, nullptr);
    stats_.waiting_bytes += entry.task.bytes;
    entries_.push_back(std::move(entry));
  }
  work_.NotifyAll();
  if (not_durable) not_durable(/*durable=*/false);
}

bool CommitQueue::IsGivenUp(const Entry& entry) const {
  MutexLock lock(mutex_);
  return entry.answer != nullptr && entry.answer->given_up;
}

void CommitQueue::Read(Entry& entry) {
  if (!IsGivenUp(entry)) entry.status = entry.task.run();
}

absl::Status CommitQueue::RunNow(Kind kind, std::function<absl::Status()> work) {
  const auto answer = std::make_shared<Answer>();
  const int64_t since_nanos = clock_.MonotonicNanos();
  PushEntry({.task = {.kind = kind, .run = std::move(work)}, .answer = answer});
  if (!thread_.joinable()) {
    while (Step()) {
      MutexLock lock(mutex_);
      if (answer->status.has_value()) break;
    }
  }
  MutexLock lock(mutex_);
  while (!answer->status.has_value()) {
    const int64_t left_nanos = GiveUpNanos(since_nanos) - clock_.MonotonicNanos();
    if (left_nanos <= 0) {
      Drop(answer);
      return Error(Reason::kStorageUnavailable, kNoAnswer);
    }
    answered_.WaitFor(mutex_, std::chrono::nanoseconds(left_nanos));
  }
  return *answer->status;
}

// Whoever comes to a disk that has been silent for long need not find that out again.
int64_t CommitQueue::GiveUpNanos(int64_t since_nanos) const {
  return std::min(since_nanos, turn_nanos_.value_or(since_nanos)) + answer_nanos_max_;
}

void CommitQueue::Drop(const std::shared_ptr<Answer>& answer) {
  answer->given_up = true;
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& entry) { return entry.answer == answer; });
  if (found == entries_.end()) return;  // the thread has it
  stats_.waiting_bytes -= found->task.bytes;
  entries_.erase(found);
}

CommitQueue::Stats CommitQueue::stats() const {
  MutexLock lock(mutex_);
  return stats_;
}

}  // namespace longtake
