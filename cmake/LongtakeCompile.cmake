# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
# How everything is compiled. No -march here: kernels pick their instruction set in engine/backend.
#
# What a user or packager gives in CXXFLAGS, CMAKE_CXX_FLAGS or CMAKE_CXX_FLAGS_RELEASE stays as it is.
# Our own choice is in the presets: -O2, as kernels ask for -O3 themselves and elsewhere it would only
# cost build time, and -O1 with a sanitizer, where code is slow anyway.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

# The same request gives the same bits whoever compiled the server; these flags would end that.
string(TOUPPER "${CMAKE_BUILD_TYPE}" build_type)
if("${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${build_type}}" MATCHES
    "-Ofast|-f(fast-math|unsafe-math-optimizations|associative-math|reciprocal-math)")
  message(FATAL_ERROR "${CMAKE_MATCH_0} lets the compiler change what is computed; leave it out")
endif()

# For every target there is, generated code included, and not by a library that a target links: one that
# forgot it might compute other bits. They come after the user's flags and therefore win.
#
# A compiler may fuse a*b+c or not, so a result could depend on who compiled it. Kernels ask for
# fused operations by name; everywhere else the written order is the computed order.
add_compile_options(-Wall -Wextra -Wshadow $<$<BOOL:${LONGTAKE_WERROR}>:-Werror>
  -ffp-contract=off -fno-math-errno)
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  add_compile_options(-Wthread-safety)
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()
# A faster linker, unless somebody chose one.
find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM AND NOT "${CMAKE_CXX_FLAGS} ${CMAKE_EXE_LINKER_FLAGS}" MATCHES "-fuse-ld=")
  add_link_options(-fuse-ld=mold)
endif()

if(LONGTAKE_SANITIZE)
  add_compile_options(-fsanitize=${LONGTAKE_SANITIZE} -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${LONGTAKE_SANITIZE})
  if(LONGTAKE_SANITIZE MATCHES undefined)
    add_compile_options(-fno-sanitize-recover=all)
  endif()
endif()
