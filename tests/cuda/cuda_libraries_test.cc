// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How cuBLASLt and cuDNN are looked for, with libraries of stubs (tests/cuda/library_stubs.cc): it
// is the same on a machine that has them and on one that has not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "engine/backend/cuda/cublas_lt_library.h"
#include "engine/backend/cuda/cudnn_library.h"

namespace longtake {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kNowhere[] = "/nowhere/libcuda-stub.so.13";

template <typename T>
std::string Refusal(const absl::StatusOr<T>& result) {
  EXPECT_EQ(result.status().code(), absl::StatusCode::kUnavailable);
  return std::string(result.status().message());
}

TEST(CudaLibrariesTest, EveryFunctionIsRead) {
  const CublasLt cublas = *LoadCublasLt(LONGTAKE_STUBS_CUBLAS_LT);
#define LONGTAKE_EXPECT(name) EXPECT_NE(cublas.name, nullptr) << #name;
  LONGTAKE_CUBLAS_LT_FUNCTIONS(LONGTAKE_EXPECT)
#undef LONGTAKE_EXPECT
  EXPECT_EQ(cublas.GetVersion(), 130100u);
  const Cudnn cudnn = *LoadCudnn(LONGTAKE_STUBS_CUDNN);
#define LONGTAKE_EXPECT(name) EXPECT_NE(cudnn.name, nullptr) << #name;
  LONGTAKE_CUDNN_FUNCTIONS(LONGTAKE_EXPECT)
#undef LONGTAKE_EXPECT
  EXPECT_EQ(cudnn.GetVersion(), 91900u);
}

TEST(CudaLibrariesTest, ALibraryThatIsNotThereIsNamed) {
  const auto names_it =
      AllOf(StartsWith("cannot load /nowhere/libcuda-stub.so.13: "), HasSubstr("No such file"));
  EXPECT_THAT(Refusal(LoadCublasLt(kNowhere)), names_it);
  EXPECT_THAT(Refusal(LoadCudnn(kNowhere)), names_it);
}

TEST(CudaLibrariesTest, AFunctionThatIsNotThereIsNamed) {
  EXPECT_THAT(Refusal(LoadCublasLt(LONGTAKE_STUBS_PART)),
              AllOf(StartsWith(LONGTAKE_STUBS_PART), EndsWith(" has no function cublasLtMatmul")));
  EXPECT_THAT(Refusal(LoadCudnn(LONGTAKE_STUBS_PART)),
              EndsWith(" has no function cudnnBackendFinalize"));
}

TEST(CudaLibrariesTest, AnotherVersionIsRefused) {
  EXPECT_THAT(Refusal(LoadCublasLt(LONGTAKE_STUBS_CUDNN)),
              EndsWith(" is version 91900 of cuBLASLt, not 13xxxx"));
  EXPECT_THAT(Refusal(LoadCudnn(LONGTAKE_STUBS_CUBLAS_LT)),
              EndsWith(" is version 130100 of cuDNN, not 91301 or a later one of 9xxxx"));
  EXPECT_THAT(Refusal(LoadCudnn(LONGTAKE_STUBS_OLD)),
              EndsWith(" is version 91300 of cuDNN, not 91301 or a later one of 9xxxx"));
}

}  // namespace
}  // namespace longtake
