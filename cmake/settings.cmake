# Compiler settings of bitgrad's own targets. None of them reaches the user's targets.

# Numbers are part of the interface: no contraction into fused multiply-adds behind our back, and never -ffast-math. The
# two -fno flags change no result; they let the compiler vectorise loops that round or take roots.
set(bitgrad_numeric_flags -ffp-contract=off -fno-math-errno -fno-trapping-math)
set(bitgrad_warning_flags -Wall -Wextra -Wshadow -Wconversion $<$<BOOL:${BITGRAD_WERROR}>:-Werror>)

set(test_timeout 300)  # seconds
set(bitgrad_sanitizer_flags "")
if(BITGRAD_SANITIZE)
  set(test_timeout 1500)
  list(JOIN BITGRAD_SANITIZE "," bitgrad_sanitizers)
  set(bitgrad_sanitizer_flags -fsanitize=${bitgrad_sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  # Kernels ask for vectorised loops. Instrumented ones are not, and clang would say so for every loop.
  list(APPEND bitgrad_warning_flags $<$<CXX_COMPILER_ID:Clang>:-Wno-pass-failed>)
endif()
if(BITGRAD_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "BITGRAD_FUZZ needs clang, which has libFuzzer; the compiler is ${CMAKE_CXX_COMPILER_ID}")
  endif()
  list(APPEND bitgrad_sanitizer_flags -fsanitize=fuzzer-no-link)
endif()

# Language level, warnings, arithmetic and sanitizers for one of bitgrad's targets.
function(bitgrad_settings target)
  set_target_properties(${target} PROPERTIES CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF)
  target_compile_options(${target} PRIVATE ${bitgrad_warning_flags} ${bitgrad_numeric_flags} ${bitgrad_sanitizer_flags})
  target_link_options(${target} PRIVATE ${bitgrad_sanitizer_flags})
endfunction()

# A sanitized library links only into programs that link the sanitizer's run-time library.
function(bitgrad_sanitize_users_of target)
  target_link_options(${target} INTERFACE ${bitgrad_sanitizer_flags})
endfunction()

# A program that belongs to build/bin.
function(bitgrad_program target)
  bitgrad_settings(${target})
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
  add_dependencies(bitgrad_programs ${target})
endfunction()
