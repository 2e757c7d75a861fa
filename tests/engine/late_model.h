// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A video model on late devices (tests/late/late_device.h), one for sweeps and one for decoding.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "engine/video/video_model.h"
#include "tests/late/late_backend.h"

namespace longtake {

class LateModel final : public VideoModel {
 public:
  // As VideoModel::Open.
  static absl::StatusOr<std::unique_ptr<VideoModel>> Open(FileSystem& files,
                                                          const std::string& directory,
                                                          const VideoModelOptions& options,
                                                          WorkerPool& workers) {
    auto model = std::unique_ptr<LateModel>(new LateModel);
    VideoModelOptions with_memory = options;
    with_memory.device_has_memory = true;
    LT_RETURN_IF_ERROR(model->Load(files, directory, with_memory, workers));
    return model;
  }

  // The device of sweeps, and that of decoding.
  LateDevice& late_device(Lane lane) { return *devices_.at(lane); }

 private:
  LateModel() = default;
  absl::StatusOr<std::unique_ptr<Backend>> NewBackend(WorkerPool& workers,
                                                      const CpuBackendOptions& options) override {
    LT_ASSIGN_OR_RETURN(std::unique_ptr<Backend> ops, CreateCpuBackend(workers, options));
    auto backend = std::make_unique<LateBackend>(++seed_, std::move(ops));
    devices_[backend->lane()] = &backend->device();
    return backend;
  }

  uint64_t seed_ = 0;
  std::map<Lane, LateDevice*> devices_;
};

}  // namespace longtake
