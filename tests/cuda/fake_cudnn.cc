// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "tests/cuda/fake_cudnn.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>

#include "base/dtype.h"
#include "base/status_macros.h"

// Of this one cuDNN tells only the name.
struct cudnnContext {
  cudaStream_t stream = nullptr;
};

namespace fake_cudnn {
namespace {

State state;

struct Value {
  cudnnBackendAttributeType_t type = CUDNN_TYPE_INT64;
  int64_t count = 0;
  std::vector<unsigned char> bytes = {};
};

// What was set outlives the descriptors that it was taken from, as in cuDNN.
struct Descriptor {
  cudnnBackendDescriptorType_t type = CUDNN_BACKEND_TENSOR_DESCRIPTOR;
  bool finalised = false;
  std::map<cudnnBackendAttributeName_t, Value> set = {};
  std::map<cudnnBackendAttributeName_t, std::shared_ptr<Descriptor>> parts = {};
  const Engine* engine = nullptr;                 // of a configuration, an engine or a plan
  std::pair<int, int64_t> knob = {};              // of a choice
  std::shared_ptr<const Attention> attends = {};  // of what has a graph

  template <typename T>
  std::vector<T> Get(cudnnBackendAttributeName_t name) const {
    const auto found = set.find(name);
    if (found == set.end()) return {};
    std::vector<T> out(found->second.bytes.size() / sizeof(T));
    std::memcpy(out.data(), found->second.bytes.data(), out.size() * sizeof(T));
    return out;
  }
  template <typename T>
  T One(cudnnBackendAttributeName_t name, T otherwise) const {
    const std::vector<T> values = Get<T>(name);
    return values.empty() ? otherwise : values[0];
  }
};
using Handle = std::shared_ptr<Descriptor>;

Handle& Real(cudnnBackendDescriptor_t descriptor) {
  LT_CHECK(descriptor != nullptr);
  return *static_cast<Handle*>(descriptor);
}

size_t SizeOf(cudnnBackendAttributeType_t type) {
  switch (type) {
    case CUDNN_TYPE_CHAR:
    case CUDNN_TYPE_BOOLEAN:
      return 1;
    case CUDNN_TYPE_DATA_TYPE:
    case CUDNN_TYPE_HEUR_MODE:
    case CUDNN_TYPE_INT32:
    case CUDNN_TYPE_NUMERICAL_NOTE:
    case CUDNN_TYPE_KNOB_TYPE:
      return 4;
    default:
      return 8;
  }
}

Tensor TensorOf(const Descriptor& descriptor) {
  return {.type = descriptor.One(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_DATA_DOUBLE),
          .sizes = descriptor.Get<int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS),
          .strides = descriptor.Get<int64_t>(CUDNN_ATTR_TENSOR_STRIDES),
          .id = descriptor.One<int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID, -1),
          .alignment = descriptor.One<int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, 1),
          .by_value = descriptor.One<unsigned char>(CUDNN_ATTR_TENSOR_IS_BY_VALUE, 0) != 0};
}

const Descriptor* Part(const Descriptor& of, cudnnBackendAttributeName_t name) {
  const auto found = of.parts.find(name);
  return found == of.parts.end() || !found->second->finalised ? nullptr : found->second.get();
}

cudnnStatus_t FinaliseAttention(Descriptor& operation) {
  Attention out;
  for (const auto& [name, tensor] :
       {std::pair(CUDNN_ATTR_OPERATION_SDPA_FWD_QDESC, &out.q),
        std::pair(CUDNN_ATTR_OPERATION_SDPA_FWD_KDESC, &out.k),
        std::pair(CUDNN_ATTR_OPERATION_SDPA_FWD_VDESC, &out.v),
        std::pair(CUDNN_ATTR_OPERATION_SDPA_FWD_ODESC, &out.out),
        std::pair(CUDNN_ATTR_OPERATION_SDPA_FWD_SCALEDESC, &out.scale)}) {
    const Descriptor* part = Part(operation, name);
    if (part == nullptr) return CUDNN_STATUS_BAD_PARAM;
    *tensor = TensorOf(*part);
  }
  operation.attends = std::make_shared<const Attention>(out);
  return CUDNN_STATUS_SUCCESS;
}

// Takes what a part knows on, with what is set here.
cudnnStatus_t FinaliseOn(Descriptor& descriptor, cudnnBackendAttributeName_t part_name,
                         cudnnBackendAttributeName_t card_name) {
  const Descriptor* part = Part(descriptor, part_name);
  if (part == nullptr || part->attends == nullptr) return CUDNN_STATUS_BAD_PARAM;
  Attention out = *part->attends;
  descriptor.engine = part->engine;
  if (descriptor.type == CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR) {
    out.mode = descriptor.One(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_HEUR_MODE_INSTANT);
  }
  if (descriptor.type != CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR) {
    const Descriptor* card = Part(descriptor, card_name);
    if (card == nullptr) return CUDNN_STATUS_BAD_PARAM;
    out.card = card->One<int32_t>(CUDNN_ATTR_DEVICEPROP_DEVICE_ID, -1);
  }
  if (descriptor.engine != nullptr) out.engine = descriptor.engine->id;
  descriptor.attends = std::make_shared<const Attention>(out);
  return CUDNN_STATUS_SUCCESS;
}

