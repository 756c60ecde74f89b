#include "nfqws2/base/clock.hpp"

#include <ctime>

namespace nfqws2 {

namespace {
std::int64_t read_ns(clockid_t id) {
    timespec ts{};
    clock_gettime(id, &ts);
    return static_cast<std::int64_t>(ts.tv_sec) * 1'000'000'000 + ts.tv_nsec;
}
} // namespace

std::int64_t RealClock::boot_ns() const {
    return read_ns(CLOCK_BOOTTIME);
}

std::int64_t RealClock::unix_ns() const {
    return read_ns(CLOCK_REALTIME);
}

} // namespace nfqws2
