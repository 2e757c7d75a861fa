// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/sdpa.h"

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/backend/backend.h"

namespace longtake {
namespace {

bool IsAligned(const void* address) {
  return reinterpret_cast<uintptr_t>(address) % kSdpaAlignment == 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Sdpa>> Sdpa::Create(const Cudnn& library, CudaDevice& device,
                                                   Lane lane, size_t plans_max) {
  auto sdpa = std::unique_ptr<Sdpa>(new Sdpa(library, device, lane, plans_max));
  LT_RETURN_IF_ERROR(device.MakeCurrent());
  if (const cudnnStatus_t status = library.Create(&sdpa->handle_); status != CUDNN_STATUS_SUCCESS) {
    sdpa->handle_ = nullptr;
    return absl::UnavailableError(
        absl::StrCat("cuDNN does not start: ", library.GetErrorString(status)));
  }
  LT_RETURN_IF_ERROR(CudnnStatus(library, library.SetStream(sdpa->handle_, device.stream(lane)),
                                 "cudnnSetStream"));
  LT_ASSIGN_OR_RETURN(sdpa->card_, CudnnCard(sdpa->library_, device.index()));
  LT_ASSIGN_OR_RETURN(sdpa->workspace_, device.Allocate(kSdpaWorkspaceBytes, nullptr));
  return sdpa;
}

Sdpa::~Sdpa() {
  // A kernel that runs is not to be unloaded; a device that is lost runs none.
  static_cast<void>(device_.Wait(device_.Mark(lane_), kOpsTimeoutNanos));
  plans_.clear();
  card_ = CudnnDescriptor();
  if (handle_ != nullptr) library_.Destroy(handle_);
}

absl::Status Sdpa::MakeRoom() {
  if (plans_.size() < plans_max_) return absl::OkStatus();
  auto oldest = plans_.end();
  for (auto entry = plans_.begin(); entry != plans_.end(); ++entry) {
    if (entry->second.reserved > 0) continue;
    if (oldest == plans_.end() || entry->second.used < oldest->second.used) oldest = entry;
  }
  if (oldest == plans_.end()) {
    return absl::ResourceExhaustedError(
        absl::StrCat(plans_max_, " shapes of attention are in use, as many as are kept"));
  }
  LT_RETURN_IF_ERROR(device_.Wait(device_.Mark(lane_), kOpsTimeoutNanos));
  plans_.erase(oldest);
  return absl::OkStatus();
}

absl::Status Sdpa::Reserve(const SdpaShape& shape) {
  auto found = plans_.find(shape);
  if (found == plans_.end()) {
    LT_RETURN_IF_ERROR(device_.MakeCurrent());
    LT_RETURN_IF_ERROR(MakeRoom());
    LT_ASSIGN_OR_RETURN(SdpaPlan plan, BuildSdpaPlan(library_, card_, shape));
    if (plan.workspace_bytes > workspace_.size()) {
      return absl::UnimplementedError(
          absl::StrCat("Attention of ", SdpaShapeName(shape), ": cuDNN works in ",
                       plan.workspace_bytes, " bytes; ", workspace_.size(), " are kept for it"));
    }
    found = plans_.emplace(shape, Entry{.plan = std::move(plan)}).first;
  }
  ++found->second.reserved;
  found->second.used = ++uses_;
  return absl::OkStatus();
}

void Sdpa::Release(const SdpaShape& shape) {
  const auto found = plans_.find(shape);
  LT_CHECK(found != plans_.end() && found->second.reserved > 0);
  --found->second.reserved;
}

absl::Status Sdpa::Execute(const Entry& entry, const SdpaCall& call) {
  CudnnDescriptor pack(library_, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, "the addresses");
  constexpr std::array<SdpaTensor, 5> kIds = {SdpaTensor::kQ, SdpaTensor::kK, SdpaTensor::kV,
                                              SdpaTensor::kOut, SdpaTensor::kScale};
  // The scale is of the host, and read before the call returns.
  const std::array<const void*, 5> addresses = {call.q, call.k, call.v, call.out, &call.scale};
  const void* workspace = workspace_.As<std::byte>().address();
  pack.Set<SdpaTensor>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, kIds);
  pack.Set<const void*>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, addresses);
  pack.SetRaw(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace);
  LT_RETURN_IF_ERROR(pack.Finalize());
  return CudnnStatus(library_, library_.BackendExecute(handle_, entry.plan.plan.get(), pack.get()),
                     "cudnnBackendExecute");
}

void Sdpa::Run(const SdpaShape& shape, const SdpaCall& call) {
  const auto found = plans_.find(shape);
  LT_CHECK(found != plans_.end());
  LT_CHECK(IsAligned(call.q) && IsAligned(call.k) && IsAligned(call.v) && IsAligned(call.out));
  found->second.used = ++uses_;
  absl::Status status = device_.MakeCurrent();
  if (status.ok()) status = Execute(found->second, call);
  if (!status.ok()) device_.Fail(Annotate(status, "Attention of " + SdpaShapeName(shape)));
}

std::string Sdpa::PlanText(const Cudnn& library) {
  return absl::StrCat("cuDNN ", library.GetVersion(), ", heuristics A\n");
}

}  // namespace longtake
