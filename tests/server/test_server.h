// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A server over loopback with the embedded model at a small size, and a plain client of it.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "longtake/v1/longtake.grpc.pb.h"
#include "server/config.h"
#include "server/server.h"

namespace longtake {

class TestServer {
 public:
  // Further flags of longtaked, "--slots", "1", ...
  explicit TestServer(std::vector<std::string> flags = {});

  v1::LongtakeService::Stub& stub() { return *stub_; }
  Server& operator*() { return *server_; }
  Server* operator->() { return server_.get(); }
  // A connection of its own, that nobody else makes progress on.
  std::unique_ptr<v1::LongtakeService::Stub> NewConnection();

  grpc::Status Create(const v1::CreateSessionRequest& request, v1::Session* session = nullptr);
  grpc::Status Get(const std::string& name, v1::Session* session = nullptr);
  grpc::Status Delete(const std::string& name);
  // Asks until the session is in this state; false after ten seconds.
  bool WaitForState(const std::string& name, v1::Session::State state);
  // Until GetSession says NOT_FOUND.
  bool WaitUntilGone(const std::string& name);
  std::shared_ptr<grpc::Channel> NewChannel(grpc::ChannelArguments arguments);

 private:
  SystemClock clock_;
  std::string unix_address_;  // empty: a port
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::LongtakeService::Stub> stub_;
};

// A chunk put together from its parts.
struct WholeChunk {
  v1::Chunk last;  // without data
  std::string data;
  int parts = 0;
};

// One Stream call, read step by step.
class TestStream {
 public:
  explicit TestStream(TestServer& server, std::optional<std::chrono::milliseconds> deadline = {});
  explicit TestStream(v1::LongtakeService::Stub& stub);
  ~TestStream();

  void Send(const v1::StreamRequest& request) { stream_->Write(request); }
  void SayNoMore() { stream_->WritesDone(); }
  void Open(const v1::CreateSessionRequest& request);
  void Attach(const std::string& name, std::optional<int64_t> next_chunk = {});
  void Control(v1::Control control);
  void Cancel() { context_.TryCancel(); }

  // The Opened message; fails the test when something else comes.
  v1::Opened ReadOpened();
  // The next chunk; receipts met on the way go to receipts(). Nothing at the end of the stream.
  std::optional<WholeChunk> ReadChunk();
  // Reads until this control has as many receipts.
  bool ReadReceipts(uint64_t control_id, size_t count);
  // Reads to the end; chunks are thrown away.
  grpc::Status Finish();

  std::vector<v1::Receipt> receipts(uint64_t control_id) const;
  bool ended() const { return ended_; }

 private:
  bool ReadOne(std::optional<WholeChunk>* chunk);

  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::StreamRequest, v1::StreamResponse>> stream_;
  std::vector<v1::Receipt> receipts_;
  WholeChunk partial_;
  bool ended_ = false;
  bool finished_ = false;
};

// 48x32 RGB; 0 frames is endless.
v1::CreateSessionRequest SmallSession(int64_t frame_count, uint64_t seed = 1);

// The ErrorInfo's reason; empty when there is not exactly one.
std::string ReasonOf(const google::rpc::Status& status);
std::string ReasonOf(const grpc::Status& status);

}  // namespace longtake
