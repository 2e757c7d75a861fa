// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Propagation of absl::Status and the one assertion. LT_CHECK is for our own mistakes only and
// stays on in release builds; what a file or a client can cause is a Status, never a check.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace longtake {

// Puts where-it-happened context before a status message: "pack a.pack: header crc differs".
// An OK status stays OK; payloads are kept.
inline absl::Status Annotate(const absl::Status& status, const std::string& context) {
  if (status.ok()) return status;
  absl::Status out(status.code(), context + ": " + std::string(status.message()));
  status.ForEachPayload(
      [&out](auto url, const absl::Cord& payload) { out.SetPayload(url, payload); });
  return out;
}

namespace status_internal {

inline absl::Status ToStatus(absl::Status status) { return status; }
template <typename T>
absl::Status ToStatus(const absl::StatusOr<T>& result) {
  return result.status();
}

[[noreturn]] inline void CheckFailed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: check failed: %s\n", file, line, condition);
  std::abort();
}

}  // namespace status_internal
}  // namespace longtake

#define LT_CONCAT_INNER(a, b) a##b
#define LT_CONCAT(a, b) LT_CONCAT_INNER(a, b)

#define LT_RETURN_IF_ERROR(expression)                                            \
  do {                                                                            \
    absl::Status lt_status = ::longtake::status_internal::ToStatus((expression)); \
    if (!lt_status.ok()) return lt_status;                                        \
  } while (false)

#define LT_ASSIGN_OR_RETURN(lhs, expression) \
  LT_ASSIGN_OR_RETURN_IMPL(LT_CONCAT(lt_result_, __LINE__), lhs, expression)
#define LT_ASSIGN_OR_RETURN_IMPL(result, lhs, expression) \
  auto result = (expression);                             \
  if (!result.ok()) return std::move(result).status();    \
  lhs = std::move(result).value()

#define LT_CHECK(condition) \
  ((condition) ? (void)0 : ::longtake::status_internal::CheckFailed(#condition, __FILE__, __LINE__))
