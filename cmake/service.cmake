# Installs the service layer: scripts below <libdir of the prefix>/zapret2, the config and custom scripts
# below etc, lists below var. The scripts learn the places from common/paths.sh.
include(GNUInstallDirs)

set(NFQWS2_SERVICE_DIR lib/zapret2)
set(base ${CMAKE_INSTALL_PREFIX}/${NFQWS2_SERVICE_DIR})
set(service_etc ${CMAKE_INSTALL_FULL_SYSCONFDIR}/zapret2)
set(service_var ${CMAKE_INSTALL_FULL_LOCALSTATEDIR}/lib/zapret2)
set(generated ${CMAKE_BINARY_DIR}/init.d)

file(WRITE ${generated}/paths.sh
"# Where the parts of this installation are. Sourced.
# shellcheck shell=sh disable=SC2034
ZAPRET_RW=\${ZAPRET_RW:-${service_var}}
ZAPRET_CONFIG=\${ZAPRET_CONFIG:-${service_etc}/config}
CUSTOM_DIR=\${CUSTOM_DIR:-${service_etc}}
")
# As a command it reads the config of this installation.
file(WRITE ${generated}/blockcheck2
"#!/bin/sh
. ${base}/common/paths.sh
export ZAPRET_RW ZAPRET_CONFIG
exec ${base}/blockcheck2.sh \"\$@\"
")
install(PROGRAMS ${generated}/blockcheck2 DESTINATION ${CMAKE_INSTALL_SBINDIR})

foreach(unit nfqws2@.service zapret2.service zapret2-list-update.service zapret2-list-update.timer)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
                 ${CMAKE_SOURCE_DIR}/init.d/systemd/${unit})
    file(READ ${CMAKE_SOURCE_DIR}/init.d/systemd/${unit} text)
    string(REPLACE /opt/zapret2/nfq2/nfqws2 ${CMAKE_INSTALL_FULL_SBINDIR}/nfqws2 text "${text}")
    string(REPLACE /opt/zapret2 ${base} text "${text}")
    file(WRITE ${generated}/${unit} "${text}")
endforeach()
set(NFQWS2_UNIT_DIR ${CMAKE_INSTALL_PREFIX}/lib/systemd/system)
install(FILES ${generated}/nfqws2@.service DESTINATION ${NFQWS2_UNIT_DIR})
# Units of the service only where no other installation has its own: systemd would choose between them
# silently. A staged tree (DESTDIR) is for another machine.
install(CODE "
    set(other \"\")
    foreach(folder /etc /usr/local/lib /usr/lib /lib)
        set(unit \${folder}/systemd/system/zapret2.service)
        if(\"\$ENV{DESTDIR}\" STREQUAL \"\" AND EXISTS \${unit})
            file(STRINGS \${unit} start REGEX \"^ExecStart=\")
            if(NOT start MATCHES \"=-?${base}/init.d/\")
                set(other \${unit})
            endif()
        endif()
    endforeach()
    if(other)
        message(WARNING \"\${other} belongs to another installation, so the units of the service zapret2 \"
            \"are left out here: that service stays as it is. To use this installation instead, remove the \"
            \"other one (its uninstall_easy.sh, or the package) and install again.\")
    else()
        foreach(unit zapret2.service zapret2-list-update.service zapret2-list-update.timer)
            file(INSTALL \"${generated}/\${unit}\"
                 DESTINATION \"${NFQWS2_UNIT_DIR}\")
        endforeach()
    endif()")

install(DIRECTORY ${CMAKE_SOURCE_DIR}/common ${CMAKE_SOURCE_DIR}/ipset DESTINATION ${NFQWS2_SERVICE_DIR}
        USE_SOURCE_PERMISSIONS FILES_MATCHING PATTERN "*.sh" PATTERN "*.default")
install(FILES ${generated}/paths.sh DESTINATION ${NFQWS2_SERVICE_DIR}/common)
install(PROGRAMS ${CMAKE_SOURCE_DIR}/blockcheck2.sh DESTINATION ${NFQWS2_SERVICE_DIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/blockcheck2.d DESTINATION ${NFQWS2_SERVICE_DIR} USE_SOURCE_PERMISSIONS)
install(FILES ${CMAKE_SOURCE_DIR}/config.default DESTINATION ${NFQWS2_SERVICE_DIR})
install(PROGRAMS ${CMAKE_SOURCE_DIR}/init.d/sysv/zapret2 DESTINATION ${NFQWS2_SERVICE_DIR}/init.d/sysv)
install(FILES ${CMAKE_SOURCE_DIR}/init.d/sysv/functions DESTINATION ${NFQWS2_SERVICE_DIR}/init.d/sysv)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/init.d/custom.d.examples.linux DESTINATION ${NFQWS2_SERVICE_DIR}/init.d)

# A file that is there stays: the user may have put another in its place.
include(${CMAKE_SOURCE_DIR}/cmake/fakes.cmake)
install(CODE "
    set(folder \"\${CMAKE_INSTALL_PREFIX}/${NFQWS2_SERVICE_DIR}/files/fake\")
    file(GLOB fakes \"${NFQWS2_FAKES}/*.bin\")
    foreach(fake \${fakes})
        get_filename_component(name \"\${fake}\" NAME)
        if(NOT EXISTS \"\$ENV{DESTDIR}\${folder}/\${name}\")
            file(INSTALL \"\${fake}\" DESTINATION \"\${folder}\")
        endif()
    endforeach()")

# Links, relative where the target stands below the same prefix.
function(service_link folder name target)
    file(RELATIVE_PATH relative ${base}/${folder} ${target})
    install(CODE "
        set(folder \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${NFQWS2_SERVICE_DIR}/${folder}\")
        file(MAKE_DIRECTORY \"\${folder}\")
        file(CREATE_LINK \"${relative}\" \"\${folder}/${name}\" SYMBOLIC)")
endfunction()
service_link(. lua ${CMAKE_INSTALL_FULL_DATADIR}/nfqws2/lua)
service_link(nfq2 nfqws2 ${CMAKE_INSTALL_FULL_SBINDIR}/nfqws2)
service_link(ip2net ip2net ${CMAKE_INSTALL_FULL_BINDIR}/ip2net)
service_link(mdig mdig ${CMAKE_INSTALL_FULL_BINDIR}/mdig)
service_link(probe blockprobe ${CMAKE_INSTALL_FULL_LIBEXECDIR}/nfqws2/blockprobe)

# The user's files are made once and never overwritten.
install(DIRECTORY DESTINATION ${service_etc}/custom.d)
install(DIRECTORY DESTINATION ${service_var}/ipset)
install(CODE "
    set(config \"\$ENV{DESTDIR}${service_etc}/config\")
    if(NOT EXISTS \"\${config}\")
        configure_file(\"${CMAKE_SOURCE_DIR}/config.default\" \"\${config}\" COPYONLY)
    endif()")