float Load(const Tensor& tensor, const void* values, int64_t head, int64_t row, int64_t i) {
  LT_CHECK(tensor.type == CUDNN_DATA_BFLOAT16 && tensor.sizes.size() == 4 && tensor.sizes[0] == 1);
  LT_CHECK(head < tensor.sizes[1] && row < tensor.sizes[2] && i < tensor.sizes[3]);
  const int64_t at = head * tensor.strides[1] + row * tensor.strides[2] + i * tensor.strides[3];
  return longtake::Bf16ToFloat(static_cast<const uint16_t*>(values)[at]);
}

void AttendRow(const Attention& call, const std::map<int64_t, void*>& at, int64_t head,
               int64_t row) {
  const auto address = [&](const Tensor& tensor) { return at.at(tensor.id); };
  LT_CHECK(call.scale.by_value && call.scale.type == CUDNN_DATA_FLOAT);
  const double scale = double{*static_cast<const float*>(address(call.scale))};
  const int64_t keys = call.k.sizes[2];
  const int64_t width = call.q.sizes[3];
  std::vector<double> weights(static_cast<size_t>(keys));
  double most = -1e300;
  for (int64_t key = 0; key < keys; ++key) {
    double sum = 0;
    for (int64_t i = 0; i < width; ++i) {
      sum += double{Load(call.q, address(call.q), head, row, i)} *
             double{Load(call.k, address(call.k), head, key, i)};
    }
    weights[static_cast<size_t>(key)] = sum * scale;
    most = std::max(most, sum * scale);
  }
  double total = 0;
  for (double& weight : weights) total += weight = std::exp(weight - most);
  for (int64_t i = 0; i < width; ++i) {
    double sum = 0;
    for (int64_t key = 0; key < keys; ++key) {
      sum +=
          weights[static_cast<size_t>(key)] * double{Load(call.v, address(call.v), head, key, i)};
    }
    static_cast<uint16_t*>(address(call.out))[head * call.out.strides[1] +
                                              row * call.out.strides[2] + i * call.out.strides[3]] =
        longtake::FloatToBf16(static_cast<float>(sum / total));
  }
}

template <typename T>
cudnnStatus_t Give(const std::vector<T>& values, int64_t requested, int64_t* count, void* out) {
  *count = std::min(requested, static_cast<int64_t>(values.size()));
  std::memcpy(out, values.data(), static_cast<size_t>(*count) * sizeof(T));
  return CUDNN_STATUS_SUCCESS;
}

// Fills descriptors that the caller made.
cudnnStatus_t GiveParts(const std::vector<Descriptor>& parts, int64_t requested, int64_t* count,
                        void* out) {
  *count = std::min(requested, static_cast<int64_t>(parts.size()));
  for (int64_t i = 0; i < *count; ++i) {
    Descriptor& to = *Real(static_cast<cudnnBackendDescriptor_t*>(out)[i]);
    if (to.type != parts[static_cast<size_t>(i)].type) return CUDNN_STATUS_BAD_PARAM;
    to = parts[static_cast<size_t>(i)];
    to.finalised = true;
  }
  return CUDNN_STATUS_SUCCESS;
}

// The functions, in the order of LONGTAKE_CUDNN_FUNCTIONS.

