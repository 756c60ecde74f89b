# nfqws2ctl, a program of its own: header-only CLI11 and nlohmann-json, and cpp-httplib for its page. The daemon
# gets none of them. Where they are missing the program is left out.
set(NFQWS2_HAVE_CTL OFF)
if(NFQWS2_STATIC AND NFQWS2_CTL STREQUAL AUTO)
    # Distributions that have cpp-httplib compiled have it as a shared library only.
    message(STATUS "nfqws2ctl is left out of static builds (NFQWS2_CTL=ON builds it)")
elseif(NFQWS2_CTL STREQUAL ON OR NFQWS2_CTL STREQUAL AUTO)
    set(ctl_missing)
    find_package(CLI11 CONFIG QUIET)
    find_package(nlohmann_json CONFIG QUIET)
    # Some distributions have a package file for CMake, some one of pkg-config, some the header only.
    find_package(httplib CONFIG QUIET)
    pkg_check_modules(HTTPLIB QUIET IMPORTED_TARGET cpp-httplib)
    # From 0.18 on its header calls OpenSSL itself, where the library has been built with it. pkg-config counts that
    # among the private needs, which a shared library is not linked with.
    if(HTTPLIB_CFLAGS MATCHES "OPENSSL_SUPPORT")
        pkg_check_modules(HTTPLIB_CRYPTO QUIET IMPORTED_TARGET libcrypto)
    endif()
    find_path(HTTPLIB_INCLUDE_DIR httplib.h)
    foreach(need "CLI11_FOUND:CLI11" "nlohmann_json_FOUND:nlohmann-json" "HTTPLIB_INCLUDE_DIR:cpp-httplib")
        string(REPLACE ":" ";" need ${need})
        list(GET need 0 found)
        list(GET need 1 name)
        if(NOT ${found})
            list(APPEND ctl_missing ${name})
        endif()
    endforeach()
    list(JOIN ctl_missing ", " ctl_missing)
    if(NOT ctl_missing)
        set(NFQWS2_HAVE_CTL ON)
    elseif(NFQWS2_CTL STREQUAL ON)
        message(FATAL_ERROR "NFQWS2_CTL=ON needs ${ctl_missing} (docs/packaging.md names the packages).")
    else()
        message(STATUS "nfqws2ctl is left out, since there is no ${ctl_missing}")
    endif()
elseif(NOT NFQWS2_CTL STREQUAL OFF)
    message(FATAL_ERROR "NFQWS2_CTL is AUTO, ON or OFF")
endif()
if(NOT NFQWS2_HAVE_CTL)
    return()
endif()

add_library(nfqws2_lib_httplib INTERFACE)
if(TARGET PkgConfig::HTTPLIB)
    target_link_libraries(nfqws2_lib_httplib INTERFACE PkgConfig::HTTPLIB)
    if(TARGET PkgConfig::HTTPLIB_CRYPTO)
        target_link_libraries(nfqws2_lib_httplib INTERFACE -Wl,--push-state,--as-needed PkgConfig::HTTPLIB_CRYPTO
                              -Wl,--pop-state)
    endif()
elseif(TARGET httplib::httplib)
    target_link_libraries(nfqws2_lib_httplib INTERFACE httplib::httplib)
else()
    target_include_directories(nfqws2_lib_httplib SYSTEM INTERFACE ${HTTPLIB_INCLUDE_DIR})
endif()
target_link_libraries(nfqws2_lib_httplib INTERFACE Threads::Threads)

# The files of the page are a part of the program. They are made when the build is configured.
set(page_files ${CMAKE_BINARY_DIR}/generated/page_files.cpp)
file(GLOB page_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/ctl/page/*
     ${CMAKE_SOURCE_DIR}/src/tools/page-files/*.py)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${page_sources})
execute_process(COMMAND ${NFQWS2_PYTHON} -B ${CMAKE_SOURCE_DIR}/src/tools/page-files/make.py
                        ${CMAKE_SOURCE_DIR}/src/ctl/page ${page_files}
                COMMAND_ERROR_IS_FATAL ANY)

nfqws2_room(ctl nfqws2_base nfqws2_build CLI11::CLI11 nlohmann_json::nlohmann_json nfqws2_lib_httplib)
target_sources(nfqws2_ctl PRIVATE ${page_files})
# Its work is to wait for answers: built for size.
target_compile_options(nfqws2_ctl PRIVATE ${rarely_run_flag})
add_executable(nfqws2ctl src/ctl/main.cpp)
target_link_libraries(nfqws2ctl PRIVATE nfqws2_ctl)
target_include_directories(nfqws2ctl PRIVATE ${CMAKE_SOURCE_DIR}/src/ctl)
add_dependencies(all_programs nfqws2ctl)
install(TARGETS nfqws2ctl RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})
install(FILES docs/nfqws2ctl.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)
install(FILES completions/bash/nfqws2ctl DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES completions/zsh/_nfqws2ctl DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES completions/fish/nfqws2ctl.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
