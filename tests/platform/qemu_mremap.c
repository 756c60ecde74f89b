/* qemu's emulation of programs (7.2 to 10.0 were tried) takes memory away above a block that a
 * 32-bit program makes smaller in place: it gives up the end of the block at its old end. LuaJIT
 * returns memory in this way. So the tests run there with this in front of the C library: munmap
 * does the same, and qemu gets that right. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

void* mremap(void* block, size_t old_size, size_t new_size, int flags, ...) {
    if (flags == 0 && new_size < old_size) {
        if (munmap((char*)block + new_size, old_size - new_size) != 0) return MAP_FAILED;
        return block;
    }
    va_list rest;
    va_start(rest, flags);
    void* target = (flags & MREMAP_FIXED) != 0 ? va_arg(rest, void*) : NULL;
    va_end(rest);
    return (void*)syscall(SYS_mremap, block, old_size, new_size, flags, target);
}
