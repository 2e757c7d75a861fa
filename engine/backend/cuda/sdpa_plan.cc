// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/sdpa_plan.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace longtake {
namespace {

constexpr int64_t kCandidates = 8;
constexpr int64_t kKnobs = 16;

CudnnDescriptor Tensor(const Cudnn& library, SdpaTensor id, const SdpaShape& shape, int64_t rows) {
  CudnnDescriptor tensor(library, CUDNN_BACKEND_TENSOR_DESCRIPTOR, "a matrix of attention");
  const int64_t width = shape.heads * shape.head_dim;
  const std::array<int64_t, 4> sizes = {1, shape.heads, rows, shape.head_dim};
  const std::array<int64_t, 4> strides = {rows * width, shape.head_dim, width, 1};
  const cudnnDataType_t type = CUDNN_DATA_BFLOAT16;
  tensor.SetRaw(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
  tensor.Set<int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, sizes);
  tensor.Set<int64_t>(CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, strides);
  tensor.SetInt(CUDNN_ATTR_TENSOR_UNIQUE_ID, static_cast<int64_t>(id));
  tensor.SetInt(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, kSdpaAlignment);
  return tensor;
}

// One number of the host, read when the plan is put into a lane.
CudnnDescriptor Scale(const Cudnn& library) {
  CudnnDescriptor scale(library, CUDNN_BACKEND_TENSOR_DESCRIPTOR, "the scale of attention");
  const std::array<int64_t, 4> ones = {1, 1, 1, 1};
  const cudnnDataType_t type = CUDNN_DATA_FLOAT;
  const bool by_value = true;
  scale.SetRaw(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
  scale.Set<int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, ones);
  scale.Set<int64_t>(CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, ones);
  scale.SetInt(CUDNN_ATTR_TENSOR_UNIQUE_ID, static_cast<int64_t>(SdpaTensor::kScale));
  scale.SetInt(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, sizeof(float));
  scale.SetRaw(CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, 1, &by_value);
  return scale;
}

absl::StatusOr<CudnnDescriptor> Graph(const Cudnn& library, const SdpaShape& shape) {
  struct Operand {
    cudnnBackendAttributeName_t name;
    CudnnDescriptor tensor;
  };
  std::array<Operand, 5> operands = {{
      {CUDNN_ATTR_OPERATION_SDPA_FWD_QDESC, Tensor(library, SdpaTensor::kQ, shape, shape.rows)},
      {CUDNN_ATTR_OPERATION_SDPA_FWD_KDESC, Tensor(library, SdpaTensor::kK, shape, shape.keys)},
      {CUDNN_ATTR_OPERATION_SDPA_FWD_VDESC, Tensor(library, SdpaTensor::kV, shape, shape.keys)},
      {CUDNN_ATTR_OPERATION_SDPA_FWD_ODESC, Tensor(library, SdpaTensor::kOut, shape, shape.rows)},
      {CUDNN_ATTR_OPERATION_SDPA_FWD_SCALEDESC, Scale(library)},
  }};
  CudnnDescriptor attention(library, CUDNN_BACKEND_OPERATION_SDPA_FWD_DESCRIPTOR, "attention");
  for (Operand& operand : operands) {
    LT_RETURN_IF_ERROR(operand.tensor.Finalize());
    attention.SetDescriptor(operand.name, operand.tensor);
  }
  LT_RETURN_IF_ERROR(attention.Finalize());
  CudnnDescriptor graph(library, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, "a graph of attention");
  graph.SetDescriptor(CUDNN_ATTR_OPERATIONGRAPH_OPS, attention);
  LT_RETURN_IF_ERROR(graph.Finalize());
  return graph;
}

// Neither an order of sums that changes from run to run nor a coarser sum.
absl::StatusOr<bool> KeepsBits(CudnnDescriptor& engine) {
  using Note = cudnnBackendNumericalNote_t;
  const std::vector<Note> notes = engine.Get<Note>(
      CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, CUDNN_NUMERICAL_NOTE_TYPE_COUNT);
  LT_RETURN_IF_ERROR(engine.status());
  return std::none_of(notes.begin(), notes.end(), [](Note note) {
    return note == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC ||
           note == CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION ||
           note == CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS;
  });
}

absl::StatusOr<std::string> Name(CudnnDescriptor& config, CudnnDescriptor& engine) {
  std::string name = absl::StrCat("engine ", engine.GetInt(CUDNN_ATTR_ENGINE_GLOBAL_INDEX));
  LT_RETURN_IF_ERROR(engine.status());
  for (CudnnDescriptor& knob : config.GetDescriptors(
           CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, kKnobs)) {
    const std::vector<cudnnBackendKnobType_t> type =
        knob.Get<cudnnBackendKnobType_t>(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 1);
    const int64_t value = knob.GetInt(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE);
    LT_RETURN_IF_ERROR(knob.status());
    absl::StrAppend(&name, ", knob ", type.empty() ? -1 : static_cast<int>(type[0]), " is ", value);
  }
  LT_RETURN_IF_ERROR(config.status());
  return name;
}

absl::StatusOr<SdpaPlan> Build(const Cudnn& library, const CudnnDescriptor& card,
                               const SdpaShape& shape) {
  LT_ASSIGN_OR_RETURN(const CudnnDescriptor graph, Graph(library, shape));
  CudnnDescriptor heuristics(library, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, "what to attend with");
  const cudnnBackendHeurMode_t mode = CUDNN_HEUR_MODE_A;
  heuristics.SetDescriptor(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
  heuristics.SetRaw(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
  heuristics.SetDescriptor(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, card);
  LT_RETURN_IF_ERROR(heuristics.Finalize());
  std::vector<CudnnDescriptor> configs = heuristics.GetDescriptors(
      CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, kCandidates);
  LT_RETURN_IF_ERROR(heuristics.status());
  for (CudnnDescriptor& config : configs) {
    std::vector<CudnnDescriptor> engine =
        config.GetDescriptors(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_BACKEND_ENGINE_DESCRIPTOR, 1);
    LT_RETURN_IF_ERROR(config.status());
    if (engine.empty()) continue;
    LT_ASSIGN_OR_RETURN(const bool keeps_bits, KeepsBits(engine[0]));
    if (!keeps_bits) continue;
    SdpaPlan out;
    LT_ASSIGN_OR_RETURN(out.name, Name(config, engine[0]));
    out.plan = CudnnDescriptor(library, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, out.name);
    out.plan.SetDescriptor(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
    out.plan.SetDescriptor(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, card);
    LT_RETURN_IF_ERROR(out.plan.Finalize());
    out.workspace_bytes =
        static_cast<uint64_t>(out.plan.GetInt(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE));
    LT_RETURN_IF_ERROR(out.plan.status());
    out.config = std::move(config);
    return out;
  }
  return absl::UnimplementedError("cuDNN has no kernel whose sums have a fixed order");
}

}  // namespace

std::string SdpaShapeName(const SdpaShape& shape) {
  return absl::StrCat(shape.heads, " heads of ", shape.head_dim, ", ", shape.rows, " rows, ",
                      shape.keys, " keys");
}

absl::StatusOr<CudnnDescriptor> CudnnCard(const Cudnn& library, int index) {
  CudnnDescriptor card(library, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, "the GPU");
  const int32_t number = index;
  card.SetRaw(CUDNN_ATTR_DEVICEPROP_DEVICE_ID, CUDNN_TYPE_INT32, 1, &number);
  LT_RETURN_IF_ERROR(card.Finalize());
  return card;
}

absl::StatusOr<CudnnDescriptor> CudnnCardOf(const Cudnn& library, const std::string& json) {
  CudnnDescriptor card(library, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, "the GPU");
  card.Set<char>(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, json);
  LT_RETURN_IF_ERROR(card.Finalize());
  return card;
}

absl::StatusOr<SdpaPlan> BuildSdpaPlan(const Cudnn& library, const CudnnDescriptor& card,
                                       const SdpaShape& shape) {
  absl::StatusOr<SdpaPlan> plan = Build(library, card, shape);
  if (plan.ok()) return plan;
  return Annotate(plan.status(), "Attention of " + SdpaShapeName(shape));
}

}  // namespace longtake
