// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/convert.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/error_reason.h"
#include "engine/session/resolved_spec.h"
#include "server/limits.h"
#include "server/render.h"

namespace longtake {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

SpecDefaults Defaults() {
  return {.model = "tiny", .fps = 16, .ttl_nanos = 60 * kSecond, .ttl_nanos_max = 3600 * kSecond};
}

// The field that is wrong, which the message begins with.
template <typename T>
std::string FieldOf(const absl::StatusOr<T>& result) {
  const std::string field = longtake::FieldOf(result.status()).value_or(result.status().ToString());
  EXPECT_EQ(std::string(result.status().message()).rfind(field + ": ", 0), 0u) << result.status();
  return field;
}

TEST(Convert, EmptySpecTakesDefaults) {
  const auto spec = ParseSessionSpec({}, Defaults());
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->ttl_nanos, 60 * kSecond);
  EXPECT_EQ(spec->frame_count, 0);
  EXPECT_EQ(spec->media_kind, MediaKind::kFmp4);
  EXPECT_FALSE(spec->guidance.has_value());
  EXPECT_FALSE(spec->key_plan.has_value());
}

TEST(Convert, EveryFieldArrives) {
  v1::SessionSpec in;
  in.set_model("models/tiny");
  in.set_prompt("p");
  in.set_negative_prompt("n");
  in.set_guidance(0.0);
  in.set_seed(std::numeric_limits<uint64_t>::max());
  in.set_width(64);
  in.set_height(48);
  in.set_fps(8);
  in.add_prompt_changes()->set_frame(3);
  v1::PromptChange& later = *in.add_prompt_changes();
  later.mutable_time()->set_seconds(1);
  later.mutable_time()->set_nanos(600'000'000);  // 12.8 frames
  later.set_prompt("later");
  in.mutable_duration()->set_seconds(2);
  in.mutable_duration()->set_nanos(500'000'000);
  in.add_steps(1000);
  in.add_steps(500);
  in.set_step_count(20);
  in.set_tiled_decode(true);
  in.set_numerics_profile("cpu-other");
  in.set_allow_other_numerics(true);
  in.set_start_frame_count(21);
  in.set_decoder(v1::DECODER_KIND_TINY);
  in.set_prompt_switch(v1::PROMPT_SWITCH_RECACHE_AND_SINK);
  in.mutable_key_plan()->set_kind(v1::KeyPlan::KIND_ROLLING_SINK);
  in.mutable_key_plan()->set_window_frames(12);
  in.mutable_key_plan()->set_sink_frames(3);
  in.set_media_kind(v1::MEDIA_KIND_RGB24);
  in.mutable_ttl();  // zero: ends with its client
  const auto spec = ParseSessionSpec(in, Defaults());
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->prompt, "p");
  EXPECT_EQ(spec->negative_prompt, "n");
  EXPECT_EQ(spec->guidance, 0.0);
  EXPECT_EQ(spec->seed, std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(spec->width, 64);
  EXPECT_EQ(spec->height, 48);
  EXPECT_EQ(spec->fps, 8);
  ASSERT_EQ(spec->prompt_changes.size(), 2u);
  EXPECT_EQ(spec->prompt_changes[0].frame, 3);
  EXPECT_EQ(spec->prompt_changes[1], (PromptChange{.frame = 13, .prompt = "later"}));
  EXPECT_EQ(spec->frame_count, 20);
  EXPECT_EQ(spec->steps, (std::vector<double>{1000, 500}));
  EXPECT_EQ(spec->step_count, 20);
  EXPECT_EQ(spec->tiled_decode, true);
  EXPECT_EQ(spec->numerics_profile, "cpu-other");
  EXPECT_TRUE(spec->allow_other_numerics);
  EXPECT_EQ(spec->start_frames, 21);
  EXPECT_EQ(spec->decoder, DecoderKind::kTiny);
  EXPECT_EQ(spec->prompt_switch, PromptSwitch::kRecacheAndSink);
  EXPECT_EQ(spec->key_plan->kind, KeyPlanKind::kRollingSink);
  EXPECT_EQ(spec->key_plan->window_frames, 12);
  EXPECT_EQ(spec->key_plan->sink_frames, 3);
  EXPECT_EQ(spec->media_kind, MediaKind::kRgb24);
  EXPECT_EQ(spec->ttl_nanos, 0);
  // And back, with the model's name filled in.
  v1::Session out;
  SessionInfo info;
  info.id = "abc";
  info.spec = *spec;
  RenderSession(info, {"tiny", "digest", "profile"}, &out);
  EXPECT_EQ(out.name(), "sessions/abc");
  EXPECT_EQ(out.spec().model(), "models/tiny");
  EXPECT_EQ(out.spec().frame_count(), 20);
  EXPECT_EQ(out.spec().media_kind(), v1::MEDIA_KIND_RGB24);
  EXPECT_EQ(out.spec().step_count(), 20);
  EXPECT_TRUE(out.spec().tiled_decode());
  EXPECT_EQ(out.spec().prompt_switch(), v1::PROMPT_SWITCH_RECACHE_AND_SINK);
  EXPECT_EQ(out.spec().key_plan().kind(), v1::KeyPlan::KIND_ROLLING_SINK);
  EXPECT_TRUE(out.spec().has_ttl());
}

