// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The op list on a GPU: cuBLASLt for matrices, cuDNN for attention, own kernels for what memory
// bounds. Activations are fp32, as everywhere; rows are rounded to bf16 into memory of its own
// where a library wants them so. One thread calls at a time, the lane's.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "engine/backend/backend.h"
#include "engine/backend/cuda/cublas_lt_library.h"
#include "engine/backend/cuda/cuda.h"
#include "engine/backend/cuda/cuda_device.h"
#include "engine/backend/cuda/cudnn_library.h"
#include "engine/backend/cuda/gemm.h"
#include "engine/backend/cuda/kernels/kernels.h"
#include "engine/backend/cuda/sdpa.h"

namespace longtake {

struct CudaLibraries {
  CublasLt cublas_lt;
  Cudnn cudnn;
};

class CudaBackend final : public Backend {
 public:
  // As CreateCudaBackend, on this device.
  static absl::StatusOr<std::unique_ptr<CudaBackend>> Create(std::unique_ptr<CudaDevice> device,
                                                             const CudaLibraries& libraries,
                                                             const CudaBackendOptions& options);

  // The attention that an item asks for. Keys that stand for several are counted as often.
  static absl::StatusOr<SdpaShape> AttentionShape(const AttentionArgs& item);
  // Sdpa::Reserve and Release: at admission, and when the session is over.
  absl::Status ReserveAttention(const SdpaShape& shape) { return sdpa_->Reserve(shape); }
  void ReleaseAttention(const SdpaShape& shape) { sdpa_->Release(shape); }

  std::string_view numerics_profile() const override { return profile_; }
  std::string_view instruction_set() const override { return architecture_; }
  Device& device() override { return *device_; }
  Lane lane() const override { return lane_; }

  void Linear(const LinearArgs& args) override;
  void Attention(std::span<const AttentionArgs> items) override;
  void LayerNormModulate(const LayerNormModulateArgs& args) override;
  void LayerNorm(const LayerNormArgs& args) override;
  void RmsNorm(const RmsNormArgs& args) override;
  void Rotary(const RotaryArgs& args) override;
  void GatedAdd(const GatedAddArgs& args) override;
  void AddTable(const AddTableArgs& args) override;
  void StoreRows(const StoreRowsArgs& args) override;
  void DistanceBias(const DistanceBiasArgs& args) override;
  void Multiply(DevicePtr<float> x, DevicePtr<const float> y, int64_t count) override;
  void Silu(DevicePtr<float> x, int64_t count) override;
  void Relu(DevicePtr<float> x, int64_t count) override;
  absl::StatusOr<std::unique_ptr<ConvWeights>> PackConv(const ConvShape& shape, const void* weights,
                                                        DType dtype, const float* bias) override;
  void Conv(const ConvArgs& args) override;
  void ChannelNorm(const ChannelNormArgs& args) override;

 private:
  CudaBackend(std::unique_ptr<CudaDevice> device, const CudaBackendOptions& options);
  absl::Status Open(const CudaLibraries& libraries, const CudaBackendOptions& options);
  absl::Status PlanLinears(std::span<const CudaWeight> weights);
  // An op that is not there, or not for this.
  void Refuse(const std::string& op);
  // Puts a kernel into the lane.
  template <typename Task>
  void Put(void (*kernel)(const Task& task, cuda::Stream stream), const Task& task,
           const char* op) {
    if (!device_->MakeCurrent().ok()) return;
    kernel(task, device_->stream(lane_));
    device_->Check(cudaGetLastError(), op);
  }
  void Attend(const AttentionArgs& item);
  void GatherSegments(const AttentionArgs& item, const SdpaShape& shape);

  const std::unique_ptr<CudaDevice> device_;
  const Lane lane_;
  const std::string architecture_;
  const int64_t rows_max_;
  const int64_t keys_max_;
  const int64_t width_max_;
  std::string profile_;
  std::unique_ptr<Gemm> gemm_;
  std::unique_ptr<Sdpa> sdpa_;
  DeviceBuffer narrow_rows_;  // what meets a bf16 matrix
  DeviceBuffer q_;            // [rows_max, width_max], bf16, as the three below
  DeviceBuffer k_;            // [keys_max, width_max]
  DeviceBuffer v_;
  DeviceBuffer attended_;  // [rows_max, width_max]
};

}  // namespace longtake
