// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/store/copy_check.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace longtake {
namespace {

absl::Status Differs(const Database& copy, const std::string& what) {
  return absl::UnavailableError(absl::StrCat(copy.path(), ": ", what, " is not what was copied"));
}

bool IsSameRow(Statement& a, Statement& b) {
  for (int i = 0; i < a.columns(); ++i) {
    if (a.IsNull(i) != b.IsNull(i) || !std::ranges::equal(a.Blob(i), b.Blob(i))) return false;
  }
  return true;
}

// Up to where the source is damaged.
absl::Status CheckRows(Database& source, Database& copy, const std::string& table) {
  const std::string sql = absl::StrCat("SELECT * FROM ", table);
  LT_ASSIGN_OR_RETURN(Statement expected, source.Prepare(sql));
  LT_ASSIGN_OR_RETURN(Statement found, copy.Prepare(sql));
  for (int64_t row = 0;; ++row) {
    const absl::StatusOr<bool> more = expected.Step();
    if (absl::IsDataLoss(more.status())) return absl::OkStatus();
    LT_RETURN_IF_ERROR(more.status());
    const absl::StatusOr<bool> has = found.Step();
    const bool is_readable = has.ok() || !absl::IsDataLoss(has.status());
    if (is_readable) LT_RETURN_IF_ERROR(has.status());
    if (!is_readable || *has != *more || (*more && !IsSameRow(expected, found))) {
      return Differs(copy, absl::StrCat("row ", row, " of ", table));
    }
    if (!*more) return absl::OkStatus();
  }
}

absl::StatusOr<std::vector<std::string>> Tables(Database& database) {
  LT_ASSIGN_OR_RETURN(Statement rows,
                      database.Prepare("SELECT name FROM sqlite_schema WHERE type='table'"));
  std::vector<std::string> tables = {"sqlite_schema"};
  for (;;) {
    LT_ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return tables;
    tables.emplace_back(rows.Text(0));
  }
}

// What rows do not show: indices, pages that nothing is in.
absl::StatusOr<bool> IsIntact(Database& database) {
  LT_ASSIGN_OR_RETURN(Statement check, database.Prepare("PRAGMA integrity_check(1)"));
  const absl::StatusOr<bool> told = check.Step();
  if (absl::IsDataLoss(told.status())) return false;
  LT_RETURN_IF_ERROR(told.status());
  return *told && check.Text(0) == "ok";
}

}  // namespace

absl::Status CheckCopy(Database& source, Database& copy) {
  LT_ASSIGN_OR_RETURN(const std::vector<std::string> tables, Tables(source));
  for (const std::string& table : tables) LT_RETURN_IF_ERROR(CheckRows(source, copy, table));
  LT_ASSIGN_OR_RETURN(const bool is_intact, IsIntact(copy));
  if (is_intact) return absl::OkStatus();
  LT_ASSIGN_OR_RETURN(const bool was_intact, IsIntact(source));
  return was_intact ? Differs(copy, "a page") : absl::OkStatus();
}

}  // namespace longtake