// A spec for each value that the API has for a kind.
std::vector<v1::SessionSpec> SpecsOfEveryKind() {
  std::vector<v1::SessionSpec> out;
  const auto add = [&out](const google::protobuf::EnumDescriptor* kinds, auto set) {
    for (int i = 0; i < kinds->value_count(); ++i) {
      const int number = kinds->value(i)->number();
      if (number != 0) set(&out.emplace_back(), number);  // 0: unspecified
    }
  };
  add(v1::KeyPlan::Kind_descriptor(), [](v1::SessionSpec* spec, int number) {
    spec->mutable_key_plan()->set_kind(static_cast<v1::KeyPlan::Kind>(number));
  });
  add(v1::PromptSwitch_descriptor(), [](v1::SessionSpec* spec, int number) {
    spec->set_prompt_switch(static_cast<v1::PromptSwitch>(number));
  });
  add(v1::DecoderKind_descriptor(), [](v1::SessionSpec* spec, int number) {
    spec->set_decoder(static_cast<v1::DecoderKind>(number));
  });
  add(v1::MediaKind_descriptor(), [](v1::SessionSpec* spec, int number) {
    spec->set_media_kind(static_cast<v1::MediaKind>(number));
  });
  return out;
}

// What is no kind is dropped; the rest as it is told of a session that was asked for like this.
absl::StatusOr<v1::SessionSpec> ToldOf(const v1::SessionSpec& asked) {
  LT_ASSIGN_OR_RETURN(const SessionSpec parsed, ParseSessionSpec(asked, Defaults()));
  ResolvedSpec resolved;
  resolved.key_plan = parsed.key_plan.value_or(KeyPlanSpec());
  resolved.prompt_switch = parsed.prompt_switch.value_or(PromptSwitch::kSwap);
  resolved.decoder = parsed.decoder.value_or(DecoderKind::kFull);
  resolved.media_kind = parsed.media_kind;
  SessionInfo info;
  info.spec = resolved.AsRequest();
  v1::Session out;
  RenderSession(info, {"tiny", "digest", "profile"}, &out);
  return out.spec();
}

TEST(Convert, EveryKindComesBackAsItWasAsked) {
  for (const v1::SessionSpec& asked : SpecsOfEveryKind()) {
    const auto told = ToldOf(asked);
    ASSERT_TRUE(told.ok()) << asked.ShortDebugString() << ": " << told.status();
    v1::SessionSpec both = *told;
    both.MergeFrom(asked);
    EXPECT_EQ(both.ShortDebugString(), told->ShortDebugString()) << asked.ShortDebugString();
    const auto again = ToldOf(*told);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->ShortDebugString(), told->ShortDebugString());
  }
}

struct BadSpec {
  const char* field;
  void (*spoil)(v1::SessionSpec&);
};

