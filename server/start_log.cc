// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/start_log.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/listen_sockets.h"
#include "server/log.h"
#include "server/unix_socket.h"

namespace longtake {
namespace {

std::string KeptText(std::vector<const LayerStream*> streams) {
  int64_t kept = 0;
  size_t all = 0;
  for (const LayerStream* layers : streams) {
    kept += std::count(layers->kept().begin(), layers->kept().end(), true);
    all += layers->kept().size();
  }
  return absl::StrCat(kept, "/", all);
}

void LogStage(size_t number, const LayerStage& stage) {
  const LayerStream& layers = stage.layers();
  Log(LogLevel::kInfo, absl::StrCat("stage ", number),
      {{"layers", absl::StrCat(stage.range().first, "-", stage.range().end - 1)},
       {"threads", int64_t{stage.thread_count()}},
       {"io", layers.io_name()},
       {"io_reason", layers.io_reason()},
       {"layers_kept", KeptText({&layers})},
       {"read_bytes_per_sweep", static_cast<int64_t>(layers.bytes_per_sweep())}});
}

std::string ListeningAt(const Config& config, int port) {
  if (IsUnixAddress(config.listen)) return config.listen;
  return absl::StrCat(config.listen.substr(0, config.listen.rfind(':') + 1), port);
}

}  // namespace

void LogStart(const Config& config, const VideoModel& model, int port, int metrics_port) {
  const LayerStream& layers = model.stage().layers();
  std::vector<const LayerStream*> all;
  for (size_t i = 0; i < model.stage_count(); ++i) all.push_back(&model.stage(i).layers());
  Log(LogLevel::kInfo, "serving",
      {{"version", std::string(LONGTAKE_VERSION)},
       {"listen", ListeningAt(config, port)},
       {"metrics_port", int64_t{metrics_port}},
       {"model", model.name()},
       {"digest", model.digest().substr(0, 12)},
       {"numerics_profile", std::string(model.numerics_profile())},
       {"instruction_set", std::string(model.instruction_set())},
       {"threads", int64_t{model.stage().thread_count()}},
       {"layer_paths", absl::StrJoin(config.layer_paths, ":")},
       {"io", layers.io_name()},
       {"io_reason", layers.io_reason()},
       {"layers_kept", KeptText(all)},
       {"read_bytes_per_sweep", static_cast<int64_t>(model.streamed_bytes_per_sweep())}});
  for (size_t i = 0; i < model.stage_count() && model.stage_count() > 1; ++i) {
    LogStage(i, model.stage(i));
  }
  if (layers.disk_count() < config.layer_paths.size()) {
    Log(LogLevel::kWarning, "layer paths share a disk, which reads no faster for them",
        {{"layer_paths", absl::StrJoin(config.layer_paths, ":")},
         {"disks", static_cast<int64_t>(layers.disk_count())}});
  }
  if (!IsLoopback(config.listen)) {
    Log(LogLevel::kWarning, "listening beyond this machine without TLS",
        {{"listen", config.listen}});
  }
  if (!config.metrics_listen.empty() && !IsLoopback(config.metrics_listen)) {
    Log(LogLevel::kWarning, "metrics for everybody: beyond this machine, without TLS",
        {{"metrics_listen", config.metrics_listen}});
  }
}

}  // namespace longtake
