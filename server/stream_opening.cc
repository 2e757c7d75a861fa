// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/stream_opening.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/errors.h"

namespace longtake {
namespace {

// The session to read, and from which chunk on.
struct Target {
  std::shared_ptr<Session> session;
  bool made = false;
  int64_t next_chunk = -1;  // the oldest not yet sent
};

absl::StatusOr<Target> FindTarget(ServiceContext& context, const v1::StreamRequest& first,
                                  const Caller& caller) {
  if (first.has_open()) {
    auto created = context.CreateSession(first.open(), caller);
    if (!created.ok()) return WithFieldPrefix(created.status(), "open.");
    return Target{.session = std::move(created->session), .made = created->is_new};
  }
  if (!first.has_attach()) return ProtocolError("the first message must be open or attach");
  const absl::StatusOr<int64_t> wanted = ParseNextChunk(first.attach());
  if (!wanted.ok()) return WithFieldPrefix(wanted.status(), "attach.");
  const absl::StatusOr<std::optional<Told>> told = ParseTold(first.attach());
  if (!told.ok()) return WithFieldPrefix(told.status(), "attach.");
  auto found = context.WakeSession(first.attach().name(), *wanted, *told, caller);
  if (!found.ok()) return WithFieldPrefix(found.status(), "attach.");
  return Target{.session = *std::move(found), .next_chunk = *wanted};
}

// A format may have to be made, so whoever is refused gets none.
absl::StatusOr<StreamOpening> Attach(ServiceContext& context, const Target& target,
                                     std::function<void()> wake) {
  LT_RETURN_IF_ERROR(target.session->CheckAttach(target.next_chunk));
  LT_ASSIGN_OR_RETURN(MediaWriter media,
                      MediaWriter::Create(target.session->spec(), context.formats));
  LT_ASSIGN_OR_RETURN(const uint64_t attachment,
                      target.session->Attach(target.next_chunk, std::move(wake)));
  return StreamOpening{.session = target.session,
                       .attachment = attachment,
                       .media = std::move(media),
                       .made = target.made};
}

}  // namespace

absl::StatusOr<StreamOpening> OpenStream(ServiceContext& context, const v1::StreamRequest& first,
                                         const Caller& caller, std::function<void()> wake) {
  LT_ASSIGN_OR_RETURN(const Target target, FindTarget(context, first, caller));
  absl::StatusOr<StreamOpening> opening = Attach(context, target, std::move(wake));
  if (!opening.ok() && target.made && !target.session->Info().attached) {
    context.engine.DeleteLife(target.session).IgnoreError();
  }
  return opening;
}

void CloseUnread(ServiceContext& context, const StreamOpening& opening) {
  const bool was_last = opening.session->Detach(opening.attachment);
  if (!was_last || !opening.made) return;
  context.engine.DeleteLife(opening.session).IgnoreError();
}

}  // namespace longtake
