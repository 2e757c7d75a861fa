// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How a stream gets the session it reads: by its first message one is made or found, and attached
// to. Tokenises and opens an encoder, so not on a thread of gRPC.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "engine/session/session.h"
#include "longtake/v1/longtake.pb.h"
#include "server/service_context.h"
#include "server/stream_host.h"

namespace longtake {

// INVALID_ARGUMENT when the message is another, and the errors of creating, finding and attaching;
// fields begin with "open." or "attach.". A session that its maker could not attach to is deleted.
absl::StatusOr<StreamOpening> OpenStream(ServiceContext& context, const v1::StreamRequest& first,
                                         const Caller& caller, std::function<void()> wake);

// The client left before it read anything. A session that it made is of use to nobody, unless
// somebody reads it already, because the client asked again; of another the ttl begins.
void CloseUnread(ServiceContext& context, const StreamOpening& opening);

}  // namespace longtake
