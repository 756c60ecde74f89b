#include "nfqws2/control/peer.hpp"

#include <algorithm>
#include <sys/socket.h>
#include <sys/types.h>

namespace nfqws2::control {
namespace {

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

// None if the kernel does not tell them.
std::vector<unsigned> groups_of(int fd) {
    constexpr std::size_t most = 65536; // that a process can have
    static_assert(sizeof(gid_t) == sizeof(unsigned));
    std::vector<unsigned> groups(32);
    for (;;) {
        auto size = static_cast<socklen_t>(groups.size() * sizeof(unsigned));
        if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) == 0) {
            groups.resize(size / sizeof(unsigned));
            return groups;
        }
        if (groups.size() >= most) return {};
        const std::size_t needed = size / sizeof(unsigned);
        if (needed <= groups.size()) return {};
        groups.resize(std::min(needed, most));
    }
}

} // namespace

std::optional<Peer> peer_of(int fd) {
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return std::nullopt;
    Peer peer{credentials.uid, groups_of(fd)};
    peer.gids.push_back(credentials.gid);
    return peer;
}

Access access_for(const Peer& peer, const Rights& rights) {
    if (peer.uid == 0) return Access::root;
    if (peer.uid == rights.owner) return Access::all;
    if (peer.uid == rights.daemon) return Access::read;
    const bool member =
        std::find(peer.gids.begin(), peer.gids.end(), rights.group) != peer.gids.end();
    return member ? Access::all : Access::none;
}

} // namespace nfqws2::control
