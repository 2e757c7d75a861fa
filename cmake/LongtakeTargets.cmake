# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
# The few shapes of target this project has. Sources are listed by hand in each folder.
include(GoogleTest)

# longtake_guide_fuzzers(name): with LONGTAKE_FUZZ, fuzz targets see which ways inputs take through
# this code. Neither kernels nor tests need that, and they would pay for it.
function(longtake_guide_fuzzers name)
  if(LONGTAKE_FUZZ)
    target_compile_options(${name} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
endfunction()

# longtake_precompile(group name headers...): the first target of the group compiles these headers and
# the others take them from it, which spares clang nearly half of its time. That needs equal flags, and
# gRPC alone would bring -pthread. g++ gains nothing by it and does without: it sees what a source
# forgot to include.
function(longtake_precompile group name)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES Clang)
    return()
  endif()
  target_compile_options(${name} PRIVATE -pthread)
  get_property(first GLOBAL PROPERTY longtake_first_of_${group})
  if(first)
    target_precompile_headers(${name} REUSE_FROM ${first})
  else()
    target_precompile_headers(${name} PRIVATE ${ARGN})
    set_property(GLOBAL PROPERTY longtake_first_of_${group} ${name})
  endif()
endfunction()

# longtake_library(name SOURCES a.cc ... PUBLIC libs ... PRIVATE libs ...)
function(longtake_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  if(arg_SOURCES)
    add_library(${name} STATIC ${arg_SOURCES})
    target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
    target_link_libraries(${name} PUBLIC ${arg_PUBLIC} PRIVATE ${arg_PRIVATE})
    longtake_guide_fuzzers(${name})
    longtake_precompile(libraries ${name} <absl/status/statusor.h> <absl/strings/str_cat.h>
      <algorithm> <functional> <map> <memory> <span> <string> <vector>)
  else()
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE ${PROJECT_SOURCE_DIR})
    target_link_libraries(${name} INTERFACE ${arg_PUBLIC})
  endif()
endfunction()

# longtake_program(name SOURCES a.cc ... LIBS libs ...): lands in <build>/bin.
function(longtake_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LIBS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
endfunction()

# longtake_test(name [ONE_THREAD] [OPTIMISED] SOURCES a_test.cc ... LIBS libs ... [LABELS unit]
# [TIMEOUT 300]): one GoogleTest program, one ctest entry per program. Tests find fixtures through the
# environment variable LONGTAKE_SOURCE_DIR. The longest tests, which have a TIMEOUT of their own, start
# first: at the end one of them would run alone. One with ONE_THREAD shows the thread sanitizer nothing
# and is not built for it; what is OPTIMISED computes much by itself.
function(longtake_test name)
  cmake_parse_arguments(arg "ONE_THREAD;OPTIMISED" "TIMEOUT" "SOURCES;LIBS;LABELS" ${ARGN})
  if(arg_ONE_THREAD AND LONGTAKE_SANITIZE STREQUAL thread)
    return()
  endif()
  if(arg_TIMEOUT)
    set(cost ${arg_TIMEOUT})
  else()
    set(cost 0)
    set(arg_TIMEOUT 300)
  endif()
  if(NOT arg_LABELS)
    set(arg_LABELS unit)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LIBS} GTest::gmock GTest::gtest_main)
  # Compiled once and run once: the presets do not optimise it.
  if(NOT arg_OPTIMISED)
    target_compile_options(${name} PRIVATE ${LONGTAKE_TEST_OPTIONS})
    longtake_precompile(tests ${name} <gmock/gmock.h> <gtest/gtest.h>)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES
    TIMEOUT ${arg_TIMEOUT} COST ${cost} LABELS "${arg_LABELS}"
    ENVIRONMENT "LONGTAKE_SOURCE_DIR=${PROJECT_SOURCE_DIR};LONGTAKE_BIN_DIR=${PROJECT_BINARY_DIR}/bin")
endfunction()

# longtake_fuzz(name SOURCES x_fuzz.cc LIBS libs ...): with LONGTAKE_FUZZ a libFuzzer program; always a
# test that replays tests/fuzz/corpus/<name> through the same entry point.
function(longtake_fuzz name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBS" ${ARGN})
  if(LONGTAKE_FUZZ)
    add_executable(${name}_fuzz ${arg_SOURCES})
    target_link_libraries(${name}_fuzz PRIVATE ${arg_LIBS} -fsanitize=fuzzer)
    set_target_properties(${name}_fuzz PROPERTIES
      RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzz)
  endif()
  if(LONGTAKE_TESTS)
    add_executable(${name}_corpus_test ${arg_SOURCES} ${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.cc)
    target_link_libraries(${name}_corpus_test PRIVATE ${arg_LIBS})
    add_test(NAME ${name}_corpus_test
      COMMAND ${name}_corpus_test ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
    set_tests_properties(${name}_corpus_test PROPERTIES TIMEOUT 300 LABELS "unit;fuzz")
  endif()
endfunction()
