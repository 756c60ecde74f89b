// Opening files must not make a script wait: a FIFO waits for its other end, and so may a terminal.
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

} // namespace nfqws2::lua
