# The files below files/fake that strategies name, made from descriptions (src/tools/fake-blobs). They are made
# when the build is configured, so every way to build and to install has them; it takes a second.
set(NFQWS2_FAKES ${CMAKE_BINARY_DIR}/files/fake)
file(GLOB fake_makers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/tools/fake-blobs/*.py)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${fake_makers})
execute_process(COMMAND ${NFQWS2_PYTHON} -B ${CMAKE_SOURCE_DIR}/src/tools/fake-blobs/make.py ${NFQWS2_FAKES}
                COMMAND_ERROR_IS_FATAL ANY)
