// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Sessions over the wire: what is asked for and what arrives.
#include <set>

#include "base/checksum.h"
#include "server/render.h"
#include "tests/server/test_server.h"

namespace longtake {
namespace {

class ServerTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = std::make_unique<TestServer>(
        std::vector<std::string>{"--outbox-bytes", "256KiB", "--default-ttl", "30s"});
  }
  static void TearDownTestSuite() { server_.reset(); }

  static std::vector<WholeChunk> ReadAll(TestStream& stream) {
    std::vector<WholeChunk> out;
    while (auto chunk = stream.ReadChunk()) out.push_back(*std::move(chunk));
    return out;
  }

  static std::unique_ptr<TestServer> server_;
};

std::unique_ptr<TestServer> ServerTest::server_;

std::span<const std::byte> Bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

TEST_F(ServerTest, CreateGetListDelete) {
  std::vector<std::string> names;
  for (const char* id : {"list-a", "list-b", "list-c"}) {
    v1::CreateSessionRequest request = SmallSession(9);
    request.set_session_id(id);
    v1::Session session;
    ASSERT_TRUE(server_->Create(request, &session).ok());
    EXPECT_EQ(session.name(), std::string("sessions/") + id);
    EXPECT_EQ(session.spec().fps(), 16);
    EXPECT_EQ(session.spec().steps_size(), 4);
    EXPECT_EQ(session.spec().ttl().seconds(), 30);
    EXPECT_EQ(session.model_digest().size(), 64u);
    EXPECT_FALSE(session.numerics_profile().empty());
    EXPECT_TRUE(session.has_expire_time());
    EXPECT_FALSE(session.attached());
    names.push_back(session.name());
  }
  std::vector<std::string> listed;
  v1::ListSessionsRequest list;
  list.set_page_size(2);
  do {
    grpc::ClientContext context;
    v1::ListSessionsResponse page;
    ASSERT_TRUE(server_->stub().ListSessions(&context, list, &page).ok());
    EXPECT_LE(page.sessions_size(), 2);
    for (const auto& session : page.sessions()) listed.push_back(session.name());
    list.set_page_token(page.next_page_token());
  } while (!list.page_token().empty());
  EXPECT_EQ(listed, names);
  for (const std::string& name : names) {
    EXPECT_TRUE(server_->WaitForState(name, v1::Session::STATE_ENDED));
    EXPECT_TRUE(server_->Delete(name).ok());
    EXPECT_EQ(server_->Get(name).error_code(), grpc::StatusCode::NOT_FOUND);
  }
}

TEST_F(ServerTest, AStreamIsAllFramesWithTimesAndDigests) {
  TestStream stream(*server_);
  stream.Open(SmallSession(30));
  const v1::Opened opened = stream.ReadOpened();
  EXPECT_EQ(opened.next_chunk(), 0);
  EXPECT_TRUE(opened.init_segment().empty());
  EXPECT_TRUE(opened.session().attached());
  const std::vector<WholeChunk> chunks = ReadAll(stream);
  ASSERT_EQ(chunks.size(), 3u);
  const int frames[] = {9, 12, 9};
  std::string chain(16, '\0');
  int64_t first_frame = 0;
  for (size_t i = 0; i < chunks.size(); ++i) {
    const v1::Chunk& chunk = chunks[i].last;
    EXPECT_EQ(chunk.index(), static_cast<int64_t>(i));
    EXPECT_EQ(chunk.frame_count(), frames[i]);
    EXPECT_EQ(chunk.first_frame(), first_frame);
    EXPECT_EQ(
        chunk.presentation_time().seconds() * 1'000'000'000 + chunk.presentation_time().nanos(),
        first_frame * 62'500'000);
    EXPECT_EQ(chunks[i].data.size(), static_cast<size_t>(frames[i]) * 48 * 32 * 3);
    EXPECT_EQ(chunk.digest(), DigestBytes(Xxh3Hash128(Bytes(chunks[i].data))));
    chain = DigestBytes(Xxh3Hash128(Bytes(chain + chunk.digest())));
    EXPECT_EQ(chunk.chain_digest(), chain);
    first_frame += frames[i];
  }
  EXPECT_TRUE(stream.ended());
  EXPECT_TRUE(stream.Finish().ok());
}

