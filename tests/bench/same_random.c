/* Put in front of the C library (LD_PRELOAD): what the kernel gives at random is the same in every
 * run. So the hash tables of the program and of LuaJIT, whose keys come from it, collide in the
 * same way, and instructions can be counted (counted_run.py). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>

static long fill(unsigned char* to, size_t size) {
    static uint64_t state = 0x9E3779B97F4A7C15u;
    for (size_t i = 0; i < size; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        to[i] = (unsigned char)(state >> 56);
    }
    return (long)size;
}

ssize_t getrandom(void* to, size_t size, unsigned flags) {
    (void)flags;
    return fill(to, size);
}

/* LuaJIT asks in this way. */
long syscall(long number, ...) {
    static long (*next)(long, ...);
    long words[6];
    va_list more;
    va_start(more, number);
    for (int i = 0; i < 6; i++)
        words[i] = va_arg(more, long);
    va_end(more);
    if (number == SYS_getrandom) return fill((unsigned char*)words[0], (size_t)words[1]);
    if (next == NULL) next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    return next(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}
