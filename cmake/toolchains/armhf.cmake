set(CMAKE_SYSTEM_PROCESSOR armv7l)
set(nfqws2_triplet arm-linux-gnueabihf)
set(nfqws2_qemu arm)
include(${CMAKE_CURRENT_LIST_DIR}/debian.cmake)
