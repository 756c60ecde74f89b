set(CMAKE_SYSTEM_PROCESSOR s390x)
set(nfqws2_triplet s390x-linux-gnu)
set(nfqws2_qemu s390x)
include(${CMAKE_CURRENT_LIST_DIR}/debian.cmake)
