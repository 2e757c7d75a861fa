// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/video/backend_options.h"

#include <algorithm>

#include "engine/backend/cuda/cuda.h"
#include "engine/video/video_model.h"

namespace longtake {
namespace {

// For the widest matrix whose input is narrowed to its type.
uint64_t NarrowBytesFor(const PackReader& pack, bool narrows_bf16, int64_t rows) {
  uint64_t bytes = 0;
  const auto add = [&](const TensorInfo& tensor) {
    const bool narrow =
        tensor.dtype == DType::kI8 || (narrows_bf16 && tensor.dtype == DType::kBf16);
    if (!narrow || tensor.shape.size() < 2) return;
    int64_t in_features = 1;
    for (size_t i = 1; i < tensor.shape.size(); ++i) in_features *= tensor.shape[i];
    bytes = std::max(bytes, CpuNarrowBytes(rows, in_features, tensor.dtype));
  };
  for (const TensorInfo& tensor : pack.resident().tensors) add(tensor);
  for (size_t layer = 0; layer < pack.layer_count(); ++layer) {
    for (const PartInfo& part : pack.layer(layer).parts) {
      for (const TensorInfo& tensor : part.tensors) add(tensor);
    }
  }
  return bytes;
}

}  // namespace

absl::Status CheckNumericsProfile(const std::string& profile) {
  if (profile != kCudaSm90Profile) return absl::OkStatus();
  absl::Status status = CreateCudaBackend({}).status();
  if (status.ok()) {
    status = absl::UnimplementedError(
        "CUDA has no DistanceBias and no Conv yet, which the text encoder and the VAE need");
  }
  return Annotate(status, "numerics profile " + profile);
}

absl::StatusOr<CpuBackendOptions> SweepBackendOptions(const PackDirectory& pack,
                                                      const VideoModelOptions& options) {
  LT_RETURN_IF_ERROR(CheckNumericsProfile(options.numerics_profile));
  CpuBackendOptions out = {.instruction_set_max = options.instruction_set_max,
                           .numerics_profile = options.numerics_profile,
                           .narrow_bytes = 0,
                           .populator = options.populator};
  const bool narrows_bf16 = options.numerics_profile == kAmxBf16Profile;
  LT_ASSIGN_OR_RETURN(const PackReader* transformer, pack.Component("transformer"));
  LT_ASSIGN_OR_RETURN(const PackReader* text, pack.Component("text_encoder"));
  const int64_t text_rows = VideoModel::PromptRowsMax(options);
  const int64_t rows = std::max(options.tokens_max, text_rows);
  out.narrow_bytes = std::max(NarrowBytesFor(*transformer, narrows_bf16, rows),
                              NarrowBytesFor(*text, narrows_bf16, text_rows));
  return out;
}

CpuBackendOptions DecodeBackendOptions(const VideoModelOptions& options) {
  return {.instruction_set_max = options.instruction_set_max,
          .lane = Lane::kDecode,
          .narrow_bytes = 0,
          .populator = options.populator};
}

}  // namespace longtake
