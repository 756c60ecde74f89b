# `cpack -G DEB` in the build folder makes the Debian package. Configure with the prefix /usr.
include(GNUInstallDirs)

set(NFQWS2_MAINTAINER "nfqws2 packagers <nfqws2@packages.invalid>" CACHE STRING "Maintainer of packages")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME nfqws2)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "${NFQWS2_MAINTAINER}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "packet manipulator against deep packet inspection")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"nfqws2 takes packets from the Linux firewall (NFQUEUE), recognises what they
carry and lets Lua functions split, reorder, disguise or precede them, so that
an inspecting box loses track while the real server does not.

The package has the daemon, its Lua libraries, the tools nfqws2ctl, ip2net and
mdig, and the zapret2 service: firewall rules and lists by one config file.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "iptables | nftables, ipset, curl, libidn2-0, libpcap0.8 | libpcap0.8t64")
set(debian ${CMAKE_SOURCE_DIR}/cmake/debian)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    ${debian}/postinst ${debian}/prerm ${debian}/postrm ${debian}/conffiles)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
# What only a package has: init script, changelog, copyright; compressed manuals.
set(CPACK_PRE_BUILD_SCRIPTS ${debian}/finish.cmake)
set(CPACK_NFQWS2_DEBIAN_DIR ${debian})

include(CPack)
