// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a pack directory takes from a model directory beside the weights.
#pragma once

#include <cstdint>
#include <string>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "engine/video/check_parts.h"
#include "storage/pack/pack_directory.h"

namespace longtake {

// A text file of a model. Errors as ReadTextFile; INVALID_ARGUMENT for a git-lfs pointer.
absl::StatusOr<std::string> ReadModelFile(FileSystem& files, const std::string& path,
                                          uint64_t bytes_max);

// ALREADY_EXISTS when a published model lies in the directory: what a pack writes and removes there
// could be the only copy of its files.
absl::Status CheckHoldsNoModel(FileSystem& files, const std::string& directory);
// ALREADY_EXISTS, with a name, when it holds something that is neither of a pack nor left by the
// making of one. A pack may have other files beside it.
absl::Status CheckHoldsNothingElse(FileSystem& files, const std::string& directory);

// The recipe comes with the model (longtake.json) or from the caller; either way it must parse
// before hours of work.
absl::StatusOr<std::string> ReadModelRecipe(FileSystem& files, const std::string& directory,
                                            const std::string& given);

// The fast tokenizer's file is what the published pipeline loads; spiece.model serves without it.
// Puts name and bytes into spec. NOT_FOUND names the folder.
absl::StatusOr<Tokenizer> ReadModelTokenizer(FileSystem& files, const std::string& directory,
                                             PackDirectorySpec* spec);

}  // namespace longtake
