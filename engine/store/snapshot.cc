// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/store/snapshot.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "engine/store/spec_codec.h"
#include "longtake/store/v1/records.pb.h"

namespace longtake {
namespace {

namespace pb = store::v1;

static_assert(std::endian::native == std::endian::little, "latents are written as they lie");

constexpr int64_t kBranchesMax = 2;

absl::Status Bad(const std::string& problem) {
  return absl::DataLossError(absl::StrCat("snapshot: ", problem));
}

void Put(const BulkPlace& place, pb::Extent* out) {
  out->set_file(place.file);
  out->set_offset(place.extent.offset);
  out->set_bytes(place.extent.bytes);
  out->set_table_crc(place.extent.table_crc);
  out->set_hash_high(place.extent.hash.high);
  out->set_hash_low(place.extent.hash.low);
}

BulkPlace Get(const pb::Extent& in) {
  return {.file = in.file(),
          .extent = {.offset = in.offset(),
                     .bytes = in.bytes(),
                     .table_crc = in.table_crc(),
                     .hash = {.high = in.hash_high(), .low = in.hash_low()}}};
}

void Put(const std::deque<Latents>& some, google::protobuf::RepeatedField<int64_t>* out) {
  for (const Latents& latents : some) out->Add(latents.frames());
}

void PutLatentSizes(const RolloutState& rollout, pb::Snapshot* out) {
  const std::vector<const Latents*> all = AllLatents(rollout);
  if (!all.empty()) {
    out->set_channels(all[0]->channels());
    out->set_height(all[0]->grid().height);
    out->set_width(all[0]->grid().width);
  }
  Put(rollout.unwritten, out->mutable_unwritten());
  Put(rollout.start, out->mutable_start());
  Put(rollout.recent, out->mutable_recent());
  for (const ChunkInWork& chunk : rollout.in_work) {
    out->add_in_work_frames(chunk.x.frames());
    pb::ChunkInWork& to = *out->add_in_work();
    to.set_index(chunk.index);
    to.set_step(chunk.step);
  }
}

void Put(const std::vector<int32_t>& ids, pb::Prompt* out) {
  out->mutable_ids()->Add(ids.begin(), ids.end());
}

absl::StatusOr<pb::Snapshot> Parse(std::string_view body) {
  pb::Snapshot message;
  if (message.ParseFromArray(body.data(), static_cast<int>(body.size()))) return message;
  return Bad("no message");
}

// Takes latents off the front of bytes.
class LatentReader {
 public:
  LatentReader(const pb::Snapshot& message, std::span<const std::byte> bytes)
      : message_(message), bytes_(bytes) {}

  absl::StatusOr<Latents> Next(int64_t frames) {
    const LatentGrid grid = {
        .frames = frames, .height = message_.height(), .width = message_.width()};
    for (const int64_t size : {message_.channels(), frames, grid.height, grid.width}) {
      if (size < 1 || size > kLatentSideMax) return Bad(absl::StrCat("latents of size ", size));
    }
    // Sides are small enough for the product.
    const auto count = static_cast<uint64_t>(message_.channels() * grid.volume());
    if (count > bytes_.size() / sizeof(float)) return Bad("fewer latents than it says");
    std::vector<float> values(count);
    std::memcpy(values.data(), bytes_.data(), count * sizeof(float));
    bytes_ = bytes_.subspan(count * sizeof(float));
    return Latents(message_.channels(), grid, std::move(values));
  }
  absl::Status Next(const google::protobuf::RepeatedField<int64_t>& frames,
                    std::deque<Latents>* out) {
    for (const int64_t count : frames) {
      LT_ASSIGN_OR_RETURN(out->emplace_back(), Next(count));
    }
    return absl::OkStatus();
  }
  bool done() const { return bytes_.empty(); }

