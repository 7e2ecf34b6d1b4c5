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
  # Coroutines under this check end clang 14 with "Cannot represent a difference across sections".
  target_compile_options(progtc_build INTERFACE $<$<COMPILE_LANG_AND_ID:CXX,Clang>:-fno-sanitize=function>)
  target_link_options(progtc_build INTERFACE -fsanitize=${PROGTC_SANITIZE})
endif()

# What each start would spend on finding and relocating the C++ library is spent once, when linking.
if(NOT PROGTC_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_link_options(progtc_build INTERFACE -static-libstdc++ -static-libgcc)
endif()

# progtc::rapidjson: our two settings of RapidJSON, in one place so that no two units disagree.
# Its 1.1 headers warn under -Wclass-memaccess and friends: SYSTEM.
add_library(progtc_rapidjson INTERFACE)
add_library(progtc::rapidjson ALIAS progtc_rapidjson)
target_include_directories(progtc_rapidjson SYSTEM INTERFACE ${RAPIDJSON_INCLUDE_DIR})
target_compile_definitions(progtc_rapidjson INTERFACE RAPIDJSON_HAS_STDSTRING=1)
if(PROGTC_SANITIZE)
  # An empty stack of RapidJSON 1.1 adds an offset to a null pointer, which clang reports and which ends embed_filters.
  target_compile_options(progtc_rapidjson INTERFACE $<$<COMPILE_LANG_AND_ID:CXX,Clang>:-fno-sanitize=pointer-overflow>)
endif()
