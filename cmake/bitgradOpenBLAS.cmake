# Defines the target bitgrad::openblas, in bitgrad's own build and in the package that is installed. It has to be OpenBLAS:
# with another BLAS the numbers would differ from one machine to the next, and a reference BLAS is many times slower.
if(NOT TARGET bitgrad::openblas)
  find_package(OpenBLAS CONFIG QUIET)
  set(_bitgrad_openblas_libraries ${OpenBLAS_LIBRARIES})
  set(_bitgrad_openblas_include_dirs ${OpenBLAS_INCLUDE_DIRS})
  if(NOT OpenBLAS_FOUND OR NOT _bitgrad_openblas_libraries)
    find_package(PkgConfig QUIET)
    if(PkgConfig_FOUND)
      pkg_check_modules(BITGRAD_OPENBLAS QUIET openblas)
      set(_bitgrad_openblas_libraries ${BITGRAD_OPENBLAS_LINK_LIBRARIES})
      set(_bitgrad_openblas_include_dirs ${BITGRAD_OPENBLAS_INCLUDE_DIRS})
    endif()
  endif()
  find_path(BITGRAD_OPENBLAS_HEADER_DIR openblas_config.h
    HINTS ${_bitgrad_openblas_include_dirs} PATH_SUFFIXES openblas)
  mark_as_advanced(BITGRAD_OPENBLAS_HEADER_DIR)
  if(NOT _bitgrad_openblas_libraries OR NOT BITGRAD_OPENBLAS_HEADER_DIR)
    message(FATAL_ERROR "bitgrad needs OpenBLAS (no other BLAS will do): neither a CMake package nor a pkg-config module of it "
      "was found. On Debian: apt-get install libopenblas-dev")
  endif()
  add_library(bitgrad::openblas INTERFACE IMPORTED)
  set_target_properties(bitgrad::openblas PROPERTIES
    INTERFACE_LINK_LIBRARIES "${_bitgrad_openblas_libraries}"
    INTERFACE_INCLUDE_DIRECTORIES "${BITGRAD_OPENBLAS_HEADER_DIR}")
  unset(_bitgrad_openblas_libraries)
  unset(_bitgrad_openblas_include_dirs)
endif()
