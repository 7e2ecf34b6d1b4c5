# progtc::build: what every target of ours compiles with. Warnings become errors through presets only
# (CMAKE_COMPILE_WARNING_AS_ERROR), so a newer compiler breaks nobody's build.
add_library(progtc_build INTERFACE)
add_library(progtc::build ALIAS progtc_build)
target_compile_features(progtc_build INTERFACE cxx_std_20)
target_compile_options(progtc_build INTERFACE -Wall -Wextra -Wpedantic -Wshadow $<$<COMPILE_LANGUAGE:CXX>:-Wconversion>)
# Two false alarms of GCC 12: Asio's recycled coroutine frames as a mismatch of new and delete, and string concatenation as
# overlapping copies (gcc.gnu.org/PR105651).
target_compile_options(progtc_build INTERFACE
  $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-mismatched-new-delete> $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-restrict>)
target_include_directories(progtc_build INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(progtc_build INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_ERROR_CODE_HEADER_ONLY PROGTC_VERSION="${PROJECT_VERSION}")
if(PROGTC_SANITIZE)
  # GCC's flow analysis loses its way among the checks the sanitizers insert.
  target_compile_options(progtc_build INTERFACE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-maybe-uninitialized>)
  # ThreadSanitizer does not model the fences Asio puts around handlers; one thread runs ours.
  target_compile_options(progtc_build INTERFACE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-tsan>)
  target_compile_options(progtc_build INTERFACE -fsanitize=${PROGTC_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  # clang 14 cannot place that check's mark in front of the parts a coroutine is split into.
  target_compile_options(progtc_build INTERFACE $<$<COMPILE_LANG_AND_ID:CXX,Clang>:-fno-sanitize=function>)
  target_link_options(progtc_build INTERFACE -fsanitize=${PROGTC_SANITIZE})
endif()

# Symbols are resolved once, before there are children that would each do it again; the tables are read-only from then on.
target_link_options(progtc_build INTERFACE -Wl,-z,relro -Wl,-z,now)

# What each start would spend on finding and relocating libraries, a millisecond, is spent once, when linking.
option(PROGTC_STATIC_LIBRARIES "Link the C++ library, libseccomp, libmd and yaml-cpp statically where archives exist" ON)
if(PROGTC_STATIC_LIBRARIES AND NOT PROGTC_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_link_options(progtc_build INTERFACE -static-libstdc++ -static-libgcc)
  foreach(package seccomp libmd yaml)
    find_library(PROGTC_ARCHIVE_${package} lib${${package}_LIBRARIES}.a)
    mark_as_advanced(PROGTC_ARCHIVE_${package})
    if(PROGTC_ARCHIVE_${package})
      set_target_properties(PkgConfig::${package} PROPERTIES INTERFACE_LINK_LIBRARIES ${PROGTC_ARCHIVE_${package}})
    endif()
  endforeach()
endif()

# progtc::rapidjson: our two settings of RapidJSON, in one place so that no two units disagree.
# Its 1.1 headers warn under -Wclass-memaccess and friends: SYSTEM.
add_library(progtc_rapidjson INTERFACE)
add_library(progtc::rapidjson ALIAS progtc_rapidjson)
target_include_directories(progtc_rapidjson SYSTEM INTERFACE ${RAPIDJSON_INCLUDE_DIR})
target_compile_definitions(progtc_rapidjson INTERFACE RAPIDJSON_HAS_STDSTRING=1)
if(PROGTC_SANITIZE)
  # Its empty stack adds to a null pointer, for which clang's sanitizer of undefined behaviour ends the program.
  target_compile_options(progtc_rapidjson INTERFACE $<$<COMPILE_LANG_AND_ID:CXX,Clang>:-fno-sanitize=pointer-overflow>)
endif()