size_t GetVersion() { return 91900; }
const char* GetErrorString(cudnnStatus_t status) {
  return CUDNN_STATUS_CATEGORY(status) == CUDNN_STATUS_NOT_SUPPORTED ? "NOT_SUPPORTED" : "WRONG";
}
void GetLastErrorString(char* message, size_t size) { std::strncpy(message, "why", size); }
cudnnStatus_t Create(cudnnHandle_t* handle) {
  if (!state.starts) return CUDNN_STATUS_NOT_INITIALIZED;
  *handle = std::make_unique<cudnnContext>().release();
  ++state.alive;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t Destroy(cudnnHandle_t handle) {
  std::unique_ptr<cudnnContext>(handle).reset();
  --state.alive;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t SetStream(cudnnHandle_t handle, cudaStream_t stream) {
  handle->stream = stream;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t BackendCreateDescriptor(cudnnBackendDescriptorType_t type,
                                      cudnnBackendDescriptor_t* made) {
  auto handle = std::make_unique<Handle>(std::make_shared<Descriptor>(Descriptor{.type = type}));
  *made = handle.release();
  ++state.alive;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t BackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor) {
  std::unique_ptr<Handle>(&Real(descriptor)).reset();
  --state.alive;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t BackendSetAttribute(cudnnBackendDescriptor_t descriptor,
                                  cudnnBackendAttributeName_t name,
                                  cudnnBackendAttributeType_t type, int64_t count,
                                  const void* values) {
  Descriptor& to = *Real(descriptor);
  if (to.finalised) return CUDNN_STATUS_BAD_PARAM;
  if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {
    to.parts[name] = Real(*static_cast<const cudnnBackendDescriptor_t*>(values));
    return CUDNN_STATUS_SUCCESS;
  }
  const auto* bytes = static_cast<const unsigned char*>(values);
  to.set[name] = {.type = type,
                  .count = count,
                  .bytes = {bytes, bytes + static_cast<size_t>(count) * SizeOf(type)}};
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t BackendGetAttribute(cudnnBackendDescriptor_t descriptor,
                                  cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t,
                                  int64_t requested, int64_t* count, void* out) {
  const Descriptor& from = *Real(descriptor);
  if (!from.finalised) return CUDNN_STATUS_BAD_PARAM;
  std::vector<Descriptor> parts;
  switch (name) {
    case CUDNN_ATTR_ENGINEHEUR_RESULTS:
      for (const Engine& engine : state.engines) {
        parts.push_back({.type = CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, .engine = &engine});
        parts.back().attends = from.attends;
      }
      return GiveParts(parts, requested, count, out);
    case CUDNN_ATTR_ENGINECFG_ENGINE:
      parts.push_back({.type = CUDNN_BACKEND_ENGINE_DESCRIPTOR, .engine = from.engine});
      return GiveParts(parts, requested, count, out);
    case CUDNN_ATTR_ENGINECFG_KNOB_CHOICES:
      for (const auto& knob : from.engine->knobs) {
        parts.push_back({.type = CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, .knob = knob});
      }
      return GiveParts(parts, requested, count, out);
    case CUDNN_ATTR_ENGINE_GLOBAL_INDEX:
      return Give<int64_t>({from.engine->id}, requested, count, out);
    case CUDNN_ATTR_ENGINE_NUMERICAL_NOTE:
      return Give(from.engine->notes, requested, count, out);
    case CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE:
      return Give<int>({from.knob.first}, requested, count, out);
    case CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE:
      return Give<int64_t>({from.knob.second}, requested, count, out);
    case CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE:
      return Give<int64_t>({from.engine->workspace_bytes}, requested, count, out);
    default:
      return CUDNN_STATUS_BAD_PARAM;
  }
}
cudnnStatus_t BackendFinalize(cudnnBackendDescriptor_t descriptor) {
  Descriptor& of = *Real(descriptor);
  cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
  switch (of.type) {
    case CUDNN_BACKEND_OPERATION_SDPA_FWD_DESCRIPTOR:
      if (state.fails == "attention") return CUDNN_STATUS_NOT_SUPPORTED_SHAPE;
      status = FinaliseAttention(of);
      break;
    case CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR:
      status = FinaliseOn(of, CUDNN_ATTR_OPERATIONGRAPH_OPS, {});
      break;
    case CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR:
      status =
          FinaliseOn(of, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP);
      break;
    case CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR:
      status = FinaliseOn(of, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG,
                          CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP);
      if (status == CUDNN_STATUS_SUCCESS) state.built.push_back(*of.attends);
      break;
    default:
      break;
  }
  of.finalised = status == CUDNN_STATUS_SUCCESS;
  return status;
}
cudnnStatus_t BackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan,
                             cudnnBackendDescriptor_t pack) {
  if (state.execute != CUDNN_STATUS_SUCCESS) return state.execute;
  if (!Real(plan)->finalised || !Real(pack)->finalised) return CUDNN_STATUS_BAD_PARAM;
  const Attention call = *Real(plan)->attends;
  const std::vector<int64_t> ids = Real(pack)->Get<int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  const std::vector<void*> addresses =
      Real(pack)->Get<void*>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
  LT_CHECK(ids.size() == addresses.size());
  std::map<int64_t, void*> at;
  for (size_t i = 0; i < ids.size(); ++i) at[ids[i]] = addresses[i];
  state.workspace = Real(pack)->One<void*>(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, nullptr);
  state.stream = handle->stream;
  state.run.push_back(call);
  for (int64_t head = 0; head < call.q.sizes[1]; ++head) {
    for (int64_t row = 0; row < call.q.sizes[2]; ++row) AttendRow(call, at, head, row);
  }
  return CUDNN_STATUS_SUCCESS;
}

}  // namespace

State& Reset() {
  LT_CHECK(state.alive == 0);
  state = State();
  return state;
}

longtake::Cudnn Functions() {
#define LONGTAKE_FAKE(name) .name = &name,
  return {LONGTAKE_CUDNN_FUNCTIONS(LONGTAKE_FAKE)};
#undef LONGTAKE_FAKE
}

}  // namespace fake_cudnn
