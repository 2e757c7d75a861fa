// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/gemm.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"

namespace longtake {
namespace {

constexpr cudaDataType_t kScaleType = CUDA_R_32F;  // of alpha and beta
constexpr int kCandidates = 16;

cudaDataType_t CudaType(DType dtype) {
  LT_CHECK(dtype == DType::kBf16 || dtype == DType::kF32);
  return dtype == DType::kBf16 ? CUDA_R_16BF : CUDA_R_32F;
}

// Whatever the environment says of faster ways to multiply fp32.
cublasComputeType_t ComputeType(const GemmKind& kind) {
  return kind.in == DType::kF32 ? CUBLAS_COMPUTE_32F_PEDANTIC : CUBLAS_COMPUTE_32F;
}

cublasLtEpilogue_t Epilogue(const GemmKind& kind) {
  if (kind.gelu) return kind.has_bias ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_GELU;
  return kind.has_bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
}

bool IsAligned(const void* address) {
  return reinterpret_cast<uintptr_t>(address) % kGemmAlignment == 0;
}

}  // namespace

// What cuBLASLt wants to know of a kind; rows and bias come with each call.
struct Gemm::Planned {
  explicit Planned(const CublasLt& functions) : library(functions) {}
  ~Planned() {
    for (cublasLtMatrixLayout_t layout : {weight, in, out}) {
      if (layout != nullptr) library.MatrixLayoutDestroy(layout);
    }
    if (description != nullptr) library.MatmulDescDestroy(description);
  }
  Planned(const Planned&) = delete;
  Planned& operator=(const Planned&) = delete;

  template <typename T>
  cublasStatus_t Set(cublasLtMatmulDescAttributes_t attribute, const T& value) {
    return library.MatmulDescSetAttribute(description, attribute, &value, sizeof(value));
  }
  cublasStatus_t SetRows(int64_t rows) {
    const auto columns = static_cast<uint64_t>(rows);
    for (cublasLtMatrixLayout_t layout : {in, out}) {
      const cublasStatus_t status = library.MatrixLayoutSetAttribute(
          layout, CUBLASLT_MATRIX_LAYOUT_COLS, &columns, sizeof(columns));
      if (status != CUBLAS_STATUS_SUCCESS) return status;
    }
    return CUBLAS_STATUS_SUCCESS;
  }

  const CublasLt& library;
  cublasLtMatmulDesc_t description = nullptr;
  cublasLtMatrixLayout_t weight = nullptr;
  cublasLtMatrixLayout_t in = nullptr;
  cublasLtMatrixLayout_t out = nullptr;
  GemmKind kind;
  cublasLtMatmulAlgo_t algo = {};
  std::string name;  // the algorithm's
};

Gemm::Gemm(const CublasLt& library, CudaDevice& device, Lane lane, const GemmPlanTable& table)
    : library_(library), device_(device), lane_(lane), table_(table) {}

absl::StatusOr<std::unique_ptr<Gemm>> Gemm::Create(const CublasLt& library, CudaDevice& device,
                                                   Lane lane, const GemmPlanTable& table) {
  auto gemm = std::unique_ptr<Gemm>(new Gemm(library, device, lane, table));
  LT_RETURN_IF_ERROR(device.MakeCurrent());
  if (const cublasStatus_t status = library.Create(&gemm->handle_);
      status != CUBLAS_STATUS_SUCCESS) {
    gemm->handle_ = nullptr;
    return absl::UnavailableError(
        absl::StrCat("cuBLASLt does not start: ", library.GetStatusString(status)));
  }
  LT_ASSIGN_OR_RETURN(gemm->workspace_, device.Allocate(kGemmWorkspaceBytes, nullptr));
  return gemm;
}

Gemm::~Gemm() {
  plans_.clear();
  if (handle_ != nullptr) library_.Destroy(handle_);
}

absl::Status Gemm::Must(cublasStatus_t status, const char* call) const {
  if (status == CUBLAS_STATUS_SUCCESS) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("cublasLt", call, ": ", library_.GetStatusString(status)));
}

