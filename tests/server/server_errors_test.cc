// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Every way a call is refused or ends badly, as a client sees it.

#include <gmock/gmock.h>
#include <grpcpp/impl/client_unary_call.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/machine_memory.h"
#include "grpc/health/v1/health.pb.h"
#include "tests/engine/engine_fixture.h"
#include "tests/server/test_server.h"

namespace longtake {
namespace {

// The BadRequest's only field.
std::string FieldOf(const grpc::Status& status) {
  google::rpc::Status details;
  details.ParseFromString(status.error_details());
  for (const auto& any : details.details()) {
    google::rpc::BadRequest bad;
    if (any.UnpackTo(&bad)) return bad.field_violations(0).field();
  }
  return "";
}

bool HasRetry(const grpc::Status& status) {
  google::rpc::Status details;
  details.ParseFromString(status.error_details());
  for (const auto& any : details.details()) {
    if (any.Is<google::rpc::RetryInfo>()) return true;
  }
  return false;
}

grpc::Status StreamStatus(TestServer& server, const v1::StreamRequest& first) {
  TestStream stream(server);
  stream.Send(first);
  return stream.Finish();
}

TEST(ServerErrors, RequestsThatWillNeverDo) {
  TestServer server;
  v1::CreateSessionRequest request = SmallSession(9);
  request.mutable_spec()->set_width(100);
  grpc::Status status = server.Create(request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ReasonOf(status), "INVALID_FIELD");
  EXPECT_EQ(FieldOf(status), "spec.width");

  v1::StreamRequest open;
  *open.mutable_open() = request;
  EXPECT_EQ(FieldOf(StreamStatus(server, open)), "open.spec.width");

  request = SmallSession(9);
  request.set_session_id("Not Good");
  EXPECT_EQ(FieldOf(server.Create(request)), "session_id");

  request = SmallSession(9);
  request.mutable_spec()->set_numerics_profile(std::string(65, 'x'));
  EXPECT_EQ(FieldOf(server.Create(request)), "spec.numerics_profile");
  request.mutable_spec()->set_numerics_profile("cpu-of-tomorrow-v1");
  EXPECT_EQ(ReasonOf(server.Create(request)), "NUMERICS_DIFFER");
  request.mutable_spec()->set_allow_other_numerics(true);
  v1::Session marked;
  EXPECT_TRUE(server.Create(request, &marked).ok());
  EXPECT_TRUE(marked.numerics_differ());
  EXPECT_EQ(marked.numerics_profile(), "cpu-fma-chain-v1");

  request = SmallSession(9);
  request.mutable_spec()->set_model("models/other");
  EXPECT_EQ(ReasonOf(server.Create(request)), "MODEL_NOT_FOUND");

  EXPECT_EQ(ReasonOf(server.Get("sessions/nobody")), "SESSION_NOT_FOUND");
  EXPECT_EQ(FieldOf(server.Get("nobody")), "name");
  EXPECT_EQ(ReasonOf(server.Delete("sessions/nobody")), "SESSION_NOT_FOUND");

  v1::StreamRequest attach;
  attach.mutable_attach()->set_name("sessions/nobody");
  EXPECT_EQ(ReasonOf(StreamStatus(server, attach)), "SESSION_NOT_FOUND");
  attach.mutable_attach()->set_name("nobody");
  EXPECT_EQ(FieldOf(StreamStatus(server, attach)), "attach.name");

  v1::StreamRequest control;
  control.mutable_control()->mutable_pause();
  EXPECT_EQ(ReasonOf(StreamStatus(server, control)), "STREAM_PROTOCOL");
  EXPECT_EQ(ReasonOf(StreamStatus(server, {})), "STREAM_PROTOCOL");
}

TEST(ServerErrors, OpenTwiceIsAProtocolError) {
  TestServer server;
  TestStream stream(server);
  stream.Open(SmallSession(0));
  stream.ReadOpened();
  stream.Open(SmallSession(0));
  EXPECT_EQ(ReasonOf(stream.Finish()), "STREAM_PROTOCOL");
}

v1::StreamRequest StartPart(int64_t offset, size_t bytes) {
  v1::StreamRequest request;
  request.mutable_start()->set_data_offset(offset);
  request.mutable_start()->set_data(std::string(bytes, 'x'));
  return request;
}

// A stream whose start part was wrong; its session is not disturbed.
std::string StartError(TestServer& server, const std::string& name, const v1::StreamRequest& part) {
  TestStream stream(server);
  stream.Attach(name);
  stream.ReadOpened();
  stream.Send(part);
  const grpc::Status status = stream.Finish();
  EXPECT_EQ(ReasonOf(status), "INVALID_FIELD");
  return FieldOf(status);
}

TEST(ServerErrors, StartFramesThatAreNotTheNextOnes) {
  TestServer server;
  EXPECT_EQ(ReasonOf(StreamStatus(server, StartPart(0, 1))), "STREAM_PROTOCOL");
  v1::CreateSessionRequest request = SmallSession(21);
  request.mutable_spec()->set_start_frame_count(10);
  EXPECT_EQ(FieldOf(server.Create(request)), "spec.start_frame_count");
  request.mutable_spec()->set_start_frame_count(9);
  v1::Session session;
  ASSERT_TRUE(server.Create(request, &session).ok());
  constexpr size_t kBytes = 9 * 48 * 32 * 3;
  EXPECT_EQ(StartError(server, session.name(), StartPart(7, 1)), "start.data_offset");
  EXPECT_EQ(StartError(server, session.name(), StartPart(-1, 1)), "start.data_offset");
  EXPECT_EQ(StartError(server, session.name(), StartPart(0, kBytes + 1)), "start.data");

  // A break in the middle: another stream goes on where the first stopped.
  {
    TestStream stream(server);
    stream.Attach(session.name());
    stream.ReadOpened();
    stream.Send(StartPart(0, kBytes / 2));
    for (int i = 0; i < 200 && session.start_bytes() == 0; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      ASSERT_TRUE(server.Get(session.name(), &session).ok());
    }
    stream.Cancel();
  }
  ASSERT_EQ(session.start_bytes(), static_cast<int64_t>(kBytes / 2));
  {  // One that says it is through, and is not.
    TestStream stream(server, std::chrono::seconds(10));
    stream.Attach(session.name());
    stream.ReadOpened();
    stream.SayNoMore();
    const grpc::Status status = stream.Finish();
    EXPECT_EQ(ReasonOf(status), "INVALID_FIELD");
    EXPECT_EQ(FieldOf(status), "start.data");
  }
  TestStream stream(server);
  stream.Attach(session.name());
  EXPECT_EQ(stream.ReadOpened().session().start_bytes(), static_cast<int64_t>(kBytes / 2));
  stream.Send(StartPart(session.start_bytes(), kBytes - kBytes / 2));
  stream.SayNoMore();
  EXPECT_TRUE(stream.Finish().ok());

  v1::Session plain;
  ASSERT_TRUE(server.Create(SmallSession(0), &plain).ok());
  EXPECT_EQ(StartError(server, plain.name(), StartPart(0, 1)), "start.data");
}

TEST(ServerErrors, NoPlaceNoMemory) {
  TestServer places({"--sessions-max", "1"});
  v1::CreateSessionRequest request = SmallSession(0);
  request.set_session_id("only");
  ASSERT_TRUE(places.Create(request).ok());
  grpc::Status status = places.Create(SmallSession(0));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ReasonOf(status), "SESSION_PLACES_EXHAUSTED");
  EXPECT_TRUE(HasRetry(status));

