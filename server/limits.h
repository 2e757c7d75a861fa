// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Every limit that a client can meet, in one place; docs/limits.md explains them and a test holds
// the two against each other. Limits of the machine's memory are options, not here
// (docs/configuration.md).
#pragma once

#include <cstdint>

#include "engine/policy/key_plan.h"
#include "engine/policy/limits.h"
#include "engine/session/session_id.h"
#include "engine/store/store_limits.h"

namespace longtake {

inline constexpr int64_t kRequestBytesMax = 1 << 20;
inline constexpr int64_t kNamingRequestBytesMax = 4 << 10;
inline constexpr int64_t kResponseBytesMax = 4 << 20;
inline constexpr int64_t kPartBytesMax = 1 << 20;
inline constexpr int64_t kTransportBytesMax = 128 << 20;
inline constexpr int64_t kMetadataBytesMax = 64 << 10;
inline constexpr int64_t kErrorMessageBytesMax = 1 << 10;
inline constexpr int64_t kPageSizeDefault = 100;
inline constexpr int64_t kPageSizeMax = 1000;
inline constexpr int64_t kPageTokenBytesMax = 128;
inline constexpr int64_t kWaitingEventsMax = 64;
inline constexpr int64_t kUnsentReceiptsMax = 64;
inline constexpr int64_t kFirstAttachSeconds = 30;
inline constexpr int64_t kAttachesAtOnceMax = 16;
inline constexpr int64_t kAttachIntervalMillis = 500;
inline constexpr int64_t kStartWaitSeconds = 30;
inline constexpr int64_t kStartBytesPerSecondMin = 32 << 10;
inline constexpr int64_t kFirstMessageSeconds = 10;
inline constexpr int64_t kAnswerSeconds = 10;
inline constexpr int64_t kLastWriteSeconds = 5;
inline constexpr int64_t kConnectionStreamsMax = 256;
inline constexpr int64_t kWaitingCallsMax = 256;
inline constexpr int64_t kWaitingCallBytesMax = 16 << 20;
inline constexpr int64_t kHandshakeSeconds = 10;
inline constexpr int64_t kKeepaliveSeconds = 60;
inline constexpr int64_t kKeepaliveTimeoutSeconds = 20;
inline constexpr int64_t kClientPingSecondsMin = 10;
inline constexpr int64_t kMetricsRequestSeconds = 2;
inline constexpr int64_t kFmp4SidePixelsMax = 4096;

struct Limit {
  const char* name;
  int64_t value;
};

inline constexpr Limit kLimits[] = {
    {"request_bytes_max", kRequestBytesMax},
    {"naming_request_bytes_max", kNamingRequestBytesMax},
    {"response_bytes_max", kResponseBytesMax},
    {"part_bytes_max", kPartBytesMax},
    {"transport_bytes_max", kTransportBytesMax},
    {"metadata_bytes_max", kMetadataBytesMax},
    {"error_message_bytes_max", kErrorMessageBytesMax},
    {"prompt_bytes_max", kPromptBytesMax},
    {"session_id_bytes_max", kSessionIdBytesMax},
    {"steps_count_max", kStepsCountMax},
    {"frame_count_max", kFrameCountMax},
    {"side_pixels_min", kSidePixelsMin},
    {"side_pixels_max", kSidePixelsMax},
    {"side_pixels_step", kSidePixelsStep},
    {"fps_max", kFpsMax},
    {"guidance_max", kGuidanceMax},
    {"window_frames_max", kWindowFramesMax},
    {"start_frames_max", kStartFramesMax},
    {"numerics_profile_bytes_max", kNumericsProfileBytesMax},
    {"page_size_default", kPageSizeDefault},
    {"page_size_max", kPageSizeMax},
    {"page_token_bytes_max", kPageTokenBytesMax},
    {"waiting_events_max", kWaitingEventsMax},
    {"unsent_receipts_max", kUnsentReceiptsMax},
    {"control_ids_max", kControlIdsMax},
    {"prompt_changes_max", kPromptChangesMax},
    {"first_attach_seconds", kFirstAttachSeconds},
    {"attaches_at_once_max", kAttachesAtOnceMax},
    {"attach_interval_millis", kAttachIntervalMillis},
    {"start_wait_seconds", kStartWaitSeconds},
    {"start_bytes_per_second_min", kStartBytesPerSecondMin},
    {"first_message_seconds", kFirstMessageSeconds},
    {"answer_seconds", kAnswerSeconds},
    {"last_write_seconds", kLastWriteSeconds},
    {"connection_streams_max", kConnectionStreamsMax},
    {"waiting_calls_max", kWaitingCallsMax},
    {"waiting_call_bytes_max", kWaitingCallBytesMax},
    {"handshake_seconds", kHandshakeSeconds},
    {"keepalive_seconds", kKeepaliveSeconds},
    {"keepalive_timeout_seconds", kKeepaliveTimeoutSeconds},
    {"client_ping_seconds_min", kClientPingSecondsMin},
    {"metrics_request_seconds", kMetricsRequestSeconds},
    {"fmp4_side_pixels_max", kFmp4SidePixelsMax},
    {"stored_sessions_max", kStoredSessionsMax},
    {"fork_generations_max", kForkGenerationsMax},
    {"store_answer_seconds", kStoreAnswerSeconds},
};

}  // namespace longtake
