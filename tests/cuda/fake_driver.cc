// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A libcuda.so.1 in which everything succeeds and nothing happens: what cuDNN looks for when it
// compiles a kernel on a machine without a GPU. It is loaded before cuDNN, which then finds it
// under its soname. What cuDNN compiles is never run.
#define LONGTAKE_SUCCEEDS(name) \
  extern "C" int name() { return 0; }
// Gives a handle, by its first argument.
#define LONGTAKE_GIVES(name)           \
  extern "C" int name(void** handle) { \
    *handle = &nothing;                \
    return 0;                          \
  }

static char nothing;

extern "C" int cuDriverGetVersion(int* version) {
  *version = 13000;
  return 0;
}
// What CUDA's runtime asks of its own driver: there is none.
extern "C" int cuGetExportTable() { return 999; }

LONGTAKE_GIVES(cuLibraryGetKernel)
LONGTAKE_GIVES(cuLibraryLoadData)
LONGTAKE_GIVES(cuModuleGetFunction)
LONGTAKE_GIVES(cuModuleLoadData)
LONGTAKE_GIVES(cuModuleLoadDataEx)
LONGTAKE_GIVES(cuModuleLoadFatBinary)

LONGTAKE_SUCCEEDS(cuCtxGetCurrent)
LONGTAKE_SUCCEEDS(cuCtxGetDevice)
LONGTAKE_SUCCEEDS(cuCtxGetLimit)
LONGTAKE_SUCCEEDS(cuCtxPopCurrent)
LONGTAKE_SUCCEEDS(cuCtxPushCurrent)
LONGTAKE_SUCCEEDS(cuDeviceGet)
LONGTAKE_SUCCEEDS(cuDeviceGetAttribute)
LONGTAKE_SUCCEEDS(cuDeviceGetCount)
LONGTAKE_SUCCEEDS(cuDevicePrimaryCtxRelease)
LONGTAKE_SUCCEEDS(cuDevicePrimaryCtxReset)
LONGTAKE_SUCCEEDS(cuDevicePrimaryCtxRetain)
LONGTAKE_SUCCEEDS(cuFuncGetAttribute)
LONGTAKE_SUCCEEDS(cuFuncSetAttribute)
LONGTAKE_SUCCEEDS(cuGetErrorName)
LONGTAKE_SUCCEEDS(cuGetErrorString)
LONGTAKE_SUCCEEDS(cuInit)
LONGTAKE_SUCCEEDS(cuKernelGetAttribute)
LONGTAKE_SUCCEEDS(cuKernelSetAttribute)
LONGTAKE_SUCCEEDS(cuLaunchCooperativeKernel)
LONGTAKE_SUCCEEDS(cuLaunchKernel)
LONGTAKE_SUCCEEDS(cuLaunchKernelEx)
LONGTAKE_SUCCEEDS(cuLibraryLoadFromFile)
LONGTAKE_SUCCEEDS(cuLibraryUnload)
LONGTAKE_SUCCEEDS(cuLinkAddData)
LONGTAKE_SUCCEEDS(cuLinkAddData_v2)
LONGTAKE_SUCCEEDS(cuLinkAddFile_v2)
LONGTAKE_SUCCEEDS(cuLinkComplete)
LONGTAKE_SUCCEEDS(cuLinkCreate)
LONGTAKE_SUCCEEDS(cuLinkCreate_v2)
LONGTAKE_SUCCEEDS(cuLinkDestroy)
LONGTAKE_SUCCEEDS(cuMemcpyDtoH_v2)
LONGTAKE_SUCCEEDS(cuModuleGetGlobal_v2)
LONGTAKE_SUCCEEDS(cuModuleUnload)
LONGTAKE_SUCCEEDS(cuOccupancyMaxActiveBlocksPerMultiprocessor)
LONGTAKE_SUCCEEDS(cuOccupancyMaxPotentialClusterSize)
LONGTAKE_SUCCEEDS(cuStreamGetCtx)
LONGTAKE_SUCCEEDS(cuStreamSynchronize)
LONGTAKE_SUCCEEDS(cuTensorMapEncodeTiled)
