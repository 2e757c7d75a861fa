// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "client/chunk_chain.h"

#include <algorithm>
#include <span>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/checksum.h"

namespace longtake {
namespace {

// As the API defines Chunk.chain_digest, hexadecimal.
std::string NextLink(const std::string& chain, const std::string& digest) {
  const std::string link = chain + digest;
  return Xxh3Hash128(std::as_bytes(std::span(link))).ToHex();
}

}  // namespace

absl::Status ChunkChain::Open(const v1::Opened& opened) {
  if (opened_) {
    LT_RETURN_IF_ERROR(CheckGoesOn(opened));
  } else {
    init_segment_ = opened.init_segment();
    epoch_ = opened.session().epoch();
    next_chunk_ = opened.next_chunk();
    // What the chain of a take begins with.
    if (next_chunk_ == 0) chain_digest_ = std::string(16, '\0');
  }
  opened_ = true;
  data_.clear();
  durable_through_ = std::max(durable_through_, opened.session().durable_through());
  return absl::OkStatus();
}

absl::Status ChunkChain::CheckSession(const v1::Session& session) const {
  if (session.epoch() != epoch_) {
    return absl::FailedPreconditionError(
        absl::StrCat(session.name(), " was rewound meanwhile; what came of it is another video"));
  }
  if (session.durable_through() < durable_through_) {
    return absl::DataLossError(absl::StrCat(session.name(), ": the server had ", durable_through_,
                                            " chunks on disk and comes back with ",
                                            session.durable_through(), ": it lost some"));
  }
  return absl::OkStatus();
}

absl::Status ChunkChain::CheckGoesOn(const v1::Opened& opened) const {
  const v1::Session& session = opened.session();
  LT_RETURN_IF_ERROR(CheckSession(session));
  if (opened.next_chunk() != next_chunk_) {
    return absl::DataLossError(absl::StrCat(session.name(), " goes on with chunk ",
                                            opened.next_chunk(), ", not ", next_chunk_));
  }
  if (opened.init_segment() != init_segment_) {
    return absl::FailedPreconditionError(absl::StrCat(
        session.name(), ": the server encodes video in another way than before it ended"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<v1::Chunk>> ChunkChain::Add(const v1::Chunk& part) {
  if (part.index() != next_chunk_) {
    return absl::DataLossError(
        absl::StrCat("chunk ", part.index(), " came, where ", next_chunk_, " was to follow"));
  }
  if (part.data_offset() != static_cast<int64_t>(data_.size())) {
    return absl::DataLossError(absl::StrCat("chunk ", part.index(), ": a part is missing"));
  }
  data_ += part.data();
  if (!part.last_part()) return std::nullopt;
  if (!chain_digest_.empty() &&
      NextLink(chain_digest_, part.digest()) != absl::BytesToHexString(part.chain_digest())) {
    return absl::DataLossError(absl::StrCat(
        "chunk ", part.index(), " does not follow the chunks before it: their digests differ"));
  }
  chain_digest_ = part.chain_digest();
  durable_through_ = std::max(durable_through_, part.durable_through());
  ++next_chunk_;
  v1::Chunk chunk = part;
  chunk.set_data_offset(0);
  chunk.set_data(std::exchange(data_, {}));
  return chunk;
}

}  // namespace longtake
