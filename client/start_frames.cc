// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "client/start_frames.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "media/frame_reader.h"

namespace longtake {
namespace {

absl::StatusOr<v1::Model> GetModel(v1::LongtakeService::Stub& stub) {
  grpc::ClientContext context;
  v1::ListModelsResponse response;
  LT_RETURN_IF_ERROR(FromGrpc(stub.ListModels(&context, {}, &response)));
  if (response.models_size() == 0) return absl::NotFoundError("the server runs no model");
  return response.models(0);
}

}  // namespace

absl::StatusOr<std::vector<uint8_t>> ReadStartFrames(v1::LongtakeService::Stub& stub,
                                                     const std::string& path, int64_t frames_max,
                                                     v1::SessionSpec* spec) {
  LT_ASSIGN_OR_RETURN(const v1::Model model, GetModel(stub));
  if (spec->width() == 0) spec->set_width(model.width());
  if (spec->height() == 0) spec->set_height(model.height());
  // The first frame is a latent of its own, every four later ones another.
  const int64_t chunk = int64_t{4} * model.chunk_latent_frames();
  if (frames_max < chunk - 3) {
    return absl::InvalidArgumentError(
        absl::StrCat("--from-frames: a chunk of this model is ", chunk - 3, " frames at least"));
  }
  const FrameSize size{spec->width(), spec->height()};
  LT_RETURN_IF_ERROR(Annotate(ValidateFrameSize(size), "--size"));
  LT_ASSIGN_OR_RETURN(LastFrames last, ReadLastFrames(path, size, frames_max));
  std::vector<uint8_t> frames = std::move(last.rgb);
  const auto count = static_cast<int64_t>(frames.size() / size.frame_bytes());
  const int64_t wanted = std::max<int64_t>(1, (count + 3) / chunk) * chunk - 3;
  if (!last.damage.empty()) {
    std::fprintf(
        stderr,
        "longtake: %s is cut or damaged (%s): of %lld whole frames the last %lld are used\n",
        path.c_str(), last.damage.c_str(), static_cast<long long>(last.frames_read),
        static_cast<long long>(std::min(count, wanted)));
  }
  const auto frame_bytes = static_cast<ptrdiff_t>(size.frame_bytes());
  if (count > wanted) {
    frames.erase(frames.begin(), frames.begin() + (count - wanted) * frame_bytes);
  }
  // Too few for a chunk: the first stands still for the rest.
  const std::vector<uint8_t> first(frames.begin(), frames.begin() + frame_bytes);
  for (int64_t i = count; i < wanted; ++i)
    frames.insert(frames.begin(), first.begin(), first.end());
  spec->set_start_frame_count(static_cast<int32_t>(wanted));
  return frames;
}

}  // namespace longtake