TEST_F(ServerTest, Fmp4StartsWithTheInitSegment) {
  TestStream stream(*server_);
  v1::CreateSessionRequest request = SmallSession(21);
  request.mutable_spec()->clear_media_kind();
  stream.Open(request);
  EXPECT_EQ(stream.ReadOpened().init_segment().substr(4, 4), "ftyp");
  const std::vector<WholeChunk> chunks = ReadAll(stream);
  ASSERT_EQ(chunks.size(), 2u);
  for (const WholeChunk& chunk : chunks) EXPECT_NE(chunk.data.find("moof"), std::string::npos);
  EXPECT_TRUE(stream.Finish().ok());
}

TEST_F(ServerTest, LargeChunksComeInParts) {
  TestServer roomy({"--outbox-bytes", "64MiB"});
  TestStream stream(roomy);
  v1::CreateSessionRequest request = SmallSession(9);
  request.mutable_spec()->set_width(256);
  request.mutable_spec()->set_height(192);
  stream.Open(request);
  stream.ReadOpened();
  const auto chunk = stream.ReadChunk();
  ASSERT_TRUE(chunk.has_value());
  EXPECT_EQ(chunk->parts, 2);
  EXPECT_EQ(chunk->last.digest(), DigestBytes(Xxh3Hash128(Bytes(chunk->data))));
  EXPECT_TRUE(stream.Finish().ok());
}

TEST_F(ServerTest, AttachGivesWhatIsHeldFromTheChunkOn) {
  v1::Session session;
  ASSERT_TRUE(server_->Create(SmallSession(33), &session).ok());
  ASSERT_TRUE(server_->WaitForState(session.name(), v1::Session::STATE_ENDED));
  std::vector<std::string> digests;
  {
    TestStream all(*server_);
    all.Attach(session.name());
    EXPECT_EQ(all.ReadOpened().next_chunk(), 0);
    for (const WholeChunk& chunk : ReadAll(all)) digests.push_back(chunk.last.digest());
    EXPECT_TRUE(all.Finish().ok());
  }
  ASSERT_EQ(digests.size(), 3u);
  TestStream later(*server_);
  later.Attach(session.name(), 1);
  EXPECT_EQ(later.ReadOpened().next_chunk(), 1);
  const auto chunk = later.ReadChunk();
  ASSERT_TRUE(chunk.has_value());
  EXPECT_EQ(chunk->last.index(), 1);
  EXPECT_EQ(chunk->last.digest(), digests[1]);
}

TEST_F(ServerTest, ChunksNoLongerHeldAreOutOfRange) {
  std::string name;
  {
    TestStream stream(*server_);
    stream.Open(SmallSession(0));
    name = stream.ReadOpened().session().name();
    for (int i = 0; i < 12; ++i) ASSERT_TRUE(stream.ReadChunk().has_value());
  }
  for (const int64_t chunk : {int64_t{0}, int64_t{1'000'000}}) {
    TestStream again(*server_);
    again.Attach(name, chunk);
    const grpc::Status status = again.Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::OUT_OF_RANGE);
    EXPECT_EQ(ReasonOf(status), "CHUNK_NOT_HELD");
  }
  v1::Session session;
  ASSERT_TRUE(server_->Get(name, &session).ok());
  TestStream held(*server_);
  held.Attach(name, session.oldest_chunk());
  EXPECT_EQ(held.ReadOpened().next_chunk(), session.oldest_chunk());
  EXPECT_TRUE(server_->Delete(name).ok());
}

// A reader that does not take what it is sent learns of it by what it asks for.
TEST_F(ServerTest, AReaderThatWasTakenOverEndsNobodysSession) {
  TestServer server({"--outbox-bytes", "256KiB"});
  TestStream first(server);
  first.Open(SmallSession(0));
  const std::string name = first.ReadOpened().session().name();
  ASSERT_TRUE(server.WaitForState(name, v1::Session::STATE_BLOCKED));
  TestStream second(server);
  second.Attach(name);
  second.ReadOpened();
  v1::Control end;
  end.set_id(1);
  end.mutable_end();
  first.Control(end);
  EXPECT_EQ(ReasonOf(first.Finish()), "TAKEN_OVER");
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(second.ReadChunk().has_value());
  v1::Session session;
  ASSERT_TRUE(server.Get(name, &session).ok());
  EXPECT_NE(session.state(), v1::Session::STATE_ENDED);
}

