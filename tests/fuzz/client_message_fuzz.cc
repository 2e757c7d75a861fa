// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Bytes of a client's stream message, through everything that looks at them before the model does.
// What is accepted must be within the limits and mean the same after a round trip.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/status_macros.h"
#include "server/convert.h"
#include "server/errors.h"
#include "server/limits.h"
#include "server/render.h"

namespace longtake {
namespace {

constexpr int64_t kTtlNanosMax = 3'600'000'000'000;

SpecDefaults Defaults() {
  return {.model = "tiny", .fps = 16, .ttl_nanos = 60'000'000'000, .ttl_nanos_max = kTtlNanosMax};
}

// Whatever went wrong can be told to the client.
void CheckError(const absl::Status& status) {
  if (status.ok()) return;
  const google::rpc::Status rendered = RenderError(WithFieldPrefix(status, "open.spec."));
  LT_CHECK(rendered.details_size() >= 1);
  LT_CHECK(rendered.message().size() <= kErrorMessageBytesMax);
  LT_CHECK(!rendered.SerializeAsString().empty());
}

// A plan that is accepted reads frames that were made, and no more than were promised.
void CheckKeyPlan(const KeyPlanSpec& spec) {
  constexpr int64_t kChunk = 3;
  if (!ValidateKeyPlan(spec, kChunk).ok()) return;
  const int64_t limit = FrameLimit(spec);
  for (int64_t start = 0; start < 60; start += kChunk) {
    if (limit != 0 && start + kChunk > limit) break;
    const KeyPlan plan = PlanKeys(spec, start, kChunk);
    LT_CHECK(static_cast<int64_t>(plan.keys.size()) + kChunk <= FramesHeldMax(spec, kChunk));
    for (const PlannedKey& key : plan.keys) LT_CHECK(key.frame >= 0 && key.frame < start);
  }
}

void CheckSpec(const v1::SessionSpec& message) {
  const absl::StatusOr<SessionSpec> spec = ParseSessionSpec(message, Defaults());
  CheckError(spec.status());
  if (!spec.ok()) return;
  LT_CHECK(spec->frame_count >= 0 && spec->frame_count <= kFrameCountMax);
  LT_CHECK(spec->ttl_nanos >= 0 && spec->ttl_nanos <= kTtlNanosMax);
  LT_CHECK(spec->prompt.size() <= kPromptBytesMax);
  LT_CHECK(spec->steps.size() <= kStepsCountMax);
  if (spec->key_plan.has_value()) CheckKeyPlan(*spec->key_plan);
  SessionInfo info;
  info.spec = *spec;
  v1::Session session;
  RenderSession(info, {"tiny", "", ""}, &session);
  const absl::StatusOr<SessionSpec> again = ParseSessionSpec(session.spec(), Defaults());
  LT_CHECK(again.ok());
  LT_CHECK(again->frame_count == spec->frame_count && again->ttl_nanos == spec->ttl_nanos);
  LT_CHECK(again->seed == spec->seed && again->media_kind == spec->media_kind);
}

void CheckName(const std::string& name) {
  const absl::StatusOr<std::string> id = ParseSessionName(name);
  CheckError(id.status());
  if (id.ok()) LT_CHECK(ParseNewSessionId(*id).ok() && name == "sessions/" + *id);
  CheckError(ParseNewSessionId(name).status());
  const absl::StatusOr<Page> page = ParsePage(0, name);
  CheckError(page.status());
  if (page.ok() && !name.empty()) LT_CHECK(ParsePage(0, PageToken(page->start)).ok());
}

}  // namespace
}  // namespace longtake

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  longtake::v1::StreamRequest request;
  if (size > longtake::kRequestBytesMax) return 0;
  if (!request.ParseFromArray(data, static_cast<int>(size))) return 0;
  longtake::CheckSpec(request.open().spec());
  longtake::CheckName(request.open().session_id());
  longtake::CheckName(request.attach().name());
  longtake::CheckError(longtake::ParseNextChunk(request.attach()).status());
  longtake::CheckError(longtake::ParseControl(request.control()).status());
  return 0;
}