  v1::EstimateSessionRequest ask;
  *ask.mutable_spec() = request.spec();
  TestServer sized;
  grpc::ClientContext context;
  v1::EstimateSessionResponse answer;
  ASSERT_TRUE(sized.stub().EstimateSession(&context, ask, &answer).ok());
  const int64_t kv_bytes = answer.estimate().kv_bytes();

  TestServer memory({"--kv-bytes", std::to_string(kv_bytes * 3 / 2)});
  ASSERT_TRUE(memory.Create(request).ok());
  EXPECT_TRUE(memory.Create(request).ok()) << "the same request again is the same session";
  request.mutable_spec()->set_seed(request.spec().seed() + 1);
  EXPECT_EQ(ReasonOf(memory.Create(request)), "SESSION_EXISTS");
  status = memory.Create(SmallSession(0));
  EXPECT_EQ(ReasonOf(status), "SESSION_MEMORY_EXHAUSTED");
  EXPECT_TRUE(HasRetry(status));
  // The one before goes, and there is room again.
  ASSERT_TRUE(memory.Delete("sessions/only").ok());
  for (int i = 0; i < 1000 && !status.ok(); ++i) status = memory.Create(SmallSession(0));
  EXPECT_TRUE(status.ok()) << status.error_message();

  TestServer tiny({"--kv-bytes", std::to_string(kv_bytes / 2)});
  status = tiny.Create(request);
  EXPECT_EQ(ReasonOf(status), "SESSION_TOO_LARGE");
  EXPECT_FALSE(HasRetry(status));
}

TEST(ServerErrors, APeerHasItsShare) {
  TestServer server({"--sessions-max", "4", "--peer-share", "50"});
  v1::CreateSessionRequest request = SmallSession(0);
  request.set_session_id("first");
  ASSERT_TRUE(server.Create(request).ok());
  TestStream stream(server);
  stream.Open(SmallSession(0));
  stream.ReadOpened();
  EXPECT_TRUE(server.Create(request).ok()) << "it is there already";
  const grpc::Status status = server.Create(SmallSession(0));
  EXPECT_EQ(ReasonOf(status), "PEER_SHARE_EXHAUSTED");
  EXPECT_TRUE(HasRetry(status));
  TestStream refused(server, std::chrono::seconds(10));
  refused.Open(SmallSession(0));
  EXPECT_EQ(ReasonOf(refused.Finish()), "PEER_SHARE_EXHAUSTED");

  v1::EstimateSessionRequest ask;
  *ask.mutable_spec() = request.spec();
  grpc::ClientContext context;
  v1::EstimateSessionResponse answer;
  ASSERT_TRUE(server.stub().EstimateSession(&context, ask, &answer).ok());
  EXPECT_FALSE(answer.estimate().admissible());
  EXPECT_THAT(
      answer.estimate().refusal_message(),
      ::testing::HasSubstr("one peer may have 2 session places (peer-share), 127.0.0.1 has 2"));
  ASSERT_TRUE(server.Delete("sessions/first").ok());
  EXPECT_TRUE(server.Create(SmallSession(0)).ok());
}

TEST(ServerErrors, AUserOfAUnixSocketHasItsShareOverAllConnections) {
  const std::string path = absl::StrCat(::testing::TempDir(), "longtake-share-", getpid());
  TestServer server({"--listen", "unix:" + path, "--sessions-max", "4", "--peer-share", "50"});
  const auto other = server.NewConnection();
  ASSERT_TRUE(server.Create(SmallSession(0)).ok());
  TestStream stream(*other);
  stream.Open(SmallSession(0));
  stream.ReadOpened();
  const grpc::Status status = server.Create(SmallSession(0));
  EXPECT_EQ(ReasonOf(status), "PEER_SHARE_EXHAUSTED");
  EXPECT_THAT(status.error_message(),
              ::testing::HasSubstr(absl::StrCat("unix:uid=", geteuid(), " has 2")));
}

TEST(ServerErrors, ADeletedSessionTellsItsReader) {
  TestServer server;
  TestStream stream(server);
  stream.Open(SmallSession(0));
  const std::string name = stream.ReadOpened().session().name();
  ASSERT_TRUE(server.Delete(name).ok());
  const grpc::Status status = stream.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_EQ(ReasonOf(status), "SESSION_DELETED");
}

TEST(ServerErrors, AnEndedSessionTakesNoControls) {
  TestServer server;
  v1::Session session;
  // Long enough that its chunks do not fit what the connection buffers while nobody reads.
  ASSERT_TRUE(server.Create(SmallSession(153), &session).ok());
  ASSERT_TRUE(server.WaitForState(session.name(), v1::Session::STATE_ENDED));
  TestStream stream(server);
  stream.Attach(session.name());
  v1::Control control;
  control.set_id(4);
  control.mutable_pause();
  stream.Control(control);
  ASSERT_TRUE(stream.ReadReceipts(4, 1));
  EXPECT_EQ(ReasonOf(stream.receipts(4)[0].error()), "SESSION_OVER");
  EXPECT_TRUE(stream.Finish().ok());
}

TEST(ServerErrors, DrainRefusesNewSessionsAndStopEndsStreams) {
  TestServer server;
  TestStream stream(server);
  v1::CreateSessionRequest request = SmallSession(0);
  request.set_session_id("mine");
  stream.Open(request);
  stream.ReadOpened();
  server->BeginDrain(INT64_MAX);
  EXPECT_TRUE(server.Create(request).ok()) << "it is there, and asked for again";
  grpc::Status status = server.Create(SmallSession(9));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOf(status), "SHUTTING_DOWN");
  EXPECT_TRUE(HasRetry(status));
  EXPECT_TRUE(stream.ReadChunk().has_value());
  std::thread reader([&] { status = stream.Finish(); });
  server->Stop();
  reader.join();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOf(status), "SHUTTING_DOWN");
  EXPECT_EQ(server->open_streams(), 0);
}

