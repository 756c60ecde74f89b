set(CMAKE_SYSTEM_PROCESSOR mipsel)
set(nfqws2_triplet mipsel-linux-gnu)
set(nfqws2_qemu mipsel)
# Debian's LuaJIT computes with registers of 32 bits. A program of the default kind (-mfpxx) lets the
# loader choose the mode, and qemu then takes the other one: wrong numbers.
set(CMAKE_C_FLAGS_INIT -mfp32)
set(CMAKE_CXX_FLAGS_INIT -mfp32)
include(${CMAKE_CURRENT_LIST_DIR}/debian.cmake)
