# Install rules: headers as <bitgrad/...>, the library, and what find_package(bitgrad CONFIG) reads.
include(CMakePackageConfigHelpers)
set(bitgrad_config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/bitgrad)

set(bitgrad_installed_targets bitgrad)
foreach(target bitgrad_cli bitgrad_program)
  if(TARGET ${target})
    list(APPEND bitgrad_installed_targets ${target})
  endif()
endforeach()

install(TARGETS ${bitgrad_installed_targets} EXPORT bitgradTargets
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${bitgrad_rooms} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/bitgrad
  FILES_MATCHING PATTERN "*.hpp" PATTERN "isa" EXCLUDE)
if(TARGET bitgrad_cli)
  install(FILES cli/cli.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/bitgrad/cli)
endif()
install(FILES bitgrad.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/bitgrad)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

install(EXPORT bitgradTargets NAMESPACE bitgrad:: DESTINATION ${bitgrad_config_dir})
get_target_property(bitgrad_library_type bitgrad TYPE)
configure_package_config_file(cmake/bitgradConfig.cmake.in ${PROJECT_BINARY_DIR}/cmake/bitgradConfig.cmake
  INSTALL_DESTINATION ${bitgrad_config_dir} NO_SET_AND_CHECK_MACRO)
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cmake/bitgradConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/cmake/bitgradConfig.cmake ${PROJECT_BINARY_DIR}/cmake/bitgradConfigVersion.cmake
  cmake/bitgradOpenBLAS.cmake DESTINATION ${bitgrad_config_dir})
