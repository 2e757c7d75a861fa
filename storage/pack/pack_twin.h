// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Twins of a pack, so that its layers come from several disks at once: a file with the pack's name,
// size, header, table and checksums that holds only some of its layers. The pack itself stays
// whole: it can be one of the paths, and it is enough when a path is lost.
#pragma once

#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "storage/pack/layer_share.h"
#include "storage/pack/pack_reader.h"
#include "storage/pack/pack_writer.h"

namespace longtake {

// Layers are verified on their way. Errors and what they leave as of WritePack, DATA_LOSS for
// layers that are damaged.
absl::Status WriteTwin(const PackReader& pack, const std::string& path, const LayerShare& share,
                       const PackProgress& progress);

// A twin of each component with layers in each of the directories, which are made if missing; then
// all is opened. One that is this very pack directory, or a copy of it, has them already;
// ALREADY_EXISTS for one that is another model's, INVALID_ARGUMENT for one that is named twice.
absl::Status SpreadLayers(FileSystem& files, const std::string& pack_directory,
                          const std::vector<std::string>& layer_paths,
                          const PackProgress& progress);

}  // namespace longtake
