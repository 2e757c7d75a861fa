// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What the store gives back of a session.
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"
#include "engine/store/session_store.h"
#include "engine/store/store_errors.h"

namespace longtake {
absl::Status SessionStore::OfSession(const SessionRow& row, const absl::Status& status) {
  if (!absl::IsDataLoss(status)) return status;
  OnDamage(row, std::string(status.message()));
  return Corrupt(row.id, std::string(status.message()));
}

absl::StatusOr<StoredSummary> SessionStore::Describe(const std::string& id) {
  return ReadNow<StoredSummary>([this, id] {
    uint64_t bytes = 0;
    return Summarise(id, &bytes);
  });
}

absl::StatusOr<std::vector<std::optional<StoredSummary>>> SessionStore::DescribeSome(
    const std::vector<std::string>& ids, uint64_t bytes_max) {
  using Summaries = std::vector<std::optional<StoredSummary>>;
  return ReadNow<Summaries>([this, ids, bytes_max]() -> absl::StatusOr<Summaries> {
    Summaries summaries;
    uint64_t bytes = 0;
    for (const std::string& id : ids) {
      absl::StatusOr<StoredSummary> summary = Summarise(id, &bytes);
      if (bytes > bytes_max && !summaries.empty()) break;
      summaries.emplace_back();
      if (summary.ok()) {
        summaries.back() = *std::move(summary);
      } else if (absl::IsDataLoss(summary.status())) {
        summaries.back() = SummariseDamaged(id);
      } else if (!absl::IsNotFound(summary.status())) {
        return summary.status();
      }
    }
    return summaries;
  });
}

absl::StatusOr<StoredSummary> SessionStore::Summarise(const std::string& id, uint64_t* bytes) {
  LT_ASSIGN_OR_RETURN(const SessionRow row, Present(id));
  absl::StatusOr<StoredSummary> summary = ReadSummary(row, bytes);
  if (!summary.ok()) return OfSession(row, summary.status());
  return summary;
}

absl::StatusOr<StoredSummary> SessionStore::ReadSummary(const SessionRow& row, uint64_t* bytes) {
  StoredSummary summary = {.row = row, .created = {}, .damage = DamageOf(row.id)};
  LT_ASSIGN_OR_RETURN(const RecordBytes first, database_->tables().FirstRecord(summary.row));
  *bytes += first.body.size();
  LT_ASSIGN_OR_RETURN(longtake::Record record, DecodeRecord(first.kind, first.body));
  auto* created = std::get_if<SessionCreated>(&record);
  if (created == nullptr) return absl::DataLossError("its first record is another's");
  summary.created = std::move(*created);
  if (summary.created.spec.start_frames == 0) return summary;
  LT_ASSIGN_OR_RETURN(summary.start_bytes, database_->starts().End(summary.row.number));
  if (summary.row.chunks != 0) return summary;
  // They may be latents already, before the first chunk is there.
  LT_ASSIGN_OR_RETURN(const StoredSession session, database_->tables().Read(summary.row));
  if (session.start.has_value()) {
    summary.start_bytes = static_cast<int64_t>(summary.created.spec.start_bytes());
  }
  return summary;
}

absl::StatusOr<StoredSession> SessionStore::Load(const std::string& id) {
  return ReadNow<StoredSession>([this, id]() -> absl::StatusOr<StoredSession> {
    LT_ASSIGN_OR_RETURN(const SessionRow row, Present(id));
    absl::StatusOr<StoredSession> session = database_->tables().Read(row);
    LT_RETURN_IF_ERROR(OfSession(row, session.status()));
    return session;
  });
}

// They may be of what the session was forked from.
absl::StatusOr<Latents> SessionStore::GetLatents(const StoredLatents& stored) {
  absl::StatusOr<Latents> latents = latents_.Get(database_->tables(), stored);
  if (!absl::IsDataLoss(latents.status())) return latents;
  SessionRow row = {.number = stored.session};
  for (const SessionRow& session : Sessions()) {
    if (session.number == stored.session) row = session;
  }
  OnDamage(row, std::string(latents.status().message()));
  return latents;
}

absl::StatusOr<Latents> SessionStore::LoadLatents(const StoredLatents& stored) {
  return ReadNow<Latents>([this, stored] { return GetLatents(stored); });
}

// Part by part, as others wait for the store's thread meanwhile.
absl::StatusOr<std::vector<uint8_t>> SessionStore::LoadStart(const std::string& id,
                                                             uint64_t bytes_max) {
  using Part = std::vector<std::byte>;
  std::vector<uint8_t> start;
  for (;;) {
    LT_ASSIGN_OR_RETURN(
        const Part part,
        ReadNow<Part>([this, id, offset = std::ssize(start)]() -> absl::StatusOr<Part> {
          LT_ASSIGN_OR_RETURN(const SessionRow row, Present(id));
          absl::StatusOr<Part> read = database_->starts().Read(row.number, offset);
          LT_RETURN_IF_ERROR(OfSession(row, read.status()));
          return read;
        }));
    if (part.empty()) return start;
    if (part.size() > bytes_max - start.size()) {
      return Corrupt(id, "more start frames than its spec has");
    }
    start.reserve(bytes_max);
    const auto* bytes = reinterpret_cast<const uint8_t*>(part.data());
    start.insert(start.end(), bytes, bytes + part.size());
  }
}

void SessionStore::ReadLatents(const StoredLatents& stored,
                               std::function<void(absl::StatusOr<Latents>)> done) {
  const auto latents = std::make_shared<absl::StatusOr<Latents>>(
      Error(Reason::kStorageUnavailable, "the session store cannot be read"));
  queue_.Push({.kind = CommitQueue::Kind::kRead,
               .run =
                   [this, stored, latents] {
                     *latents = GetLatents(stored);
                     return latents->status();
                   },
               .done =
                   [latents, done = std::move(done)](bool) {
                     if (latents->ok()) return done(std::move(*latents));
                     done(OfReading(latents->status()));
                   }});
}

}  // namespace longtake
