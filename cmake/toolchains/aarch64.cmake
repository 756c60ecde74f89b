set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(nfqws2_triplet aarch64-linux-gnu)
set(nfqws2_qemu aarch64)
include(${CMAKE_CURRENT_LIST_DIR}/debian.cmake)
