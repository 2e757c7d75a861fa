// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Sweeps of a packed Wan transformer whose layers come from the disk, and their two halves alone.
// One line of JSON per round; what a round is:
//   sweep    a forward of every session over the streamed layers
//   io       the same reads with nothing to compute and nothing to verify
//   compute  the same forward with every layer in memory
//   verify   the checksums of every streamed layer, over layers in memory
//
// With --ask it runs a round for each line it reads, so that other programs can take turns with it.
#include <sys/resource.h>

#include <cstdio>
#include <iostream>
#include <string>

#include "loadtest/bench/layer_run_options.h"
#include "storage/pack/block_crcs.h"

namespace longtake {
namespace {

struct Options {
  LayerRunOptions run;
  std::vector<std::string> rounds;
  int repeat = 1;
  std::string profile;
  std::string trace;
  bool ask = false;
};

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

class StreamBench {
 public:
  StreamBench(const Options& options, LayerRun& run) : options_(options), run_(run) {}

  absl::Status Round(const std::string& kind) {
    LayerStream* stream = nullptr;
    if (kind == "sweep") {
      stream = &run_.stream();
    } else if (kind == "io") {
      LT_ASSIGN_OR_RETURN(stream, ReadingStream());
    } else if (kind == "compute" || kind == "verify") {
      LT_ASSIGN_OR_RETURN(stream, KeptStream());
    } else {
      return absl::InvalidArgumentError("no round of that kind: " + kind);
    }
    const LayerStream::Stats before = stream->stats();
    const double cpu = CpuSeconds();
    const int64_t start = clock_.MonotonicNanos();
    if (kind == "io") {
      LT_RETURN_IF_ERROR(Read(*stream));
    } else if (kind == "verify") {
      LT_RETURN_IF_ERROR(Check(*stream));
    } else {
      LT_RETURN_IF_ERROR(run_.Forward(*stream, {}, {}));
    }
    const double seconds = NanosToSeconds(clock_.MonotonicNanos() - start);
    const LayerStream::Stats after = stream->stats();
    std::printf(
        "{\"round\": \"%s\", \"tokens\": %lld, \"seconds\": %.4f, \"bytes_read\": %llu, "
        "\"wait_seconds\": %.4f, \"verify_seconds\": %.4f, \"cpu_seconds\": %.4f}\n",
        kind.c_str(), static_cast<long long>(run_.rows()), seconds,
        static_cast<unsigned long long>(after.bytes_read - before.bytes_read),
        after.wait_seconds - before.wait_seconds, after.verify_seconds - before.verify_seconds,
        CpuSeconds() - cpu);
    std::fflush(stdout);
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<LayerStream*> ReadingStream() {
    if (reading_ == nullptr) {
      LayerStream::Options stream = options_.run.stream;
      stream.verify = LayerStream::Verify::kFirstTouch;
      LT_ASSIGN_OR_RETURN(reading_, LayerStream::Open(run_.pack(), stream));
      LT_RETURN_IF_ERROR(Read(*reading_));
    }
    return reading_.get();
  }

  absl::StatusOr<LayerStream*> KeptStream() {
    if (kept_ == nullptr) {
      LT_ASSIGN_OR_RETURN(kept_,
                          LayerStream::Open(run_.pack(), {.kept_bytes_max = uint64_t{1} << 40}));
      LT_RETURN_IF_ERROR(run_.Forward(*kept_, {}, {}));
    }
    return kept_.get();
  }

  absl::Status Read(LayerStream& stream) {
    for (size_t layer = 0; layer < stream.layer_count(); ++layer) {
      LT_ASSIGN_OR_RETURN(LayerLease lease, stream.Next());
      for (size_t tensor = 0; tensor < lease.tensor_count(); ++tensor) {
        LT_RETURN_IF_ERROR(lease.Tensor(tensor).status());
      }
    }
    return absl::OkStatus();
  }

  absl::Status Check(LayerStream& stream) {
    for (size_t layer = 0; layer < stream.layer_count(); ++layer) {
      LT_ASSIGN_OR_RETURN(LayerLease lease, stream.Next());
      for (size_t i = 0; i < lease.tensor_count() && !run_.stream().kept()[layer]; ++i) {
        LT_ASSIGN_OR_RETURN(const TensorView tensor, lease.Tensor(i));
        checksum_ ^= BlockCrcs({static_cast<const std::byte*>(tensor.data), tensor.bytes},
                               run_.pack().header().crc_block_bytes, options_.run.stream.workers)
                         .back();
      }
    }
    return absl::OkStatus();
  }

  const Options& options_;
  LayerRun& run_;
  SystemClock clock_;
  std::unique_ptr<LayerStream> reading_;
  std::unique_ptr<LayerStream> kept_;
  uint32_t checksum_ = 0;
};

absl::Status Run(Options options) {
  WorkerPool workers(options.run.threads);
  LT_ASSIGN_OR_RETURN(const auto backend,
                      CreateCpuBackend(workers, {.numerics_profile = options.profile}));
  options.run.stream.workers = &workers;
  std::unique_ptr<Trace> trace;
  if (!options.trace.empty()) {
    LT_ASSIGN_OR_RETURN(
        trace, Trace::Create(PosixFileSystem(), options.trace, [](const absl::Status& why) {
          std::fprintf(stderr, "stream_bench: %s\n", std::string(why.message()).c_str());
        }));
    options.run.stream.trace = trace.get();
    options.run.stream.trace_name = "transformer";
  }
  LT_ASSIGN_OR_RETURN(const auto run, LayerRun::Create(options.run, *backend));
  const LayerStream& stream = run->stream();
  std::fprintf(stderr, "%s %s, %llu MiB in memory, %llu MiB read in a sweep\n",
               stream.io_name().c_str(), stream.io_reason().c_str(),
               static_cast<unsigned long long>(stream.memory_bytes() >> 20),
               static_cast<unsigned long long>(stream.bytes_per_sweep() >> 20));
  LT_RETURN_IF_ERROR(run->Forward({}, {}));  // warms up, encodes the prompt, pins
  StreamBench bench(options, *run);
  if (options.ask) {
    std::puts("ready");
    std::fflush(stdout);
    std::string line;
    while (std::getline(std::cin, line)) LT_RETURN_IF_ERROR(bench.Round(line));
    return absl::OkStatus();
  }
  for (int i = 0; i < options.repeat; ++i) {
    for (const std::string& kind : options.rounds) LT_RETURN_IF_ERROR(bench.Round(kind));
  }
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  Options options;
  options.run.stream.kept_bytes_max = 0;
  options.rounds = {"sweep"};
  CLI::App app("Times sweeps of a packed Wan transformer whose layers come from the disk.");
  AddLayerRunOptions(app, options.run, options.profile);
  app.add_option("--sessions", options.run.sessions)->capture_default_str();
  app.add_option("--slots", options.run.stream.slot_count)->capture_default_str();
  app.add_option("--kept-bytes", options.run.stream.kept_bytes_max)->capture_default_str();
  app.add_option("--request-bytes", options.run.stream.request_bytes)->capture_default_str();
  app.add_option("--queue-depth", options.run.stream.queue_depth, "0: what the slots hold");
  app.add_option("--round", options.rounds, "sweep, io, compute or verify; again for more");
  app.add_option("--repeat", options.repeat, "Of the list of rounds")->capture_default_str();
  app.add_option("--trace", options.trace, "File that gets what happened when, for Perfetto");
  app.add_flag("--ask", options.ask, "A round for each line on standard input");
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = Run(options);
  if (status.ok()) return 0;
  std::fprintf(stderr, "stream_bench: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace
}  // namespace longtake

int main(int argc, char** argv) { return longtake::Main(argc, argv); }
