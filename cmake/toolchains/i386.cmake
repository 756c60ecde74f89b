set(CMAKE_SYSTEM_PROCESSOR i686)
set(nfqws2_triplet i686-linux-gnu)
set(nfqws2_libraries i386-linux-gnu)
set(nfqws2_qemu i386)
# Not only for speed: qemu (7.2) now and then loses a register of floating point when a signal comes,
# and a number that a script has written into a packet is 0.
set(nfqws2_native x86_64)
include(${CMAKE_CURRENT_LIST_DIR}/debian.cmake)
