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
#include "engine/kv/kv_stream.h"
#include "engine/kv/kv_table.h"

namespace longtake {

// A frame of a session: guidance branch and latent frame.
using KvFrameName = std::pair<size_t, int64_t>;
using KvImage = std::map<KvFrameName, std::vector<std::byte>>;

// Of one frame in an image.
uint64_t KvImageBytes(const KvLayout& layout);

// One frame, which is held. The stream, which may be null without a file, reads what lies there;
// errors as its own.
absl::StatusOr<std::vector<std::byte>> CopyKvFrame(const KvFrame& frame, KvStream* stream);
// All frames that a session holds.
absl::StatusOr<KvImage> CopyKv(const KvTable& table, uint64_t session, KvStream* stream);
// The other way, into a session that holds nothing. INVALID_ARGUMENT when a frame has another size.
absl::Status PutKv(const KvImage& image, KvTable& table, uint64_t session, KvStream* stream);

}  // namespace longtake
