# What bitgrad is built from; the README says why each of them.
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

# find_package(<name> ...) that, when it fails, names the Debian package to install.
macro(bitgrad_find debian_package name)
  find_package(${name} ${ARGN} QUIET)
  if(NOT ${name}_FOUND)
    message(FATAL_ERROR "bitgrad needs ${name} ${ARGN}, which was not found. On Debian: apt-get install ${debian_package}")
  endif()
endmacro()

bitgrad_find(zlib1g-dev ZLIB)
bitgrad_find(libpng-dev PNG)
bitgrad_find(libjpeg62-turbo-dev JPEG)
include(${CMAKE_CURRENT_LIST_DIR}/bitgradOpenBLAS.cmake)

# Header-only libraries that are used inside .cpp files. They are gathered in a target of the build tree alone: whoever uses
# an installed bitgrad does not need them.
bitgrad_find(nlohmann-json3-dev nlohmann_json 3.9 CONFIG)
add_library(bitgrad_private_headers INTERFACE)
add_library(bitgrad::private_headers ALIAS bitgrad_private_headers)
target_link_libraries(bitgrad_private_headers INTERFACE nlohmann_json::nlohmann_json)

# core/xt.hpp is for users who have xtensor. Nothing of the library includes it, only its tests, which multiply matrices with
# xtensor-blas.
if(BITGRAD_BUILD_TESTS)
  bitgrad_find(libxtensor-dev xtensor 0.24 CONFIG)
  # The package file of xtensor-blas would go and look for any BLAS; the headers are all that is wanted.
  find_path(BITGRAD_XTENSOR_BLAS_INCLUDE_DIR xtensor-blas/xlinalg.hpp)
  mark_as_advanced(BITGRAD_XTENSOR_BLAS_INCLUDE_DIR)
  if(NOT BITGRAD_XTENSOR_BLAS_INCLUDE_DIR)
    message(FATAL_ERROR "the tests of bitgrad need xtensor-blas, which was not found. On Debian: apt-get install libxtensor-blas-dev")
  endif()
  add_library(bitgrad_array_headers INTERFACE)
  target_link_libraries(bitgrad_array_headers INTERFACE xtensor)
  target_include_directories(bitgrad_array_headers SYSTEM INTERFACE ${BITGRAD_XTENSOR_BLAS_INCLUDE_DIR})
endif()