TEST_F(ServerTest, TheNewerReaderTakesOver) {
  TestStream first(*server_);
  first.Open(SmallSession(0));
  const std::string name = first.ReadOpened().session().name();
  ASSERT_TRUE(first.ReadChunk().has_value());
  TestStream second(*server_);
  second.Attach(name);
  second.ReadOpened();
  const grpc::Status status = first.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(ReasonOf(status), "TAKEN_OVER");
  EXPECT_TRUE(second.ReadChunk().has_value());
  v1::Session session;
  ASSERT_TRUE(server_->Get(name, &session).ok());
  EXPECT_TRUE(session.attached());
  EXPECT_TRUE(server_->Delete(name).ok());
}

TEST_F(ServerTest, ANewPromptIsAcceptedThenAppliedAtAChunk) {
  TestStream stream(*server_);
  stream.Open(SmallSession(0));
  stream.ReadOpened();
  ASSERT_TRUE(stream.ReadChunk().has_value());
  v1::Control control;
  control.set_id(77);
  control.set_prompt("a blue square going up");
  stream.Control(control);
  ASSERT_TRUE(stream.ReadReceipts(77, 2));
  const auto receipts = stream.receipts(77);
  EXPECT_FALSE(receipts[0].has_applied_chunk());
  EXPECT_TRUE(receipts[1].has_applied_chunk());
  EXPECT_EQ(receipts[0].sequence(), receipts[1].sequence());
  const auto chunk = stream.ReadChunk();
  ASSERT_TRUE(chunk.has_value());
  // The receipt comes no later than its chunk.
  EXPECT_LE(chunk->last.index(), receipts[1].applied_chunk());
}

TEST_F(ServerTest, ARefusedControlIsAReceiptAndTheTakeGoesOn) {
  TestStream stream(*server_);
  stream.Open(SmallSession(0));
  stream.ReadOpened();
  v1::Control control;
  control.set_id(5);
  stream.Control(control);
  ASSERT_TRUE(stream.ReadReceipts(5, 1));
  EXPECT_EQ(stream.receipts(5)[0].error().code(),
            static_cast<int>(grpc::StatusCode::INVALID_ARGUMENT));
  EXPECT_EQ(ReasonOf(stream.receipts(5)[0].error()), "INVALID_FIELD");
  EXPECT_EQ(stream.receipts(5)[0].sequence(), 0u);
  EXPECT_TRUE(stream.ReadChunk().has_value());
}

TEST_F(ServerTest, PauseResumeEnd) {
  TestStream stream(*server_);
  stream.Open(SmallSession(0));
  const std::string name = stream.ReadOpened().session().name();
  v1::Control control;
  control.set_id(1);
  control.mutable_pause();
  stream.Control(control);
  ASSERT_TRUE(stream.ReadReceipts(1, 2));
  EXPECT_TRUE(server_->WaitForState(name, v1::Session::STATE_PAUSED));
  control.set_id(2);
  control.mutable_resume();
  stream.Control(control);
  ASSERT_TRUE(stream.ReadReceipts(2, 2));
  const int64_t resumed_at = stream.receipts(2)[1].applied_chunk();
  std::optional<WholeChunk> chunk = stream.ReadChunk();
  while (chunk.has_value() && chunk->last.index() < resumed_at) chunk = stream.ReadChunk();
  ASSERT_TRUE(chunk.has_value());
  control.set_id(3);
  control.mutable_end();
  stream.Control(control);
  const grpc::Status status = stream.Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_TRUE(stream.ended());
  EXPECT_EQ(stream.receipts(3).size(), 2u);
  EXPECT_TRUE(server_->WaitForState(name, v1::Session::STATE_ENDED));
}

