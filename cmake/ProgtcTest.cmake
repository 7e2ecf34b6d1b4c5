# progtc_add_test(NAME LABEL unit|sandbox|bridge|e2e SOURCES … LINKS … [TIMEOUT seconds])
# One GoogleTest program, registered as one CTest test. It finds the built programs through PROGTC_BIN_DIR and the
# source tree through PROGTC_SOURCE_DIR (compile definitions).
function(progtc_add_test name)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "SOURCES;LINKS;DEPENDS" ${ARGN})
  if(NOT ARG_LABEL OR NOT ARG_SOURCES)
    message(FATAL_ERROR "progtc_add_test(${name}): LABEL and SOURCES are required")
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE progtc::build ${ARG_LINKS} GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE
    PROGTC_BIN_DIR="${PROJECT_BINARY_DIR}/bin"
    PROGTC_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
    PROGTC_PROBE_DIR="${PROJECT_BINARY_DIR}/probes")
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT})
endfunction()
