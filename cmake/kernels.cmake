# Compiler flags of single files under core/kernels, by the end of their name: the instruction set that the file may use.
# Such a file takes pointers only and keeps everything in anonymous namespaces; a function of a shared header, compiled
# here for AVX-512, could otherwise be the copy that the linker keeps for everybody.
set(bitgrad_kernel_flags_avx2 -mavx2 -mfma)
set(bitgrad_kernel_flags_avx512_vnni -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni -mfma -mprefer-vector-width=512)
set(bitgrad_kernel_flags_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mprefer-vector-width=512)

foreach(isa avx2 avx512 avx512_vnni)
  set(isa_sources ${bitgrad_sources})
  list(FILTER isa_sources INCLUDE REGEX "/core/kernels/.*_${isa}\\.cpp$")
  set_source_files_properties(${isa_sources} PROPERTIES COMPILE_OPTIONS "${bitgrad_kernel_flags_${isa}}")
endforeach()
