# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
# NVIDIA GPUs. Where CUDA's toolkit is, what is in engine/backend/cuda is built with it; elsewhere a twin
# says that this build has no CUDA. CUDA's runtime is linked statically and its other libraries are loaded,
# so the same program starts where there is neither driver nor GPU.
set(LONGTAKE_CUDA AUTO CACHE STRING "Build for NVIDIA GPUs: ON, OFF, or AUTO, where CUDA's toolkit is")
set(LONGTAKE_CUDA_ARCHITECTURES "sm_80;sm_90a;sm_100;compute_100" CACHE STRING
  "What kernels are compiled for; compute_ is for GPUs to come")

include(CheckCXXSourceCompiles)
set(longtake_has_cuda OFF)
if(NOT LONGTAKE_CUDA STREQUAL OFF)
  find_package(CUDAToolkit 13 QUIET)
  if(CUDAToolkit_NVCC_EXECUTABLE AND TARGET CUDA::cudart_static)
    # Of cuBLASLt and cuDNN the headers: the libraries are looked for when a program runs.
    set(CMAKE_REQUIRED_INCLUDES ${CUDAToolkit_INCLUDE_DIRS})
    check_cxx_source_compiles("#include <cublasLt.h>
      #include <cudnn_graph.h>
      int main() { return CUDNN_BACKEND_OPERATION_SDPA_FWD_DESCRIPTOR - 41; }" longtake_has_cudnn)
    unset(CMAKE_REQUIRED_INCLUDES)
    set(longtake_has_cuda ${longtake_has_cudnn})
  endif()
  if(LONGTAKE_CUDA STREQUAL ON AND NOT longtake_has_cuda)
    message(FATAL_ERROR "LONGTAKE_CUDA: no toolkit of CUDA 13 with nvcc and the headers of cuBLASLt and cuDNN 9.13")
  endif()
endif()

# Not one of CMake's own languages: what a compiler of C++ is told has no meaning to nvcc. Without
# contraction a kernel has the same bits as its source on the host (tests/cuda), as far as it adds,
# multiplies, divides and takes roots. A kernel whose registers spill does not compile.
set(longtake_nvcc_flags -std=c++20 -O3 -fmad=false -prec-div=true -prec-sqrt=true
  --Werror all-warnings -Xcompiler=-Wall,-Wextra,-fPIC
  -Xptxas=-warn-spills,-warn-lmem-usage,-Werror)
foreach(architecture ${LONGTAKE_CUDA_ARCHITECTURES})
  string(REPLACE sm_ compute_ virtual ${architecture})
  list(APPEND longtake_nvcc_flags -gencode arch=${virtual},code=${architecture})
endforeach()

# longtake_cuda_objects(out a.cu ...): compiles them, relative to this folder.
function(longtake_cuda_objects out)
  set(objects)
  foreach(source ${ARGN})
    set(object ${CMAKE_CURRENT_BINARY_DIR}/${source}.o)
    cmake_path(GET object PARENT_PATH folder)
    file(MAKE_DIRECTORY ${folder})
    add_custom_command(OUTPUT ${object}
      COMMAND ${CUDAToolkit_NVCC_EXECUTABLE} ${longtake_nvcc_flags} -I${PROJECT_SOURCE_DIR}
        -MD -MF ${object}.d -c ${CMAKE_CURRENT_SOURCE_DIR}/${source} -o ${object}
      DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${source}
      DEPFILE ${object}.d
      COMMENT "Building CUDA object ${source}")
    list(APPEND objects ${object})
  endforeach()
  set_source_files_properties(${objects} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
  set(${out} ${objects} PARENT_SCOPE)
endfunction()

# longtake_carried(name): a program that tools/gpu/make_bundle carries to other machines, with its libraries.
# mold would take printable_text.cc of base for a string function that others have, too, and with it ICU: 33 MB.
function(longtake_carried name)
  target_link_options(${name} PRIVATE -fuse-ld=bfd)
endfunction()
