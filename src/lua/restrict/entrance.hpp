// Opening files must not make a script wait: a FIFO waits for its other end, and so may a terminal.
// Nor may a script take all descriptors, or the memory that each open file costs outside of its
// limit.
#pragma once

namespace nfqws2::lua {

struct Entrance {
    int error = 0; // errno; 0: may be opened
    int held = -1; // a descriptor to be closed after that
    bool fifo = false;
};

// `access` is O_RDONLY, O_WRONLY or O_RDWR. What does not exist or is an ordinary file is left to
// who opens it.
Entrance enter(const char* path, int access);

// Whether scripts may have another file open: not beyond 768, nor three quarters of what the
// process may have.
bool has_room_for_file();

} // namespace nfqws2::lua
