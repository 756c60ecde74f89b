// setsockopt() in words.
#pragma once

namespace nfqws2::capture {

// False: errno tells why.
bool set_option(int fd, int level, int option, int value);
// SO_RCVBUF and the like, beyond the limit of the system where that is allowed.
void set_buffer_size(int fd, int forced_option, int option, int size);

} // namespace nfqws2::capture
