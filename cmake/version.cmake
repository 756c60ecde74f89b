# What --version says of the build: a release with its version and commit, or the time of the commit.
#
#   given      -DNFQWS2_RELEASE_VERSION=v1.0.6 -DNFQWS2_RELEASE_HASH=0a1b2c3d4e
#   checkout   exactly at a tag vX.Y.Z and unchanged: the tag is the version
#   archive    of such a commit, by git archive: the file .release says the same
#
# No time of the build gets into the programs: two builds of one commit are equal. The time said is
# SOURCE_DATE_EPOCH, else that of the commit, else of the configuration.
set(NFQWS2_RELEASE_VERSION "" CACHE STRING "Version of a release, e.g. v1.0.6; with NFQWS2_RELEASE_HASH")
set(NFQWS2_RELEASE_HASH "" CACHE STRING "Commit of a release, e.g. 0a1b2c3d4e; with NFQWS2_RELEASE_VERSION")
if(NFQWS2_RELEASE_VERSION AND NOT NFQWS2_RELEASE_HASH OR NFQWS2_RELEASE_HASH AND NOT NFQWS2_RELEASE_VERSION)
    message(FATAL_ERROR "NFQWS2_RELEASE_VERSION and NFQWS2_RELEASE_HASH belong together")
endif()
foreach(given NFQWS2_RELEASE_VERSION NFQWS2_RELEASE_HASH)
    if(NOT "${${given}}" MATCHES "^[-+.~_A-Za-z0-9]*$")
        message(FATAL_ERROR "${given}: letters, digits and -+.~_ only")
    endif()
endforeach()

# Sets result to the first line that git says, or to nothing.
function(nfqws2_git result)
    set(${result} "" PARENT_SCOPE)
    if(GIT_PROGRAM)
        execute_process(COMMAND ${GIT_PROGRAM} ${ARGN} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
                        OUTPUT_VARIABLE said ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE code)
        if(code EQUAL 0)
            set(${result} "${said}" PARENT_SCOPE)
        endif()
    endif()
endfunction()

set(commit_describe "")
set(commit_hash "")
set(commit_time "")
# A tree unpacked inside some other checkout is not of that one.
if(EXISTS ${CMAKE_SOURCE_DIR}/.git)
    find_program(GIT_PROGRAM git)
    mark_as_advanced(GIT_PROGRAM)
    nfqws2_git(commit_describe describe --exact-match --dirty --tags "--match=v[0-9]*")
    nfqws2_git(commit_hash rev-parse HEAD)
    nfqws2_git(commit_time log -1 --format=%ct)
    # Written by every commit and checkout.
    nfqws2_git(moves rev-parse --path-format=absolute --git-path logs/HEAD)
    if(moves AND EXISTS "${moves}")
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${moves}")
    endif()
elseif(EXISTS ${CMAKE_SOURCE_DIR}/.release)
    foreach(word describe hash time)
        file(STRINGS ${CMAKE_SOURCE_DIR}/.release line REGEX "^${word}=[^$]*$")
        string(REPLACE "${word}=" "" commit_${word} "${line}")
    endforeach()
endif()

set(release_version "${NFQWS2_RELEASE_VERSION}")
string(SUBSTRING "${NFQWS2_RELEASE_HASH}" 0 40 release_hash)
if(NOT release_version AND commit_describe MATCHES "^v[0-9]+[.][0-9]+[.][0-9]+$" AND commit_hash)
    set(release_version ${commit_describe})
    string(SUBSTRING ${commit_hash} 0 10 release_hash)
endif()

if(release_version)
    set(build_version "github version ${release_version} (${release_hash})")
    if(release_version MATCHES "^v?[0-9]" AND NOT release_version MATCHES "^v?${PROJECT_VERSION}")
        message(WARNING "the release is ${release_version}, but project() in CMakeLists.txt says ${PROJECT_VERSION}")
    endif()
else()
    set(epoch "$ENV{SOURCE_DATE_EPOCH}")
    if(NOT epoch MATCHES "^[0-9]+$" AND commit_time MATCHES "^[0-9]+$")
        set(ENV{SOURCE_DATE_EPOCH} ${commit_time})
    endif()
    string(TIMESTAMP time "%b %d %Y %H:%M:%S" UTC)
    set(ENV{SOURCE_DATE_EPOCH} "${epoch}")
    string(REGEX REPLACE "^(...) 0" "\\1  " time "${time}")
    set(build_version "self-built version ${time}")
endif()
message(STATUS "nfqws2: ${build_version}")

set(build_features "")
macro(nfqws2_feature word)
    if(${ARGN})
        list(APPEND build_features ${word})
    endif()
endmacro()
nfqws2_feature(pcap NFQWS2_PCAP)
nfqws2_feature(nfct NFQWS2_HAVE_NFCT)
nfqws2_feature(static NFQWS2_STATIC)
nfqws2_feature(static-libstdc++ NFQWS2_STATIC_RUNTIME AND NOT NFQWS2_SANITIZE AND NOT NFQWS2_STATIC)
nfqws2_feature(sanitizers=${NFQWS2_SANITIZE} NFQWS2_SANITIZE)
list(JOIN build_features ", " build_features)
if(NOT build_features)
    set(build_features none)
endif()
set(build_libraries "libnetfilter_queue ${NFQ_libnetfilter_queue_VERSION}, libmnl ${NFQ_libmnl_VERSION}, libcap ${CAP_VERSION}")
set(build_compiler
    "${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION} for ${CMAKE_SYSTEM_PROCESSOR}, ${CMAKE_BUILD_TYPE}")

configure_file(${CMAKE_SOURCE_DIR}/src/base/build.cpp.in ${CMAKE_BINARY_DIR}/build.cpp @ONLY)
add_library(nfqws2_build STATIC ${CMAKE_BINARY_DIR}/build.cpp)
target_link_libraries(nfqws2_build PRIVATE nfqws2_base)
