// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/list_sessions.h"

#include <algorithm>
#include <tuple>
#include <vector>

#include "server/limits.h"

namespace longtake {
namespace {

constexpr size_t kPageMarginBytes = 1 << 10;  // the page token
constexpr size_t kFieldBytes = 8;             // tag and length of an entry

}  // namespace

absl::Status ListSessions(ServiceContext& context, const Caller&,
                          const v1::ListSessionsRequest& request,
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
  // Sessions with long prompts fill a message before they fill a page.
  const size_t count_max = std::min(page.size, infos.size());
  size_t count = 0;
  size_t bytes = kPageMarginBytes;
  for (; count < count_max; ++count) {
    v1::Session session;
    RenderSession(infos[count], context.model, &session);
    bytes += session.ByteSizeLong() + kFieldBytes;
    if (count > 0 && bytes > kResponseBytesMax) break;
    *response->add_sessions() = std::move(session);
  }
  if (count < infos.size()) {
    const SessionInfo& last = infos[count - 1];
    response->set_next_page_token(PageToken({last.create_wall_nanos, last.id}));
  }
  return absl::OkStatus();
}

}  // namespace longtake
