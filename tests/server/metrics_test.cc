// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <sstream>
#include <thread>

#include "tests/engine/engine_fixture.h"
#include "tests/server/docs_table.h"
#include "tests/server/test_server.h"

namespace longtake {
namespace {

std::string GetMetrics(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  const std::string request = "GET /metrics HTTP/1.0\r\n\r\n";
  EXPECT_EQ(send(fd, request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
  std::string page;
  char buffer[4096];
  for (ssize_t got = 0; (got = recv(fd, buffer, sizeof(buffer), 0)) > 0;) {
    page.append(buffer, static_cast<size_t>(got));
  }
  close(fd);
  return page;
}

// Name -> type of every family on the page.
std::map<std::string, std::string> Families(const std::string& page) {
  std::map<std::string, std::string> out;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string hash, word, name, type;
    words >> hash >> word >> name >> type;
    if (hash == "#" && word == "TYPE" && name.starts_with("longtake_")) out[name] = type;
  }
  return out;
}

// The value of a line that begins with this name and labels.
double Value(const std::string& page, const std::string& series) {
  const size_t at = page.find("\n" + series + " ");
  if (at == std::string::npos) return -1.0;
  return std::stod(page.substr(at + series.size() + 2));
}

// Its write can never finish; what it was sent and was to be sent must not outlive the session.
TEST(Metrics, AReaderThatTakesNothingEndsWithItsSession) {
  TestServer server({"--metrics-listen", "127.0.0.1:0", "--outbox-bytes", "1MiB"});
  const auto streams = [&] {
    return Value(GetMetrics(server->metrics_port()), "longtake_streams");
  };
  TestStream stream(server);
  stream.Open(SmallSession(0));
  const std::string name = stream.ReadOpened().session().name();
  ASSERT_TRUE(server.WaitForState(name, v1::Session::STATE_BLOCKED));
  ASSERT_TRUE(server.Delete(name).ok());
  EXPECT_TRUE(server.WaitUntilGone(name));
  for (int i = 0; i < 600 && streams() > 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_EQ(streams(), 0.0);
  EXPECT_EQ(
      Value(GetMetrics(server->metrics_port()), "longtake_memory_used_bytes{pool=\"sessions\"}"),
      0.0);
}

TEST(Metrics, AStreamNeedsAFirstMessage) {
  TestServer server({"--metrics-listen", "127.0.0.1:0"});
  TestStream stream(server);
  const grpc::Status status = stream.Finish();
  EXPECT_EQ(ReasonOf(status), "REQUEST_LATE");
  EXPECT_NE(status.error_message().find("within 10 s"), std::string::npos)
      << status.error_message();
}

TEST(Metrics, PageAndDocumentationAgree) {
  const ScratchDirectory scratch;  // with a store, so that its families are there
  TestServer server({"--metrics-listen", "127.0.0.1:0", "--state-dir", scratch.directory()});
  v1::CreateSessionRequest request = SmallSession(21);
  request.set_session_id("counted");
  TestStream stream(server);
  stream.Open(request);
  EXPECT_TRUE(stream.Finish().ok());
  request.mutable_spec()->set_seed(request.spec().seed() + 1);
  EXPECT_EQ(ReasonOf(server.Create(request)), "SESSION_EXISTS");

  const std::string page = GetMetrics(server->metrics_port());
  std::map<std::string, std::string> documented;
  for (const auto& row : DocsRows("metrics.md")) documented[row[0]] = row[1];
  EXPECT_EQ(Families(page), documented);

  EXPECT_EQ(Value(page, "longtake_sessions_admitted_total"), 1.0);
  EXPECT_EQ(Value(page, "longtake_sessions_rejected_total{reason=\"SESSION_EXISTS\"}"), 1.0);
  EXPECT_EQ(Value(page, "longtake_rpcs_total{code=\"OK\",method=\"Stream\"}"), 1.0);
  EXPECT_EQ(Value(page, "longtake_chunks_delivered_total"), 2.0);
  EXPECT_EQ(Value(page, "longtake_frames_delivered_total"), 21.0);
  EXPECT_EQ(Value(page, "longtake_media_delivered_bytes_total"), 21.0 * 48 * 32 * 3);
  EXPECT_EQ(Value(page, "longtake_frames_decoded_total"), 21.0);
  EXPECT_EQ(Value(page, "longtake_first_frame_seconds_count"), 1.0);
  // Four steps a chunk; the clean pass between them rides along.
  EXPECT_EQ(Value(page, "longtake_weight_sweeps_total{stack=\"transformer\"}"), 8.0);
  EXPECT_EQ(page.find("counted"), std::string::npos);
}

}  // namespace
}  // namespace longtake