 private:
  const pb::Snapshot& message_;
  std::span<const std::byte> bytes_;
};

absl::Status GetLatents(const pb::Snapshot& in, std::span<const std::byte> bytes,
                        RolloutState* out) {
  LatentReader reader(in, bytes);
  LT_RETURN_IF_ERROR(reader.Next(in.unwritten(), &out->unwritten));
  LT_RETURN_IF_ERROR(reader.Next(in.start(), &out->start));
  LT_RETURN_IF_ERROR(reader.Next(in.recent(), &out->recent));
  if (in.in_work_frames_size() != in.in_work_size()) return Bad("chunks in work without latents");
  for (int i = 0; i < in.in_work_size(); ++i) {
    LT_ASSIGN_OR_RETURN(Latents x, reader.Next(in.in_work_frames(i)));
    out->in_work.push_back(
        {.index = in.in_work(i).index(), .step = in.in_work(i).step(), .x = std::move(x)});
  }
  return reader.done() ? absl::OkStatus() : Bad("more latents than it says");
}

}  // namespace

bool LiesOnTheWayOf(const StoredSession& session, const SnapshotPoint& point) {
  const int64_t applied = std::ssize(session.applied);
  if (point.chunk < 1 || point.chunk > std::ssize(session.settled)) return false;
  if (point.events < 0 || point.events > applied) return false;
  const auto at = [&](int64_t index) -> const StoredEvent& {
    return session.events[session.applied[static_cast<size_t>(index)]];
  };
  // Numbers of events are not used again, so the last one stands for all before it.
  if (point.events > 0 && at(point.events - 1).accepted.sequence != point.last_event) return false;
  // Of a life whose last records were dropped, they may hold from another chunk on now.
  for (int64_t i = 0; i < applied; ++i) {
    const bool held = i < point.events;
    if (held ? at(i).applied_chunk > point.chunk : at(i).applied_chunk < point.chunk) return false;
  }
  return session.settled[static_cast<size_t>(point.chunk - 1)].ref.hash == point.before;
}

std::set<std::string> SnapshotPlaces::Files() const {
  std::set<std::string> files;
  if (latents.extent.bytes != 0) files.insert(latents.file);
  for (const auto& [name, place] : kv) files.insert(place.file);
  return files;
}

std::vector<const Latents*> AllLatents(const RolloutState& rollout) {
  std::vector<const Latents*> all;
  for (const auto* some : {&rollout.unwritten, &rollout.start, &rollout.recent}) {
    for (const Latents& latents : *some) all.push_back(&latents);
  }
  for (const ChunkInWork& chunk : rollout.in_work) all.push_back(&chunk.x);
  return all;
}

uint64_t LatentBytesOf(const RolloutState& rollout) {
  uint64_t bytes = 0;
  for (const Latents* latents : AllLatents(rollout)) bytes += latents->values().size_bytes();
  return bytes;
}

std::string EncodeSnapshot(const Snapshot& snapshot, const SnapshotPlaces& places) {
  const RolloutState& rollout = snapshot.rollout;
  pb::Snapshot out;
  out.set_chunk(snapshot.point.chunk);
  out.set_events(snapshot.point.events);
  out.set_last_event(snapshot.point.last_event);
  out.set_changes(snapshot.point.changes);
  out.set_hash_high(snapshot.point.before.high);
  out.set_hash_low(snapshot.point.before.low);
  Put(places.latents, out.mutable_latents());
  PutLatentSizes(rollout, &out);
  out.set_has_start(rollout.has_start);
  out.set_old_text(rollout.old_text);
  out.set_recache(rollout.recache);
  out.set_sink_start(rollout.sink_start);
  for (const std::vector<int32_t>& ids : snapshot.prompts.branches) Put(ids, out.add_prompts());
  Put(snapshot.prompts.old, out.mutable_old_prompt());
  for (const auto& [name, place] : places.kv) {
    pb::KvFrame& frame = *out.add_kv();
    frame.set_branch(static_cast<int64_t>(name.first));
    frame.set_frame(name.second);
    Put(place, frame.mutable_extent());
  }
  return out.SerializeAsString();
}

absl::StatusOr<SnapshotPlaces> DecodePlaces(std::string_view body) {
  LT_ASSIGN_OR_RETURN(const pb::Snapshot in, Parse(body));
  SnapshotPlaces places = {.latents = Get(in.latents())};
  for (const pb::KvFrame& frame : in.kv()) {
    if (frame.branch() < 0 || frame.branch() >= kBranchesMax) return Bad("K/V of no branch");
    places.kv[{static_cast<size_t>(frame.branch()), frame.frame()}] = Get(frame.extent());
  }
  return places;
}

absl::StatusOr<SnapshotPoint> DecodePoint(std::string_view body) {
  LT_ASSIGN_OR_RETURN(const pb::Snapshot in, Parse(body));
  return SnapshotPoint{.chunk = in.chunk(),
                       .events = in.events(),
                       .last_event = in.last_event(),
                       .changes = in.changes(),
                       .before = {.high = in.hash_high(), .low = in.hash_low()}};
}

absl::StatusOr<Snapshot> DecodeSnapshot(std::string_view body, std::span<const std::byte> latents) {
  LT_ASSIGN_OR_RETURN(const pb::Snapshot in, Parse(body));
  Snapshot out;
  LT_ASSIGN_OR_RETURN(out.point, DecodePoint(body));
  LT_ASSIGN_OR_RETURN(const SnapshotPlaces places, DecodePlaces(body));
  RolloutState& rollout = out.rollout;
  rollout.chunk = in.chunk();
  rollout.has_start = in.has_start();
  rollout.old_text = in.old_text();
  rollout.recache = in.recache();
  rollout.sink_start = in.sink_start();
  rollout.frames.resize(static_cast<size_t>(in.prompts_size()));
  for (const auto& [name, place] : places.kv) {
    if (name.first >= rollout.frames.size()) return Bad("K/V of a branch without a prompt");
    rollout.frames[name.first].insert(name.second);
  }
  LT_RETURN_IF_ERROR(GetLatents(in, latents, &rollout));
  for (const pb::Prompt& prompt : in.prompts()) {
    out.prompts.branches.emplace_back(prompt.ids().begin(), prompt.ids().end());
  }
  out.prompts.old.assign(in.old_prompt().ids().begin(), in.old_prompt().ids().end());
  return out;
}

}  // namespace longtake
