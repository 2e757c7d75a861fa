// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Prints what the digests of a take's chunks have to be, one a line, for tests of the whole server:
// it shares the model and its policies with it, and nothing of server, sessions, scheduler and
// store (take_oracle.h).
//
// usage: longtake_take_oracle PACK < TAKE
//
// TAKE is JSON: chunks, and of a spec prompt, width, height, seed, frame_count, start_frames,
// prompt_switch and key_plan (kind, window_frames, sink_frames), by their names in a recipe;
// changes are prompts by the first chunk that they hold for; start is the name of a file of RGB24
// frames.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/worker_pool.h"
#include "engine/serve/resolve.h"
#include "nlohmann/json.hpp"
#include "tests/engine/take_oracle.h"

namespace longtake {
namespace {

using nlohmann::json;

template <typename T>
T Must(absl::StatusOr<T> value) {
  if (!value.ok()) {
    std::cerr << value.status() << "\n";
    std::exit(1);
  }
  return *std::move(value);
}

SessionSpec SpecOf(const json& take) {
  SessionSpec spec;
  take.at("prompt").get_to(spec.prompt);
  take.at("seed").get_to(spec.seed);
  take.at("width").get_to(spec.width);
  take.at("height").get_to(spec.height);
  take.at("frame_count").get_to(spec.frame_count);
  take.at("start_frames").get_to(spec.start_frames);
  if (take.contains("key_plan")) {
    const json& plan = take["key_plan"];
    spec.key_plan = {.kind = Must(ParseKeyPlanKind(plan.at("kind").get<std::string>())),
                     .window_frames = plan.at("window_frames"),
                     .sink_frames = plan.at("sink_frames")};
  }
  if (take.contains("prompt_switch")) {
    spec.prompt_switch = Must(ParsePromptSwitch(take["prompt_switch"].get<std::string>()));
  }
  return spec;
}

std::vector<uint8_t> StartOf(const json& take) {
  if (!take.contains("start")) return {};
  std::ifstream file(take["start"].get<std::string>(), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

int Main(const std::string& pack) {
  const json take = json::parse(std::cin);
  WorkerPool workers(1);
  const auto model = Must(VideoModel::Open(PosixFileSystem(), pack, {}, workers));
  std::map<int64_t, std::string> changes;
  for (const auto& [chunk, prompt] : take.at("changes").items())
    changes[std::stoll(chunk)] = prompt;
  const std::vector<uint8_t> start = StartOf(take);
  TakeOracle oracle(*model, Must(ResolveSpec(SpecOf(take), *model)), changes, start);
  for (const Hash128& digest : oracle.Digests(take.at("chunks"))) {
    std::printf("%s\n", digest.ToHex().c_str());
  }
  return 0;
}

}  // namespace
}  // namespace longtake

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: longtake_take_oracle PACK < TAKE\n", stderr);
    return 2;
  }
  return longtake::Main(argv[1]);
}
