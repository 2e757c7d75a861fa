// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Decoding of one chunk by a packed VAE (longtake-pack synth --shape wan-vae writes one), in the
// middle of a stream. With --ask it decodes a chunk for each line it reads, so that another program
// can take turns with it.
#include <cmath>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "base/clock.h"
#include "base/worker_pool.h"
#include "engine/model/vae/decoder.h"
#include "engine/model/vae/latent_grid.h"

namespace longtake {
namespace {

struct Options {
  std::string pack;
  int threads = 2;
  int64_t width = 832;
  int64_t height = 480;
  int64_t latents = 3;
  int rounds = 3;
  bool ask = false;
};

absl::Status Run(const Options& options) {
  WorkerPool workers(options.threads);
  LT_ASSIGN_OR_RETURN(const auto backend, CreateCpuBackend(workers));
  LT_ASSIGN_OR_RETURN(const auto pack, PackReader::Open(PosixFileSystem(), options.pack));
  LT_ASSIGN_OR_RETURN(const VaeConfig config, ParseVaeConfig(pack->config(), options.pack));
  LT_ASSIGN_OR_RETURN(const ResidentSection resident, pack->LoadResident());
  LT_ASSIGN_OR_RETURN(const auto decoder, WanVaeDecoder::Create(config, resident, *backend));
  const LatentGrid grid =
      LatentGrid::FromPixels(options.width, options.height).WithFrames(options.latents);
  std::vector<float> values(static_cast<size_t>(config.z_dim * grid.volume()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<float>(i % 8191));
  const VaeLatents chunk = {
      .values = values, .frames = grid.frames, .height = grid.height, .width = grid.width};
  VaeCache cache;
  std::vector<uint8_t> rgb;
  SystemClock clock;
  LT_RETURN_IF_ERROR(decoder->Decode(chunk, cache, &rgb));  // the first chunk is another one
  std::string line;
  for (int i = 0;
       options.ask ? static_cast<bool>(std::getline(std::cin, line)) : i < options.rounds; ++i) {
    const int64_t start = clock.MonotonicNanos();
    LT_RETURN_IF_ERROR(decoder->Decode(chunk, cache, &rgb));
    std::printf("decode %.4f s\n", NanosToSeconds(clock.MonotonicNanos() - start));
    std::fflush(stdout);
  }
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("Times the decoding of a chunk by a packed VAE.");
  app.add_option("pack", options.pack, "vae.pack")->required();
  app.add_option("--threads", options.threads)->capture_default_str();
  app.add_option("--width", options.width)->capture_default_str();
  app.add_option("--height", options.height)->capture_default_str();
  app.add_option("--latents", options.latents, "Latent frames of the chunk")->capture_default_str();
  app.add_option("--rounds", options.rounds)->capture_default_str();
  app.add_flag("--ask", options.ask, "A chunk for each line on standard input");
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = Run(options);
  if (status.ok()) return 0;
  std::fprintf(stderr, "vae_bench: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace
}  // namespace longtake

int main(int argc, char** argv) { return longtake::Main(argc, argv); }
