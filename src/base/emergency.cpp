#include "nfqws2/base/emergency.hpp"

#include "nfqws2/base/file.hpp"
#include "nfqws2/base/log.hpp"

#include <algorithm>
#include <climits>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace nfqws2::emergency {

namespace {

char log_file[PATH_MAX];
bool to_syslog = false;

void write_to(int descriptor, std::string_view text) {
    [[maybe_unused]] const ssize_t written = write(descriptor, text.data(), text.size());
}

// syslog(3) takes locks and memory.
void send_to_syslog(std::string_view text) {
    constexpr std::string_view path = "/dev/log";
    const FileDescriptor descriptor(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!descriptor) return;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::copy(path.begin(), path.end(), address.sun_path);
    Line line;
    line << "<27>nfqws2: " << text; // daemon, error
    [[maybe_unused]] const ssize_t sent =
        sendto(descriptor.get(), line.text().data(), line.text().size(), 0,
               reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

} // namespace

Line& Line::operator<<(std::string_view text) {
    const std::size_t n = std::min(text.size(), sizeof data_ - size_);
    std::memcpy(data_ + size_, text.data(), n);
    size_ += n;
    return *this;
}

Line& Line::operator<<(unsigned value) {
    char digits[10];
    std::size_t at = sizeof digits;
    do
        digits[--at] = static_cast<char>('0' + value % 10);
    while ((value /= 10) != 0);
    return *this << std::string_view(digits + at, sizeof digits - at);
}

void remember_target() {
    const log::Target target = log::target();
    const std::string& path = log::target_file();
    const bool fits = target == log::Target::file && path.size() < sizeof log_file;
    log_file[fits ? path.copy(log_file, path.size()) : 0] = '\0';
    to_syslog = target == log::Target::syslog;
}

void say(std::string_view line) {
    write_to(STDERR_FILENO, line);
    if (log_file[0] != '\0') {
        // A pipe that nobody reads must not keep the process from its end.
        const FileDescriptor file(
            open(log_file, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
        if (file) write_to(file.get(), line);
    }
    if (to_syslog) send_to_syslog(line);
}

} // namespace nfqws2::emergency
