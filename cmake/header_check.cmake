# Target header_check: every header of the project compiles when it is included alone. One object file of a single
# include per header, never linked.
file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}
     ${CMAKE_SOURCE_DIR}/base/*.h ${CMAKE_SOURCE_DIR}/protocol/*.h ${CMAKE_SOURCE_DIR}/storage/*.h
     ${CMAKE_SOURCE_DIR}/persistence/*.h ${CMAKE_SOURCE_DIR}/server/*.h ${CMAKE_SOURCE_DIR}/clients/*.h
     ${CMAKE_SOURCE_DIR}/bench/*.h ${CMAKE_SOURCE_DIR}/tests/*.h)
if(NOT GTest_FOUND)
  list(FILTER headers EXCLUDE REGEX "^tests/")
endif()
set(header_sources)
foreach(header IN LISTS headers)
  set(source ${CMAKE_BINARY_DIR}/header_check/${header}.cc)
  set(content "#include \"${header}\"\n")
  set(previous)
  if(EXISTS ${source})
    file(READ ${source} previous)
  endif()
  if(NOT previous STREQUAL content)
    file(WRITE ${source} ${content})
  endif()
  list(APPEND header_sources ${source})
endforeach()
if(header_sources)
  add_library(header_check OBJECT EXCLUDE_FROM_ALL ${header_sources})
  target_link_libraries(header_check PRIVATE larder_flags larder_base larder_net PkgConfig::LUAJIT)
  target_include_directories(header_check PRIVATE ${CMAKE_SOURCE_DIR})
  target_compile_options(header_check PRIVATE -O0 -g0)
endif()
