# What --check knows of the script libraries, made from their comments. It is made when the build is configured, so
# that linters have it without a build.
set(generated ${CMAKE_BINARY_DIR}/generated)
file(GLOB libraries CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/lua/zapret-*.lua ${CMAKE_SOURCE_DIR}/lua/lib/*.lua
     ${CMAKE_SOURCE_DIR}/src/tools/lua-library/*.py)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${libraries})
execute_process(COMMAND ${NFQWS2_PYTHON} -B ${CMAKE_SOURCE_DIR}/src/tools/lua-library/make.py table
                        ${generated}/library_arguments.inc
                COMMAND_ERROR_IS_FATAL ANY)
set_source_files_properties(src/app/check/known_functions.cpp PROPERTIES INCLUDE_DIRECTORIES ${generated})