// Envoy passes on 60 KiB of headers, 100 of them, where nobody configured it.
TEST(ServerErrors, HeadersThatAProxyLetsThroughEndNobodysCalls) {
  TestServer server;
  TestStream stream(server);
  stream.Open(SmallSession(0));
  stream.ReadOpened();
  grpc::ClientContext context;
  for (int i = 0; i < 96; ++i) {
    context.AddMetadata("x-header-" + std::to_string(100 + i), std::string(628, 'y'));
  }
  v1::ListModelsResponse response;
  const grpc::Status status = server.stub().ListModels(&context, {}, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_TRUE(stream.ReadChunk().has_value()) << "it shares the connection";
}

// Spoils a byte in every page of the transformer's pack, beyond its headers.
void SpoilPack(const std::filesystem::path& pack) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(pack)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_regular_file() || name.find("transformer") == std::string::npos) continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    const auto size = static_cast<int64_t>(entry.file_size());
    for (int64_t at = size / 4; at < size; at += 4096) {
      file.seekg(at);
      const char byte = static_cast<char>(file.get() ^ 1);
      file.seekp(at);
      file.put(byte);
    }
  }
}

bool IsServing(TestServer& server, const std::string& service) {
  const auto channel = server.NewChannel({});
  const grpc::internal::RpcMethod check("/grpc.health.v1.Health/Check",
                                        grpc::internal::RpcMethod::NORMAL_RPC, channel);
  grpc::ClientContext context;
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  grpc::health::v1::HealthCheckResponse response;
  const grpc::Status status =
      grpc::internal::BlockingUnaryCall(channel.get(), check, &context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.status() == grpc::health::v1::HealthCheckResponse::SERVING;
}

TEST(ServerErrors, ACorruptPackIsNeverComputedOn) {
  const std::filesystem::path pack = EmbeddedPack() + "-spoiled";
  std::filesystem::copy(EmbeddedPack(), pack, std::filesystem::copy_options::recursive);
  {
    TestServer server({"--pack", pack.string(), "--kept-bytes", "0", "--io", "pread"});
    TestStream stream(server);
    stream.Open(SmallSession(0));
    stream.ReadOpened();
    ASSERT_TRUE(stream.ReadChunk().has_value());
    SpoilPack(pack);
    const grpc::Status status = stream.Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::DATA_LOSS);
    EXPECT_EQ(ReasonOf(status), "PACK_CORRUPT");
    EXPECT_EQ(status.error_message().find(pack.string()), std::string::npos);
    // Once may be a moment's; the second time nobody new should come.
    EXPECT_TRUE(IsServing(server, "readiness"));
    v1::CreateSessionRequest request = SmallSession(0);
    request.set_session_id("second");
    TestStream second(server);
    second.Open(request);
    EXPECT_EQ(ReasonOf(second.Finish()), "PACK_CORRUPT");
    EXPECT_FALSE(IsServing(server, "readiness"));
    EXPECT_FALSE(IsServing(server, ""));
    EXPECT_TRUE(IsServing(server, "liveness"));
  }
  std::filesystem::remove_all(pack);
}

