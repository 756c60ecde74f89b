// The objects of the module nfct: each file of this folder has the functions of one of them.
#pragma once

#if NFQWS2_HAVE_NFCT

#include "module/objects.hpp"
#include "nfct/simulated.hpp"
#include "nfqws2/capture/netfilter_socket.hpp"

#include <libnetfilter_conntrack/libnetfilter_conntrack.h>

#include <memory>
#include <vector>

namespace nfqws2::lua {

inline constexpr unsigned most_conntracks = 65536; // with expectations
inline constexpr std::size_t memory_of_conntrack = 1024;

struct Conntrack {
    static constexpr const char *name = "conntrack", *gone = "is destroyed";
    bool ended() const { return ct == nullptr; }
    void end(State& state);

    nf_conntrack* ct = nullptr;
};

struct Expectation {
    static constexpr const char *name = "expectation", *gone = "is destroyed";
    bool ended() const { return expect == nullptr; }
    void end(State& state);

    nf_expect* expect = nullptr;
};

struct CtHandle {
    static constexpr const char *name = "conntrack handle", *gone = "is closed";
    // Of what it has outside of the Lua heap.
    static constexpr std::size_t memory = 70'000, memory_of_events = 500'000;
    bool ended() const { return !is_open; }
    void end(State& state);

    capture::NetfilterSocket events;
    std::unique_ptr<SimulatedTable> simulated; // where there is no kernel
    // Events that were received and not yet told, from `next` on.
    std::vector<std::uint8_t> datagram;
    std::size_t next = 0;
    bool is_open = false, conntrack = false, expect = false; // subsystems
    bool blocking = true;
    bool in_callback = false;
    std::size_t reserved = 0;
    unsigned ct_kinds = 0, exp_kinds = 0; // of registered callbacks
};

// Places of the companion of a handle.
inline constexpr int ct_callback = 1, exp_callback = 2;

// New ones, pushed; "not enough memory" beyond the limits.
Conntrack& push_conntrack(lua_State* L);
Expectation& push_expectation(lua_State* L);

// Kinds of messages, as bits (nf_conntrack_msg_type).
unsigned optional_kind(lua_State* L, int index); // "new", "update", "destroy" or nil

std::span<const ModuleFunction> handle_functions();
std::span<const ModuleFunction> conntrack_functions();
std::span<const ModuleFunction> expectation_functions();
std::span<const ModuleFunction> query_functions();
int handle_text(lua_State* L);
int conntrack_text(lua_State* L);
int expectation_text(lua_State* L);

} // namespace nfqws2::lua

#endif
