// Theory of operation: a datagram is NAME, a zero byte, and code, or code alone, as NFLua has it.
// It runs in the first worker before anything else is taken, so that answers have the order of
// questions. The kernel says who sent it; the path alone would let in whom root has made friends
// with. The answer goes to the sender's address, which is an abstract one: the process that answers
// may not write to files of root.
#include "control/code_door.hpp"

#include "commands.hpp"

#include "nfqws2/base/file.hpp"
#include "nfqws2/control/listening_socket.hpp"
#include "nfqws2/lua/init.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace nfqws2::app {

namespace {

constexpr std::size_t longest = 65535;

} // namespace

struct CodeDoor::Datagram {
    std::array<char, longest + 1> bytes;
    std::size_t size = 0;
    sockaddr_un from{};
    socklen_t from_size = 0;
    std::optional<uid_t> sender;
};

namespace {

std::optional<uid_t> sender_of(msghdr& message) {
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
         part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_CREDENTIALS) continue;
        ucred credentials{};
        std::memcpy(&credentials, CMSG_DATA(part), sizeof credentials);
        return credentials.uid;
    }
    return std::nullopt;
}

template <typename Datagram> bool receive(int fd, Datagram& datagram) {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred))];
    iovec part{datagram.bytes.data(), datagram.bytes.size()};
    msghdr message{};
    message.msg_name = &datagram.from;
    message.msg_namelen = sizeof datagram.from;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t size = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0) return false;
    datagram.size = static_cast<std::size_t>(size);
    datagram.from_size = message.msg_namelen;
    datagram.sender = sender_of(message);
    return true;
}

sockaddr* generic(sockaddr_un& address) {
    return reinterpret_cast<sockaddr*>(&address);
}

template <typename Datagram> void answer(int fd, Datagram& question, std::string_view text) {
    if (question.from_size <= offsetof(sockaddr_un, sun_path)) return; // it has no address
    text = text.substr(0, longest);
    sendto(fd, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL, generic(question.from),
           question.from_size);
}

} // namespace

CodeDoor::CodeDoor() = default;
CodeDoor::~CodeDoor() = default;

bool CodeDoor::open(const std::string& path) {
    control::ListeningSocket socket = control::take_datagrams_at(path);
    if (!socket) {
        log::error("cannot make socket '%s' for code: %s", path.c_str(), socket.error.c_str());
        return false;
    }
    socket_ = std::move(socket.file);
    datagram_ = std::make_unique<Datagram>();
    return true;
}

void CodeDoor::turn(Workers& workers, bool all) {
    constexpr int most = 8;
    for (int i = 0; i < most && take(workers, all); i++) {
    }
}

bool CodeDoor::take(Workers& workers, bool all) {
    Datagram& datagram = *datagram_;
    if (!receive(socket_.get(), datagram)) return false;
    if (datagram.sender != uid_t{0}) {
        refused_++;
        if (refusals_.allow())
            log::error("--lua-control: code of somebody else than root was refused, %llu times",
                       static_cast<unsigned long long>(refused_));
        return true;
    }
    const std::string_view text(datagram.bytes.data(), datagram.size);
    if (text.size() > longest) {
        answer(socket_.get(), datagram, "error: more than 65535 bytes");
        return true;
    }
    const std::size_t end = text.find('\0');
    const bool named = end != text.npos;
    const std::string name(named ? text.substr(0, end) : "control");
    const std::string code(named ? text.substr(end + 1) : text);
    const std::string error = run_code(workers, name, code, all);
    answer(socket_.get(), datagram, error.empty() ? "ok" : "error: " + error);
    return true;
}

namespace {

// Is the socket at the path the one it was, and does somebody listen there? Datagrams tell nobody
// that who should answer has ended.
class Listener {
  public:
    explicit Listener(const sockaddr_un& address) : address_(address), inode_(inode()) {}
    bool is_there() {
        const FileDescriptor probe(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        return inode() == inode_ &&
               (!probe || connect(probe.get(), generic(address_), sizeof address_) == 0);
    }

  private:
    ino_t inode() const {
        struct stat st {};
        return stat(address_.sun_path, &st) == 0 ? st.st_ino : 0;
    }
    sockaddr_un address_;
    ino_t inode_;
};

// Until an answer can be read. Why not, or "".
const char* await_answer(int fd, Listener& listener) {
    constexpr int patience_ms = 60'000; // beyond what a call may take
    constexpr int step_ms = 200;
    pollfd wanted{fd, POLLIN, 0};
    for (int waited = 0; waited < patience_ms; waited += step_ms) {
        if (poll(&wanted, 1, step_ms) > 0) return "";
        if (listener.is_there()) continue;
        // It may have answered before it ended.
        return poll(&wanted, 1, 0) > 0 ? "" : "the program has ended without an answer";
    }
    return "there is no answer";
}

} // namespace

int send_code(const std::string& path, const std::string& what) {
    const auto fail = [](const std::string& of, const char* why) {
        std::fprintf(stderr, "%s: %s\n", of.c_str(), why);
        return 1;
    };
    std::string code = what;
    if (what.starts_with('@')) {
        const ReadResult file = read_file(what.substr(1), lua::longest_script);
        if (!file.ok()) return fail("--lua-send", file.error.c_str());
        code = what.substr(1) + '\0' + std::string(as_text(file.data));
    }
    if (code.size() > longest) return fail("--lua-send", "more than 65535 bytes");
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    if (path.size() >= sizeof to.sun_path) return fail(path, "the path is too long");
    std::memcpy(to.sun_path, path.c_str(), path.size() + 1);
    Listener listener(to);
    const FileDescriptor fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_un own{};
    own.sun_family = AF_UNIX;
    // The kernel chooses an abstract address.
    if (!fd || bind(fd.get(), generic(own), sizeof(sa_family_t)) != 0 ||
        connect(fd.get(), generic(to), sizeof to) != 0 ||
        send(fd.get(), code.data(), code.size(), 0) < 0)
        return fail(path, std::strerror(errno));
    if (const char* why = await_answer(fd.get(), listener); *why != '\0') return fail(path, why);
    std::string text(longest, '\0');
    const ssize_t size = recv(fd.get(), text.data(), text.size(), 0);
    if (size < 0) return fail(path, std::strerror(errno));
    text.resize(static_cast<std::size_t>(size));
    std::printf("%s\n", text.c_str());
    return text == "ok" ? 0 : 1;
}

} // namespace nfqws2::app