TEST(ServerErrors, ABudgetHoldsForAFileInMemoryToo) {
  if (!IsInMemory("/dev/shm")) GTEST_SKIP() << "/dev/shm is no tmpfs here";
  SystemClock clock;
  Config config;
  config.pack = EmbeddedPack();
  config.threads = 1;
  config.kv_file = "/dev/shm";
  config.memory_budget = uint64_t{1} << 30;
  const absl::Status status = Server::Start(config, clock).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(std::string(status.message()).starts_with("kv-file: /dev/shm")) << status;
}

TEST(ServerErrors, ATakenPortAndAMissingPackAreOneClearLine) {
  TestServer server;
  SystemClock clock;
  ConfigSources sources;
  sources.arguments = {"--pack",
                       EmbeddedPack(),
                       "--metrics-listen",
                       "",
                       "--tokens-per-sweep",
                       "512",
                       "--kv-bytes",
                       "1MiB",
                       "--listen",
                       "127.0.0.1:" + std::to_string(server->port())};
  sources.environment = [](const std::string&) { return std::nullopt; };
  Config config = LoadConfig(sources)->config;
  absl::Status status = Server::Start(config, clock).status();
  EXPECT_EQ(status.message(), "listen: cannot listen on " + config.listen +
                                  ": Address already in use; another program has this port");
  config.pack = "/nonexistent";
  status = Server::Start(config, clock).status();
  EXPECT_TRUE(std::string(status.message()).starts_with("pack: ")) << status;
  EXPECT_NE(std::string(status.message()).find("/nonexistent"), std::string::npos) << status;
}

}  // namespace
}  // namespace longtake
