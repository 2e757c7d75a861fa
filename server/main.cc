// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// longtaked: options, server, signals. SIGTERM or SIGINT drains and ends with status 0; a second
// one drains no longer.
#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/exhausted.h"
#include "base/file_system.h"
#include "base/printable_text.h"
#include "base/standard_files.h"
#include "server/config.h"
#include "server/descriptors.h"
#include "server/end_signals.h"
#include "server/log.h"
#include "server/port_file.h"
#include "server/server.h"

namespace longtake {
namespace {

constexpr std::chrono::milliseconds kDrainLook{5};
// For what is left after draining: streams get their status, a chunk in work is given up.
constexpr int64_t kStopNanos = 5'000'000'000;
// For the log's reader to take the last lines.
constexpr int64_t kLastLinesNanos = 1'000'000'000;

// Waits until open streams are gone, or sessions are on disk, the time is up or a second signal
// hurries.
void Drain(Server& server, const EndSignals& signals, int64_t timeout_nanos, Clock& clock) {
  const int64_t end_nanos = clock.MonotonicNanos() + timeout_nanos;
  server.BeginDrain(end_nanos);
  Log(LogLevel::kInfo, "draining",
      {{"streams", int64_t{server.open_streams()}}, {"seconds", NanosToSeconds(timeout_nanos)}});
  while (!server.at_rest() && clock.MonotonicNanos() < end_nanos && !signals.hurried()) {
    std::this_thread::sleep_for(kDrainLook);
  }
}

// The files that name the two ports.
struct PortFiles {
  explicit PortFiles(const Config& config)
      : grpc(config.port_file), metrics(config.metrics_port_file) {}
  ~PortFiles() { Remove(); }

  void RemoveStale() const {
    grpc.RemoveStale();
    metrics.RemoveStale();
  }
  absl::Status Write(const Server& server) {
    LT_RETURN_IF_ERROR(grpc.Write(server.port()));
    return metrics.Write(server.metrics_port());
  }
  void Remove() {
    grpc.Remove();
    metrics.Remove();
  }

  PortFile grpc;
  PortFile metrics;
};

absl::Status Print(const std::string& text) {
  if (std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0) return absl::OkStatus();
  return absl::UnavailableError("print-config: standard output takes no more");
}

absl::Status Run(int argc, char** argv) {
  ConfigSources sources;
  sources.arguments.assign(argv + 1, argv + argc);
  sources.environment = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
  sources.files = &PosixFileSystem();
  LT_ASSIGN_OR_RETURN(const ConfigResult loaded, LoadConfig(sources));
  if (loaded.print.has_value()) return Print(*loaded.print);
  const Config& config = loaded.config;
  SystemClock clock;
  PortFiles port_files(config);
  LT_ASSIGN_OR_RETURN(const std::unique_ptr<EndSignals> signals,
                      EndSignals::Listen(clock, [&](const char* why) {
                        port_files.Remove();
                        Log(LogLevel::kInfo, "ended at once", {{"reason", why}});
                        FlushLog(kLastLinesNanos);
                      }));
  StartLog(config.log_level, config.log_format);
  port_files.RemoveStale();
  const DescriptorLimit descriptors = RaiseDescriptorLimit();
  Log(LogLevel::kInfo, "file descriptors", {{"limit", descriptors.now}, {"was", descriptors.soft}});

  LT_ASSIGN_OR_RETURN(const std::unique_ptr<Server> server, Server::Start(config, clock));
  signals->BeginServing();
  LT_RETURN_IF_ERROR(port_files.Write(*server));

  signals->Wait();
  signals->EndWithin(config.drain_timeout_nanos + kStopNanos);
  Drain(*server, *signals, config.drain_timeout_nanos, clock);
  signals->EndWithin(kStopNanos);
  server->Stop();
  port_files.Remove();
  Log(LogLevel::kInfo, "ended");
  return absl::OkStatus();
}

// Says what went wrong after all lines of the log, and gives the exit status.
int Tell(const absl::Status& status) {
  const bool read = FlushLog(kLastLinesNanos);
  if (status.ok()) return 0;
  const std::string message(status.message());
  if (read) std::fprintf(stderr, "longtaked: %s\n", PrintableText(message).c_str());
  return 1;
}

}  // namespace
}  // namespace longtake

int main(int argc, char** argv) {
  longtake::ReserveStandardFiles();
  // Large blocks come from the system and go back to it, or the memory promise would leak into the
  // heap's free lists: glibc raises this threshold by itself as blocks are freed, up to 32 MiB.
  mallopt(M_MMAP_THRESHOLD, 256 << 10);
  mallopt(M_ARENA_MAX, 4);
  // Writing to a reader that is gone, beyond a file's limit or to a terminal of somebody else is an
  // error of that write and no reason to end or to stop.
  for (const int ignored : {SIGPIPE, SIGXFSZ, SIGTTOU}) signal(ignored, SIG_IGN);
  const absl::Status status = longtake::CatchExhausted([&] { return longtake::Run(argc, argv); });
  // Past this the log's thread may still be stuck in a write, so nothing waits for it: neither
  // destructors nor the locks of stdio.
  _exit(longtake::Tell(status));
}
