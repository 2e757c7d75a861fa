// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// longtake top: sessions, sweeps, disk and memory of a server, while it runs.
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/units.h"
#include "client/commands.h"
#include "client/connection.h"
#include "client/describe.h"
#include "client/output_columns.h"
#include "client/top_page.h"

namespace longtake {
namespace {

constexpr int kSessionsShown = 20;

struct TopOptions {
  std::string metrics = "127.0.0.1:9767";
  std::string interval = "1s";
  std::string count = "0";  // 0: until interrupted
};

absl::StatusOr<std::string> SessionTable(const std::string& server) {
  const auto stub = Connect(server);
  v1::ListSessionsRequest request;
  request.set_page_size(kSessionsShown);
  grpc::ClientContext context;
  v1::ListSessionsResponse response;
  LT_RETURN_IF_ERROR(FromGrpc(stub->ListSessions(&context, request, &response)));
  if (response.sessions().empty()) return std::string();
  std::string out = "\n" + SessionLineHeader();
  for (const v1::Session& session : response.sessions()) {
    out += DescribeSessionLine(session, OutputColumns());
  }
  if (!response.next_page_token().empty()) out += "...\n";
  return out;
}

absl::Status Top(const Globals& globals, const TopOptions& options) {
  const auto count = ParseCountIn(options.count, 0, std::numeric_limits<uint64_t>::max());
  if (!count.ok()) return Annotate(count.status(), "--count");
  const auto interval_nanos = ParseDurationNanos(options.interval);
  if (!interval_nanos.ok()) return Annotate(interval_nanos.status(), "--interval");
  if (*interval_nanos == 0) return absl::InvalidArgumentError("--interval: must be more than 0");
  const bool terminal = isatty(STDOUT_FILENO) != 0;
  SystemClock clock;
  int64_t looked = clock.MonotonicNanos();
  LT_ASSIGN_OR_RETURN(MetricValues before, ScrapeMetrics(options.metrics));
  for (uint64_t shown = 0; *count == 0 || shown < *count; ++shown) {
    std::this_thread::sleep_for(std::chrono::nanoseconds(*interval_nanos));
    const int64_t now = clock.MonotonicNanos();
    LT_ASSIGN_OR_RETURN(MetricValues values, ScrapeMetrics(options.metrics));
    LT_ASSIGN_OR_RETURN(const std::string sessions, SessionTable(globals.server));
    const std::string page = RenderTop(before, values, NanosToSeconds(now - looked)) + sessions;
    // From the top left corner, over what the look before left.
    std::fputs(terminal ? ("\033[H\033[J" + page).c_str() : (page + "\n").c_str(), stdout);
    LT_RETURN_IF_ERROR(FlushOutput());
    before = std::move(values);
    looked = now;
  }
  return absl::OkStatus();
}

}  // namespace

void AddTopCommand(CLI::App& app, Globals& globals) {
  auto options = std::make_shared<TopOptions>();
  CLI::App* top = app.add_subcommand("top", "Watch a server: sessions, sweeps, disk, memory");
  top->add_option("--metrics", options->metrics, "HOST:PORT of longtaked's metrics")
      ->envname("LONGTAKE_METRICS")
      ->capture_default_str();
  top->add_option("--interval", options->interval, "Time between two refreshes")
      ->capture_default_str();
  top->add_option("--count", options->count, "Refreshes; 0: until interrupted")
      ->capture_default_str();
  top->callback([&globals, options] {
    globals.run = [&globals, options] { return Report(Top(globals, *options)); };
  });
}

}  // namespace longtake
