# What Larder uses from outside. Each has a page in docs/decisions/ that says why.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)

pkg_check_modules(LIBUV REQUIRED IMPORTED_TARGET libuv>=1.43)  # linked to server/net alone
pkg_check_modules(LUAJIT REQUIRED IMPORTED_TARGET luajit>=2.1)    # linked to server/script alone
pkg_check_modules(LIBEDIT IMPORTED_TARGET libedit)             # line editing in the CLI

find_path(LARDER_XXHASH_INCLUDE xxhash.h REQUIRED)             # used header-only

find_path(LARDER_LZF_INCLUDE liblzf/lzf.h REQUIRED)            # RDB's compression; linked to persistence alone
find_library(LARDER_LZF_LIBRARY NAMES lzf REQUIRED)

if(LARDER_JEMALLOC)
  # The static archive spares an indirect call per allocation. It replaces malloc for the whole process.
  find_library(LARDER_JEMALLOC_LIBRARY NAMES libjemalloc_pic.a libjemalloc.a jemalloc REQUIRED)
endif()

if(LARDER_TESTS)
  find_package(GTest QUIET)
  find_package(benchmark QUIET)
endif()
