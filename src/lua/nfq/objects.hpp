// The objects of the module nfq. A queue keeps its handle alive; a handle knows the packet that a
// callback looks at, since that ends with the handle.
#pragma once

#include "module/objects.hpp"
#include "nfqws2/capture/queue_door.hpp"

#include <memory>

namespace nfqws2::lua {

// Of one callback.
struct QueueData {
    static constexpr const char *name = "qdata", *gone = "is not valid any more";
    bool ended() const { return packet == nullptr; }

    const capture::QueuedPacket* packet = nullptr;
};

struct QueueHandle {
    static constexpr const char *name = "qhandle", *gone = "is closed";
    // Of what it and each of its queues have outside of the Lua heap: room for datagrams, verdicts.
    static constexpr std::size_t memory = 2'300'000, memory_of_queue = 100'000;
    static constexpr unsigned most_queues = 64;
    bool ended() const { return !handle; }
    void end(State& state);

    std::unique_ptr<capture::QueueHandle> handle;
    // Closed while a callback runs: what reads its packet may be under way.
    std::unique_ptr<capture::QueueHandle> closing;
    capture::QueuedPacket packet;
    QueueData* shown = nullptr; // while a callback runs
    unsigned queues = 0;
    bool blocking = true;
};

struct Queue {
    static constexpr const char *name = "queue", *gone = "is destroyed";
    bool ended() const { return owner == nullptr || owner->ended(); }

    QueueHandle* owner = nullptr; // nullptr: destroyed
    std::uint16_t number = 0;
};

// Calls a function for what has come, `most` packets at most. Returns why it stopped;
// Next::packet: at the limit. Raises errors of the function, when verdicts have left. It is the one
// at `function`; 0: the one attached at that time to the handle at index 1, which stops when there
// is none any more.
constexpr int attached_function = 0;
capture::QueueHandle::Next serve_queues(lua_State* L, QueueHandle& handle, int function,
                                        unsigned most);

// The end of catch() and its kin, with these at index 1 and 2.
int catch_packets(lua_State* L);

} // namespace nfqws2::lua
