// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Whole layers of a packed Wan transformer (longtake-pack synth writes one), as a session asks for
// them: a chunk of frames at a size, attending to frames of K/V memory and to a prompt. Seconds are
// of the last layer, by kind of op, wall time.
//
// What the caller's thread does alone is told of whole forwards, from embedding to head: its own
// processor time, and that as a share of a forward in which nobody else takes processors away.
//
// Prints a line per round; with --ask it runs a round for each line it reads, so that another
// program can take turns with it.
#include <cstdio>
#include <ctime>
#include <iostream>
#include <string>

#include "loadtest/bench/layer_run_options.h"
#include "loadtest/bench/timed_backend.h"

namespace longtake {
namespace {

struct Options {
  LayerRunOptions run;
  int rounds = 3;
  std::string profile;
  std::string instruction_set_max;
  bool ask = false;
};

double CpuSeconds(clockid_t clock) {
  timespec now = {};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

absl::Status Run(const Options& options) {
  WorkerPool workers(options.run.threads);
  LT_ASSIGN_OR_RETURN(auto cpu,
                      CreateCpuBackend(workers, {.instruction_set_max = options.instruction_set_max,
                                                 .numerics_profile = options.profile}));
  TimedBackend backend(std::move(cpu));
  LT_ASSIGN_OR_RETURN(const auto run, LayerRun::Create(options.run, backend));
  LT_RETURN_IF_ERROR(run->Forward({}, {}));  // warms up, encodes the prompt
  SystemClock clock;
  std::string line;
  for (int i = 0;
       options.ask ? static_cast<bool>(std::getline(std::cin, line)) : i < options.rounds; ++i) {
    TimedBackend::Seconds seconds;
    int64_t start_nanos = 0;
    double layer = 0;
    const double alone_before = CpuSeconds(CLOCK_THREAD_CPUTIME_ID);
    const double all_before = CpuSeconds(CLOCK_PROCESS_CPUTIME_ID);
    LT_RETURN_IF_ERROR(run->Forward(
        [&] {
          backend.TakeSeconds();
          start_nanos = clock.MonotonicNanos();
        },
        [&](int64_t) {
          layer = NanosToSeconds(clock.MonotonicNanos() - start_nanos);
          seconds = backend.TakeSeconds();
        }));
    const double alone = CpuSeconds(CLOCK_THREAD_CPUTIME_ID) - alone_before;
    const double shared = CpuSeconds(CLOCK_PROCESS_CPUTIME_ID) - all_before - alone;
    const double forward = alone + shared / options.run.threads;
    const double other = layer - seconds.linear - seconds.attention;
    std::printf(
        "rows %lld  layer %.4f s  linear %.4f s %.0f Gop/s  attention %.4f s %.0f Gop/s  other "
        "%.4f s %.1f %%  alone %.5f s %.2f %%\n",
        static_cast<long long>(run->rows()), layer, seconds.linear,
        run->LinearOperations() / seconds.linear * 1e-9, seconds.attention,
        run->AttentionOperations() / seconds.attention * 1e-9, other, 100 * other / layer, alone,
        100 * alone / forward);
    std::fflush(stdout);
  }
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("Times the layers of a packed Wan transformer.");
  AddLayerRunOptions(app, options.run, options.profile);
  app.add_option("--rounds", options.rounds)->capture_default_str();
  app.add_option("--instruction-set-max", options.instruction_set_max);
  app.add_flag("--ask", options.ask, "A round for each line on standard input");
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = Run(options);
  if (status.ok()) return 0;
  std::fprintf(stderr, "layer_bench: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace
}  // namespace longtake

int main(int argc, char** argv) { return longtake::Main(argc, argv); }
