// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "tests/cuda/fake_cublas_lt.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>

#include "base/dtype.h"
#include "base/status_macros.h"

// Of these cuBLASLt tells only the names, or that they are some words long.
struct cublasLtContext {};

namespace fake_cublas_lt {
namespace {

State state;

template <typename T>
uint64_t Bits(const void* value, size_t bytes) {
  LT_CHECK(bytes <= sizeof(T));
  uint64_t bits = 0;
  std::memcpy(&bits, value, bytes);
  return bits;
}

// An attribute must come in the size that it has.
size_t SizeOf(cublasLtMatmulDescAttributes_t attribute) {
  return attribute == CUBLASLT_MATMUL_DESC_BIAS_POINTER ? 8 : 4;
}
size_t SizeOf(cublasLtMatmulPreferenceAttributes_t attribute) {
  return attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES ? 8 : 4;
}
size_t SizeOf(cublasLtMatmulAlgoConfigAttributes_t attribute) {
  return attribute == CUBLASLT_ALGO_CONFIG_INNER_SHAPE_ID ||
                 attribute == CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID
             ? 2
             : 4;
}

struct Preferences {
  std::map<cublasLtMatmulPreferenceAttributes_t, uint64_t> set = {};
};

template <typename T, typename Opaque>
T& Real(Opaque* opaque) {
  LT_CHECK(opaque != nullptr);
  return *reinterpret_cast<T*>(opaque);
}
template <typename T, typename Opaque>
void Make(Opaque** opaque, const T& value) {
  *opaque = reinterpret_cast<Opaque*>(std::make_unique<T>(value).release());
  ++state.alive;
}
template <typename T, typename Opaque>
cublasStatus_t Remove(Opaque* opaque) {
  std::unique_ptr<T>(&Real<T>(opaque)).reset();
  --state.alive;
  return CUBLAS_STATUS_SUCCESS;
}

uint32_t& Config(cublasLtMatmulAlgo_t& algo, int attribute) {
  return reinterpret_cast<uint32_t*>(algo.data)[attribute];
}

cublasLtMatmulAlgo_t AlgoOf(const Candidate& candidate) {
  cublasLtMatmulAlgo_t out = {};
  Config(out, CUBLASLT_ALGO_CONFIG_ID) = static_cast<uint32_t>(candidate.algorithm.id);
  Config(out, CUBLASLT_ALGO_CONFIG_TILE_ID) = candidate.algorithm.tile;
  Config(out, CUBLASLT_ALGO_CONFIG_SPLITK_NUM) = static_cast<uint32_t>(candidate.splits);
  Config(out, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME) = candidate.reduction;
  Config(out, CUBLASLT_ALGO_CONFIG_CTA_SWIZZLING) = candidate.algorithm.swizzle;
  Config(out, CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION) = candidate.algorithm.custom_option;
  Config(out, CUBLASLT_ALGO_CONFIG_STAGES_ID) = candidate.algorithm.stages;
  Config(out, CUBLASLT_ALGO_CONFIG_INNER_SHAPE_ID) = candidate.algorithm.inner_shape;
  Config(out, CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID) = candidate.algorithm.cluster_shape;
  return out;
}

Call CallOf(cublasLtMatmulDesc_t description, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
            cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d, cublasLtMatmulAlgo_t algo) {
  Call call = {.product = Real<Product>(description)};
  call.product.a = Real<Matrix>(a);
  call.product.b = Real<Matrix>(b);
  call.product.c = Real<Matrix>(c);
  call.product.d = Real<Matrix>(d);
  const auto config = [&](int attribute) { return Config(algo, attribute); };
  call.splits = static_cast<int32_t>(config(CUBLASLT_ALGO_CONFIG_SPLITK_NUM));
  call.algorithm = {
      .id = static_cast<int32_t>(config(CUBLASLT_ALGO_CONFIG_ID)),
      .tile = config(CUBLASLT_ALGO_CONFIG_TILE_ID),
      .stages = config(CUBLASLT_ALGO_CONFIG_STAGES_ID),
      .swizzle = config(CUBLASLT_ALGO_CONFIG_CTA_SWIZZLING),
      .custom_option = config(CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION),
      .inner_shape = static_cast<uint16_t>(config(CUBLASLT_ALGO_CONFIG_INNER_SHAPE_ID)),
      .cluster_shape = static_cast<uint16_t>(config(CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID))};
  return call;
}

double Load(cudaDataType_t type, const void* values, uint64_t index) {
  if (type == CUDA_R_32F) return double{static_cast<const float*>(values)[index]};
  LT_CHECK(type == CUDA_R_16BF);
  return double{longtake::Bf16ToFloat(static_cast<const uint16_t*>(values)[index])};
}
void Store(cudaDataType_t type, void* values, uint64_t index, double value) {
  if (type == CUDA_R_32F) {
    static_cast<float*>(values)[index] = static_cast<float>(value);
  } else {
    LT_CHECK(type == CUDA_R_16BF);
    static_cast<uint16_t*>(values)[index] = longtake::FloatToBf16(static_cast<float>(value));
  }
}
// The element (row, column) of a matrix, transposed or not.
double Element(const Matrix& matrix, const void* values, bool transposed, uint64_t row,
               uint64_t column) {
  if (transposed) std::swap(row, column);
  LT_CHECK(row < matrix.rows && column < matrix.columns);
  return Load(matrix.type, values, column * static_cast<uint64_t>(matrix.leading) + row);
}

double Gelu(double x) {
  return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x)));
}

