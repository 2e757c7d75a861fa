# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
# How everything is compiled. No -march here: kernels pick their instruction set in engine/backend.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
# Kernels ask for -O3 themselves; elsewhere it would only cost build time. Sanitized code is slow
# anyway, so there the compiler's time counts more.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
if(LONGTAKE_SANITIZE)
  set(CMAKE_CXX_FLAGS_RELEASE "-O1")
endif()

# A compiler may fuse a*b+c or not, so a result could depend on who compiled it. Kernels ask for
# fused operations by name; everywhere else the written order is the computed order.
add_compile_options(-Wall -Wextra -Wshadow -Werror -ffp-contract=off -fno-math-errno)
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  add_compile_options(-Wthread-safety)
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()
find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
  add_link_options(-fuse-ld=mold)
endif()

if(LONGTAKE_SANITIZE)
  add_compile_options(-fsanitize=${LONGTAKE_SANITIZE} -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${LONGTAKE_SANITIZE})
  if(LONGTAKE_SANITIZE MATCHES undefined)
    add_compile_options(-fno-sanitize-recover=all)
  endif()
endif()
if(LONGTAKE_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
