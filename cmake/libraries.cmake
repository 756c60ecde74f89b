# The system's libraries, as targets nfqws2_lib_NAME. With NFQWS2_STATIC they are archives.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

set(nfqws2_missing_archives)

# The archives of a pkg-config module and of all that it needs itself.
function(nfqws2_link_archives target module)
    # libnetfilter_queue names libnfnetlink for an interface that we do not use.
    set(optional nfnetlink)
    # Parts of the C library.
    set(builtin c m dl pthread rt)
    foreach(name IN LISTS ${module}_STATIC_LIBRARIES)
        if(name IN_LIST builtin)
            target_link_libraries(${target} INTERFACE ${name})
            continue()
        endif()
        find_library(NFQWS2_ARCHIVE_${name} lib${name}.a HINTS ${${module}_STATIC_LIBRARY_DIRS})
        if(NFQWS2_ARCHIVE_${name})
            target_link_libraries(${target} INTERFACE ${NFQWS2_ARCHIVE_${name}})
        elseif(NOT name IN_LIST optional)
            set(nfqws2_missing_archives ${nfqws2_missing_archives} lib${name}.a)
        endif()
    endforeach()
    target_include_directories(${target} SYSTEM INTERFACE ${${module}_STATIC_INCLUDE_DIRS})
    set(nfqws2_missing_archives ${nfqws2_missing_archives} PARENT_SCOPE)
endfunction()

macro(nfqws2_library name) # rest = pkg-config modules
    string(TOUPPER ${name} nfqws2_module)
    pkg_check_modules(${nfqws2_module} REQUIRED IMPORTED_TARGET ${ARGN})
    add_library(nfqws2_lib_${name} INTERFACE)
    if(NFQWS2_STATIC)
        nfqws2_link_archives(nfqws2_lib_${name} ${nfqws2_module})
    else()
        target_link_libraries(nfqws2_lib_${name} INTERFACE PkgConfig::${nfqws2_module})
    endif()
endmacro()

# mbed TLS 3 has a package file of its own; some distributions of 2.28 have neither that nor one of
# pkg-config.
macro(nfqws2_find_mbedcrypto)
    add_library(nfqws2_lib_mbedcrypto INTERFACE)
    find_package(MbedTLS CONFIG QUIET)
    find_path(MBEDTLS_INCLUDE_DIR mbedtls/aes.h)
    if(MbedTLS_VERSION VERSION_GREATER_EQUAL 4 OR NOT MBEDTLS_INCLUDE_DIR)
        message(FATAL_ERROR "mbed TLS 2.28 or 3 is needed (libmbedtls-dev, mbedtls-devel): "
                "mbedtls/aes.h is not there, or the version is another.")
    endif()
    if(NFQWS2_STATIC)
        find_library(NFQWS2_ARCHIVE_mbedcrypto libmbedcrypto.a)
        if(NOT NFQWS2_ARCHIVE_mbedcrypto)
            list(APPEND nfqws2_missing_archives libmbedcrypto.a)
        endif()
        target_link_libraries(nfqws2_lib_mbedcrypto INTERFACE ${NFQWS2_ARCHIVE_mbedcrypto})
        target_include_directories(nfqws2_lib_mbedcrypto SYSTEM INTERFACE ${MBEDTLS_INCLUDE_DIR})
    elseif(TARGET MbedTLS::mbedcrypto)
        target_link_libraries(nfqws2_lib_mbedcrypto INTERFACE MbedTLS::mbedcrypto)
    else()
        find_library(MBEDCRYPTO_LIBRARY mbedcrypto REQUIRED)
        target_link_libraries(nfqws2_lib_mbedcrypto INTERFACE ${MBEDCRYPTO_LIBRARY})
        target_include_directories(nfqws2_lib_mbedcrypto SYSTEM INTERFACE ${MBEDTLS_INCLUDE_DIR})
    endif()
endmacro()

nfqws2_library(zlib zlib)
nfqws2_library(nfq libnetfilter_queue libmnl)
nfqws2_library(lua ${NFQWS2_LUA})
nfqws2_library(cap libcap)
nfqws2_library(seccomp libseccomp)
if(NFQWS2_PCAP)
    nfqws2_library(pcap libpcap)
endif()
nfqws2_find_mbedcrypto()
if(nfqws2_missing_archives)
    list(REMOVE_DUPLICATES nfqws2_missing_archives)
    list(JOIN nfqws2_missing_archives " " nfqws2_missing_archives)
    message(FATAL_ERROR "NFQWS2_STATIC: this system has no ${nfqws2_missing_archives}. "
            "Install the static libraries, or build without -DNFQWS2_STATIC=ON "
            "(docs/development.md, \"A static program\", names distributions that have them).")
endif()

# Processors without atomic operations on 64 bits (most with 32-bit pointers) have them in a library.
include(CheckCXXSourceCompiles)
set(nfqws2_atomic_probe "#include <atomic>
    #include <cstdint>
    std::atomic<std::int64_t> number;
    int main() { number.store(1); return static_cast<int>(number.load()); }")
check_cxx_source_compiles("${nfqws2_atomic_probe}" NFQWS2_ATOMIC_BUILTIN)
add_library(nfqws2_lib_atomic INTERFACE)
if(NOT NFQWS2_ATOMIC_BUILTIN)
    set(CMAKE_REQUIRED_LIBRARIES atomic)
    check_cxx_source_compiles("${nfqws2_atomic_probe}" NFQWS2_ATOMIC_LIBRARY)
    unset(CMAKE_REQUIRED_LIBRARIES)
    if(NOT NFQWS2_ATOMIC_LIBRARY)
        message(FATAL_ERROR "64-bit atomic operations need libatomic here, which is missing.")
    endif()
    target_link_libraries(nfqws2_lib_atomic INTERFACE atomic)
endif()
