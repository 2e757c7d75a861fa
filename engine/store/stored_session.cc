// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/store/stored_session.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"

namespace longtake {
namespace {

// Of a record.
struct Place {
  int64_t session = 0;
  int64_t number = 0;
  StoredLatents With(const LatentsRef& ref) const {
    return {.session = session, .record = number, .ref = ref};
  }
};

absl::Status Bad(const std::string& problem) { return Error(Reason::kSessionCorrupt, problem); }

// The first with this number or a higher one.
std::vector<StoredEvent>::iterator FindEvent(StoredSession& session, uint64_t sequence) {
  return std::lower_bound(
      session.events.begin(), session.events.end(), sequence,
      [](const StoredEvent& a, uint64_t number) { return a.accepted.sequence < number; });
}

// Several threads hand events over: two may have changed places on the way.
absl::Status AddTo(StoredSession& session, const Place&, AcceptedEvent event) {
  const uint64_t sequence = event.sequence;
  const auto place = FindEvent(session, sequence);
  if (place != session.events.end() && place->accepted.sequence == sequence) {
    return Bad(absl::StrCat("event ", sequence, " twice"));
  }
  const auto index = static_cast<size_t>(place - session.events.begin());
  for (size_t& applied : session.applied) applied += applied >= index ? 1 : 0;
  session.events.insert(place, {.accepted = std::move(event)});
  session.next_sequence = std::max(session.next_sequence, sequence + 1);
  return absl::OkStatus();
}

absl::Status AddTo(StoredSession& session, const Place&, const EventHolds& applied) {
  const auto event = FindEvent(session, applied.sequence);
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

absl::Status AddTo(StoredSession& session, const Place& place, const TakeStarted& started) {
  if (session.start.has_value()) return Bad("begun twice");
  session.start = place.With(started.latents);
  return absl::OkStatus();
}

absl::Status AddTo(StoredSession& session, const Place& place, const ChunkSettled& settled) {
  if (settled.chunk != std::ssize(session.settled)) {
    return Bad(absl::StrCat("chunk ", settled.chunk, " settled, not ", session.settled.size()));
  }
  session.settled.push_back(place.With(settled.latents));
  return absl::OkStatus();
}

absl::Status AddTo(StoredSession& session, const Place&, const ChunkDecoded& decoded) {
  if (decoded.chunk != std::ssize(session.decoded) ||
      decoded.chunk >= std::ssize(session.settled)) {
    return Bad(absl::StrCat("chunk ", decoded.chunk, " decoded, not ", session.decoded.size()));
  }
  session.decoded.push_back(decoded);
  return absl::OkStatus();
}

absl::Status AddTo(StoredSession& session, const Place&, const SessionEnded&) {
  session.ended = true;
  return absl::OkStatus();
}

absl::Status AddTo(StoredSession& session, const Place&, const SessionRewound& rewound) {
  if (rewound.chunk < session.base || rewound.chunk > std::ssize(session.settled) ||
      rewound.epoch != session.epoch + 1) {
    return Bad(absl::StrCat("rewound to chunk ", rewound.chunk, ", epoch ", rewound.epoch));
  }
  session.CutAt(rewound.chunk);
  session.epoch = rewound.epoch;
  return absl::OkStatus();
}

// What was decoded before in other numerics does not follow from what comes now.
absl::Status AddTo(StoredSession& session, const Place&, const NumericsChanged& changed) {
  if (changed.chunk < 0 || changed.chunk > std::ssize(session.decoded)) {
    return Bad(absl::StrCat("other numerics from chunk ", changed.chunk, " on"));
  }
  session.decoded.resize(static_cast<size_t>(changed.chunk));
  session.numerics_changed = true;
  return absl::OkStatus();
}

// What may have been there of chunks before the first one counts no more.
absl::Status AddTo(StoredSession& session, const Place&, const HistoryBegun& begun) {
  const bool follows = begun.before.has_value() ? begun.before->chunk == begun.first - 1
                                                : begun.first <= std::ssize(session.decoded);
  if (!follows || begun.first < std::ssize(session.settled)) {
    return Bad(absl::StrCat("history begins anew with chunk ", begun.first));
  }
  const auto first = static_cast<size_t>(begun.first);
  session.settled.assign(first, {});
  session.decoded.resize(first);
  if (begun.before.has_value()) session.decoded.back() = *begun.before;
  session.base = begun.base;
  session.first_kept = begun.first;
  return absl::OkStatus();
}

// Its chunks keep their digests.
absl::Status AddTo(StoredSession& session, const Place&, const HistoryForgotten& forgotten) {
  const int64_t end =
      std::min({forgotten.base, std::ssize(session.settled), std::ssize(session.decoded)});
  if (forgotten.base < session.base || forgotten.base > std::ssize(session.settled) ||
      forgotten.first < session.first_kept || forgotten.first > end) {
    return Bad(
        absl::StrCat("history before chunk ", forgotten.first, " forgotten, at ", forgotten.base));
  }
  std::fill_n(session.settled.begin(), forgotten.first, StoredLatents());
  session.base = forgotten.base;
  session.first_kept = forgotten.first;
  return absl::OkStatus();
}

absl::Status AddTo(StoredSession&, const Place&, const SessionForked&) {
  return Bad("forked late");
}

absl::Status AddTo(StoredSession&, const Place&, const SessionCreated&) {
  return Bad("created twice");
}

}  // namespace

absl::Status StoredSession::Add(int64_t session, int64_t number, Record record) {
  const Place place = {.session = session, .number = number};
  return std::visit([&](auto& value) { return AddTo(*this, place, std::move(value)); }, record);
}

void StoredSession::CutAt(int64_t chunk) {
  const auto end = static_cast<size_t>(chunk);
  settled.resize(std::min(settled.size(), end));
  decoded.resize(std::min(decoded.size(), end));
  const auto stays = [chunk](const StoredEvent& event) {
    return event.applied_chunk.value_or(chunk) < chunk;
  };
  std::vector<size_t> moved(events.size());  // where an event goes that stays
  std::vector<StoredEvent> kept;
  for (size_t i = 0; i < events.size(); ++i) {
    moved[i] = kept.size();
    if (stays(events[i])) kept.push_back(events[i]);
  }
  std::vector<size_t> order;
  for (const size_t index : applied) {
    if (stays(events[index])) order.push_back(moved[index]);
  }
  events = std::move(kept);
  applied = std::move(order);
  ended = false;
}

absl::StatusOr<std::optional<SessionForked>> ForkOf(const std::vector<RecordBytes>& records) {
  if (records.size() < 2) return std::nullopt;
  LT_ASSIGN_OR_RETURN(const Record record, DecodeRecord(records[1].kind, records[1].body));
  const auto* forked = std::get_if<SessionForked>(&record);
  if (forked == nullptr) return std::nullopt;
  return *forked;
}

absl::StatusOr<StoredSession> ReadStoredSession(const std::string& id, int64_t session,
                                                const std::vector<RecordBytes>& records,
                                                const StoredSession* parent) {
  StoredSession stored;
  stored.id = id;
  for (size_t i = 0; i < records.size(); ++i) {
    const std::string name = absl::StrCat("session ", id, ": record ", i);
    absl::StatusOr<Record> record = DecodeRecord(records[i].kind, records[i].body);
    if (!record.ok()) return Annotate(record.status(), name);
    auto* created = std::get_if<SessionCreated>(&*record);
    const auto* forked = std::get_if<SessionForked>(&*record);
    if ((created != nullptr) != (i == 0) || (forked != nullptr) != (i == 1 && parent != nullptr)) {
      return Bad(absl::StrCat(name, ": not in its place"));
    }
    if (created != nullptr) {
      stored.created = std::move(*created);
    } else if (forked != nullptr) {
      StoredSession child = *parent;
      child.CutAt(forked->chunk);
      child.id = id;
      child.created = std::move(stored.created);
      child.epoch = 0;
      ++child.generation;
      stored = std::move(child);
    } else {
      LT_RETURN_IF_ERROR(
          Annotate(stored.Add(session, static_cast<int64_t>(i), *std::move(record)), name));
    }
  }
  if (records.empty()) return Bad(absl::StrCat("session ", id, " has no records"));
  return stored;
}

}  // namespace longtake
