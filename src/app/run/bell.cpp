#include "run/bell.hpp"

#include "nfqws2/base/log.hpp"

#include <cerrno>
#include <cstdint>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace nfqws2::app {

Bell::Bell() : event_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (!event_) log::os_error("eventfd", errno);
}

void Bell::ring() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(event_.get(), &one, sizeof one);
}

bool Bell::wait(int fd, int timeout_ms) {
    pollfd fds[2] = {{event_.get(), POLLIN, 0}, {fd, POLLIN, 0}};
    if (poll(fds, fd >= 0 ? 2 : 1, timeout_ms) <= 0) return false;
    if (fds[0].revents != 0) {
        std::uint64_t count = 0;
        [[maybe_unused]] const ssize_t got = read(event_.get(), &count, sizeof count);
    }
    return fd >= 0 && fds[1].revents != 0;
}

} // namespace nfqws2::app
