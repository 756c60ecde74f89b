#include "client/connection.hpp"

#include "view/terminal.hpp"

#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace nfqws2::ctl {
namespace {

std::string reason(const std::string& path, int error) {
    std::string text = path + ": ";
    switch (error) {
    case ENOENT:
        return text + "there is no such socket";
    case ECONNREFUSED:
        return text + "the daemon does not run any more";
    case EACCES:
        return text + "this user may not (root may, and members of --control-group)";
    default:
        return text + std::strerror(error);
    }
}

FileDescriptor connected(const std::string& path, int& error) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        error = ENAMETOOLONG;
        return {};
    }
    std::memcpy(address.sun_path, path.c_str(), path.size());
    FileDescriptor fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (fd && connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
        return fd;
    error = errno;
    return {};
}

FileDescriptor must_connect(const std::string& path) {
    int error = 0;
    FileDescriptor fd = connected(path, error);
    if (!fd) throw Failure(reason(path, error));
    return fd;
}

} // namespace

bool answers(const std::string& path) {
    int error = 0;
    return static_cast<bool>(connected(path, error));
}

Connection::Connection(const std::string& path)
    : path_(path), socket_(must_connect(path)), lines_(socket_.get(), max_line) {
}

void Connection::send(std::string_view text) {
    while (!text.empty()) {
        const ssize_t count = ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) continue;
        // The reason may be in what the daemon has said before it closed.
        if (count < 0) return;
        text.remove_prefix(static_cast<std::size_t>(count));
    }
}

Json Connection::next() {
    const std::int64_t long_before = lines_.too_long();
    const auto line = lines_.next();
    if (!line && !lines_.error().empty()) throw Failure(path_ + ": " + lines_.error());
    if (!line) throw Failure(path_ + ": the daemon has closed the connection");
    std::optional<Json> parsed = parse_object(*line, max_line);
    if (!parsed || lines_.too_long() != long_before)
        throw Failure(path_ + ": this is no answer of a control socket");
    return std::move(*parsed);
}

void Connection::ask(const Json& request, const Handler& handler,
                     const std::function<bool()>& idle) {
    send(dump(request) + "\n");
    for (bool more = true;;) {
        pollfd waiting{socket_.get(), POLLIN, 0};
        while (more && idle && !lines_.has_line() && poll(&waiting, 1, 1000) == 0) {
            if (idle()) continue;
            more = false;
            send("\n");
        }
        const Json line = next();
        const bool end = member(line, "end") == true;
        if (member(line, "error").is_string() && end)
            throw Refused(safe_lines(text_of(member(line, "error")), ""),
                          text_of(member(line, "code")));
        if (more && !handler(line) && !end) {
            more = false;
            send("\n"); // ends a stream
        }
        if (end) return;
    }
}

std::vector<Json> Connection::ask(const Json& request) {
    std::vector<Json> all;
    ask(request, [&](const Json& line) {
        if (member(line, "end") != true) all.push_back(line);
        return true;
    });
    return all;
}

Json Connection::ask_for_end(const Json& request) {
    Json last;
    ask(request, [&](const Json& line) {
        last = line;
        return true;
    });
    return last;
}

} // namespace nfqws2::ctl
