# A cross compiler of Debian with libraries of the foreign architecture (multiarch), and qemu to run
# what was built. Included by the files beside, which set:
#   nfqws2_triplet     prefix of the compiler
#   nfqws2_libraries   the folder of the libraries below /usr/lib, if it has another name
#   nfqws2_qemu        name of the processor in qemu
#   nfqws2_native      the processor that runs such programs itself, if there is one
set(CMAKE_SYSTEM_NAME Linux)
if(NOT nfqws2_libraries)
    set(nfqws2_libraries ${nfqws2_triplet})
endif()
set(CMAKE_C_COMPILER ${nfqws2_triplet}-gcc)
set(CMAKE_CXX_COMPILER ${nfqws2_triplet}-g++)
set(CMAKE_LIBRARY_ARCHITECTURE ${nfqws2_libraries})
set(PKG_CONFIG_EXECUTABLE /usr/bin/${nfqws2_libraries}-pkg-config)
if(NOT CMAKE_HOST_SYSTEM_PROCESSOR STREQUAL "${nfqws2_native}")
    set(CMAKE_CROSSCOMPILING_EMULATOR /usr/bin/qemu-${nfqws2_qemu}-static)
endif()
