# The files below files/fake that strategies name, made from descriptions (src/tools/fake-blobs). They are made
# when the build is configured, so every way to build and to install has them; it takes a second.
find_program(NFQWS2_PYTHON python3 DOC "Python of the build machine")
if(NOT NFQWS2_PYTHON)
    message(FATAL_ERROR "python3 is needed on the build machine: it makes the files of files/fake")
endif()
set(NFQWS2_FAKES ${CMAKE_BINARY_DIR}/files/fake)
file(GLOB fake_makers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/tools/fake-blobs/*.py)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${fake_makers})
execute_process(COMMAND ${NFQWS2_PYTHON} -B ${CMAKE_SOURCE_DIR}/src/tools/fake-blobs/make.py ${NFQWS2_FAKES}
                COMMAND_ERROR_IS_FATAL ANY)
