// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A machine-readable reason on an absl::Status: what a program may act on, while the message is for
// people. docs/errors.md lists the reasons. Travels as a status payload, so Annotate keeps it.
// Pure functions.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/cord.h"
#include "base/status_macros.h"

namespace longtake {

struct ErrorReason {
  std::string name;                             // UPPER_SNAKE_CASE
  std::map<std::string, std::string> metadata;  // variable parts; no line ends in either half
};

inline constexpr char kErrorReasonUrl[] = "longtake/reason";

// Replaces an earlier reason. OK stays OK.
inline absl::Status WithReason(absl::Status status, const ErrorReason& reason) {
  std::string payload = reason.name;
  for (const auto& [key, value] : reason.metadata) payload += "\n" + key + "=" + value;
  status.SetPayload(kErrorReasonUrl, absl::Cord(payload));
  return status;
}

inline absl::Status WithReason(absl::Status status, std::string name) {
  return WithReason(std::move(status), ErrorReason{std::move(name), {}});
}

// Nothing when the status never got one.
inline std::optional<ErrorReason> ReasonOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kErrorReasonUrl);
  if (!payload.has_value()) return std::nullopt;
  const std::string text(*payload);
  ErrorReason reason;
  size_t line_end = text.find('\n');
  reason.name = text.substr(0, line_end);
  while (line_end != std::string::npos) {
    const size_t begin = line_end + 1;
    line_end = text.find('\n', begin);
    const std::string line = text.substr(begin, line_end - begin);
    const size_t equals = line.find('=');
    if (equals != std::string::npos) {
      reason.metadata[line.substr(0, equals)] = line.substr(equals + 1);
    }
  }
  return reason;
}

}  // namespace longtake
