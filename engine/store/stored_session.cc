// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/store/stored_session.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace longtake {
namespace {

absl::Status Bad(const std::string& problem) { return absl::DataLossError(problem); }

absl::Status AddTo(StoredSession& session, AcceptedEvent event) {
  if (!session.events.empty() && session.events.back().accepted.sequence >= event.sequence) {
    return Bad(absl::StrCat("event ", event.sequence, " after a later one"));
  }
  session.events.push_back({.accepted = std::move(event)});
  return absl::OkStatus();
}

absl::Status AddTo(StoredSession& session, const EventHolds& applied) {
  const auto event = std::lower_bound(
      session.events.begin(), session.events.end(), applied.sequence,
      [](const StoredEvent& a, uint64_t sequence) { return a.accepted.sequence < sequence; });
  if (event == session.events.end() || event->accepted.sequence != applied.sequence) {
    return Bad(absl::StrCat("event ", applied.sequence, " applied, which is not there"));
  }
  if (event->applied_chunk.has_value() || applied.chunk < 0) {
    return Bad(absl::StrCat("event ", applied.sequence, " applied twice or nowhere"));
  }
  event->applied_chunk = applied.chunk;
  event->shown = applied.shown;
  session.applied.push_back(static_cast<size_t>(event - session.events.begin()));
  return absl::OkStatus();
}

absl::Status AddTo(StoredSession& session, const TakeStarted& started) {
  if (session.start.has_value()) return Bad("begun twice");
  session.start = started.latents;
  return absl::OkStatus();
}

absl::Status AddTo(StoredSession& session, const ChunkSettled& settled) {
  if (settled.chunk != std::ssize(session.settled)) {
    return Bad(absl::StrCat("chunk ", settled.chunk, " settled, not ", session.settled.size()));
  }
  session.settled.push_back(settled.latents);
  return absl::OkStatus();
}

absl::Status AddTo(StoredSession& session, const ChunkDecoded& decoded) {
  if (decoded.chunk != std::ssize(session.decoded) ||
      decoded.chunk >= std::ssize(session.settled)) {
    return Bad(absl::StrCat("chunk ", decoded.chunk, " decoded, not ", session.decoded.size()));
  }
  session.decoded.push_back(decoded);
  return absl::OkStatus();
}

absl::Status AddTo(StoredSession& session, const SessionEnded&) {
  session.ended = true;
  return absl::OkStatus();
}

absl::Status AddTo(StoredSession&, const SessionCreated&) { return Bad("created twice"); }

}  // namespace

absl::Status StoredSession::Add(Record record) {
  return std::visit([this](auto& value) { return AddTo(*this, std::move(value)); }, record);
}

absl::StatusOr<StoredSession> ReadStoredSession(const std::string& id,
                                                const std::vector<RecordBytes>& records) {
  StoredSession session = {.id = id};
  for (size_t i = 0; i < records.size(); ++i) {
    const std::string name = absl::StrCat("session ", id, ": record ", i);
    absl::StatusOr<Record> record = DecodeRecord(records[i].kind, records[i].body);
    if (!record.ok()) return Annotate(record.status(), name);
    auto* created = std::get_if<SessionCreated>(&*record);
    if ((created != nullptr) != (i == 0)) return Bad(absl::StrCat(name, ": not in its place"));
    if (created != nullptr) {
      session.created = std::move(*created);
    } else {
      LT_RETURN_IF_ERROR(Annotate(session.Add(*std::move(record)), name));
    }
  }
  if (records.empty()) return Bad(absl::StrCat("session ", id, " has no records"));
  return session;
}

}  // namespace longtake
