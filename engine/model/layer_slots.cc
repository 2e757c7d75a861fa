// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/layer_slots.h"

#include <algorithm>
#include <utility>

namespace longtake {
namespace {

constexpr size_t kSlotCount = 3;  // one is read, one is written, one is ready

}  // namespace

// A layer in a slot. Copies are put into a lane of their own.
class SlotWeights final : public LayerWeights {
 public:
  SlotWeights(Backend& backend, LayerSlots::Slot& slot, size_t layer)
      : backend_(backend), slot_(slot), layer_(layer) {}
  // Only now the stream may have the last part's memory back, and the next layer the slot. An error
  // of the device will be told by whoever waits next.
  ~SlotWeights() override {
    AwaitCopy().IgnoreError();
    slot_.used = backend_.device().Mark(backend_.lane());
  }
  SlotWeights(const SlotWeights&) = delete;
  SlotWeights& operator=(const SlotWeights&) = delete;

  absl::Status Fill(LayerLease& lease) {
    Device& device = backend_.device();
    device.Order(Lane::kCopyIn, slot_.used);
    int64_t at = 0;
    const std::vector<PartInfo>& parts = lease.info().parts;
    for (size_t i = 0; i < parts.size(); ++i) {
      LT_RETURN_IF_ERROR(AwaitCopy());
      LT_ASSIGN_OR_RETURN(const std::span<const std::byte> bytes, lease.Part(i));
      LT_CHECK(bytes.size() <= slot_.memory.size() - static_cast<uint64_t>(at));
      const DevicePtr<std::byte> to = slot_.memory.As<std::byte>() + at;
      device.CopyIn(Lane::kCopyIn, to, bytes);
      copied_ = device.Mark(Lane::kCopyIn);
      for (const TensorInfo& tensor : parts[i].tensors) {
        matrices_.push_back({&tensor, to + static_cast<int64_t>(tensor.offset)});
      }
      at += static_cast<int64_t>(bytes.size());
    }
    device.Order(backend_.lane(), copied_);
    return absl::OkStatus();
  }

  absl::StatusOr<Weight> Matrix(size_t index, const MatrixShape& shape,
                                DevicePtr<const float> scales) override {
    if (index >= matrices_.size()) return absl::OutOfRangeError("a matrix beyond the layer");
    const auto& [tensor, data] = matrices_[index];
    const PackedMatrix packed = {
        .layer = layer_, .name = tensor->name, .dtype = tensor->dtype, .shape = tensor->shape};
    return AsWeight(packed, data, shape, scales);
  }

 private:
  absl::Status AwaitCopy() { return backend_.device().Wait(copied_, kOpsTimeoutNanos); }

  Backend& backend_;
  LayerSlots::Slot& slot_;
  const size_t layer_;
  std::vector<std::pair<const TensorInfo*, DevicePtr<std::byte>>> matrices_;  // the pack's
  Fence copied_;
};

LayerSlots::Options LayerSlots::For(const PackReader& pack) {
  Options out = {.count = kSlotCount};
  for (size_t i = 0; i < pack.layer_count(); ++i) {
    out.bytes = std::max(out.bytes, pack.layer(i).bytes());
  }
  return out;
}

absl::StatusOr<LayerSlots> LayerSlots::Create(Device& device, const Options& options,
                                              const MemoryPopulator* populator) {
  LayerSlots out;
  for (size_t i = 0; i < options.count; ++i) {
    LT_ASSIGN_OR_RETURN(DeviceBuffer memory, device.Allocate(options.bytes, populator));
    out.slots_.push_back({.memory = std::move(memory), .used = {}});
  }
  return out;
}

absl::StatusOr<std::unique_ptr<LayerWeights>> LayerSlots::Lend(Backend& backend,
                                                               LayerLease& lease) {
  if (slots_.empty()) return std::make_unique<LeasedWeights>(backend, lease);
  Slot& slot = slots_[next_];
  next_ = (next_ + 1) % slots_.size();
  auto weights = std::make_unique<SlotWeights>(backend, slot, lease.layer());
  LT_RETURN_IF_ERROR(weights->Fill(lease));
  return weights;
}

}  // namespace longtake