void Multiply(const Product& product, const void* a, const void* b, void* d) {
  const auto attribute = [&](cublasLtMatmulDescAttributes_t name, uint64_t otherwise) {
    const auto found = product.attributes.find(name);
    return found == product.attributes.end() ? otherwise : found->second;
  };
  const bool a_transposed = attribute(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_N) == CUBLAS_OP_T;
  const bool b_transposed = attribute(CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_N) == CUBLAS_OP_T;
  const uint64_t epilogue = attribute(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_DEFAULT);
  const auto* bias = reinterpret_cast<const void*>(attribute(CUBLASLT_MATMUL_DESC_BIAS_POINTER, 0));
  const auto bias_type = static_cast<cudaDataType_t>(
      attribute(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, static_cast<uint64_t>(product.d.type)));
  const uint64_t depth = a_transposed ? product.a.rows : product.a.columns;
  LT_CHECK(depth == (b_transposed ? product.b.columns : product.b.rows));
  for (uint64_t column = 0; column < product.d.columns; ++column) {
    for (uint64_t row = 0; row < product.d.rows; ++row) {
      double sum = 0;
      for (uint64_t i = 0; i < depth; ++i) {
        sum += Element(product.a, a, a_transposed, row, i) *
               Element(product.b, b, b_transposed, i, column);
      }
      if ((epilogue & CUBLASLT_EPILOGUE_BIAS) != 0) sum += Load(bias_type, bias, row);
      if ((epilogue & CUBLASLT_EPILOGUE_GELU) != 0) sum = Gelu(sum);
      Store(product.d.type, d, column * static_cast<uint64_t>(product.d.leading) + row, sum);
    }
  }
}

// The functions, in the order of LONGTAKE_CUBLAS_LT_FUNCTIONS.

