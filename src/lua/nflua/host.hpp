// What the scripts of NFLua need of a state beside the library (lua/zapret-nflua.lua), which gets
// it from nflua_enable(). Theory of operation: nothing of it exists until the library is loaded.
// A function of such a script runs within a desync call; frame and packet are lent to it for that
// time (objects.hpp), and what it wrote to the packet is fetched afterwards by commit().
#pragma once

#include "nflua/objects.hpp"

#include "nfqws2/capture/ct_netlink.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>

namespace nfqws2::lua {

struct DesyncCall;

struct NfluaHost {
    static constexpr std::size_t max_copies = 10'000, max_copied = 64 * 1024 * 1024;

    bool enabled = false;
    Loan frame, packet;
    const DesyncCall* call = nullptr; // while a function of the script runs
    bool hotdrop = false;             // it has asked for
    bool changed = false;             // the packet, by the last one
    std::int64_t spent_ns = 0;        // in such functions, since somebody asked
    std::uint32_t match_mask = 0;     // what the argument `mask` of instances is compared with
    // Copies of packets that scripts keep.
    std::size_t copies = 0, copied = 0;
    unsigned asked_since_collection = 0; // for copies
    // The kernel's connections, once somebody asks; after a failure nothing.
    std::unique_ptr<capture::CtNetlink> kernel;
    bool kernel_tried = false;
};

} // namespace nfqws2::lua
