// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/store/record.h"

#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/store/spec_codec.h"
#include "longtake/store/v1/records.pb.h"

namespace longtake {
namespace {

namespace pb = store::v1;

// Of a session: years of video.
constexpr int64_t kChunksMax = int64_t{1} << 27;

// Numbers on disk: they never change.
enum Kind : int64_t {
  kCreated = 1,
  kEvent = 2,
  kApplied = 3,
  kStarted = 4,
  kSettled = 5,
  kDecoded = 6,
  kEnded = 7,
  kForked = 8,
  kRewound = 9,
  kNumericsChanged = 10,
  kHistoryBegun = 11,
  kHistoryForgotten = 12,
};

absl::Status Bad(const std::string& problem) {
  return absl::DataLossError(absl::StrCat("record: ", problem));
}

template <typename Message>
RecordBytes Bytes(Kind kind, const Message& message) {
  return {.kind = kind, .body = message.SerializeAsString()};
}

void Put(const LatentsRef& ref, pb::LatentsRef* out) {
  out->set_channels(ref.channels);
  out->set_frames(ref.grid.frames);
  out->set_height(ref.grid.height);
  out->set_width(ref.grid.width);
  out->set_hash_high(ref.hash.high);
  out->set_hash_low(ref.hash.low);
}

absl::StatusOr<LatentsRef> Get(const pb::LatentsRef& in) {
  const LatentsRef ref = {
      .channels = in.channels(),
      .grid = {.frames = in.frames(), .height = in.height(), .width = in.width()},
      .hash = {.high = in.hash_high(), .low = in.hash_low()}};
  // Whoever reads them allocates by these sizes.
  for (const int64_t size : {ref.channels, ref.grid.frames, ref.grid.height, ref.grid.width}) {
    if (size < 1 || size > kLatentSideMax) return Bad(absl::StrCat("latents of size ", size));
  }
  return ref;
}

RecordBytes Encode(const SessionCreated& created) {
  pb::Created out;
  EncodeSpec(created.spec, out.mutable_spec());
  out.set_model_digest(created.model_digest);
  out.set_numerics_profile(created.numerics_profile);
  out.set_create_wall_nanos(created.create_wall_nanos);
  out.set_decoder_digest(created.decoder_digest);
  return Bytes(kCreated, out);
}

RecordBytes Encode(const AcceptedEvent& event) {
  pb::Event out;
  out.set_sequence(event.sequence);
  out.set_kind(static_cast<int32_t>(event.event.kind));
  out.set_prompt(event.event.prompt);
  if (event.event.frame.has_value()) out.set_frame(*event.event.frame);
  out.set_control_id(event.event.control_id);
  return Bytes(kEvent, out);
}

RecordBytes Encode(const EventHolds& applied) {
  pb::Applied out;
  out.set_sequence(applied.sequence);
  out.set_chunk(applied.chunk);
  out.set_shown(applied.shown);
  return Bytes(kApplied, out);
}

RecordBytes Encode(const TakeStarted& started) {
  pb::Started out;
  Put(started.latents, out.mutable_latents());
  return Bytes(kStarted, out);
}

RecordBytes Encode(const ChunkSettled& settled) {
  pb::Settled out;
  out.set_chunk(settled.chunk);
  Put(settled.latents, out.mutable_latents());
  return Bytes(kSettled, out);
}

void Put(const ChunkDecoded& decoded, pb::Decoded* out) {
  out->set_chunk(decoded.chunk);
  out->set_end_frame(decoded.end_frame);
  out->set_digest_high(decoded.digest.high);
  out->set_digest_low(decoded.digest.low);
  out->set_chain_high(decoded.chain.high);
  out->set_chain_low(decoded.chain.low);
  out->set_sent(decoded.sent);
}

RecordBytes Encode(const ChunkDecoded& decoded) {
  pb::Decoded out;
  Put(decoded, &out);
  return Bytes(kDecoded, out);
}

RecordBytes Encode(const SessionEnded&) { return Bytes(kEnded, pb::Ended()); }

RecordBytes Encode(const SessionForked& forked) {
  pb::Forked out;
  out.set_parent(forked.parent);
  out.set_records(forked.records);
  out.set_link_high(forked.link.high);
  out.set_link_low(forked.link.low);
  out.set_chunk(forked.chunk);
  return Bytes(kForked, out);
}

RecordBytes Encode(const SessionRewound& rewound) {
  pb::Rewound out;
  out.set_chunk(rewound.chunk);
  out.set_epoch(rewound.epoch);
  return Bytes(kRewound, out);
}

RecordBytes Encode(const NumericsChanged& changed) {
  pb::NumericsChanged out;
  out.set_numerics_profile(changed.numerics_profile);
  out.set_chunk(changed.chunk);
  out.set_first_frame(changed.first_frame);
  return Bytes(kNumericsChanged, out);
}

RecordBytes Encode(const HistoryBegun& begun) {
  pb::HistoryBegun out;
  out.set_base(begun.base);
  out.set_first(begun.first);
  if (begun.before.has_value()) Put(*begun.before, out.mutable_before());
  return Bytes(kHistoryBegun, out);
}

RecordBytes Encode(const HistoryForgotten& forgotten) {
  pb::HistoryForgotten out;
  out.set_base(forgotten.base);
  out.set_first(forgotten.first);
  return Bytes(kHistoryForgotten, out);
}

absl::StatusOr<Record> Decode(const pb::Created& in) {
  SessionCreated created = {.spec = {},
                            .model_digest = in.model_digest(),
                            .numerics_profile = in.numerics_profile(),
                            .create_wall_nanos = in.create_wall_nanos(),
                            .decoder_digest = in.decoder_digest()};
  LT_ASSIGN_OR_RETURN(created.spec, DecodeSpec(in.spec()));
  return created;
}

absl::StatusOr<Record> Decode(const pb::Event& in) {
  if (in.kind() < 0 || in.kind() > static_cast<int32_t>(EventKind::kEnd)) {
    return Bad(absl::StrCat("event of kind ", in.kind()));
  }
  AcceptedEvent event = {.sequence = in.sequence(),
                         .event = {.kind = static_cast<EventKind>(in.kind()),
                                   .prompt = in.prompt(),
                                   .control_id = in.control_id()},
                         .prompt_ids = {}};
  if (in.has_frame()) event.event.frame = in.frame();
  return event;
}

absl::StatusOr<Record> Decode(const pb::Applied& in) {
  return EventHolds{.sequence = in.sequence(), .chunk = in.chunk(), .shown = in.shown()};
}

absl::StatusOr<Record> Decode(const pb::Started& in) {
  LT_ASSIGN_OR_RETURN(const LatentsRef latents, Get(in.latents()));
  return TakeStarted{.latents = latents};
}

absl::StatusOr<Record> Decode(const pb::Settled& in) {
  LT_ASSIGN_OR_RETURN(const LatentsRef latents, Get(in.latents()));
  return ChunkSettled{.chunk = in.chunk(), .latents = latents};
}

ChunkDecoded Get(const pb::Decoded& in) {
  return {.chunk = in.chunk(),
          .end_frame = in.end_frame(),
          .digest = {.high = in.digest_high(), .low = in.digest_low()},
          .chain = {.high = in.chain_high(), .low = in.chain_low()},
          .sent = in.sent()};
}

absl::StatusOr<Record> Decode(const pb::Decoded& in) { return Get(in); }

absl::StatusOr<Record> Decode(const pb::Ended&) { return SessionEnded{}; }

absl::StatusOr<Record> Decode(const pb::Forked& in) {
  return SessionForked{.parent = in.parent(),
                       .records = in.records(),
                       .link = {.high = in.link_high(), .low = in.link_low()},
                       .chunk = in.chunk()};
}

absl::StatusOr<Record> Decode(const pb::Rewound& in) {
  return SessionRewound{.chunk = in.chunk(), .epoch = in.epoch()};
}

absl::StatusOr<Record> Decode(const pb::NumericsChanged& in) {
  return NumericsChanged{.numerics_profile = in.numerics_profile(),
                         .chunk = in.chunk(),
                         .first_frame = in.first_frame()};
}

absl::StatusOr<Record> Decode(const pb::HistoryBegun& in) {
  HistoryBegun begun = {.base = in.base(), .first = in.first()};
  if (in.has_before()) begun.before = Get(in.before());
  // Places up to there are allocated.
  if (begun.first < 0 || begun.first > begun.base || begun.base > kChunksMax) {
    return Bad(absl::StrCat("history from chunk ", begun.first, " on, at ", begun.base));
  }
  return begun;
}

absl::StatusOr<Record> Decode(const pb::HistoryForgotten& in) {
  return HistoryForgotten{.base = in.base(), .first = in.first()};
}

template <typename Message>
absl::StatusOr<Record> Parse(std::string_view body) {
  Message message;
  if (!message.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return Bad(absl::StrCat("no ", message.GetTypeName()));
  }
  return Decode(message);
}

}  // namespace

LatentsRef RefOf(const Latents& latents) {
  return {.channels = latents.channels(),
          .grid = latents.grid(),
          .hash = Xxh3Hash128(std::as_bytes(latents.values()))};
}

RecordBytes EncodeRecord(const Record& record) {
  return std::visit([](const auto& value) { return Encode(value); }, record);
}

absl::StatusOr<Record> DecodeRecord(int64_t kind, std::string_view body) {
  switch (kind) {
    case kCreated:
      return Parse<pb::Created>(body);
    case kEvent:
      return Parse<pb::Event>(body);
    case kApplied:
      return Parse<pb::Applied>(body);
    case kStarted:
      return Parse<pb::Started>(body);
    case kSettled:
      return Parse<pb::Settled>(body);
    case kDecoded:
      return Parse<pb::Decoded>(body);
    case kEnded:
      return Parse<pb::Ended>(body);
    case kForked:
      return Parse<pb::Forked>(body);
    case kRewound:
      return Parse<pb::Rewound>(body);
    case kNumericsChanged:
      return Parse<pb::NumericsChanged>(body);
    case kHistoryBegun:
      return Parse<pb::HistoryBegun>(body);
    case kHistoryForgotten:
      return Parse<pb::HistoryForgotten>(body);
    default:
      return Bad(absl::StrCat("unknown kind ", kind));
  }
}

}  // namespace longtake