cublasStatus_t Create(cublasLtHandle_t* handle) {
  if (!state.starts) return CUBLAS_STATUS_NOT_INITIALIZED;
  Make(handle, cublasLtContext());
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t Destroy(cublasLtHandle_t handle) { return Remove<cublasLtContext>(handle); }
const char* GetStatusString(cublasStatus_t status) {
  return status == CUBLAS_STATUS_NOT_INITIALIZED ? "not initialized" : "something is wrong";
}
size_t GetVersion() { return 130100; }

cublasStatus_t MatmulDescCreate(cublasLtMatmulDesc_t* made, cublasComputeType_t compute,
                                cudaDataType_t scale) {
  Make(made, Product{.compute = compute, .scale = scale});
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t MatmulDescDestroy(cublasLtMatmulDesc_t description) {
  return Remove<Product>(description);
}
cublasStatus_t MatmulDescSetAttribute(cublasLtMatmulDesc_t description,
                                      cublasLtMatmulDescAttributes_t attribute, const void* value,
                                      size_t bytes) {
  if (bytes != SizeOf(attribute)) return CUBLAS_STATUS_INVALID_VALUE;
  Real<Product>(description).attributes[attribute] = Bits<uint64_t>(value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t MatrixLayoutCreate(cublasLtMatrixLayout_t* made, cudaDataType type, uint64_t rows,
                                  uint64_t columns, int64_t leading) {
  Make(made, Matrix{.type = type, .rows = rows, .columns = columns, .leading = leading});
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t MatrixLayoutDestroy(cublasLtMatrixLayout_t layout) { return Remove<Matrix>(layout); }
cublasStatus_t MatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                        cublasLtMatrixLayoutAttribute_t attribute,
                                        const void* value, size_t bytes) {
  if (attribute != CUBLASLT_MATRIX_LAYOUT_COLS || bytes != 8) return CUBLAS_STATUS_INVALID_VALUE;
  Real<Matrix>(layout).columns = Bits<uint64_t>(value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t MatmulPreferenceCreate(cublasLtMatmulPreference_t* made) {
  Make(made, Preferences());
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t MatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  return Remove<Preferences>(preference);
}
cublasStatus_t MatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                            cublasLtMatmulPreferenceAttributes_t attribute,
                                            const void* value, size_t bytes) {
  if (bytes != SizeOf(attribute)) return CUBLAS_STATUS_INVALID_VALUE;
  Real<Preferences>(preference).set[attribute] = Bits<uint64_t>(value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t MatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t description,
                                      cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                      cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                      cublasLtMatmulPreference_t preference, int requested,
                                      cublasLtMatmulHeuristicResult_t* found, int* count) {
  state.queries.push_back({.product = CallOf(description, a, b, c, d, {}).product,
                           .preferences = Real<Preferences>(preference).set,
                           .requested = requested});
  *count = std::min(requested, static_cast<int>(state.candidates.size()));
  for (int i = 0; i < *count; ++i) {
    found[i].algo = AlgoOf(state.candidates[i]);
    found[i].workspaceSize = state.candidates[i].workspace_bytes;
    found[i].state = state.candidates[i].state;
  }
  return *count == 0 ? CUBLAS_STATUS_NOT_SUPPORTED : CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t MatmulAlgoInit(cublasLtHandle_t, cublasComputeType_t, cudaDataType_t,
                              cudaDataType_t a, cudaDataType_t b, cudaDataType_t c,
                              cudaDataType_t d, int id, cublasLtMatmulAlgo_t* algo) {
  if (a != b || c != d) return CUBLAS_STATUS_INVALID_VALUE;
  *algo = AlgoOf({.algorithm = {.id = id}, .splits = 7, .reduction = 7});
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t MatmulAlgoConfigSetAttribute(cublasLtMatmulAlgo_t* algo,
                                            cublasLtMatmulAlgoConfigAttributes_t attribute,
                                            const void* value, size_t bytes) {
  if (bytes != SizeOf(attribute)) return CUBLAS_STATUS_INVALID_VALUE;
  Config(*algo, attribute) = static_cast<uint32_t>(Bits<uint64_t>(value, bytes));
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t MatmulAlgoConfigGetAttribute(const cublasLtMatmulAlgo_t* algo,
                                            cublasLtMatmulAlgoConfigAttributes_t attribute,
                                            void* value, size_t bytes, size_t* written) {
  if (bytes != SizeOf(attribute)) return CUBLAS_STATUS_INVALID_VALUE;
  cublasLtMatmulAlgo_t copy = *algo;
  std::memcpy(value, &Config(copy, attribute), bytes);
  *written = bytes;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t MatmulAlgoCheck(cublasLtHandle_t, cublasLtMatmulDesc_t description,
                               cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                               cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                               const cublasLtMatmulAlgo_t* algo,
                               cublasLtMatmulHeuristicResult_t* needs) {
  state.checks.push_back(CallOf(description, a, b, c, d, *algo));
  needs->workspaceSize = state.check_workspace_bytes;
  return state.check;
}
cublasStatus_t Matmul(cublasLtHandle_t, cublasLtMatmulDesc_t description, const void* alpha,
                      const void* a, cublasLtMatrixLayout_t a_layout, const void* b,
                      cublasLtMatrixLayout_t b_layout, const void* beta, const void* c,
                      cublasLtMatrixLayout_t c_layout, void* d, cublasLtMatrixLayout_t d_layout,
                      const cublasLtMatmulAlgo_t* algo, void* workspace, size_t workspace_bytes,
                      cudaStream_t stream) {
  if (state.matmul != CUBLAS_STATUS_SUCCESS) return state.matmul;
  LT_CHECK(*static_cast<const float*>(alpha) == 1.0f);
  LT_CHECK(*static_cast<const float*>(beta) == 0.0f);
  LT_CHECK(c == d);
  Call call = CallOf(description, a_layout, b_layout, c_layout, d_layout, *algo);
  call.workspace = workspace;
  call.workspace_bytes = workspace_bytes;
  call.stream = stream;
  Multiply(call.product, a, b, d);
  state.calls.push_back(call);
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace

State& Reset() {
  LT_CHECK(state.alive == 0);
  state = State();
  return state;
}

longtake::CublasLt Functions() {
#define LONGTAKE_FAKE(name) .name = &name,
  return {LONGTAKE_CUBLAS_LT_FUNCTIONS(LONGTAKE_FAKE)};
#undef LONGTAKE_FAKE
}

}  // namespace fake_cublas_lt
