// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/list_sessions.h"

#include <algorithm>
#include <tuple>
#include <vector>

namespace longtake {

absl::Status ListSessions(const ServiceContext& context, const v1::ListSessionsRequest& request,
                          v1::ListSessionsResponse* response) {
  LT_ASSIGN_OR_RETURN(const Page page, ParsePage(request.page_size(), request.page_token()));
  std::vector<SessionInfo> infos;
  for (const auto& session : context.engine.Sessions()) {
    SessionInfo info = session->Info();
    if (std::tie(info.create_wall_nanos, info.id) >
        std::tie(page.start.create_wall_nanos, page.start.id)) {
      infos.push_back(std::move(info));
    }
  }
  std::sort(infos.begin(), infos.end(), [](const SessionInfo& a, const SessionInfo& b) {
    return std::tie(a.create_wall_nanos, a.id) < std::tie(b.create_wall_nanos, b.id);
  });
  const size_t count = std::min(page.size, infos.size());
  for (size_t i = 0; i < count; ++i) {
    RenderSession(infos[i], context.model, response->add_sessions());
  }
  if (count < infos.size()) {
    const SessionInfo& last = infos[count - 1];
    response->set_next_page_token(PageToken({last.create_wall_nanos, last.id}));
  }
  return absl::OkStatus();
}

}  // namespace longtake
