// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The op list on the processor. Each op has a file here that checks shapes and cuts the op into
// tasks for the worker pool; the arithmetic is in kernels/. One thread calls at a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/worker_pool.h"
#include "engine/backend/backend.h"
#include "engine/backend/cpu/conv_plan.h"
#include "engine/backend/cpu/kernel_table.h"
#include "engine/backend/host_device.h"

namespace longtake {

// What one worker works in. Queries and outputs of an attention task are the most; convolutions of
// some thousand channels fit too.
inline constexpr int64_t kWorkerScratchFloats =
    std::max({kAttentionScratchFloats, kTiledScratchFloats, kLinearScratchFloats,
              kNarrowScratchFloats, kConvScratchFloats});

class CpuBackend final : public Backend {
 public:
  static absl::StatusOr<std::unique_ptr<CpuBackend>> Create(WorkerPool& workers,
                                                            const KernelTable& kernels,
                                                            const CpuBackendOptions& options);

  std::string_view numerics_profile() const override {
    return tiled() ? kAmxBf16Profile : kFmaChainProfile;
  }
  std::string_view instruction_set() const override { return kernels_.instruction_set; }
  Device& device() override { return device_; }
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
  // How to narrow rows and what to do with them; costs as in LinearCosts.
  struct NarrowOps {
    void (*narrow)(const NarrowRowsTask& task) = nullptr;
    void (*linear)(const NarrowLinearTask& task) = nullptr;
    bool in_tiles = false;  // how rows lie: NarrowRows
    double pack_cost = 0.0;
    double copy_cost = 0.0;
  };
  struct RowBlock {
    int64_t row;
    int64_t rows;
    int64_t stride;
  };

  bool tiled() const { return kernels_.attention_tiled != nullptr; }
  void NarrowLinear(const LinearArgs& args, const NarrowOps& ops);
  void NarrowBlock(const LinearArgs& args, const NarrowOps& ops, const RowBlock& block);

  CpuBackend(WorkerPool& workers, const KernelTable& kernels, Lane lane);

  // kWorkerScratchFloats of this worker, 64-byte aligned, contents undefined.
  float* Scratch(int worker) { return reinterpret_cast<float*>(scratch_[worker].data()); }

  // Calls tile(begin, count) for consecutive ranges of rows, in parallel, each of a useful size.
  void ParallelRows(int64_t rows, int64_t row_elements,
                    const std::function<void(int64_t begin, int64_t count)>& tile);

  HostDevice device_;
  const Lane lane_;
  WorkerPool& workers_;
  const KernelTable kernels_;
  const NarrowOps int8_ops_;
  const NarrowOps bf16_ops_;            // null but in the tiled profile
  std::vector<AlignedBuffer> scratch_;  // one per worker
  AlignedBuffer narrow_rows_;
};

}  // namespace longtake
