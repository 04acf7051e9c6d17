# What the tests work hardest: optimized in every preset.
set(LARDER_DATA_LIBRARIES larder_base larder_protocol larder_storage larder_persistence)

# larder_unity(<target>): with LARDER_UNITY its sources are compiled several at a time, which halves the time of a whole build.
# Names of files' own anonymous namespaces must differ within a folder; a missing #include shows in the debug preset, which
# compiles each file alone as `./dev check` and clang-tidy do.
function(larder_unity target)
  if(LARDER_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
    # GCC takes what an included .cc keeps to itself for something that leaks out of a header.
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
  endif()
endfunction()

# larder_library(<name> [EXCEPTIONS] [EXCLUDE file...] [LINK library...])
# The folder's sources as one library. Without EXCEPTIONS it is built with -fno-exceptions. EXCLUDE names files that
# belong to an executable (main.cc).
function(larder_library name)
  cmake_parse_arguments(arg "EXCEPTIONS" "" "EXCLUDE;LINK" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  foreach(file IN LISTS arg_EXCLUDE)
    list(REMOVE_ITEM sources ${CMAKE_CURRENT_SOURCE_DIR}/${file})
  endforeach()
  if(sources)
    add_library(${name} STATIC ${sources})
    larder_unity(${name})
    set(scope PUBLIC)
    target_link_libraries(${name} PRIVATE larder_flags)
    if(NOT arg_EXCEPTIONS)
      target_compile_options(${name} PRIVATE -fno-exceptions)
      if(LARDER_GLUE_OPTIONS AND NOT name IN_LIST LARDER_DATA_LIBRARIES)
        target_compile_options(${name} PRIVATE ${LARDER_GLUE_OPTIONS})
        larder_precompile(${name} larder_precompiled_glue)
      else()
        larder_precompile(${name} larder_precompiled)
      endif()
    else()
      larder_precompile(${name} larder_precompiled_programs)
    endif()
  else()
    add_library(${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${name} ${scope} ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} ${scope} ${arg_LINK})
endfunction()

# larder_executable(<name> [PRECOMPILED set] SOURCES file... [LINK library...]) adds nothing while none of the sources exists.
function(larder_executable name)
  cmake_parse_arguments(arg "" "PRECOMPILED" "SOURCES;LINK" ${ARGN})
  if(NOT arg_PRECOMPILED)
    set(arg_PRECOMPILED larder_precompiled_programs)
  endif()
  set(present)
  foreach(source IN LISTS arg_SOURCES)
    get_filename_component(absolute ${source} ABSOLUTE)
    file(GLOB found CONFIGURE_DEPENDS ${absolute})  # a glob, so that the build notices when the file appears
    list(APPEND present ${found})
  endforeach()
  if(present)
    add_executable(${name} ${present})
    target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
    target_link_libraries(${name} PRIVATE larder_flags ${arg_LINK})
    larder_precompile(${name} ${arg_PRECOMPILED})
  endif()
endfunction()

# Everything of the server but server/net, in the order main.cc links it.
set(LARDER_SERVER_LIBRARIES larder_command larder_script larder_replication larder_cluster larder_core larder_config
    larder_acl larder_observe larder_persistence larder_storage larder_protocol larder_base)

# larder_link_by_includes(<target> source...) links a benchmark or fuzz target to the layers its includes name, so that a
# parser's fuzz target does not wait for the whole server to compile.
function(larder_link_by_includes target)
  set(libraries larder_persistence larder_storage larder_protocol larder_base)
  foreach(source IN LISTS ARGN)
    file(STRINGS ${source} server_includes REGEX "^#include \"(server|tests/support)/")
    file(STRINGS ${source} client_includes REGEX "^#include \"clients/")
    if(server_includes)
      list(PREPEND libraries ${LARDER_SERVER_LIBRARIES})
      if(TARGET larder_test_support)
        list(PREPEND libraries larder_test_support)
      endif()
    endif()
    if(client_includes)
      list(PREPEND libraries larder_client)
    endif()
  endforeach()
  target_link_libraries(${target} PRIVATE ${libraries})
endfunction()