TEST(Convert, WrongFieldsAreNamed) {
  const BadSpec cases[] = {
      {"model", [](v1::SessionSpec& s) { s.set_model("tiny"); }},
      {"prompt", [](v1::SessionSpec& s) { s.set_prompt(std::string(kPromptBytesMax + 1, 'a')); }},
      {"negative_prompt",
       [](v1::SessionSpec& s) { s.set_negative_prompt(std::string(kPromptBytesMax + 1, 'a')); }},
      {"prompt_changes[0].start", [](v1::SessionSpec& s) { s.add_prompt_changes(); }},
      {"prompt_changes[0].time",
       [](v1::SessionSpec& s) { s.add_prompt_changes()->mutable_time()->set_seconds(-1); }},
      {"prompt_changes[0].prompt",
       [](v1::SessionSpec& s) {
         s.add_prompt_changes()->set_frame(1);
         s.mutable_prompt_changes(0)->set_prompt(std::string(kPromptBytesMax + 1, 'x'));
       }},
      {"prompt_changes",
       [](v1::SessionSpec& s) {
         for (size_t i = 0; i <= kPromptChangesMax; ++i) s.add_prompt_changes()->set_frame(1);
       }},
      {"frame_count", [](v1::SessionSpec& s) { s.set_frame_count(0); }},
      {"frame_count", [](v1::SessionSpec& s) { s.set_frame_count(-1); }},
      {"frame_count", [](v1::SessionSpec& s) { s.set_frame_count(kFrameCountMax + 1); }},
      {"duration", [](v1::SessionSpec& s) { s.mutable_duration(); }},
      {"duration", [](v1::SessionSpec& s) { s.mutable_duration()->set_seconds(-1); }},
      {"duration", [](v1::SessionSpec& s) { s.mutable_duration()->set_nanos(1'000'000'000); }},
      {"duration",
       [](v1::SessionSpec& s) {
         s.mutable_duration()->set_seconds(std::numeric_limits<int64_t>::max());
       }},
      {"fps",
       [](v1::SessionSpec& s) {
         s.mutable_duration()->set_seconds(1);
         s.set_fps(-3);
       }},
      {"steps",
       [](v1::SessionSpec& s) {
         for (int i = 0; i <= kStepsCountMax; ++i) s.add_steps(i);
       }},
      {"key_plan.kind", [](v1::SessionSpec& s) { s.mutable_key_plan(); }},
      {"key_plan.kind",
       [](v1::SessionSpec& s) {
         s.mutable_key_plan()->set_kind(static_cast<v1::KeyPlan::Kind>(9));
       }},
      {"media_kind", [](v1::SessionSpec& s) { s.set_media_kind(static_cast<v1::MediaKind>(9)); }},
      {"ttl", [](v1::SessionSpec& s) { s.mutable_ttl()->set_seconds(-1); }},
      {"ttl", [](v1::SessionSpec& s) { s.mutable_ttl()->set_seconds(3601); }},
  };
  for (const BadSpec& bad : cases) {
    v1::SessionSpec spec;
    bad.spoil(spec);
    EXPECT_EQ(FieldOf(ParseSessionSpec(spec, Defaults())), bad.field) << spec.ShortDebugString();
  }
}

TEST(Convert, AnotherModelIsNotFound) {
  v1::SessionSpec spec;
  spec.set_model("models/huge");
  const absl::Status status = ParseSessionSpec(spec, Defaults()).status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_EQ(ReasonOf(status)->reason, Reason::kModelNotFound);
}

TEST(Convert, SessionNames) {
  EXPECT_EQ(*ParseSessionName("sessions/a-1"), "a-1");
  EXPECT_EQ(*ParseNewSessionId(""), "");
  EXPECT_EQ(*ParseNewSessionId(std::string(64, 'z')), std::string(64, 'z'));
  for (const std::string name : {"", "sessions/", "sessions/A", "a", "models/a", "sessions/a/b",
                                 "sessions/a b", "sessions/..", "Sessions/a"}) {
    EXPECT_EQ(FieldOf(ParseSessionName(name)), "name") << name;
  }
  EXPECT_EQ(FieldOf(ParseSessionName("sessions/" + std::string(65, 'a'))), "name");
  EXPECT_EQ(FieldOf(ParseNewSessionId("a_b")), "session_id");
  EXPECT_EQ(FieldOf(ParseNewSessionId(std::string(1, '\0'))), "session_id");
}

TEST(Convert, Controls) {
  v1::Control control;
  EXPECT_EQ(FieldOf(ParseControl(control)), "action");
  control.set_prompt("new");
  EXPECT_EQ(ParseControl(control)->kind, EventKind::kPrompt);
  EXPECT_EQ(ParseControl(control)->prompt, "new");
  control.mutable_pause();
  EXPECT_EQ(ParseControl(control)->kind, EventKind::kPause);
  control.mutable_resume();
  EXPECT_EQ(ParseControl(control)->kind, EventKind::kResume);
  control.mutable_end();
  EXPECT_EQ(ParseControl(control)->kind, EventKind::kEnd);
  control.set_prompt(std::string(kPromptBytesMax + 1, 'a'));
  EXPECT_EQ(FieldOf(ParseControl(control)), "prompt");
}

TEST(Convert, Attach) {
  v1::Attach attach;
  EXPECT_EQ(*ParseNextChunk(attach), -1);
  attach.set_next_chunk(0);
  EXPECT_EQ(*ParseNextChunk(attach), 0);
  attach.set_next_chunk(-1);
  EXPECT_EQ(FieldOf(ParseNextChunk(attach)), "next_chunk");
  EXPECT_FALSE(ParseTold(attach)->has_value());
  attach.set_epoch(2);
  EXPECT_EQ(FieldOf(ParseTold(attach)), "epoch") << "of what?";
  attach.set_durable_through(0);
  attach.set_epoch(2);
  EXPECT_EQ(ParseTold(attach)->value().durable_through, 0);
  EXPECT_EQ(ParseTold(attach)->value().epoch, 2);
  attach.set_durable_through(-1);
  EXPECT_EQ(FieldOf(ParseTold(attach)), "durable_through");
  attach.set_durable_through(1);
  attach.set_epoch(-1);
  EXPECT_EQ(FieldOf(ParseTold(attach)), "epoch");
}

TEST(Convert, Pages) {
  EXPECT_EQ(ParsePage(0, "")->size, static_cast<size_t>(kPageSizeDefault));
  EXPECT_EQ(ParsePage(std::numeric_limits<int32_t>::max(), "")->size,
            static_cast<size_t>(kPageSizeMax));
  EXPECT_EQ(FieldOf(ParsePage(-1, "")), "page_size");
  const auto page = ParsePage(3, PageToken({123, "abc"}));
  EXPECT_EQ(page->start.create_wall_nanos, 123);
  EXPECT_EQ(page->start.id, "abc");
  for (const std::string token : {"x", ".", "1", "-1.a", "1.A", "99999999999999999999.a", "1 .a"}) {
    EXPECT_EQ(FieldOf(ParsePage(0, token)), "page_token") << token;
  }
  EXPECT_EQ(FieldOf(ParsePage(0, "1." + std::string(200, 'a'))), "page_token");
}

TEST(Convert, FieldPrefixIsForFieldsOnly) {
  EXPECT_EQ(WithFieldPrefix(FieldError("width", "x"), "spec.").message(), "spec.width: x");
  EXPECT_EQ(WithFieldPrefix(absl::NotFoundError("x"), "spec.").message(), "x");
}

TEST(Render, DigestIsBigEndian) {
  EXPECT_EQ(DigestBytes({0x0102030405060708, 0x090a0b0c0d0e0f10}),
            "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10");
}

TEST(Render, FrameTimeIsExact) {
  google::protobuf::Duration out;
  RenderFrameTime(int64_t{16} * 86400 * 365 + 9, 16, &out);
  EXPECT_EQ(out.seconds(), 86400 * 365);
  EXPECT_EQ(out.nanos(), 562'500'000);
}

}  // namespace
}  // namespace longtake
