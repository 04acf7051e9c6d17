# Precompiled standard headers, for the sanitizer preset: there four fifths of the compiler's time goes to reading them. The
# release preset and header_check do without, so a missing #include is still an error somewhere.
#
# larder_precompile(<target> <set>): the target uses the set larder_precompiled (library code, no exceptions),
# larder_precompiled_glue (the same with LARDER_GLUE_OPTIONS) or larder_precompiled_tests (test code and GoogleTest). A target must have the flags the set was compiled with.
function(larder_precompile target set)
  if(LARDER_PRECOMPILE AND TARGET ${set})
    target_precompile_headers(${target} REUSE_FROM ${set})
  endif()
endfunction()

# larder_precompiled_set(<name> OPTIONS option... HEADERS header... LINK library...)
function(larder_precompiled_set name)
  cmake_parse_arguments(arg "" "" "OPTIONS;HEADERS;LINK" ${ARGN})
  file(WRITE ${CMAKE_BINARY_DIR}/precompiled/${name}.cc "")
  add_library(${name} OBJECT ${CMAKE_BINARY_DIR}/precompiled/${name}.cc)
  target_compile_options(${name} PRIVATE ${arg_OPTIONS})
  target_link_libraries(${name} PRIVATE larder_flags ${arg_LINK})
  target_precompile_headers(${name} PRIVATE ${arg_HEADERS})
  if("-fPIE" IN_LIST arg_OPTIONS)
    set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  endif()
endfunction()

if(LARDER_PRECOMPILE)
  set(headers <algorithm> <array> <bit> <charconv> <chrono> <cmath> <cstddef> <cstdint> <cstdio> <cstdlib> <cstring>
      <functional> <initializer_list> <iterator> <limits> <map> <memory> <optional> <random> <set> <span> <string> <string_view>
      <tuple> <type_traits> <unordered_map> <utility> <variant> <vector>)
  larder_precompiled_set(larder_precompiled OPTIONS -fno-exceptions HEADERS ${headers} LINK Threads::Threads)
  larder_precompiled_set(larder_precompiled_glue OPTIONS -fno-exceptions ${LARDER_GLUE_OPTIONS} HEADERS ${headers} LINK Threads::Threads)
  if(GTest_FOUND)
    # Test code goes into executables, whose objects CMake compiles with -fPIE.
    list(APPEND LARDER_TEST_OPTIONS -fPIE)
    larder_precompiled_set(larder_precompiled_tests OPTIONS ${LARDER_TEST_OPTIONS} HEADERS ${headers} <gtest/gtest.h> LINK GTest::gtest)
  endif()
  if(CMAKE_CXX_COMPILER_LAUNCHER MATCHES "ccache")
    # ccache reuses what used a precompiled header only when told that these differences do not matter.
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
        ${CMAKE_CXX_COMPILER_LAUNCHER})
    add_compile_options($<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
  endif()
endif()