TEST_F(ServerTest, ASessionWithoutTtlGoesWithItsClient) {
  v1::CreateSessionRequest request = SmallSession(0);
  request.mutable_spec()->mutable_ttl();
  TestStream stream(*server_);
  stream.Open(request);
  const std::string name = stream.ReadOpened().session().name();
  ASSERT_TRUE(stream.ReadChunk().has_value());
  stream.Cancel();
  EXPECT_EQ(stream.Finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(server_->WaitUntilGone(name));
}

TEST_F(ServerTest, ADeadlineEndsTheCallAndTheSessionLivesForItsTtl) {
  v1::CreateSessionRequest request = SmallSession(0);
  request.mutable_spec()->mutable_ttl()->set_seconds(1);
  TestStream stream(*server_, std::chrono::milliseconds(1500));
  stream.Open(request);
  const std::string name = stream.ReadOpened().session().name();
  EXPECT_EQ(stream.Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(server_->Get(name).ok());
  EXPECT_TRUE(server_->WaitUntilGone(name));
}

TEST_F(ServerTest, ASlowReaderPausesOnlyItself) {
  const auto connection = server_->NewConnection();
  TestStream slow(*connection);
  slow.Open(SmallSession(0, 2));
  const std::string slow_name = slow.ReadOpened().session().name();
  TestStream quick(*server_);
  quick.Open(SmallSession(0, 3));
  quick.ReadOpened();
  // Until the connection takes no more, too.
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(quick.ReadChunk().has_value());
  EXPECT_TRUE(server_->WaitForState(slow_name, v1::Session::STATE_BLOCKED));
  v1::Session before, after;
  ASSERT_TRUE(server_->Get(slow_name, &before).ok());
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(quick.ReadChunk().has_value());
  ASSERT_TRUE(server_->Get(slow_name, &after).ok());
  EXPECT_EQ(after.state(), v1::Session::STATE_BLOCKED);
  EXPECT_EQ(after.chunk_count(), before.chunk_count());
  EXPECT_LE(after.outbox_bytes(), 256 << 10);
  // Nothing was lost: reading on, the chunks come without a gap.
  for (int64_t i = 0; i < 12; ++i) {
    const auto chunk = slow.ReadChunk();
    ASSERT_TRUE(chunk.has_value());
    EXPECT_EQ(chunk->last.index(), i);
  }
}

TEST_F(ServerTest, BytesDoNotDependOnWhoElseIsThere) {
  const auto take = [](TestStream& stream) {
    std::vector<std::string> digests;
    for (const WholeChunk& chunk : ReadAll(stream)) digests.push_back(chunk.last.digest());
    return digests;
  };
  TestStream alone(*server_);
  alone.Open(SmallSession(45, 9));
  alone.ReadOpened();
  const std::vector<std::string> expected = take(alone);
  ASSERT_EQ(expected.size(), 4u);
  std::vector<std::unique_ptr<TestStream>> streams;
  for (uint64_t seed : {9, 10, 11, 9}) {
    streams.push_back(std::make_unique<TestStream>(*server_));
    streams.back()->Open(SmallSession(45, seed));
  }
  std::vector<std::vector<std::string>> together;
  for (auto& stream : streams) {
    stream->ReadOpened();
    together.push_back(take(*stream));
  }
  EXPECT_EQ(together[0], expected);
  EXPECT_EQ(together[3], expected);
  EXPECT_NE(together[1], expected);
}

TEST_F(ServerTest, ModelsSayWhatTheyCost) {
  grpc::ClientContext context;
  v1::ListModelsResponse models;
  ASSERT_TRUE(server_->stub().ListModels(&context, {}, &models).ok());
  ASSERT_EQ(models.models_size(), 1);
  v1::GetModelRequest request;
  request.set_name(models.models(0).name());
  grpc::ClientContext context_2;
  v1::GetModelResponse model;
  ASSERT_TRUE(server_->stub().GetModel(&context_2, request, &model).ok());
  EXPECT_EQ(model.model().name(), "models/shapes-small");
  EXPECT_EQ(model.model().cost().sweeps_per_chunk(), 4);
  EXPECT_GT(model.model().cost().layer_bytes(), 0);
  EXPECT_GT(model.model().cost().kv_bytes_per_frame(), 0);
  EXPECT_GT(model.model().example_prompts_size(), 0);
}

TEST_F(ServerTest, AnEstimateTellsCostAndRoom) {
  v1::EstimateSessionRequest request;
  *request.mutable_spec() = SmallSession(0).spec();
  grpc::ClientContext context;
  v1::EstimateSessionResponse response;
  ASSERT_TRUE(server_->stub().EstimateSession(&context, request, &response).ok());
  EXPECT_TRUE(response.estimate().admissible());
  EXPECT_GT(response.estimate().kv_bytes(), 0);
  EXPECT_GT(response.estimate().memory_bytes(), response.estimate().kv_bytes());
}

}  // namespace
}  // namespace longtake
