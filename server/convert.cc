// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/convert.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"
#include "engine/session/session_id.h"
#include "server/limits.h"

namespace longtake {
namespace {

absl::Status CheckText(const std::string& field, const std::string& text) {
  if (text.size() <= kPromptBytesMax) return absl::OkStatus();
  return FieldError(field, absl::StrCat(text.size(), " bytes; the limit is ", kPromptBytesMax));
}

// Not negative and below 292 years, so that it fits nanoseconds.
absl::StatusOr<int64_t> ParseNanos(const std::string& field,
                                   const google::protobuf::Duration& duration) {
  constexpr int64_t kBillion = 1'000'000'000;
  if (duration.seconds() < 0 || duration.nanos() < 0) return FieldError(field, "is negative");
  if (duration.nanos() >= kBillion) return FieldError(field, "nanos must be below 1000000000");
  if (duration.seconds() >= std::numeric_limits<int64_t>::max() / kBillion) {
    return FieldError(field, "is too long");
  }
  return duration.seconds() * kBillion + duration.nanos();
}

// Of times in the spec.
absl::StatusOr<int64_t> ParseFps(const v1::SessionSpec& spec, int64_t default_fps) {
  const int64_t fps = spec.fps() == 0 ? default_fps : spec.fps();
  if (fps >= 1 && fps <= kFpsMax) return fps;
  return FieldError("fps", absl::StrCat(fps, " is outside [1, ", kFpsMax, "]"));
}

absl::StatusOr<int64_t> ParseFrameCount(const v1::SessionSpec& spec, int64_t default_fps) {
  switch (spec.length_case()) {
    case v1::SessionSpec::LENGTH_NOT_SET:
      return 0;
    case v1::SessionSpec::kFrameCount:
      if (spec.frame_count() < 1 || spec.frame_count() > kFrameCountMax) {
        return FieldError("frame_count", absl::StrCat(spec.frame_count(), " is outside [1, ",
                                                      kFrameCountMax, "]"));
      }
      return spec.frame_count();
    case v1::SessionSpec::kDuration:
      break;
  }
  LT_ASSIGN_OR_RETURN(const int64_t nanos, ParseNanos("duration", spec.duration()));
  LT_ASSIGN_OR_RETURN(const int64_t fps, ParseFps(spec, default_fps));
  const double frames = std::round(static_cast<double>(nanos) * 1e-9 * static_cast<double>(fps));
  if (!(frames >= 1.0 && frames <= static_cast<double>(kFrameCountMax))) {
    return FieldError("duration",
                      absl::StrCat("is ", frames, " frames, outside [1, ", kFrameCountMax, "]"));
  }
  return static_cast<int64_t>(frames);
}

// The first frame at or after a time. What a duration of whole frames loses in nanoseconds is no
// frame.
absl::StatusOr<int64_t> ParseFrameAt(const std::string& field,
                                     const google::protobuf::Duration& time, int64_t fps) {
  LT_ASSIGN_OR_RETURN(const int64_t nanos, ParseNanos(field, time));
  const double frames =
      std::ceil(static_cast<double>(nanos) * 1e-9 * static_cast<double>(fps) - 1e-6);
  if (!(frames <= static_cast<double>(kFrameCountMax))) {
    return FieldError(field, absl::StrCat("is ", frames, " frames; the limit is ", kFrameCountMax));
  }
  return static_cast<int64_t>(std::max(0.0, frames));
}

absl::StatusOr<std::vector<PromptChange>> ParsePromptChanges(const v1::SessionSpec& spec,
                                                             int64_t default_fps) {
  std::vector<PromptChange> changes;
  if (static_cast<size_t>(spec.prompt_changes_size()) > kPromptChangesMax) {
    return FieldError("prompt_changes", absl::StrCat(spec.prompt_changes_size(),
                                                     " entries; the limit is ", kPromptChangesMax));
  }
  for (const v1::PromptChange& change : spec.prompt_changes()) {
    const std::string field = absl::StrCat("prompt_changes[", changes.size(), "]");
    LT_RETURN_IF_ERROR(CheckText(field + ".prompt", change.prompt()));
    int64_t frame = change.frame();
    if (change.has_time()) {
      LT_ASSIGN_OR_RETURN(const int64_t fps, ParseFps(spec, default_fps));
      LT_ASSIGN_OR_RETURN(frame, ParseFrameAt(field + ".time", change.time(), fps));
    } else if (!change.has_frame()) {
      return FieldError(field + ".start", "is not set");
    }
    changes.push_back({.frame = frame, .prompt = change.prompt()});
  }
  return changes;
}

absl::StatusOr<KeyPlanSpec> ParseKeyPlan(const v1::KeyPlan& plan) {
  KeyPlanSpec out;
  switch (plan.kind()) {
    case v1::KeyPlan::KIND_GLOBAL:
      out.kind = KeyPlanKind::kGlobal;
      break;
    case v1::KeyPlan::KIND_WINDOW:
      out.kind = KeyPlanKind::kWindow;
      break;
    case v1::KeyPlan::KIND_SLOT_WINDOW:
      out.kind = KeyPlanKind::kSlotWindow;
      break;
    case v1::KeyPlan::KIND_ROLLING_SINK:
      out.kind = KeyPlanKind::kRollingSink;
      break;
    default:
      return FieldError("key_plan.kind", absl::StrCat("unknown value ", int{plan.kind()}));
  }
  out.window_frames = plan.window_frames();
  out.sink_frames = plan.sink_frames();
  return out;
}

absl::StatusOr<std::optional<PromptSwitch>> ParsePromptSwitch(v1::PromptSwitch prompt_switch) {
  switch (prompt_switch) {
    case v1::PROMPT_SWITCH_UNSPECIFIED:
      return std::optional<PromptSwitch>();
    case v1::PROMPT_SWITCH_SWAP:
      return PromptSwitch::kSwap;
    case v1::PROMPT_SWITCH_RECACHE:
      return PromptSwitch::kRecache;
    case v1::PROMPT_SWITCH_RECACHE_AND_SINK:
      return PromptSwitch::kRecacheAndSink;
    default:
      return FieldError("prompt_switch", absl::StrCat("unknown value ", int{prompt_switch}));
  }
}

absl::StatusOr<std::optional<DecoderKind>> ParseDecoder(v1::DecoderKind kind) {
  switch (kind) {
    case v1::DECODER_KIND_UNSPECIFIED:
      return std::optional<DecoderKind>();
    case v1::DECODER_KIND_FULL:
      return DecoderKind::kFull;
    case v1::DECODER_KIND_TINY:
      return DecoderKind::kTiny;
    default:
      return FieldError("decoder", absl::StrCat("unknown value ", int{kind}));
  }
}

absl::StatusOr<MediaKind> ToMediaKind(v1::MediaKind kind) {
  switch (kind) {
    case v1::MEDIA_KIND_UNSPECIFIED:
    case v1::MEDIA_KIND_FMP4:
      return MediaKind::kFmp4;
    case v1::MEDIA_KIND_RGB24:
      return MediaKind::kRgb24;
    default:
      return FieldError("media_kind", absl::StrCat("unknown value ", int{kind}));
  }
}

absl::StatusOr<int64_t> ParseTtl(const v1::SessionSpec& spec, const SpecDefaults& defaults) {
  if (!spec.has_ttl()) return defaults.ttl_nanos;
  LT_ASSIGN_OR_RETURN(const int64_t nanos, ParseNanos("ttl", spec.ttl()));
  if (nanos > defaults.ttl_nanos_max) {
    return FieldError("ttl", absl::StrCat(spec.ttl().seconds(), " s is more than this server's ",
                                          defaults.ttl_nanos_max / 1'000'000'000, " s"));
  }
  return nanos;
}

}  // namespace

absl::StatusOr<SessionSpec> ParseSessionSpec(const v1::SessionSpec& spec,
                                             const SpecDefaults& defaults) {
  SessionSpec out;
  if (!spec.model().empty())
    LT_RETURN_IF_ERROR(CheckModelName("model", spec.model(), defaults.model));
  LT_RETURN_IF_ERROR(CheckText("prompt", spec.prompt()));
  LT_RETURN_IF_ERROR(CheckText("negative_prompt", spec.negative_prompt()));
  if (spec.steps_size() > kStepsCountMax) {
    return FieldError("steps",
                      absl::StrCat(spec.steps_size(), " entries; the limit is ", kStepsCountMax));
  }
  LT_ASSIGN_OR_RETURN(out.prompt_changes, ParsePromptChanges(spec, defaults.fps));
  out.prompt = spec.prompt();
  out.negative_prompt = spec.negative_prompt();
  if (spec.has_guidance()) out.guidance = spec.guidance();
  out.seed = spec.seed();
  out.width = spec.width();
  out.height = spec.height();
  out.fps = spec.fps();
  LT_ASSIGN_OR_RETURN(out.frame_count, ParseFrameCount(spec, defaults.fps));
  out.steps.assign(spec.steps().begin(), spec.steps().end());
  out.step_count = spec.step_count();
  if (spec.has_tiled_decode()) out.tiled_decode = spec.tiled_decode();
  out.start_frames = spec.start_frame_count();
  out.numerics_profile = spec.numerics_profile();
  out.allow_other_numerics = spec.allow_other_numerics();
  LT_ASSIGN_OR_RETURN(out.decoder, ParseDecoder(spec.decoder()));
  LT_ASSIGN_OR_RETURN(out.prompt_switch, ParsePromptSwitch(spec.prompt_switch()));
  if (spec.has_key_plan()) {
    LT_ASSIGN_OR_RETURN(out.key_plan, ParseKeyPlan(spec.key_plan()));
  }
  LT_ASSIGN_OR_RETURN(out.media_kind, ToMediaKind(spec.media_kind()));
  LT_ASSIGN_OR_RETURN(out.ttl_nanos, ParseTtl(spec, defaults));
  return out;
}

absl::StatusOr<std::string> ParseNewSessionId(const std::string& id) {
  if (IsSessionId(id)) return id;
  return FieldError("session_id",
                    absl::StrCat("must be at most ", kSessionIdBytesMax, " of [a-z0-9-]"));
}

absl::StatusOr<std::string> ParseSessionName(const std::string& name) {
  const std::string prefix = "sessions/";
  if (name.starts_with(prefix) && name.size() > prefix.size()) {
    std::string id = name.substr(prefix.size());
    if (IsSessionId(id)) return id;
  }
  return FieldError("name", absl::StrCat("must be sessions/ID with an ID of at most ",
                                         kSessionIdBytesMax, " of [a-z0-9-]"));
}

absl::Status CheckModelName(const std::string& field, const std::string& name,
                            const std::string& model) {
  if (!name.starts_with("models/")) return FieldError(field, "must be models/NAME");
  if (name == absl::StrCat("models/", model)) return absl::OkStatus();
  return Error(Reason::kModelNotFound,
               absl::StrCat("this server does not run the model; it runs models/", model));
}

absl::StatusOr<int64_t> ParseNextChunk(const v1::Attach& attach) {
  if (!attach.has_next_chunk()) return -1;
  if (attach.next_chunk() < 0) return FieldError("next_chunk", "is negative");
  return attach.next_chunk();
}

absl::StatusOr<std::optional<Told>> ParseTold(const v1::Attach& attach) {
  if (attach.epoch() < 0) return FieldError("epoch", "is negative");
  if (!attach.has_durable_through()) {
    if (attach.epoch() == 0) return std::nullopt;
    return FieldError("epoch", "is given without durable_through, which is of that epoch");
  }
  if (attach.durable_through() < 0) return FieldError("durable_through", "is negative");
  return Told{.durable_through = attach.durable_through(), .epoch = attach.epoch()};
}

absl::StatusOr<SessionEvent> ParseControl(const v1::Control& control) {
  SessionEvent event = {.control_id = control.id()};
  if (control.has_frame()) event.frame = control.frame();
  switch (control.action_case()) {
    case v1::Control::kPrompt:
      LT_RETURN_IF_ERROR(CheckText("prompt", control.prompt()));
      event.prompt = control.prompt();
      return event;
    case v1::Control::kPause:
      event.kind = EventKind::kPause;
      return event;
    case v1::Control::kResume:
      event.kind = EventKind::kResume;
      return event;
    case v1::Control::kEnd:
      event.kind = EventKind::kEnd;
      return event;
    case v1::Control::ACTION_NOT_SET:
      break;
  }
  return FieldError("action", "is not set");
}

absl::StatusOr<Page> ParsePage(int32_t page_size, const std::string& page_token) {
  if (page_size < 0) return FieldError("page_size", "is negative");
  Page page;
  page.size = static_cast<size_t>(page_size == 0 ? kPageSizeDefault
                                                 : std::min<int64_t>(page_size, kPageSizeMax));
  if (page_token.empty()) return page;
  const absl::Status bad = FieldError("page_token", "was not given out by this server");
  const size_t dot = page_token.find('.');
  if (page_token.size() > kPageTokenBytesMax || dot == std::string::npos) return bad;
  const char* end = page_token.data() + dot;
  const auto [stop, error] = std::from_chars(page_token.data(), end, page.start.create_wall_nanos);
  page.start.id = page_token.substr(dot + 1);
  if (error != std::errc() || stop != end || page.start.create_wall_nanos < 0 ||
      !IsSessionId(page.start.id)) {
    return bad;
  }
  return page;
}

std::string PageToken(const PageStart& start) {
  return absl::StrCat(start.create_wall_nanos, ".", start.id);
}

absl::StatusOr<ForkRequest> ParseFork(const v1::ForkSessionRequest& request) {
  ForkRequest fork = {.id = {}, .chunk = request.chunk(), .ended = request.ended()};
  LT_ASSIGN_OR_RETURN(fork.id, ParseNewSessionId(request.session_id()));
  if (request.media_kind() != v1::MEDIA_KIND_UNSPECIFIED) {
    LT_ASSIGN_OR_RETURN(fork.media_kind, ToMediaKind(request.media_kind()));
  }
  return fork;
}

}  // namespace longtake