absl::StatusOr<std::unique_ptr<Gemm::Planned>> Gemm::Describe(const GemmKind& kind) {
  auto planned = std::make_unique<Planned>(library_);
  planned->kind = kind;
  LT_RETURN_IF_ERROR(
      Must(library_.MatmulDescCreate(&planned->description, ComputeType(kind), kScaleType),
           "MatmulDescCreate"));
  const int32_t transposed = CUBLAS_OP_T;
  const int32_t as_it_is = CUBLAS_OP_N;
  LT_RETURN_IF_ERROR(
      Must(planned->Set(CUBLASLT_MATMUL_DESC_TRANSA, transposed), "MatmulDescSetAttribute"));
  LT_RETURN_IF_ERROR(
      Must(planned->Set(CUBLASLT_MATMUL_DESC_TRANSB, as_it_is), "MatmulDescSetAttribute"));
  const uint32_t epilogue = Epilogue(kind);
  LT_RETURN_IF_ERROR(
      Must(planned->Set(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue), "MatmulDescSetAttribute"));
  if (kind.has_bias) {
    const int32_t type = CudaType(kind.out);
    LT_RETURN_IF_ERROR(
        Must(planned->Set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, type), "MatmulDescSetAttribute"));
    // Of this one only how it is aligned matters, while a kernel is chosen.
    const void* bias = (workspace_.As<std::byte>() + kGemmAlignment).address();
    LT_RETURN_IF_ERROR(
        Must(planned->Set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias), "MatmulDescSetAttribute"));
  }
  const auto outs = static_cast<uint64_t>(kind.out_features);
  const auto ins = static_cast<uint64_t>(kind.in_features);
  const auto layout = [&](cublasLtMatrixLayout_t* made, DType type, uint64_t rows,
                          uint64_t columns) {
    return Must(library_.MatrixLayoutCreate(made, CudaType(type), rows, columns,
                                            static_cast<int64_t>(rows)),
                "MatrixLayoutCreate");
  };
  LT_RETURN_IF_ERROR(layout(&planned->weight, kind.in, ins, outs));
  LT_RETURN_IF_ERROR(layout(&planned->in, kind.in, ins, kGemmPlanRows));
  LT_RETURN_IF_ERROR(layout(&planned->out, kind.out, outs, kGemmPlanRows));
  return planned;
}

absl::Status Gemm::TakeFromTable(const GemmAlgorithm& algorithm, Planned* planned) {
  const cudaDataType_t in = CudaType(planned->kind.in);
  const cudaDataType_t out = CudaType(planned->kind.out);
  LT_RETURN_IF_ERROR(Must(library_.MatmulAlgoInit(handle_, ComputeType(planned->kind), kScaleType,
                                                  in, in, out, out, algorithm.id, &planned->algo),
                          "MatmulAlgoInit"));
  const auto set = [&](cublasLtMatmulAlgoConfigAttributes_t attribute, const auto& value) {
    return Must(
        library_.MatmulAlgoConfigSetAttribute(&planned->algo, attribute, &value, sizeof(value)),
        "MatmulAlgoConfigSetAttribute");
  };
  const int32_t splits = 1;
  const uint32_t reduction = CUBLASLT_REDUCTION_SCHEME_NONE;
  LT_RETURN_IF_ERROR(set(CUBLASLT_ALGO_CONFIG_TILE_ID, algorithm.tile));
  LT_RETURN_IF_ERROR(set(CUBLASLT_ALGO_CONFIG_STAGES_ID, algorithm.stages));
  LT_RETURN_IF_ERROR(set(CUBLASLT_ALGO_CONFIG_SPLITK_NUM, splits));
  LT_RETURN_IF_ERROR(set(CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, reduction));
  LT_RETURN_IF_ERROR(set(CUBLASLT_ALGO_CONFIG_CTA_SWIZZLING, algorithm.swizzle));
  LT_RETURN_IF_ERROR(set(CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION, algorithm.custom_option));
  LT_RETURN_IF_ERROR(set(CUBLASLT_ALGO_CONFIG_INNER_SHAPE_ID, algorithm.inner_shape));
  LT_RETURN_IF_ERROR(set(CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID, algorithm.cluster_shape));
  cublasLtMatmulHeuristicResult_t needs = {};
  LT_RETURN_IF_ERROR(
      Must(library_.MatmulAlgoCheck(handle_, planned->description, planned->weight, planned->in,
                                    planned->out, planned->out, &planned->algo, &needs),
           "MatmulAlgoCheck"));
  if (needs.workspaceSize > workspace_.size()) {
    return absl::InternalError(absl::StrCat("it works in ", needs.workspaceSize, " bytes; ",
                                            workspace_.size(), " are kept for it"));
  }
  return absl::OkStatus();
}

