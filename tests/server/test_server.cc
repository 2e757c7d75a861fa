// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "tests/server/test_server.h"

#include <thread>

#include "absl/strings/str_cat.h"
#include "server/unix_socket.h"
#include "tests/engine/engine_fixture.h"

namespace longtake {
namespace {

constexpr std::chrono::milliseconds kLookPeriod{5};
constexpr int kLooksMax = 2000;

Config MakeConfig(const std::vector<std::string>& flags) {
  ConfigSources sources;
  sources.arguments = {"--pack",
                       EmbeddedPack(),
                       "--listen",
                       "127.0.0.1:0",
                       "--threads",
                       "2",
                       "--metrics-listen",
                       "",
                       "--kv-bytes",
                       "64MiB",
                       "--tokens-per-sweep",
                       "2048"};
  sources.arguments.insert(sources.arguments.end(), flags.begin(), flags.end());
  sources.environment = [](const std::string&) { return std::nullopt; };
  sources.files = &PosixFileSystem();
  const auto loaded = LoadConfig(sources);
  EXPECT_TRUE(loaded.ok()) << loaded.status();
  return loaded->config;
}

}  // namespace

TestServer::TestServer(std::vector<std::string> flags) {
  const Config config = MakeConfig(flags);
  if (IsUnixAddress(config.listen)) unix_address_ = config.listen;
  auto started = Server::Start(config, clock_);
  EXPECT_TRUE(started.ok()) << started.status();
  server_ = *std::move(started);
  channel_ = NewChannel(grpc::ChannelArguments());
  stub_ = v1::LongtakeService::NewStub(channel_);
}

grpc::Status TestServer::Create(const v1::CreateSessionRequest& request, v1::Session* session) {
  grpc::ClientContext context;
  v1::CreateSessionResponse response;
  const grpc::Status status = stub_->CreateSession(&context, request, &response);
  if (session != nullptr) *session = response.session();
  return status;
}

grpc::Status TestServer::Get(const std::string& name, v1::Session* session) {
  grpc::ClientContext context;
  v1::GetSessionRequest request;
  request.set_name(name);
  v1::GetSessionResponse response;
  const grpc::Status status = stub_->GetSession(&context, request, &response);
  if (session != nullptr) *session = response.session();
  return status;
}

grpc::Status TestServer::Delete(const std::string& name) {
  grpc::ClientContext context;
  v1::DeleteSessionRequest request;
  request.set_name(name);
  v1::DeleteSessionResponse response;
  return stub_->DeleteSession(&context, request, &response);
}

bool TestServer::WaitForState(const std::string& name, v1::Session::State state) {
  for (int i = 0; i < kLooksMax; ++i) {
    v1::Session session;
    if (Get(name, &session).ok() && session.state() == state) return true;
    std::this_thread::sleep_for(kLookPeriod);
  }
  return false;
}

bool TestServer::WaitUntilGone(const std::string& name) {
  for (int i = 0; i < kLooksMax; ++i) {
    if (Get(name).error_code() == grpc::StatusCode::NOT_FOUND) return true;
    std::this_thread::sleep_for(kLookPeriod);
  }
  return false;
}

// Past a proxy that the environment names.
std::shared_ptr<grpc::Channel> TestServer::NewChannel(grpc::ChannelArguments arguments) {
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  const std::string address =
      unix_address_.empty() ? absl::StrCat("127.0.0.1:", server_->port()) : unix_address_;
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

std::unique_ptr<v1::LongtakeService::Stub> TestServer::NewConnection() {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // Windows stay as they are, so that what an idle reader takes is known: 64 KiB.
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  return v1::LongtakeService::NewStub(NewChannel(arguments));
}

TestStream::TestStream(TestServer& server, std::optional<std::chrono::milliseconds> deadline) {
  if (deadline.has_value()) context_.set_deadline(std::chrono::system_clock::now() + *deadline);
  stream_ = server.stub().Stream(&context_);
}

TestStream::TestStream(v1::LongtakeService::Stub& stub) : stream_(stub.Stream(&context_)) {}

TestStream::~TestStream() {
  if (finished_) return;
  Cancel();
  Finish();
}

void TestStream::Open(const v1::CreateSessionRequest& request) {
  v1::StreamRequest first;
  *first.mutable_open() = request;
  Send(first);
}

void TestStream::Attach(const std::string& name, std::optional<int64_t> next_chunk) {
  v1::StreamRequest first;
  first.mutable_attach()->set_name(name);
  if (next_chunk.has_value()) first.mutable_attach()->set_next_chunk(*next_chunk);
  Send(first);
}

void TestStream::Control(v1::Control control) {
  v1::StreamRequest request;
  *request.mutable_control() = std::move(control);
  Send(request);
}

v1::Opened TestStream::ReadOpened() {
  v1::StreamResponse response;
  EXPECT_TRUE(stream_->Read(&response)) << "the stream ended before Opened";
  EXPECT_TRUE(response.has_opened()) << response.ShortDebugString();
  return response.opened();
}

bool TestStream::ReadOne(std::optional<WholeChunk>* chunk) {
  v1::StreamResponse response;
  if (!stream_->Read(&response)) return false;
  if (response.has_receipt()) receipts_.push_back(response.receipt());
  if (response.has_ended()) ended_ = true;
  if (!response.has_chunk()) return true;
  EXPECT_EQ(response.chunk().data_offset(), static_cast<int64_t>(partial_.data.size()));
  partial_.data += response.chunk().data();
  ++partial_.parts;
  if (!response.chunk().last_part()) return true;
  partial_.last = response.chunk();
  partial_.last.clear_data();
  *chunk = std::exchange(partial_, {});
  return true;
}

std::optional<WholeChunk> TestStream::ReadChunk() {
  std::optional<WholeChunk> chunk;
  while (!chunk.has_value() && ReadOne(&chunk)) {
  }
  return chunk;
}

bool TestStream::ReadReceipts(uint64_t control_id, size_t count) {
  std::optional<WholeChunk> chunk;
  while (receipts(control_id).size() < count) {
    if (!ReadOne(&chunk)) return false;
  }
  return true;
}

grpc::Status TestStream::Finish() {
  std::optional<WholeChunk> chunk;
  while (ReadOne(&chunk)) {
  }
  finished_ = true;
  return stream_->Finish();
}

std::vector<v1::Receipt> TestStream::receipts(uint64_t control_id) const {
  std::vector<v1::Receipt> out;
  for (const v1::Receipt& receipt : receipts_) {
    if (receipt.control_id() == control_id) out.push_back(receipt);
  }
  return out;
}

v1::CreateSessionRequest SmallSession(int64_t frame_count, uint64_t seed) {
  v1::CreateSessionRequest request;
  v1::SessionSpec& spec = *request.mutable_spec();
  spec.set_prompt("a red circle moving to the right");
  spec.set_seed(seed);
  spec.set_width(48);
  spec.set_height(32);
  spec.set_media_kind(v1::MEDIA_KIND_RGB24);
  if (frame_count > 0) spec.set_frame_count(frame_count);
  return request;
}

std::string ReasonOf(const google::rpc::Status& status) {
  std::string reason;
  for (const auto& any : status.details()) {
    google::rpc::ErrorInfo info;
    if (!any.UnpackTo(&info)) continue;
    if (!reason.empty() || info.domain() != "longtake") return "";
    reason = info.reason();
  }
  return reason;
}

std::string ReasonOf(const grpc::Status& status) {
  google::rpc::Status details;
  details.ParseFromString(status.error_details());
  EXPECT_EQ(details.code(), static_cast<int>(status.error_code()));
  return ReasonOf(details);
}

}  // namespace longtake
