# Precompiled standard headers, for the sanitizer preset: there four fifths of the compiler's time goes to reading them. The
# release preset and header_check do without, so a missing #include is still an error somewhere.
#
# larder_precompile(<target> <set>): the target uses the set
#   larder_precompiled           library code, no exceptions
#   larder_precompiled_glue      the same with LARDER_GLUE_OPTIONS
#   larder_precompiled_programs  code of executables, with exceptions
#   larder_precompiled_tests     the same with LARDER_TEST_OPTIONS and GoogleTest
# A target must have the flags the set was compiled with.
function(larder_precompile target set)
  if(NOT LARDER_PRECOMPILE OR NOT TARGET ${set})
    return()
  endif()
  target_precompile_headers(${target} REUSE_FROM ${set})
  get_target_property(type ${target} TYPE)
  if(set MATCHES "programs|tests" AND NOT type STREQUAL "EXECUTABLE")
    larder_compile_as_program(${target})
  endif()
endfunction()

# Objects that only go into executables have the flag that CMake gives to an executable's own.
function(larder_compile_as_program target)
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${target} PRIVATE -fPIE)
endfunction()

# larder_precompiled_set(<name> OPTIONS option... HEADERS header... LINK library...)
function(larder_precompiled_set name)
  cmake_parse_arguments(arg "" "" "OPTIONS;HEADERS;LINK" ${ARGN})
  file(WRITE ${CMAKE_BINARY_DIR}/precompiled/${name}.cc "")
  add_library(${name} OBJECT ${CMAKE_BINARY_DIR}/precompiled/${name}.cc)
  target_compile_options(${name} PRIVATE ${arg_OPTIONS})
  target_link_libraries(${name} PRIVATE larder_flags ${arg_LINK})
  target_precompile_headers(${name} PRIVATE ${arg_HEADERS})
endfunction()

if(LARDER_PRECOMPILE)
  set(headers <algorithm> <array> <bit> <charconv> <chrono> <cmath> <cstddef> <cstdint> <cstdio> <cstdlib> <cstring>
      <functional> <initializer_list> <iterator> <limits> <map> <memory> <optional> <random> <set> <span> <string> <string_view>
      <tuple> <type_traits> <unordered_map> <utility> <variant> <vector>)
  larder_precompiled_set(larder_precompiled OPTIONS -fno-exceptions HEADERS ${headers} LINK Threads::Threads)
  larder_precompiled_set(larder_precompiled_glue OPTIONS -fno-exceptions ${LARDER_GLUE_OPTIONS} HEADERS ${headers} LINK Threads::Threads)
  larder_precompiled_set(larder_precompiled_programs HEADERS ${headers} LINK Threads::Threads)
  larder_compile_as_program(larder_precompiled_programs)
  if(GTest_FOUND)
    larder_precompiled_set(larder_precompiled_tests OPTIONS ${LARDER_TEST_OPTIONS} HEADERS ${headers} <gtest/gtest.h> LINK GTest::gtest)
    larder_compile_as_program(larder_precompiled_tests)
  endif()
  if(CMAKE_CXX_COMPILER_LAUNCHER MATCHES "ccache")
    # ccache reuses what used a precompiled header only when told that these differences do not matter.
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
        ${CMAKE_CXX_COMPILER_LAUNCHER})
    add_compile_options($<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
  endif()
endif()
