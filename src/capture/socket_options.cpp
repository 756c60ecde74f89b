#include "socket_options.hpp"

#include <sys/socket.h>

namespace nfqws2::capture {

bool set_option(int fd, int level, int option, int value) {
    return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

void set_buffer_size(int fd, int forced_option, int option, int size) {
    if (!set_option(fd, SOL_SOCKET, forced_option, size)) set_option(fd, SOL_SOCKET, option, size);
}

} // namespace nfqws2::capture
