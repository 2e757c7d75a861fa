// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What is to be written, in the order in which it was handed over, by one thread, many at a time:
// a commit waits for the disk once for all that came meanwhile. Done calls come in the same order,
// on that thread, without locks.
//
// A disk that fails keeps nobody waiting: from then on done says at once, on the thread that hands
// over, that nothing is durable.
// What was handed over stays here and is tried again once a second.
//
// A disk that does not answer keeps the thread, and whoever waits in RunNow for so long: then it is
// given up, and so is whatever comes while the disk is still at the same.
//
// Any thread. Without Start nothing runs by itself: Step does one commit on the caller's thread,
// and RunNow as many as it needs.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/status_macros.h"

namespace longtake {

// What a commit is, for the queue. On the queue's thread alone.
class Transactions {
 public:
  virtual ~Transactions() = default;
  virtual absl::Status Begin() = 0;
  virtual absl::Status Commit() = 0;
  // Whether one has begun and is not over: an error may have taken it back.
  virtual bool UnderWay() const = 0;
  // Something that reaches the disk with the commit and changes nothing.
  virtual absl::Status Probe() = 0;
  // It is durable: before any done call of it.
  virtual void OnCommitted() = 0;
  // The disk begins to fail, or is back (OK).
  virtual void OnDisk(const absl::Status& status) = 0;
  // Nothing of it has happened. Also after Begin or Commit failed. What is committed can still be
  // read then, outside of a transaction.
  virtual void Abandon() = 0;
  // Whether an error was a task's own, found before it changed anything, and no fault of the disk.
  virtual bool IsRefusal(const absl::Status& status) const = 0;
  // After Abandon: whether all that met this error has been put aside, so that the same tasks may
  // be tried again. Some of them are refused then. True as often as there is something to put
  // aside, so it comes to an end.
  virtual bool PutAside(const absl::Status& status) = 0;
};

class CommitQueue {
 public:
  // Whether what was handed over will survive a crash.
  using Done = std::function<void(bool durable)>;
  enum class Kind {
    kWrite,  // tried until the disk takes it; one that is refused is not durable
    kRead,   // changes nothing, tried once, when what came before is written or fails to be
  };
  struct Task {
    Kind kind = Kind::kWrite;
    std::function<absl::Status()> run;
    Done done = {};  // called once
    uint64_t bytes = 0;
  };
  struct Stats {
    uint64_t commits = 0;
    double commit_seconds = 0;
    uint64_t failures = 0;
    uint64_t waiting_bytes = 0;
    bool durable = true;
    absl::Status failure = {};  // of the last commit, while nothing is durable
  };

  // What one commit takes at most, so that nobody waits long for the first of its tasks.
  static constexpr size_t kTasksMax = 512;
  static constexpr uint64_t kTaskBytesMax = 16 << 20;
  // How long a failing disk is left alone, and how often idle is called.
  static constexpr int64_t kRetryNanos = 1'000'000'000;
  static constexpr int64_t kIdleNanos = 30LL * 1'000'000'000;
  // What RunNow says of a disk that does not answer.
  static constexpr char kNoAnswer[] = "the session store's disk does not answer";

  // All must outlive it. On the queue's thread idle is called before each turn, and rest when there
  // is nothing to write: it may do a little, and says when it wants to be called again, in
  // monotonic nanoseconds. Both may push. RunNow waits so long for the disk.
  CommitQueue(Transactions& transactions, Clock& clock, int64_t answer_nanos_max,
              std::function<void()> idle, std::function<int64_t()> rest);
  ~CommitQueue();

  void Start();
  // Writes what waits, if the disk takes it, and joins. What is left is dropped; its done calls
  // never come. Whatever they hold must still be there.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);
  // One commit of what waits, or a try whether the disk is back; false when there is nothing to
  // do.
  bool Step() ABSL_LOCKS_EXCLUDED(mutex_);

  void Push(Task task) ABSL_LOCKS_EXCLUDED(mutex_);
  // Hands over, and waits until it was tried, once. What was pushed before is done before.
  //
  // STORAGE_UNAVAILABLE when the disk does not answer in time. Work is dropped then, if its turn
  // has not come yet; otherwise it is done or not, as the disk decides, before all that is handed
  // over from now on. So work must own what it uses, and its results.
  absl::Status RunNow(Kind kind, std::function<absl::Status()> work) ABSL_LOCKS_EXCLUDED(mutex_);

  Stats stats() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Somebody waits for this, under the lock.
  struct Answer {
    std::optional<absl::Status> status = {};
    bool given_up = false;  // he does not wait any more
  };
  struct Entry {
    Task task;
    std::shared_ptr<Answer> answer = {};  // then it is not tried again
    absl::Status status = {};             // of its last try
    bool once() const { return task.kind == Kind::kRead || answer != nullptr; }
  };

  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  bool Turn() ABSL_LOCKS_EXCLUDED(mutex_);
  void WaitForWork() ABSL_LOCKS_EXCLUDED(mutex_);
  void PushEntry(Entry entry) ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsEmpty() const ABSL_LOCKS_EXCLUDED(mutex_);
  std::deque<Entry> TakeSome() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Commit(std::deque<Entry>& entries);
  absl::Status RunAll(std::deque<Entry>& entries);
  void Succeed(std::deque<Entry> entries, int64_t nanos) ABSL_LOCKS_EXCLUDED(mutex_);
  void Fail(std::deque<Entry> entries, const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // Takes out of all that waits what is tried once; the rest waits on, in its order.
  std::deque<Entry> KeepWrites(std::deque<Entry> tried) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsGivenUp(const Entry& entry) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Its read, unless nobody waits for it any more.
  void Read(Entry& entry) ABSL_LOCKS_EXCLUDED(mutex_);
  // When someone who waits since then has waited for long enough, as things are.
  int64_t GiveUpNanos(int64_t since_nanos) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Drop(const std::shared_ptr<Answer>& answer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Transactions& transactions_;
  Clock& clock_;
  const int64_t answer_nanos_max_;
  const std::function<void()> idle_;
  const std::function<int64_t()> rest_;
  int64_t rest_nanos_ = 0;  // when it is called again
  std::thread thread_;

  mutable Mutex mutex_;
  CondVar work_;
  CondVar answered_;
  std::deque<Entry> entries_ ABSL_GUARDED_BY(mutex_);
  std::optional<int64_t> turn_nanos_ ABSL_GUARDED_BY(mutex_);  // since when a turn is under way
  Stats stats_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace longtake
