// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/cudnn_descriptor.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"

namespace longtake {

absl::Status CudnnStatus(const Cudnn& library, cudnnStatus_t status, const std::string& what) {
  if (status == CUDNN_STATUS_SUCCESS) return absl::OkStatus();
  std::array<char, 512> last = {};
  library.GetLastErrorString(last.data(), last.size());
  last.back() = '\0';
  const std::string message = absl::StrCat("cuDNN: ", what, ": ", library.GetErrorString(status),
                                           last[0] == '\0' ? "" : ": ", last.data());
  return CUDNN_STATUS_CATEGORY(status) == CUDNN_STATUS_NOT_SUPPORTED
             ? absl::UnimplementedError(message)
             : absl::InternalError(message);
}

CudnnDescriptor::CudnnDescriptor(const Cudnn& library, cudnnBackendDescriptorType_t type,
                                 std::string what)
    : library_(&library), what_(std::move(what)) {
  Keep(library.BackendCreateDescriptor(type, &descriptor_));
  if (!status_.ok()) descriptor_ = nullptr;
}

CudnnDescriptor& CudnnDescriptor::operator=(CudnnDescriptor&& other) noexcept {
  std::swap(library_, other.library_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(what_, other.what_);
  std::swap(status_, other.status_);
  return *this;
}

CudnnDescriptor::~CudnnDescriptor() {
  if (descriptor_ != nullptr) library_->BackendDestroyDescriptor(descriptor_);
}

void CudnnDescriptor::Keep(cudnnStatus_t status) {
  if (status_.ok()) status_ = CudnnStatus(*library_, status, what_);
}

void CudnnDescriptor::SetRaw(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                             int64_t count, const void* values) {
  if (status_.ok()) Keep(library_->BackendSetAttribute(descriptor_, name, type, count, values));
}

absl::Status CudnnDescriptor::Finalize() {
  if (status_.ok()) Keep(library_->BackendFinalize(descriptor_));
  return status_;
}

int64_t CudnnDescriptor::GetRaw(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                                int64_t count_max, void* values) {
  int64_t count = 0;
  if (status_.ok()) {
    Keep(library_->BackendGetAttribute(descriptor_, name, type, count_max, &count, values));
  }
  return status_.ok() ? std::min(count, count_max) : 0;
}

int64_t CudnnDescriptor::GetInt(cudnnBackendAttributeName_t name) {
  const std::vector<int64_t> values = Get<int64_t>(name, CUDNN_TYPE_INT64, 1);
  return values.empty() ? 0 : values[0];
}

std::vector<CudnnDescriptor> CudnnDescriptor::GetDescriptors(cudnnBackendAttributeName_t name,
                                                             cudnnBackendDescriptorType_t type,
                                                             int64_t count_max) {
  std::vector<CudnnDescriptor> out;
  std::vector<cudnnBackendDescriptor_t> raw;
  for (int64_t i = 0; i < count_max && status_.ok(); ++i) {
    out.emplace_back(*library_, type, what_);
    if (!out.back().status().ok()) status_ = out.back().status();
    raw.push_back(out.back().get());
  }
  const int64_t count = GetRaw(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, count_max, raw.data());
  out.resize(static_cast<size_t>(count));
  return out;
}

}  // namespace longtake
