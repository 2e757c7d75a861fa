// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What the store does for itself: it reads again what it has, and gives room back.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/session/session_id.h"
#include "engine/store/session_store.h"
#include "engine/store/store_errors.h"

namespace longtake {
namespace {

// Room in the database's file that is kept for sessions to come, and how much is given back in one
// commit, and how often.
constexpr int64_t kFreePagesKept = 1024;
constexpr int64_t kPagesPerCommit = 256;
constexpr int64_t kVacuumNanos = 100'000'000;
// Damages that are remembered of a session.
constexpr size_t kDamagesMax = 4;
constexpr int64_t kLookNanos = 10LL * 1'000'000'000;

}  // namespace

int64_t SessionStore::Rest() {
  const int64_t scrub_nanos = scrub_->Turn();
  {
    MutexLock lock(mutex_);
    scrubbed_ = scrub_->stats();
  }
  return std::min({scrub_nanos, PushTrim(), PushVacuum()});
}

int64_t SessionStore::PushVacuum() {
  const int64_t now_nanos = clock_.MonotonicNanos();
  if (now_nanos < vacuum_nanos_) return vacuum_nanos_;
  const int64_t free_pages = database_->tables().FreePages().value_or(0);
  const int64_t pages = std::min(free_pages - kFreePagesKept, kPagesPerCommit);
  if (pages > 0) {
    queue_.Push({.run = [this, pages] {
      writing_ = "";
      const bool skipped = left_out_.contains("");
      return skipped ? absl::OkStatus() : database_->tables().GiveBack(pages);
    }});
  }
  vacuum_nanos_ = now_nanos + (pages == kPagesPerCommit ? kVacuumNanos : kLookNanos);
  return vacuum_nanos_;
}

// Damage that SQLite meets ends a transaction in which others have written, too. Where it lies in
// the records of the session whose write met it, that one is refused, and nothing is added to it
// any more. Anywhere else it is in everybody's way, and the rows are put into a new file; so they
// are for a session that is to go, whose damaged rows cannot even be deleted.
bool SessionStore::PutAside(const absl::Status& status) {
  if (absl::IsDataLoss(status)) {
    const bool is_ones_own = writing_.has_value() && writing_ != removing_ && IsDamaged(*writing_);
    if (!is_ones_own && !std::exchange(rescued_, true) && Rescue(status).ok()) return true;
  }
  if (!absl::IsDataLoss(status) || !writing_.has_value() ||
      !left_out_.try_emplace(*writing_).second) {
    left_out_.clear();
    rescued_ = false;
    return false;
  }
  const std::string id = *writing_;
  left_out_[id] = OfSession(Committed(id).value_or(SessionRow{.id = id}), status);
  Refuse(id);
  return true;
}

bool SessionStore::IsDamaged(const std::string& id) {
  const absl::StatusOr<SessionRow> row = Committed(id);
  return row.ok() && absl::IsDataLoss(database_->tables().Read(*row).status());
}

absl::Status SessionStore::Rescue(const absl::Status& why) {
  std::map<int64_t, SessionRow> rows;
  const std::vector<SessionRow> known = Sessions();
  for (const SessionRow& row : known) rows[row.number] = row;
  LT_ASSIGN_OR_RETURN(const auto lost, database_->Rescue(known));
  OnDamage({}, absl::StrCat("the database is written anew: ", std::string(why.message())));
  for (const auto& [number, what] : lost) {
    const auto row = rows.find(number);
    OnDamage(row == rows.end() ? SessionRow{.number = number} : row->second, what.what);
    if (row != rows.end() && !what.of_snapshots) Refuse(row->second.id);
  }
  return absl::OkStatus();
}

// What it is called may be damaged, too: no name of a session, or another one's.
void SessionStore::AddDamaged(const SessionRow& row) {
  {
    MutexLock lock(mutex_);
    std::string id = row.id;
    const bool is_usable = !id.empty() && IsSessionId(id) && FindRow(id) == nullptr;
    if (!is_usable) id = absl::StrCat("damaged-", row.number);
    while (FindRow(id) != nullptr) id += "-";
    damaged_rows_[id] = {.number = row.number,
                         .id = id,
                         .expire_wall_nanos = open_wall_nanos_ + options_.retention_nanos,
                         .parent = row.parent};
  }
  OnDamage({.number = row.number}, kRowIsDamaged);
}

// A parent that its row names wrongly goes only if nothing needs it.
absl::Status SessionStore::RemoveDamaged(const std::string& id) {
  SessionRow row;
  {
    MutexLock lock(mutex_);
    row = damaged_rows_.at(id);
  }
  removing_ = id;
  LT_RETURN_IF_ERROR(database_->snapshots().Remove(row.number));
  LT_RETURN_IF_ERROR(database_->starts().Remove(row.number).status());
  LT_RETURN_IF_ERROR(RemoveRow(row));
  changed_[id] = std::nullopt;
  removing_.reset();
  return absl::OkStatus();
}

bool SessionStore::IsOver(const SessionRow& row) const {
  return row.expire_wall_nanos.value_or(INT64_MAX) <= RetentionNow();
}

absl::Status SessionStore::RemoveExpired(const std::string& id) {
  // Somebody may have taken it back meanwhile.
  const SessionRow* row = Change(id);
  if (row != nullptr) return IsOver(*row) ? Remove(id) : absl::OkStatus();
  bool is_damaged = false;
  {
    MutexLock lock(mutex_);
    is_damaged = damaged_rows_.contains(id);
  }
  return is_damaged && !left_out_.contains(id) ? RemoveDamaged(id) : absl::OkStatus();
}

std::vector<SessionRow> SessionStore::DamagedSessions() const {
  std::vector<SessionRow> sessions;
  MutexLock lock(mutex_);
  for (const auto& [id, row] : damaged_rows_) sessions.push_back(row);
  return sessions;
}

const SessionRow* SessionStore::FindRow(const std::string& id) const {
  for (const auto* rows : {&rows_, &damaged_rows_}) {
    if (const auto row = rows->find(id); row != rows->end()) return &row->second;
  }
  return nullptr;
}

StoredSummary SessionStore::SummariseDamaged(const std::string& id) const {
  StoredSummary summary = {.row = {.id = id}, .damage = DamageOf(id)};
  MutexLock lock(mutex_);
  if (const SessionRow* row = FindRow(id); row != nullptr) summary.row = *row;
  return summary;
}

std::string SessionStore::DamageOf(const std::string& id) const {
  MutexLock lock(mutex_);
  const SessionRow* row = FindRow(id);
  const auto damage = row == nullptr ? damage_.end() : damage_.find(row->number);
  return damage == damage_.end() ? std::string() : absl::StrJoin(damage->second, "; ");
}

void SessionStore::OnDamage(const SessionRow& row, const std::string& damage) {
  {
    MutexLock lock(mutex_);
    if (damage.empty()) {
      damage_.erase(row.number);
      return;
    }
    std::set<std::string>& known = damage_[row.number];
    if (known.size() >= kDamagesMax || !known.insert(damage).second) return;
  }
  if (!options_.on_damage) return;
  const bool has_name = !row.id.empty() || row.number == 0;
  options_.on_damage(row.id,
                     has_name ? damage : absl::StrCat("session number ", row.number, ": ", damage));
}

}  // namespace longtake
