// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/store/latent_files.h"

#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"
#include "storage/bulk/bulk_reader.h"

namespace longtake {

absl::Status LatentFiles::Put(SessionTables& tables, SessionRow& row, const Latents& latents) {
  if (latents.values().size_bytes() <= row_bytes_max_) return tables.PutLatents(row, latents);
  const Hash128 hash = RefOf(latents).hash;
  const auto [written, is_new] = written_.try_emplace({row.number, hash.high, hash.low});
  if (is_new) {
    absl::StatusOr<LatentPlace> place =
        Append(tails_[row.number], row.number, row.chunks / kChunksPerFile, latents);
    if (!place.ok()) {
      written_.erase(written);
      GiveUp(row.number);
      if (!absl::IsDataLoss(place.status())) return place.status();
      return Error(Reason::kSessionCorrupt, std::string(place.status().message()));
    }
    written->second = *std::move(place);
  }
  return tables.PutLatentPlace(row, written->second, latents.values().size_bytes());
}

void LatentFiles::GiveUp(int64_t session) {
  Tail tail = std::move(tails_[session]);
  tails_.erase(session);
  tail.file = nullptr;
  if (tail.end == 0) bulk_.Remove(tail.name);  // nothing is in it that a row could name
}

absl::StatusOr<LatentPlace> LatentFiles::Append(Tail& tail, int64_t session, int64_t group,
                                                const Latents& latents) {
  LT_RETURN_IF_ERROR(OpenTail(tail, session, group));
  LT_ASSIGN_OR_RETURN(const BulkExtent extent, tail.file->Append(std::as_bytes(latents.values())));
  LT_RETURN_IF_ERROR(tail.file->Sync());
  tail.end = tail.file->end();
  return LatentPlace{.file = tail.name, .offset = extent.offset, .table_crc = extent.table_crc};
}

absl::Status LatentFiles::OpenTail(Tail& tail, int64_t session, int64_t group) {
  if (tail.name.empty() || tail.group != group) {
    tail = {.group = group};
    LT_ASSIGN_OR_RETURN(std::tie(tail.name, tail.file), bulk_.Create(session, BulkUse::kLatents));
    return absl::OkStatus();
  }
  if (tail.file != nullptr) return absl::OkStatus();
  LT_ASSIGN_OR_RETURN(const std::string path, bulk_.Path(tail.name));
  LT_ASSIGN_OR_RETURN(tail.file, BulkFile::Open(bulk_.files(), path, tail.end));
  return absl::OkStatus();
}

// Wherever the program that wrote them kept them.
absl::StatusOr<Latents> LatentFiles::Get(SessionTables& tables, const StoredLatents& stored) const {
  LT_ASSIGN_OR_RETURN(const std::optional<LatentPlace> place, tables.FindLatentPlace(stored));
  if (!place.has_value()) return tables.GetLatents(stored);
  absl::StatusOr<Latents> latents = Read(*place, stored.ref);
  if (latents.ok()) return latents;
  const bool missing = absl::IsNotFound(latents.status());
  if (!absl::IsDataLoss(latents.status()) && !missing) return latents;  // it may pass
  return Error(Reason::kSessionCorrupt,
               absl::StrCat("session store: the latents of record ", stored.record, " of session ",
                            stored.session, ": ", std::string(latents.status().message())));
}

// Nothing is allocated before the file is known to have as much.
absl::StatusOr<Latents> LatentFiles::Read(const LatentPlace& place, const LatentsRef& ref) const {
  const auto count = static_cast<uint64_t>(ref.channels * ref.grid.volume());
  LT_ASSIGN_OR_RETURN(const std::string path, bulk_.Path(place.file));
  LT_ASSIGN_OR_RETURN(const std::unique_ptr<BulkReader> reader,
                      BulkReader::Open(bulk_.files(), path,
                                       {.offset = place.offset,
                                        .bytes = count * sizeof(float),
                                        .table_crc = place.table_crc,
                                        .hash = ref.hash}));
  std::vector<float> values(count);
  std::span<std::byte> left = std::as_writable_bytes(std::span(values));
  while (!left.empty()) {
    const size_t piece = reader->next_bytes();
    LT_RETURN_IF_ERROR(reader->ReadInto(left.first(piece)));
    left = left.subspan(piece);
  }
  return Latents(ref.channels, ref.grid, std::move(values));
}

// What is appended to has a session's latest chunk, which stays.
void LatentFiles::OnCommitted(OldLatents& old) {
  written_.clear();
  for (const std::string& file : old.TakeDropped()) {
    const absl::StatusOr<bool> named = old.IsNamed(BulkDirectory::SessionOf(file), file);
    if (named.ok() && !*named) bulk_.Remove(file);
  }
}

void LatentFiles::Close(int64_t session) {
  const auto tail = tails_.find(session);
  if (tail != tails_.end()) tail->second.file = nullptr;
}

void LatentFiles::Remove(int64_t session) {
  tails_.erase(session);
  bulk_.RemoveLatents(session);
}

}  // namespace longtake