bool Gemm::Splits(const cublasLtMatmulAlgo_t& algo) const {
  int32_t splits = 0;
  uint32_t reduction = 0;
  size_t written = 0;
  const bool known =
      library_.MatmulAlgoConfigGetAttribute(&algo, CUBLASLT_ALGO_CONFIG_SPLITK_NUM, &splits,
                                            sizeof(splits), &written) == CUBLAS_STATUS_SUCCESS &&
      library_.MatmulAlgoConfigGetAttribute(&algo, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME,
                                            &reduction, sizeof(reduction),
                                            &written) == CUBLAS_STATUS_SUCCESS;
  return !known || splits > 1 || reduction != CUBLASLT_REDUCTION_SCHEME_NONE;
}

absl::Status Gemm::Choose(Planned* planned) {
  cublasLtMatmulPreference_t preference = nullptr;
  LT_RETURN_IF_ERROR(Must(library_.MatmulPreferenceCreate(&preference), "MatmulPreferenceCreate"));
  const auto set = [&](cublasLtMatmulPreferenceAttributes_t attribute, const auto& value) {
    return Must(library_.MatmulPreferenceSetAttribute(preference, attribute, &value, sizeof(value)),
                "MatmulPreferenceSetAttribute");
  };
  absl::Status status = set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace_.size());
  const uint32_t no_reduction = CUBLASLT_REDUCTION_SCHEME_NONE;
  status.Update(set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, no_reduction));
  const auto alignment = static_cast<uint32_t>(kGemmAlignment);
  for (const auto matrix :
       {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
    status.Update(set(matrix, alignment));
  }
  std::array<cublasLtMatmulHeuristicResult_t, kCandidates> found = {};
  int count = 0;
  cublasStatus_t answer = CUBLAS_STATUS_NOT_SUPPORTED;
  if (status.ok()) {
    answer = library_.MatmulAlgoGetHeuristic(handle_, planned->description, planned->weight,
                                             planned->in, planned->out, planned->out, preference,
                                             kCandidates, found.data(), &count);
  }
  library_.MatmulPreferenceDestroy(preference);
  LT_RETURN_IF_ERROR(status);
  if (answer != CUBLAS_STATUS_SUCCESS && answer != CUBLAS_STATUS_NOT_SUPPORTED) {
    return Must(answer, "MatmulAlgoGetHeuristic");
  }
  for (int i = 0; answer == CUBLAS_STATUS_SUCCESS && i < count; ++i) {
    if (found[i].state != CUBLAS_STATUS_SUCCESS || Splits(found[i].algo)) continue;
    if (found[i].workspaceSize > workspace_.size()) continue;
    planned->algo = found[i].algo;
    return absl::OkStatus();
  }
  return absl::UnimplementedError("cuBLASLt has no kernel that sums each output in one piece");
}

