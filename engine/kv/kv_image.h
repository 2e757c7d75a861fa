// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The K/V of a session as plain bytes, whether it lies in pages or in the file: to be copied to
// another table or saved. By guidance branch and latent frame; of each frame layer after layer, all
// keys and then all values, rounded as in the table.
//
// The stage's thread, no sweep under way: copies are in its lane, kSweep.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "engine/kv/kv_stages.h"
#include "engine/kv/kv_tables.h"

namespace longtake {

// A frame of a session: guidance branch and latent frame.
using KvFrameName = std::pair<size_t, int64_t>;
using KvImage = std::map<KvFrameName, std::vector<std::byte>>;

// Of one frame in an image.
uint64_t KvImageBytes(const KvLayout& layout);

// A stage's part of one frame, which is held. The stream, which may be null without a file, reads
// what lies there; errors as its own.
absl::StatusOr<std::vector<std::byte>> CopyKvFrame(const KvFrame& frame, KvStream* stream);
// All frames that a session holds, of all layers, wherever those are cut into stages. memory, which
// may be null where no K/V lies in a file, is the tables'.
absl::StatusOr<KvImage> CopyKv(const KvTables& tables, uint64_t session, const KvStages* memory);
// The other way, into a session that holds nothing. INVALID_ARGUMENT when a frame has another size.
absl::Status PutKv(const KvImage& image, KvTables& tables, uint64_t session,
                   const KvStages* memory);

}  // namespace longtake
