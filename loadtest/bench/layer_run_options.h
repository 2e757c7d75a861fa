// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The options that every benchmark of a LayerRun has.
#pragma once

#include "CLI/CLI.hpp"
#include "loadtest/bench/layer_run.h"

namespace longtake {

inline void AddLayerRunOptions(CLI::App& app, LayerRunOptions& run, std::string& profile) {
  app.add_option("pack", run.pack, "transformer.pack")->required();
  app.add_option("--layer-path", run.layer_paths, "Directory with twins of the pack");
  app.add_option("--threads", run.threads)->capture_default_str();
  app.add_option("--width", run.width)->capture_default_str();
  app.add_option("--height", run.height)->capture_default_str();
  app.add_option("--frames", run.frames, "Latent frames of the chunk")->capture_default_str();
  app.add_option("--context", run.context, "Latent frames attended to")->capture_default_str();
  app.add_option("--text-tokens", run.text_tokens)->capture_default_str();
  app.add_option("--numerics-profile", profile);
}

}  // namespace longtake