absl::Status Gemm::Plan(const GemmKind& kind) {
  if (IsPlanned(kind)) return absl::OkStatus();
  const std::string what = absl::StrCat("Linear of ", GemmKindName(kind));
  if (kind.out_features < 1 || kind.in_features < 1) {
    return absl::UnimplementedError(what + ": no such matrix");
  }
  LT_RETURN_IF_ERROR(device_.MakeCurrent());
  absl::StatusOr<std::unique_ptr<Planned>> planned = Describe(kind);
  if (!planned.ok()) return Annotate(planned.status(), what);
  const auto entry = std::find_if(table_.plans.begin(), table_.plans.end(),
                                  [&](const GemmPlan& plan) { return plan.kind == kind; });
  if (entry == table_.plans.end()) {
    LT_RETURN_IF_ERROR(Annotate(Choose(planned->get()), what));
    (*planned)->name = "as proposed: ";
  } else {
    LT_RETURN_IF_ERROR(
        Annotate(TakeFromTable(entry->algorithm, planned->get()), what + ", by the card's table"));
  }
  (*planned)->name += GemmAlgorithmName(AlgorithmOf((*planned)->algo));
  plans_.emplace(kind, std::move(*planned));
  return absl::OkStatus();
}

GemmAlgorithm Gemm::AlgorithmOf(const cublasLtMatmulAlgo_t& algo) const {
  GemmAlgorithm out;
  const auto get = [&](cublasLtMatmulAlgoConfigAttributes_t attribute, auto* value) {
    size_t written = 0;
    // What a kernel does not have stays 0.
    static_cast<void>(
        library_.MatmulAlgoConfigGetAttribute(&algo, attribute, value, sizeof(*value), &written));
  };
  get(CUBLASLT_ALGO_CONFIG_ID, &out.id);
  get(CUBLASLT_ALGO_CONFIG_TILE_ID, &out.tile);
  get(CUBLASLT_ALGO_CONFIG_STAGES_ID, &out.stages);
  get(CUBLASLT_ALGO_CONFIG_CTA_SWIZZLING, &out.swizzle);
  get(CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION, &out.custom_option);
  get(CUBLASLT_ALGO_CONFIG_INNER_SHAPE_ID, &out.inner_shape);
  get(CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID, &out.cluster_shape);
  return out;
}

void Gemm::Run(const GemmKind& kind, const GemmCall& call) {
  const auto found = plans_.find(kind);
  LT_CHECK(found != plans_.end());
  if (call.rows == 0) return;
  Planned& planned = *found->second;
  LT_CHECK((call.bias != nullptr) == kind.has_bias);
  absl::Status status = device_.MakeCurrent();
  for (const void* address : {call.weight, call.in, call.bias, const_cast<const void*>(call.out)}) {
    if (!IsAligned(address)) status.Update(absl::InternalError("an address is not aligned to 16"));
  }
  status.Update(Must(planned.SetRows(call.rows), "MatrixLayoutSetAttribute"));
  if (kind.has_bias) {
    status.Update(
        Must(planned.Set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, call.bias), "MatmulDescSetAttribute"));
  }
  const float one = 1.0f;
  const float zero = 0.0f;
  if (status.ok()) {
    status = Must(library_.Matmul(handle_, planned.description, &one, call.weight, planned.weight,
                                  call.in, planned.in, &zero, call.out, planned.out, call.out,
                                  planned.out, &planned.algo, workspace_.As<std::byte>().address(),
                                  workspace_.size(), device_.stream(lane_)),
                  "Matmul");
  }
  if (!status.ok()) device_.Fail(Annotate(status, "Linear of " + GemmKindName(kind)));
}

std::string Gemm::PlanText() const {
  std::string out;
  for (const auto& [kind, planned] : plans_) {
    absl::StrAppend(&out, GemmKindName(kind), ": ", planned->name, "\n");
  }
  return out;
}

}  // namespace longtake
