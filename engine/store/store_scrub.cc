// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/store/store_scrub.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/store/store_errors.h"
#include "storage/bulk/bulk_reader.h"

namespace longtake {
namespace {

// Records that one turn reads, and what it counts for at least, so that rows without bytes are not
// read for nothing.
constexpr int64_t kRecordsPerTurn = 256;
constexpr uint64_t kTurnBytesMin = 4096;
// What cannot be read is tried so often, with a pause between, before it is taken for damage.
constexpr int kTriesMax = 4;
constexpr int64_t kPauseNanos = 60LL * 1'000'000'000;

// Empty, or what is missing of these snapshots. Asked of the row as it is now: the session's
// history may have begun anew since a pass came to it. One that is hidden has none, nor has a
// fork that only shows what lies before: nothing goes on from it.
absl::StatusOr<std::string> MissingBase(SessionTables& tables, int64_t session,
                                        const SnapshotTable::Found& snapshots) {
  LT_ASSIGN_OR_RETURN(const auto found, tables.Next(session - 1));
  const bool is_there = found.has_value() && found->row.number == session && !found->damaged;
  const bool only_shows = is_there && found->row.ended && found->row.base > found->row.chunks;
  const bool goes_on = is_there && !found->hidden && !only_shows;
  const int64_t base = goes_on ? found->row.base : 0;
  const auto is_base = [base](const SnapshotRow& row) { return row.chunk == base; };
  if (base == 0 || std::ranges::any_of(snapshots.rows, is_base)) return std::string();
  return absl::StrCat("the snapshot at chunk ", base, ", with which it begins, is not there");
}

}  // namespace

StoreScrub::StoreScrub(const Options& options, StoreDatabase& database, const LatentFiles& latents,
                       const StoredSnapshots& snapshots, Clock& clock, Report report)
    : options_(options),
      database_(database),
      latents_(latents),
      snapshots_(snapshots),
      clock_(clock),
      report_(std::move(report)) {}

int64_t StoreScrub::Turn() {
  if (options_.bytes_per_second == 0) return INT64_MAX;
  const int64_t now_nanos = clock_.MonotonicNanos();
  if (now_nanos < due_nanos_) return due_nanos_;
  absl::StatusOr<uint64_t> bytes;
  if (jobs_.empty()) {
    if (std::exchange(in_session_, false)) EndSession();
    bytes = BeginSession();
  } else {
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    bytes = job();
    if (MayPass(bytes.status())) {
      jobs_.push_front(std::move(job));
      due_nanos_ = now_nanos + kPauseNanos;
      return due_nanos_;
    }
  }
  if (!bytes.ok()) Tell(std::string(bytes.status().message()));
  stats_.bytes += bytes.value_or(0);
  const double counted = static_cast<double>(std::max(bytes.value_or(0), kTurnBytesMin));
  const double seconds = counted / static_cast<double>(options_.bytes_per_second);
  due_nanos_ = std::max(due_nanos_, now_nanos + static_cast<int64_t>(seconds * 1e9));
  return due_nanos_;
}

bool StoreScrub::MayPass(const absl::Status& status) {
  const bool may = !status.ok() && !absl::IsDataLoss(status) && ++tries_ < kTriesMax;
  if (!may) tries_ = 0;
  return may;
}

absl::StatusOr<uint64_t> StoreScrub::BeginSession() {
  if (session_.number == 0) begin_nanos_ = clock_.MonotonicNanos();
  const absl::StatusOr<std::optional<SessionTables::FoundRow>> found =
      database_.tables().Next(session_.number);
  if (MayPass(found.status())) {
    due_nanos_ = clock_.MonotonicNanos() + kPauseNanos;
    return 0;
  }
  if (!found.ok()) {
    session_ = SessionRow();
    due_nanos_ = clock_.MonotonicNanos() + options_.pass_nanos;
    report_(session_, std::string(found.status().message()));
    return 0;
  }
  const std::optional<SessionTables::FoundRow>& next = *found;
  if (!next.has_value()) {
    if (session_.number != 0) ++stats_.passes;
    session_ = SessionRow();
    report_(session_, "");
    due_nanos_ = begin_nanos_ + options_.pass_nanos;
    return 0;
  }
  session_ = next->row;
  damaged_ = false;
  if (next->damaged) {
    session_ = SessionRow{.number = session_.number};
    report_(session_, kRowIsDamaged);
    return 0;
  }
  in_session_ = true;
  jobs_.emplace_back([this] { return ReadRecords({}); });
  jobs_.emplace_back([this] { return ReadStart(0); });
  jobs_.emplace_back([this] { return ReadSnapshots(); });
  return 0;
}

void StoreScrub::EndSession() {
  if (!damaged_) report_(session_, "");
}

absl::StatusOr<uint64_t> StoreScrub::ReadRecords(ChainEnd from) {
  ChainEnd at = from;
  const int64_t end = std::min(session_.records, at.records + kRecordsPerTurn);
  LT_ASSIGN_OR_RETURN(const std::vector<RecordBytes> records,
                      database_.tables().ReadChain(session_.number, end, at));
  LT_ASSIGN_OR_RETURN(const OldChunks old, OldChunksOf(session_.number));
  uint64_t bytes = 0;
  for (size_t i = 0; i < records.size(); ++i) {
    bytes += records[i].body.size();
    AddLatents(records[i], from.records + static_cast<int64_t>(i), old);
  }
  if (at.records < session_.records) {
    jobs_.emplace_back([this, at] { return ReadRecords(at); });
  } else if (at.link != session_.link) {
    return absl::DataLossError(absl::StrCat("record ", at.records - 1, " is not the last one"));
  }
  return bytes;
}

void StoreScrub::AddLatents(const RecordBytes& bytes, int64_t number, const OldChunks& old) {
  const absl::StatusOr<Record> record = DecodeRecord(bytes.kind, bytes.body);
  if (!record.ok()) return Tell(std::string(record.status().message()));
  const auto* started = std::get_if<TakeStarted>(&*record);
  const auto* settled = std::get_if<ChunkSettled>(&*record);
  if (started == nullptr && settled == nullptr) return;
  const StoredLatents stored = {.session = session_.number,
                                .record = number,
                                .ref = started != nullptr ? started->latents : settled->latents};
  const int64_t chunk = settled != nullptr ? settled->chunk : INT64_MAX;
  if (old.Has(number, chunk)) return;
  jobs_.emplace_back([this, stored, chunk]() -> absl::StatusOr<uint64_t> {
    const absl::StatusOr<Latents> latents = latents_.Get(database_.tables(), stored);
    if (latents.ok()) return latents->values().size_bytes();
    // They may have gone since a pass came to their record.
    LT_ASSIGN_OR_RETURN(const OldChunks now, OldChunksOf(stored.session));
    if (now.Has(stored.record, chunk)) return 0;
    return latents.status();
  });
}

absl::StatusOr<StoreScrub::OldChunks> StoreScrub::OldChunksOf(int64_t session) {
  OldChunks old;
  LT_ASSIGN_OR_RETURN(const auto found, database_.tables().Next(session - 1));
  if (!found.has_value() || found->row.number != session || found->damaged) return old;
  old.end = found->hidden ? INT64_MAX : found->row.first_kept;
  LT_ASSIGN_OR_RETURN(old.needs, database_.old_latents().NeedsOf(session));
  return old;
}

absl::StatusOr<uint64_t> StoreScrub::ReadStart(int64_t first_byte) {
  LT_ASSIGN_OR_RETURN(const std::vector<std::byte> part,
                      database_.starts().Read(session_.number, first_byte));
  const int64_t end = first_byte + std::ssize(part);
  if (!part.empty()) jobs_.emplace_back([this, end] { return ReadStart(end); });
  return part.size();
}

absl::StatusOr<uint64_t> StoreScrub::ReadSnapshots() {
  LT_ASSIGN_OR_RETURN(const SnapshotTable::Found found,
                      database_.snapshots().Read(session_.number));
  for (const int64_t chunk : found.damaged) {
    Tell(absl::StrCat("the row of its snapshot at chunk ", chunk, " is damaged"));
  }
  LT_ASSIGN_OR_RETURN(const std::string missing,
                      MissingBase(database_.tables(), session_.number, found));
  if (!missing.empty()) Tell(missing);
  std::map<std::pair<std::string, uint64_t>, BulkPlace> places;
  const auto add = [&places](const BulkPlace& place) {
    if (place.extent.bytes != 0) places[{place.file, place.extent.offset}] = place;
  };
  uint64_t bytes = 0;
  for (const SnapshotRow& row : found.rows) {
    bytes += row.body.size();
    LT_ASSIGN_OR_RETURN(const SnapshotPlaces named, DecodePlaces(row.body));
    add(named.latents);
    for (const auto& [name, place] : named.kv) add(place);
  }
  for (const auto& [where, place] : places) {
    jobs_.emplace_back(
        [this, read = place] { return ReadPlace(read, std::make_shared<PlaceReader>()); });
  }
  return bytes;
}

// A reader that failed has no further piece: it is opened again.
absl::StatusOr<uint64_t> StoreScrub::ReadPlace(const BulkPlace& place,
                                               const std::shared_ptr<PlaceReader>& reader) {
  const auto read = [&]() -> absl::StatusOr<uint64_t> {
    if (*reader == nullptr) {
      LT_ASSIGN_OR_RETURN(*reader, snapshots_.OpenBytes(place));
      return 0;
    }
    const auto piece = (*reader)->Next();
    if (piece.ok()) return piece->size();
    *reader = nullptr;
    return piece.status();
  };
  const absl::StatusOr<uint64_t> bytes = read();
  if (bytes.ok() && (*reader)->next_bytes() > 0) {
    jobs_.emplace_front([this, place, reader] { return ReadPlace(place, reader); });
  }
  if (bytes.ok()) return bytes;
  LT_ASSIGN_OR_RETURN(const bool is_named, database_.snapshots().IsNamed(place.file));
  return is_named ? bytes : 0;  // its snapshot went meanwhile
}

// Unless the session went meanwhile, and what was read with it.
void StoreScrub::Tell(const std::string& damage) {
  const auto found = database_.tables().Next(session_.number - 1);
  if (found.ok() && (!found->has_value() || (*found)->row.number != session_.number)) return;
  damaged_ = true;
  report_(session_, damage);
}

}  // namespace longtake
