# Run by cpack on the staged tree before it becomes the package.
if(NOT CPACK_GENERATOR STREQUAL "DEB")
    return()
endif()
set(root "${CPACK_TEMPORARY_INSTALL_DIRECTORY}")
set(doc "${root}/usr/share/doc/nfqws2")
set(from "${CPACK_NFQWS2_DEBIAN_DIR}")

file(MAKE_DIRECTORY "${doc}" "${root}/etc/init.d")
file(REMOVE "${doc}/LICENSE")
configure_file("${from}/copyright" "${doc}/copyright" COPYONLY)
configure_file("${from}/changelog" "${doc}/changelog" @ONLY)
configure_file("${from}/init" "${root}/etc/init.d/zapret2" COPYONLY)
file(CHMOD "${root}/etc/init.d/zapret2" PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE
     GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
file(GLOB files "${root}/usr/share/man/man*/*.[0-9]" "${doc}/changelog")
execute_process(COMMAND gzip -9nf ${files} COMMAND_ERROR_IS_FATAL ANY)
