# Language level, warnings, optimization and sanitizers: the flags every target shares.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

# Asserts are the project's own and stay on, so NDEBUG changes nothing of ours; -g1 keeps function names and lines for
# crash reports and profiles at little size.
set(CMAKE_CXX_FLAGS_RELEASE "-O3 -g1 -DNDEBUG -fomit-frame-pointer")
if(LARDER_SANITIZE)
  set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")  # the sanitizers' reports need lines, and the tests need the speed
else()
  set(CMAKE_CXX_FLAGS_DEBUG "-Og -g")
endif()

find_program(LARDER_CCACHE ccache)
if(LARDER_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${LARDER_CCACHE})
endif()

# Warnings stop the build with the compilers the project is checked with. Another compiler may know warnings nobody here
# has seen, and those must not stand between a newcomer and a running server.
set(werror_default OFF)
if((CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION MATCHES "^12\\.")
   OR (CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION MATCHES "^14\\."))
  set(werror_default ON)
endif()
option(LARDER_WERROR "Warnings are errors" ${werror_default})

add_library(larder_flags INTERFACE)
target_compile_options(larder_flags INTERFACE -Wall -Wextra -Wpedantic -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
if(LARDER_WERROR)
  target_compile_options(larder_flags INTERFACE -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports std::string's operator+ as an overlapping copy (GCC bug 105651).
  # Its -Wshadow counts a scoped enumerator that is named like a constant outside; =local means variables only.
  # Its -Wmaybe-uninitialized reports the inside of an empty std::optional that is guarded (GCC bug 80635), differently at
  # each level of optimization; clang's -Wsometimes-uninitialized is on, and the sanitizers see real ones.
  target_compile_options(larder_flags INTERFACE -Wno-restrict -Wno-maybe-uninitialized -Wshadow=local)
else()
  target_compile_options(larder_flags INTERFACE -Wshadow)
endif()

if(LARDER_SANITIZE)
  # A null pointer that is used ends in AddressSanitizer's report anyway; its checks alone are a quarter of the compile time.
  set(sanitize -fsanitize=address,undefined -fno-sanitize=null,vptr,object-size,nonnull-attribute,returns-nonnull-attribute
      -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_compile_options(${sanitize})
  add_link_options(${sanitize})
  # Instrumented assertions of GoogleTest are slow to optimize: a test file takes half the time without, and what is under
  # test is optimized all the same.
  set(LARDER_TEST_OPTIONS -O0)
  # What lies above the data structures is many files and little work. Addresses of odd alignment are a matter of the layers
  # that lay out bytes.
  set(LARDER_GLUE_OPTIONS -O0 -fno-sanitize=alignment)
endif()

if(LARDER_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "LARDER_FUZZ needs clang: cmake --preset fuzz")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)
  add_link_options(-fsanitize=fuzzer-no-link)
endif()

if(LARDER_LTO)
  include(CheckIPOSupported)
  check_ipo_supported(RESULT lto_supported OUTPUT lto_message LANGUAGES CXX)
  if(lto_supported)
    set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
  else()
    message(STATUS "link-time optimization left out: ${lto_message}")
  endif()
endif()
