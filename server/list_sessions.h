// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// ListSessions: pages in order of creation. A token names the last session of its page, so a page
// stays right when sessions before it go (AIP 158). Any thread.
#pragma once

#include "longtake/v1/longtake.pb.h"
#include "server/service_context.h"

namespace longtake {

absl::Status ListSessions(ServiceContext& context, const Caller& caller,
                          const v1::ListSessionsRequest& request,
                          v1::ListSessionsResponse* response);

}  // namespace longtake
