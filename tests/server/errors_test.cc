// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/errors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "engine/store/commit_queue.h"
#include "google/rpc/error_details.pb.h"
#include "server/limits.h"
#include "tests/server/docs_table.h"

namespace longtake {
namespace {

template <typename Detail>
std::vector<Detail> DetailsOf(const google::rpc::Status& status) {
  std::vector<Detail> out;
  for (const auto& any : status.details()) {
    Detail detail;
    if (any.UnpackTo(&detail)) out.push_back(detail);
  }
  return out;
}

std::string UpperSnake(absl::StatusCode code) {
  return std::string(absl::StatusCodeToString(code));
}

TEST(Errors, PageAndCodeAgree) {
  const auto rows = DocsRows("errors.md");
  ASSERT_EQ(rows.size(), Reasons().size());
  for (size_t i = 0; i < rows.size(); ++i) {
    const ReasonInfo& known = Reasons()[i];
    EXPECT_EQ(rows[i][0], known.name);
    EXPECT_EQ(rows[i][1], UpperSnake(known.code)) << known.name;
    const std::string retry =
        known.retry_millis == 0 ? "" : std::to_string(known.retry_millis / 1000) + " s";
    EXPECT_EQ(rows[i][2], retry) << known.name;
  }
}

TEST(Errors, EveryReasonHasOneErrorInfoAndEachDetailOnce) {
  for (const ReasonInfo& known : Reasons()) {
    const absl::Status status = Error(known.reason, "too wide", {{"session", "abc"}});
    EXPECT_EQ(status.code(), known.code);
    const google::rpc::Status rendered = RenderError(status);
    EXPECT_EQ(rendered.code(), static_cast<int>(known.code));
    const auto infos = DetailsOf<google::rpc::ErrorInfo>(rendered);
    ASSERT_EQ(infos.size(), 1u);
    EXPECT_EQ(infos[0].reason(), known.name);
    EXPECT_EQ(infos[0].domain(), "longtake");
    EXPECT_EQ(infos[0].metadata().at("session"), "abc");
    EXPECT_EQ(DetailsOf<google::rpc::RetryInfo>(rendered).size(), known.retry_millis > 0 ? 1u : 0u);
    std::set<std::string> types;
    for (const auto& any : rendered.details()) types.insert(any.type_url());
    EXPECT_EQ(types.size(), static_cast<size_t>(rendered.details_size()));
  }
}

TEST(Errors, CodesWithoutReasonGetTheUsualOne) {
  EXPECT_EQ(ReasonName(absl::InvalidArgumentError("x")), "INVALID_FIELD");
  EXPECT_EQ(ReasonName(absl::ResourceExhaustedError("x")), "SESSION_MEMORY_EXHAUSTED");
  EXPECT_EQ(ReasonName(absl::DataLossError("x")), "PACK_CORRUPT");
  EXPECT_EQ(ReasonName(absl::UnknownError("x")), "INTERNAL");
}

TEST(Errors, FieldViolationNamesTheField) {
  const auto bad = DetailsOf<google::rpc::BadRequest>(
      RenderError(WithFieldPrefix(FieldError("width", "100 is not a multiple of 16"), "spec.")));
  ASSERT_EQ(bad.size(), 1u);
  EXPECT_EQ(bad[0].field_violations(0).field(), "spec.width");
  EXPECT_EQ(bad[0].field_violations(0).description(), "100 is not a multiple of 16");
  EXPECT_TRUE(
      DetailsOf<google::rpc::BadRequest>(RenderError(absl::InvalidArgumentError("none: here")))
          .empty());
}

TEST(Errors, MessagesForClientsNameNoFileOfTheServer) {
  const absl::Status from_storage[] = {
      absl::DataLossError("srv/my packs/t.pack: layer 3, chunk 2: CRC32C differs"),
      absl::UnavailableError("encoding the prompt: read /srv/packs/t.pack at byte 4096: EIO"),
      Error(Reason::kKvFileCorrupt, "/fast/kv: K/V of layer 1"),
      absl::FailedPreconditionError("encoding the prompt: /srv/packs/t.pack: Bad file descriptor"),
      absl::ResourceExhaustedError("write ../packs/kv at byte 1: No space left"),
      absl::PermissionDeniedError("open \"/srv/packs/t.pack\": denied"),
      absl::InternalError("(/srv/packs/t.pack)"),
      Error(Reason::kSessionCorrupt, "session one: /srv/packs/sessions-1.db: malformed")};
  for (const absl::Status& status : from_storage) {
    const google::rpc::Status rendered = RenderError(status);
    EXPECT_EQ(rendered.message().find("packs"), std::string::npos) << rendered.message();
    EXPECT_EQ(rendered.message().find("/fast"), std::string::npos) << rendered.message();
    EXPECT_FALSE(rendered.message().empty());
  }
  EXPECT_EQ(ClientMessage(absl::FailedPreconditionError("encoding: /a/b: denied")),
            "encoding: (a file of the server): denied");
  EXPECT_EQ(ClientMessage(absl::NotFoundError("sessions/x: not here")), "sessions/x: not here");
  const std::string silent = CommitQueue::kNoAnswer;
  EXPECT_EQ(ClientMessage(Error(Reason::kStorageUnavailable, silent)), silent);
  EXPECT_EQ(ClientMessage(absl::InvalidArgumentError("name: /x is no name")),
            "name: /x is no name");
}

TEST(Errors, LongMessagesAreCutBetweenCharacters) {
  std::string message(kErrorMessageBytesMax - 1, 'a');
  message += "\xc3\xa4\xc3\xa4";
  const google::rpc::Status rendered = RenderError(absl::InternalError(message));
  EXPECT_EQ(rendered.message(), std::string(kErrorMessageBytesMax - 1, 'a'));
}

TEST(Errors, ReasonSurvivesAnnotation) {
  const absl::Status status =
      Annotate(Error(Reason::kTakenOver, "x", {{"a", "1\n2=3"}, {"b\n", ""}}), "here");
  EXPECT_EQ(status.message(), "here: x");
  EXPECT_EQ(ReasonOf(status)->reason, Reason::kTakenOver);
  EXPECT_EQ(ReasonOf(status)->metadata,
            (std::map<std::string, std::string>{{"a", "1\n2=3"}, {"b\n", ""}}));
}

}  // namespace
}  // namespace longtake
