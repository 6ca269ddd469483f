# cmake -D FROM=package|subdirectory|fetchcontent -D SOURCE_DIR=... -D BINARY_DIR=... -D SCRATCH=... -D GENERATOR=...
#       -D COMPILER=... -P run.cmake
# Builds the project beside this file and runs its first program. BINARY_DIR is a build of bitgrad, to be installed for
# FROM=package.
function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    list(JOIN ARGV " " command)
    message(FATAL_ERROR "failed (${status}): ${command}")
  endif()
endfunction()

set(arguments -S ${CMAKE_CURRENT_LIST_DIR} -B ${SCRATCH}/build -G ${GENERATOR} -D CMAKE_CXX_COMPILER=${COMPILER}
  -D BITGRAD_FROM=${FROM})
if(FROM STREQUAL "package")
  # Moving the installed tree shows that nothing in it depends on where it was put.
  file(REMOVE_RECURSE ${SCRATCH}/staging ${SCRATCH}/prefix)
  run(${CMAKE_COMMAND} --install ${BINARY_DIR} --prefix ${SCRATCH}/staging)
  file(RENAME ${SCRATCH}/staging ${SCRATCH}/prefix)
  file(REMOVE_RECURSE ${SCRATCH}/build)
  list(APPEND arguments -D CMAKE_PREFIX_PATH=${SCRATCH}/prefix -D CMAKE_BUILD_TYPE=Release)
  # Libraries that are used inside bitgrad only, and that its users need not have.
  foreach(name nlohmann_json xtensor xtensor-blas CLI11 Catch2)
    list(APPEND arguments -D CMAKE_DISABLE_FIND_PACKAGE_${name}=ON)
  endforeach()
else()
  list(APPEND arguments -D BITGRAD_SOURCE_DIR=${SOURCE_DIR})
  # What only tests and programs need.
  foreach(name xtensor xtensor-blas CLI11 Catch2)
    list(APPEND arguments -D CMAKE_DISABLE_FIND_PACKAGE_${name}=ON)
  endforeach()
endif()
run(${CMAKE_COMMAND} ${arguments})

# As a part of the user's tree the library is configured, not compiled.
if(NOT FROM STREQUAL "package")
  run(${CMAKE_COMMAND} --build ${SCRATCH}/build --parallel 2 --target consumer_object)
  return()
endif()
run(${CMAKE_COMMAND} --build ${SCRATCH}/build --parallel 2)
run(${SCRATCH}/build/consumer)
if(EXISTS ${SCRATCH}/build/own_program)
  run(${SCRATCH}/build/own_program --version)
endif()
file(STRINGS ${SCRATCH}/build/CMakeCache.txt bitgrad_dir REGEX "^bitgrad_DIR:")
if(NOT bitgrad_dir MATCHES "${SCRATCH}/prefix/")
  message(FATAL_ERROR "the package that was found is not the one just installed: ${bitgrad_dir}")
endif()
