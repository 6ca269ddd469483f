# The project of a user in the three ways in which it can get hold of bitgrad. The library is not compiled again for any of
# them: the package is this very build, installed; as a part of the user's tree it is configured, and what the user compiles
# against it is compiled (that it links there is what every test in this tree shows).
set(consumer_scratch ${CMAKE_CURRENT_BINARY_DIR}/consumer)
foreach(from package subdirectory fetchcontent)
  add_test(NAME consumer.${from}
    COMMAND ${CMAKE_COMMAND} -D FROM=${from} -D SOURCE_DIR=${PROJECT_SOURCE_DIR} -D BINARY_DIR=${PROJECT_BINARY_DIR}
      -D SCRATCH=${consumer_scratch}/${from} -D GENERATOR=${CMAKE_GENERATOR} -D COMPILER=${CMAKE_CXX_COMPILER}
      -P ${CMAKE_CURRENT_LIST_DIR}/run.cmake)
endforeach()
set_tests_properties(consumer.package PROPERTIES FIXTURES_SETUP consumer_package PROCESSORS 2)

# What the user has built there: quantizers of one file each, in use.
add_test(NAME consumer.forty_lines COMMAND bash ${CMAKE_CURRENT_LIST_DIR}/forty_lines.sh)
set(guide ${PROJECT_SOURCE_DIR}/docs/write-your-own-quantizer.md)
add_test(NAME consumer.guide COMMAND ${CMAKE_COMMAND} -D GUIDE=${guide} -P ${CMAKE_CURRENT_LIST_DIR}/snippets.cmake)
if(TARGET bitgrad_cli)
  add_test(NAME consumer.own_quantizers COMMAND ${consumer_scratch}/package/build/own_quantizers)
  add_test(NAME consumer.command_line
    COMMAND ${CMAKE_COMMAND} -D PROGRAMS=${consumer_scratch}/package/build -D SCRATCH=${consumer_scratch}/command_line
      -D GUIDE=${guide} -P ${CMAKE_CURRENT_LIST_DIR}/command_line.cmake)
  set_tests_properties(consumer.own_quantizers consumer.command_line PROPERTIES FIXTURES_REQUIRED consumer_package)
endif()

get_property(consumer_tests DIRECTORY PROPERTY TESTS)
list(FILTER consumer_tests INCLUDE REGEX "^consumer\\.")
set_tests_properties(${consumer_tests} PROPERTIES LABELS consumer TIMEOUT 900)
