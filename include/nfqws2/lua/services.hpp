// What native functions need from the process. Given when a state is made, and good as long as it
// lives.
#pragma once

#include "nfqws2/base/clock.hpp"
#include "nfqws2/base/random.hpp"
#include "nfqws2/capture/messages.hpp"
#include "nfqws2/capture/outlet.hpp"
#include "nfqws2/capture/queue_door.hpp"
#include "nfqws2/flow/connection_table.hpp"
#include "nfqws2/lua/file_gate.hpp"
#include "nfqws2/lua/init.hpp"

#include <cstdint>
#include <functional>

namespace nfqws2::store {
class Stores;
}

namespace nfqws2::rules {
struct Statistics;
struct Tables;
} // namespace nfqws2::rules

namespace nfqws2::lua {

class Connections;
class SimulationDoor;

// Who ends a process that holds packets.
class OrderlyEnd {
  public:
    virtual ~OrderlyEnd() = default;
    // A script wants the end: from now on running Lua code is interrupted. False: nothing would be
    // lost, the process may end where it is.
    virtual bool request(int exit_code) = 0;
};

struct Services {
    Clock& clock;
    Random& random;
    capture::TracedOutlet outlet; // of what scripts send
    capture::NetworkInfo& network;
    flow::ConnectionTable* connections = nullptr; // nullptr with --ctrack-disable
    store::Stores* stores = nullptr;              // nullptr: store() says so
    capture::MessageSender* messages = nullptr;   // nullptr: scripts cannot send any
    const FileGate* file_gate = nullptr;          // nullptr: scripts may open anything
    capture::QueueDoor* queues = nullptr;         // of the module nfq
    KernelAccess kernel = {};
    OrderlyEnd* end = nullptr; // of os.exit(); nullptr: the process ends at once
    bool may_wait = false;     // no packets wait for scripts
    bool offline = false;      // there is no kernel
    std::uint32_t desync_fwmark = 0x40000000;
    bool server_mode = false;
    Connections* ct = nullptr;            // nullptr: --ct=off
    SimulationDoor* simulation = nullptr; // nullptr: nobody simulates connections
    // What rules remember, and what they have counted; both or none.
    rules::Tables* rule_tables = nullptr;
    std::function<rules::Statistics()> rule_statistics = {};
};

} // namespace nfqws2::lua
