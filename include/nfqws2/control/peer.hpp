// Who is at the other end of a connection, and what that user may do (docs/control.md#opening-it).
#pragma once

#include "nfqws2/control/request.hpp"

#include <optional>
#include <vector>

namespace nfqws2::control {

struct Peer {
    unsigned uid = 0;
    std::vector<unsigned> gids; // at the time of the connect
};

// What the kernel says of the other end of a Unix socket.
std::optional<Peer> peer_of(int fd);

struct Rights {
    unsigned owner = 0;  // who has started the program
    unsigned group = 0;  // of --control-group
    unsigned daemon = 0; // the user that the program runs as
};

// The daemon's user may only read even if it is in the group, since scripts run under it.
Access access_for(const Peer& peer, const Rights& rights);

} // namespace nfqws2::control
