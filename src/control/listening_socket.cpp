#include "nfqws2/control/listening_socket.hpp"

#include "nfqws2/base/output_file.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace nfqws2::control {
namespace {

constexpr int backlog = 32;
constexpr auto nobody_else = static_cast<gid_t>(-1);

// While it lives, new files have no rights at all.
class ClosedMask {
  public:
    ClosedMask() : before_(umask(0777)) {}
    ~ClosedMask() { umask(before_); }
    ClosedMask(const ClosedMask&) = delete;
    ClosedMask& operator=(const ClosedMask&) = delete;

  private:
    mode_t before_;
};

FileDescriptor make_socket(int type) {
    return FileDescriptor(socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

// Through the open directory, which nobody can exchange meanwhile.
bool make_address(const OutputPlace& place, sockaddr_un* address) {
    *address = {};
    address->sun_family = AF_UNIX;
    const std::string name =
        "/proc/self/fd/" + std::to_string(place.directory.get()) + "/" + place.name;
    if (name.size() >= sizeof address->sun_path || place.path.size() >= sizeof address->sun_path)
        return false;
    std::memcpy(address->sun_path, name.c_str(), name.size() + 1);
    return true;
}

const sockaddr* generic(const sockaddr_un& address) {
    return reinterpret_cast<const sockaddr*>(&address);
}

// "" if the place is free, which it may have become by that.
std::string clear_place(const OutputPlace& place, const sockaddr_un& address, int type) {
    struct stat st {};
    if (fstatat(place.directory.get(), place.name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? "" : std::strerror(errno);
    if (!S_ISSOCK(st.st_mode)) return "there is something that is no socket";
    const FileDescriptor probe = make_socket(type);
    if (!probe) return std::strerror(errno);
    // EPROTOTYPE: somebody lives there, with a socket of another kind.
    if (connect(probe.get(), generic(address), sizeof address) == 0 || errno == EAGAIN ||
        errno == EPROTOTYPE)
        return "another process answers there; is the program running already?";
    if (errno != ECONNREFUSED && errno != ENOENT) return std::strerror(errno);
    if (unlinkat(place.directory.get(), place.name.c_str(), 0) != 0 && errno != ENOENT)
        return std::strerror(errno);
    return "";
}

// False: errno tells why not.
bool put_up(const FileDescriptor& file, const OutputPlace& place, const sockaddr_un& address,
            gid_t group) {
    const ClosedMask closed;
    const int directory = place.directory.get();
    const char* const name = place.name.c_str();
    constexpr auto same_owner = static_cast<uid_t>(-1);
    if (bind(file.get(), generic(address), sizeof address) != 0) return false;
    const mode_t mode = group == nobody_else ? 0600 : 0660;
    return fchownat(directory, name, same_owner, group, AT_SYMLINK_NOFOLLOW) == 0 &&
           fchmodat(directory, name, mode, 0) == 0;
}

ListeningSocket bind_at(const std::string& path, gid_t group, int type) {
    ListeningSocket socket;
    const OutputPlace place = find_output_place(path, LastLink::keep);
    socket.error = place.error;
    if (!place.directory) return socket;
    sockaddr_un address{};
    if (!make_address(place, &address)) {
        socket.error = "the path of a socket has at most 107 bytes";
        return socket;
    }
    socket.error = clear_place(place, address, type);
    if (!socket.error.empty()) return socket;
    socket.path = place.path;
    FileDescriptor file = make_socket(type);
    if (file && put_up(file, place, address, group))
        socket.file = std::move(file);
    else
        socket.error = std::strerror(errno);
    return socket;
}

// What the kernel refuses now is the reason why there is no socket.
ListeningSocket with(ListeningSocket socket, int result) {
    if (socket && result != 0) {
        socket.error = std::strerror(errno);
        socket.file.reset();
    }
    return socket;
}

} // namespace

ListeningSocket listen_at(const std::string& path, unsigned group) {
    ListeningSocket socket = bind_at(path, group, SOCK_STREAM);
    const int result = socket ? listen(socket.file.get(), backlog) : 0;
    return with(std::move(socket), result);
}

ListeningSocket take_datagrams_at(const std::string& path) {
    ListeningSocket socket = bind_at(path, nobody_else, SOCK_DGRAM);
    const int on = 1;
    const int result =
        socket ? setsockopt(socket.file.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) : 0;
    return with(std::move(socket), result);
}

} // namespace nfqws2::control
