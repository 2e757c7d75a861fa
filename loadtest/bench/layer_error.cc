// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a quantised pack, or another numerics profile, does to a forward: the residual stream after
// each layer against that of a reference pack of the same model, whose bf16 or fp32 weights meet
// fp32 activations. Errors add up over the layers, as they do in use (docs/spec 7.3).
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "loadtest/bench/layer_run.h"
#include "loadtest/bench/timed_backend.h"

namespace longtake {
namespace {

struct Options {
  LayerRunOptions run;
  std::string other;
  std::string profile;
};

// The residual stream after every layer.
absl::StatusOr<std::vector<std::vector<float>>> Residuals(const LayerRunOptions& options,
                                                          const std::string& profile) {
  WorkerPool workers(options.threads);
  LT_ASSIGN_OR_RETURN(auto cpu, CreateCpuBackend(workers, {.numerics_profile = profile}));
  TimedBackend backend(std::move(cpu));
  LT_ASSIGN_OR_RETURN(const auto run, LayerRun::Create(options, backend));
  std::vector<std::vector<float>> out;
  LT_RETURN_IF_ERROR(run->Forward({}, [&](int64_t) {
    // Attention and FFN of every layer are added to it, its first row included.
    const float* residual = backend.lowest_sum();
    out.emplace_back(residual, residual + run->rows() * run->width());
  }));
  return out;
}

absl::Status Run(const Options& options) {
  LT_ASSIGN_OR_RETURN(const auto expected, Residuals(options.run, ""));
  LayerRunOptions other = options.run;
  if (!options.other.empty()) other.pack = options.other;
  LT_ASSIGN_OR_RETURN(const auto actual, Residuals(other, options.profile));
  std::printf("layer  relative error  cosine\n");
  for (size_t layer = 0; layer < expected.size(); ++layer) {
    double error = 0;
    double a = 0;
    double b = 0;
    double ab = 0;
    for (size_t i = 0; i < expected[layer].size(); ++i) {
      const double x = expected[layer][i];
      const double y = actual[layer][i];
      error += (x - y) * (x - y);
      a += x * x;
      b += y * y;
      ab += x * y;
    }
    std::printf("%5zu  %14.2e  %.6f\n", layer, std::sqrt(error / a), ab / std::sqrt(a * b));
  }
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  Options options;
  options.run.width = 160;
  options.run.height = 96;
  CLI::App app("Compares two packs of one model, or two numerics profiles, layer by layer.");
  app.add_option("reference", options.run.pack, "transformer.pack")->required();
  app.add_option("--other", options.other, "transformer.pack; default: the reference");
  app.add_option("--numerics-profile", options.profile, "Of the other");
  app.add_option("--threads", options.run.threads)->capture_default_str();
  app.add_option("--width", options.run.width)->capture_default_str();
  app.add_option("--height", options.run.height)->capture_default_str();
  app.add_option("--context", options.run.context)->capture_default_str();
  app.add_option("--text-tokens", options.run.text_tokens)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = Run(options);
  if (status.ok()) return 0;
  std::fprintf(stderr, "layer_error: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace
}  // namespace longtake

int main(int argc, char** argv) { return longtake::Main(argc, argv); }
