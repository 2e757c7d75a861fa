// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/store/row_rescue.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

namespace longtake {
namespace {

struct Table {
  const char* name;
  const char* session;  // the column with its number
  bool of_snapshots = false;
};

constexpr Table kTables[] = {
    {"sessions", "number"},
    {"records", "session"},
    {"latents", "session"},
    {"latent_places", "session"},
    {"start_parts", "session"},
    {"snapshots", "session", /*of_snapshots=*/true},
    {"snapshot_files", "session", /*of_snapshots=*/true},
};

class Rescue {
 public:
  Rescue(Database& from, Database& to, SessionTables& tables, const std::vector<SessionRow>& known)
      : from_(from), to_(to), tables_(tables) {
    for (const SessionRow& row : known) known_[row.number] = row;
  }

  absl::Status Run() {
    LT_RETURN_IF_ERROR(FindNumbers());
    LT_ASSIGN_OR_RETURN(Statement last, from_.Prepare("SELECT max(seq) FROM sqlite_sequence"));
    LT_ASSIGN_OR_RETURN(const bool found, last.Step());
    const int64_t last_number = found ? last.Int(0) : 0;
    last.Reset();
    LT_RETURN_IF_ERROR(tables_.Begin());
    for (const Table& table : kTables) LT_RETURN_IF_ERROR(Copy(table));
    LT_RETURN_IF_ERROR(SetLastNumber(last_number));
    return tables_.Commit();
  }
  std::map<int64_t, LostRows> TakeLost() { return std::move(lost_); }

 private:
  // From both ends, as a page between may be damaged.
  absl::Status FindNumbers() {
    for (const auto& [number, row] : known_) {
      numbers_.insert(number);
      if (row.parent.has_value()) numbers_.insert(*row.parent);
    }
    for (const char* order : {"ASC", "DESC"}) {
      LT_ASSIGN_OR_RETURN(
          Statement rows,
          from_.Prepare(absl::StrCat("SELECT number FROM sessions ORDER BY number ", order)));
      for (;;) {
        const absl::StatusOr<bool> more = rows.Step();
        if (!more.ok() && !absl::IsDataLoss(more.status())) return more.status();
        if (!more.ok() || !*more) break;
        numbers_.insert(rows.Int(0));
      }
    }
    return absl::OkStatus();
  }

  absl::Status Copy(const Table& table) {
    LT_ASSIGN_OR_RETURN(
        Statement read,
        from_.Prepare(absl::StrCat("SELECT * FROM ", table.name, " WHERE ", table.session, "=?")));
    std::string places = "?";
    for (int i = 1; i < read.columns(); ++i) places += ",?";
    LT_ASSIGN_OR_RETURN(Statement write, to_.Prepare(absl::StrCat("INSERT INTO ", table.name,
                                                                  " VALUES(", places, ")")));
    for (const int64_t number : numbers_) {
      const auto known = known_.find(number);
      const bool is_known = table.name == kTables[0].name && known != known_.end();
      const absl::Status copied = is_known ? Put(known->second) : CopyOf(number, read, write);
      if (copied.ok()) continue;
      // A row that is no row of this table any more is damaged, too.
      if (!absl::IsDataLoss(copied) && !absl::IsAlreadyExists(copied)) return copied;
      LostRows& lost = lost_[number];
      lost.what = std::string(copied.message());
      lost.of_snapshots = lost.of_snapshots && table.of_snapshots;
    }
    return absl::OkStatus();
  }

  static absl::Status CopyOf(int64_t number, Statement& read, Statement& write) {
    read.Reset();
    read.Bind(1, number);
    for (;;) {
      LT_ASSIGN_OR_RETURN(const bool more, read.Step());
      if (!more) return absl::OkStatus();
      for (int i = 0; i < read.columns(); ++i) write.BindColumn(i + 1, read, i);
      LT_RETURN_IF_ERROR(write.Run());
    }
  }

  absl::Status Put(SessionRow row) {
    const int64_t number = row.number;
    LT_RETURN_IF_ERROR(SetLastNumber(number - 1));
    LT_RETURN_IF_ERROR(tables_.Insert(row));
    return row.number == number ? absl::OkStatus() : absl::InternalError("another number");
  }

  // The next session's is above it.
  absl::Status SetLastNumber(int64_t number) {
    return to_.Execute(absl::StrCat(
        "DELETE FROM sqlite_sequence;INSERT INTO sqlite_sequence VALUES('sessions',", number, ")"));
  }

  Database& from_;
  Database& to_;
  SessionTables& tables_;
  std::map<int64_t, SessionRow> known_;
  std::set<int64_t> numbers_;
  std::map<int64_t, LostRows> lost_;
};

}  // namespace

absl::StatusOr<std::map<int64_t, LostRows>> RescueRows(Database& from, Database& to,
                                                       SessionTables& tables,
                                                       const std::vector<SessionRow>& known) {
  Rescue rescue(from, to, tables, known);
  LT_RETURN_IF_ERROR(rescue.Run());
  return rescue.TakeLost();
}

}  // namespace longtake
