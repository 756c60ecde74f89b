// Theory of operation: a refresh dumps the wireless interfaces and then, for each, its scan
// results, of which one says that the interface is connected to it. This happens when a name is
// asked for and the last refresh is a second old. The kernel answers at once; a time-out guards
// against the rest.
#include "nfqws2/capture/wlan.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/time.h>

namespace nfqws2::capture {

namespace {

constexpr std::int64_t refresh_interval_ms = 1000;
constexpr std::size_t answer_size = 65536;
constexpr std::int64_t answer_timeout_ms = 200;

std::int64_t uptime_ms() {
    timespec ts{};
    clock_gettime(CLOCK_BOOTTIME, &ts);
    return static_cast<std::int64_t>(ts.tv_sec) * 1000 + ts.tv_nsec / 1'000'000;
}

// The errno that an NLMSG_ERROR or NLMSG_DONE message carries; 0 = fine.
int end_error(const nlmsghdr* message) {
    if (mnl_nlmsg_get_payload_len(message) < sizeof(int)) return 0;
    return std::abs(*static_cast<const int*>(mnl_nlmsg_get_payload(message)));
}

} // namespace

bool WlanInfo::open() {
    FileDescriptor fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC));
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    // Bound to a port of its own, connected to the kernel: nobody else can send to it.
    if (!fd || bind(fd.get(), generic, sizeof(address)) < 0 ||
        connect(fd.get(), generic, sizeof(address)) < 0) {
        log::os_error("generic netlink", errno);
        return false;
    }
    return start(std::move(fd), answer_timeout_ms);
}

bool WlanInfo::start(FileDescriptor socket, std::int64_t timeout_ms) {
    const timeval timeout{static_cast<time_t>(timeout_ms / 1000),
                          static_cast<suseconds_t>(timeout_ms % 1000 * 1000)};
    setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    socket_ = std::move(socket);
    buffer_ = std::make_unique<std::uint8_t[]>(answer_size);
    if (resolve_family()) return true;
    socket_.reset();
    return false;
}

bool WlanInfo::resolve_family() {
    alignas(nlmsghdr) std::uint8_t request[wlan_request_size];
    std::optional<std::uint16_t> family;
    const int error = transact(build_family_request(request), [&family](Bytes message) {
        if (!family) family = parse_family(message);
    });
    if (error != 0 || !family) {
        log::os_error("nl80211", error != 0 ? error : EPROTO);
        return false;
    }
    family_ = *family;
    return true;
}

std::string_view WlanInfo::ssid(std::string_view interface) {
    if (!socket_ || interface.empty()) return {};
    const std::int64_t now = uptime_ms();
    if (now >= next_refresh_ms_) {
        next_refresh_ms_ = now + refresh_interval_ms;
        refresh();
    }
    for (const Connection& connection : connections_)
        if (connection.name == interface) return connection.ssid;
    return {};
}

void WlanInfo::refresh() {
    std::vector<Connection> found;
    bool complete = ask_interfaces(found);
    if (complete) {
        for (Connection& connection : found) {
            const auto old = std::find_if(
                connections_.begin(), connections_.end(),
                [&](const Connection& other) { return other.name == connection.name; });
            if (ask_network(connection)) continue;
            complete = false;
            if (old != connections_.end()) connection.ssid = old->ssid;
        }
        connections_ = std::move(found);
    }
    if (!complete && failure_log_.allow()) log::error("cannot get wlan info");
}

bool WlanInfo::ask_interfaces(std::vector<Connection>& found) {
    alignas(nlmsghdr) std::uint8_t request[wlan_request_size];
    return transact(build_interfaces_request(request, family_), [&found](Bytes message) {
               auto interface = parse_wlan_interface(message);
               if (!interface || found.size() == max_interfaces) return;
               found.push_back({interface->index, std::move(interface->name), {}});
           }) == 0;
}

bool WlanInfo::ask_network(Connection& connection) {
    alignas(nlmsghdr) std::uint8_t request[wlan_request_size];
    const auto take = [&connection](Bytes message) {
        if (!connection.ssid.empty()) return;
        if (auto ssid = parse_connected_ssid(message)) connection.ssid = std::move(*ssid);
    };
    const int error = transact(build_scan_request(request, family_, connection.index), take);
    // An interface that is down has no scan results and no network.
    return error == 0 || error == ENETDOWN || error == ENODEV || error == EOPNOTSUPP;
}

int WlanInfo::transact(nlmsghdr* request, const MessageHandler& handle) {
    request->nlmsg_seq = ++sequence_;
    if (send(socket_.get(), request, request->nlmsg_len, 0) < 0) return errno;
    bool done = false;
    int error = 0;
    while (!done && error == 0)
        error = receive(handle, done);
    return error;
}

int WlanInfo::receive(const MessageHandler& handle, bool& done) {
    const ssize_t size = recv(socket_.get(), buffer_.get(), answer_size, 0);
    if (size < 0 && errno == EINTR) return 0;
    if (size <= 0) return size < 0 ? errno : ECONNRESET;
    int left = static_cast<int>(size);
    const auto* message = reinterpret_cast<const nlmsghdr*>(buffer_.get());
    for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
        if (message->nlmsg_seq != sequence_) continue; // of a request that was given up
        if (message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE) {
            done = true;
            return end_error(message);
        }
        handle({reinterpret_cast<const std::uint8_t*>(message), message->nlmsg_len});
    }
    return 0;
}

} // namespace nfqws2::capture
