#include "run/bell.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/control/server.hpp"
#include "nfqws2/lua/attachments.hpp"

#include <algorithm>
#include <array>
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

void Bell::fall_silent() const {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = read(event_.get(), &count, sizeof count);
}

bool Bell::wait(int fd, int timeout_ms) {
    // A negative one is passed over.
    pollfd fds[3] = {{event_.get(), POLLIN, 0}, {fd, POLLIN, 0}, {door_, POLLIN, 0}};
    if (poll(fds, door_ >= 0 ? 3 : fd >= 0 ? 2 : 1, timeout_ms) <= 0) return false;
    if (fds[0].revents != 0) fall_silent();
    return fd >= 0 && fds[1].revents != 0;
}

bool Bell::wait(int fd, int timeout_ms, std::span<pollfd> others) {
    constexpr std::size_t own = 3;
    static_assert(most_others > control::Server::max_clients + lua::Attachments::most);
    std::array<pollfd, own + most_others> fds;
    fds[0] = {event_.get(), POLLIN, 0};
    fds[1] = {fd, POLLIN, 0}; // a negative one is passed over
    fds[2] = {door_, POLLIN, 0};
    const std::size_t count = std::min(others.size(), fds.size() - own);
    std::copy_n(others.begin(), count, fds.begin() + own);
    const bool ready = poll(fds.data(), static_cast<nfds_t>(count + own), timeout_ms) > 0;
    for (std::size_t i = 0; i < count; i++)
        others[i].revents = static_cast<short>(ready ? fds[i + own].revents : 0);
    if (!ready) return false;
    if (fds[0].revents != 0) fall_silent();
    return fds[1].revents != 0;
}

} // namespace nfqws2::app
