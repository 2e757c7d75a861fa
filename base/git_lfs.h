// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Recognises what a repository of large files leaves where a file was never downloaded: a pointer
// of three lines of text under the file's name (https://github.com/git-lfs/git-lfs, docs/spec.md).
// Pure function.
#pragma once

#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace longtake {

inline constexpr std::string_view kLfsPointerStart = "version https://git-lfs";

// INVALID_ARGUMENT naming the path when a file that begins so is such a pointer. beginning: as much
// of the file as there is, kLfsPointerStart.size() bytes or more where it has them.
inline absl::Status CheckIsNoLfsPointer(std::string_view beginning, const std::string& path) {
  if (!beginning.starts_with(kLfsPointerStart)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      path, ": this is a git-lfs pointer, not the file itself; download it with git lfs pull"));
}

}  // namespace longtake
