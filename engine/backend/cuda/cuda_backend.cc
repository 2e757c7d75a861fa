// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/cuda_backend.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/checksum.h"

namespace longtake {
namespace {

constexpr int kHopper = 90;
constexpr uint64_t kBf16Bytes = 2;

uint64_t Bf16Bytes(int64_t rows, int64_t width) {
  return static_cast<uint64_t>(rows) * static_cast<uint64_t>(width) * kBf16Bytes;
}

}  // namespace

uint64_t CudaScratchBytes(const CudaBackendOptions& options) {
  return kGemmWorkspaceBytes + kSdpaWorkspaceBytes + options.narrow_bytes +
         2 * Bf16Bytes(options.rows_max, options.width_max) +
         2 * Bf16Bytes(options.keys_max, options.width_max);
}

absl::StatusOr<std::unique_ptr<Backend>> CreateCudaBackend(const CudaBackendOptions& options) {
  LT_ASSIGN_OR_RETURN(std::unique_ptr<CudaDevice> device, CudaDevice::Create(options.device));
  CudaLibraries libraries;
  LT_ASSIGN_OR_RETURN(libraries.cublas_lt, LoadCublasLt());
  LT_ASSIGN_OR_RETURN(libraries.cudnn, LoadCudnn());
  return CudaBackend::Create(std::move(device), libraries, options);
}

CudaBackend::CudaBackend(std::unique_ptr<CudaDevice> device, const CudaBackendOptions& options)
    : device_(std::move(device)),
      lane_(options.lane),
      architecture_(absl::StrCat("sm_", device_->architecture())),
      rows_max_(options.rows_max),
      keys_max_(options.keys_max),
      width_max_(options.width_max) {}

absl::StatusOr<std::unique_ptr<CudaBackend>> CudaBackend::Create(
    std::unique_ptr<CudaDevice> device, const CudaLibraries& libraries,
    const CudaBackendOptions& options) {
  if (device->architecture() != kHopper) {
    return absl::FailedPreconditionError(
        absl::StrCat(std::string(device->name()), " is no GPU of ", std::string(kCudaSm90Profile)));
  }
  auto backend = std::unique_ptr<CudaBackend>(new CudaBackend(std::move(device), options));
  LT_RETURN_IF_ERROR(backend->Open(libraries, options));
  return backend;
}

absl::Status CudaBackend::Open(const CudaLibraries& libraries, const CudaBackendOptions& options) {
  const size_t version = libraries.cublas_lt.GetVersion();
  LT_ASSIGN_OR_RETURN(gemm_, Gemm::Create(libraries.cublas_lt, *device_, lane_,
                                          FindGemmPlans(device_->card(), version)));
  LT_ASSIGN_OR_RETURN(sdpa_, Sdpa::Create(libraries.cudnn, *device_, lane_));
  LT_RETURN_IF_ERROR(PlanLinears(options.weights));
  LT_ASSIGN_OR_RETURN(narrow_rows_, device_->Allocate(options.narrow_bytes, nullptr));
  LT_ASSIGN_OR_RETURN(q_, device_->Allocate(Bf16Bytes(rows_max_, width_max_), nullptr));
  LT_ASSIGN_OR_RETURN(k_, device_->Allocate(Bf16Bytes(keys_max_, width_max_), nullptr));
  LT_ASSIGN_OR_RETURN(v_, device_->Allocate(Bf16Bytes(keys_max_, width_max_), nullptr));
  LT_ASSIGN_OR_RETURN(attended_, device_->Allocate(Bf16Bytes(rows_max_, width_max_), nullptr));
  const std::string decides =
      absl::StrCat(std::string(device_->card()), "\ncuBLASLt ", version, "\n", gemm_->PlanText(),
                   Sdpa::PlanText(libraries.cudnn));
  profile_ = absl::StrFormat("%s+%08x", std::string(kCudaSm90Profile),
                             Crc32c(std::as_bytes(std::span(decides))));
  return absl::OkStatus();
}

// A kernel that adds a bias or applies GELU is another one: whatever a model asks for is there.
absl::Status CudaBackend::PlanLinears(std::span<const CudaWeight> weights) {
  for (const CudaWeight& weight : weights) {
    if (weight.dtype != DType::kBf16 && weight.dtype != DType::kF32) {
      return absl::UnimplementedError(
          absl::StrCat("CUDA has no Linear of ", std::string(DTypeName(weight.dtype)),
                       " weights yet (", weight.out_features, "x", weight.in_features, ")"));
    }
    for (const bool has_bias : {false, true}) {
      for (const bool gelu : {false, true}) {
        LT_RETURN_IF_ERROR(gemm_->Plan({.out_features = weight.out_features,
                                        .in_features = weight.in_features,
                                        .in = weight.dtype,
                                        .has_bias = has_bias,
                                        .gelu = gelu}));
      }
    }
  }
  return absl::OkStatus();
}

void CudaBackend::Refuse(const std::string& op) {
  device_->Refuse(absl::UnimplementedError(absl::StrCat("CUDA has no ", op, " yet")));
}

void CudaBackend::Linear(const LinearArgs& args) {
  const Weight& weight = args.weight;
  const GemmKind kind = {.out_features = weight.out_features,
                         .in_features = weight.in_features,
                         .in = weight.dtype,
                         .has_bias = static_cast<bool>(args.bias),
                         .gelu = args.activation == Activation::kGeluTanh};
  if (!gemm_->IsPlanned(kind)) return Refuse("Linear of " + GemmKindName(kind));
  int64_t block = args.rows;
  if (kind.in == DType::kBf16) {
    const auto row_bytes = static_cast<int64_t>(Bf16Bytes(1, kind.in_features));
    block = static_cast<int64_t>(narrow_rows_.size()) / row_bytes;
    LT_CHECK(block > 0 || args.rows == 0);
  }
  for (int64_t row = 0; row < args.rows; row += block) {
    const float* in = args.in.address() + row * kind.in_features;
    float* out = args.out.address() + row * kind.out_features;
    const int64_t rows = std::min(block, args.rows - row);
    GemmCall call = {.weight = weight.data.address(),
                     .in = in,
                     .bias = args.bias.address(),
                     .out = out,
                     .rows = rows};
    if (kind.in == DType::kBf16) {
      void* narrow = narrow_rows_.As<std::byte>().address();
      Put<cuda::StoreRowsTask>(
          cuda::StoreRows,
          {.in = in, .rows = rows, .width = kind.in_features, .bf16 = true, .out = narrow},
          "Linear");
      call.in = narrow;
    }
    gemm_->Run(kind, call);
  }
  if (args.activation == Activation::kSilu) Silu(args.out, args.rows * kind.out_features);
}

void CudaBackend::LayerNormModulate(const LayerNormModulateArgs& args) {
  Put<cuda::LayerNormTask>(cuda::LayerNorm,
                           {.in = args.in.address(),
                            .rows = args.rows,
                            .width = args.width,
                            .eps = args.eps,
                            .gain = args.scale.address(),
                            .bias = args.shift.address(),
                            .gain_offset = 1.0f,
                            .group_rows = args.group_rows,
                            .group_stride = args.group_stride,
                            .out = args.out.address()},
                           "LayerNormModulate");
}

void CudaBackend::LayerNorm(const LayerNormArgs& args) {
  Put<cuda::LayerNormTask>(cuda::LayerNorm,
                           {.in = args.in.address(),
                            .rows = args.rows,
                            .width = args.width,
                            .eps = args.eps,
                            .gain = args.gain.address(),
                            .bias = args.bias.address(),
                            .group_rows = std::max<int64_t>(1, args.rows),
                            .out = args.out.address()},
                           "LayerNorm");
}

void CudaBackend::RmsNorm(const RmsNormArgs& args) {
  Put<cuda::RmsNormTask>(cuda::RmsNorm,
                         {.in = args.in.address(),
                          .rows = args.rows,
                          .width = args.width,
                          .eps = args.eps,
                          .gain = args.gain.address(),
                          .out = args.out.address()},
                         "RmsNorm");
}

void CudaBackend::Rotary(const RotaryArgs& args) {
  Put<cuda::RotaryTask>(cuda::Rotary,
                        {.x = args.x.address(),
                         .rows = args.rows,
                         .heads = args.heads,
                         .head_dim = args.head_dim,
                         .table = args.table.address()},
                        "Rotary");
}

void CudaBackend::GatedAdd(const GatedAddArgs& args) {
  Put<cuda::GatedAddTask>(cuda::GatedAdd,
                          {.x = args.x.address(),
                           .y = args.y.address(),
                           .rows = args.rows,
                           .width = args.width,
                           .gate = args.gate.address(),
                           .group_rows = args.group_rows,
                           .group_stride = args.group_stride},
                          "GatedAdd");
}

void CudaBackend::AddTable(const AddTableArgs& args) {
  Put<cuda::AddTableTask>(cuda::AddTable,
                          {.in = args.in.address(),
                           .rows = args.rows,
                           .in_width = args.in_width,
                           .table = args.table.address(),
                           .width = args.width,
                           .out = args.out.address()},
                          "AddTable");
}

void CudaBackend::StoreRows(const StoreRowsArgs& args) {
  LT_CHECK(args.dtype == DType::kF32 || args.dtype == DType::kBf16);
  const float* in = args.in.address();
  for (const RowPiece& piece : args.out) {
    Put<cuda::StoreRowsTask>(cuda::StoreRows,
                             {.in = in,
                              .rows = piece.rows,
                              .width = args.width,
                              .bf16 = args.dtype == DType::kBf16,
                              .out = piece.out.address()},
                             "StoreRows");
    in += piece.rows * args.width;
  }
}

void CudaBackend::ChannelNorm(const ChannelNormArgs& args) {
  Put<cuda::ChannelNormTask>(cuda::ChannelNorm,
                             {.in = args.in.address(),
                              .rows = args.rows,
                              .width = args.width,
                              .gamma = args.gamma.address(),
                              .root_width = std::sqrt(static_cast<float>(args.width)),
                              .silu = args.silu,
                              .out = args.out.address()},
                             "ChannelNorm");
}

void CudaBackend::Multiply(DevicePtr<float> x, DevicePtr<const float> y, int64_t count) {
  Put<cuda::PointwiseTask>(cuda::Multiply, {.x = x.address(), .y = y.address(), .count = count},
                           "Multiply");
}

void CudaBackend::Silu(DevicePtr<float> x, int64_t count) {
  Put<cuda::PointwiseTask>(cuda::Silu, {.x = x.address(), .count = count}, "Silu");
}

void CudaBackend::Relu(DevicePtr<float> x, int64_t count) {
  Put<cuda::PointwiseTask>(cuda::Relu, {.x = x.address(), .count = count}, "Relu");
}

// Its kernel is there; what it lacks is the way of the buckets, which are the host's.
void CudaBackend::DistanceBias(const DistanceBiasArgs&) { Refuse("DistanceBias"); }

absl::StatusOr<std::unique_ptr<ConvWeights>> CudaBackend::PackConv(const ConvShape&, const void*,
                                                                   DType, const float*) {
  return absl::UnimplementedError("CUDA has no Conv yet");
}

void CudaBackend::Conv(const ConvArgs&) { Refuse("Conv"); }

}  // namespace longtake
