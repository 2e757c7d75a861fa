// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/list_sessions.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "server/limits.h"

namespace longtake {
namespace {

constexpr size_t kPageMarginBytes = 1 << 10;  // the page token
constexpr size_t kFieldBytes = 8;             // tag and length of an entry

}  // namespace

absl::Status ListSessions(ServiceContext& context, const Caller& caller,
                          const v1::ListSessionsRequest& request,
                          v1::ListSessionsResponse* response) {
  LT_ASSIGN_OR_RETURN(const Page page, ParsePage(request.page_size(), request.page_token()));
  std::vector<SessionName> names = context.engine.Names();
  std::sort(names.begin(), names.end());
  const SessionName start = {page.start.create_wall_nanos, page.start.id};
  auto next = std::upper_bound(names.begin(), names.end(), start);
  size_t bytes = kPageMarginBytes;
  bool full = false;
  while (next != names.end() && !full) {
    const size_t room = page.size - static_cast<size_t>(response->sessions_size());
    const auto ahead = static_cast<size_t>(names.end() - next);
    LT_ASSIGN_OR_RETURN(
        const Engine::SomeSessions some,
        context.engine.DescribeSome({next, std::min(room, ahead)}, kResponseBytesMax, caller));
    const auto end = next + static_cast<ptrdiff_t>(some.looked_at);
    for (const SessionInfo& info : some.sessions) {
      v1::Session session;
      RenderSession(info, context.model, &session);
      bytes += session.ByteSizeLong() + kFieldBytes;
      // Sessions with long prompts fill a message before they fill a page.
      full = response->sessions_size() > 0 && bytes > kResponseBytesMax;
      if (full) break;
      *response->add_sessions() = std::move(session);
      next = std::find_if(next, end, [&](const SessionName& name) { return name.id == info.id; });
      ++next;
    }
    if (!full) next = end;
    full |= static_cast<size_t>(response->sessions_size()) == page.size;
  }
  if (next != names.end()) {
    const SessionName& last = *std::prev(next);
    response->set_next_page_token(PageToken({last.create_wall_nanos, last.id}));
  }
  return absl::OkStatus();
}

}  // namespace longtake
