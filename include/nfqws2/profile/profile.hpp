// A profile: which packets it wants, which Lua instances it runs (docs/contracts/profiles.md).
// Plain data, immutable after start-up except for the contents of list files.
#pragma once

#include "nfqws2/flow/range.hpp"
#include "nfqws2/profile/ct_filters.hpp"
#include "nfqws2/profile/filters.hpp"
#include "nfqws2/profile/lists.hpp"
#include "nfqws2/protocol/names.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nfqws2::profile {

// Where an option stood among the arguments, counted from 0, for messages.
using OptionPosition = std::size_t;

// One --lua-desync with the in-profile filters that were in force when it was given.
struct LuaInstance {
    std::string func;
    std::uint32_t func_n = 0;                              // from 1 within the profile
    std::string name;                                      // func_profile_funcn, at most 255 bytes
    std::vector<std::pair<std::string, std::string>> args; // raw values, in order; first name wins
    flow::Range in_range = flow::Range::never();
    flow::Range out_range = flow::Range::always();
    protocol::PayloadSet payload; // empty = all
    packet::CtStateSet ct_state;  // empty = all
    OptionPosition position = 0;

    // The value of an argument as it stands on the command line; nullptr: it is not there.
    const std::string* argument(std::string_view wanted) const {
        for (const auto& [key, value] : args)
            if (key == wanted) return &value;
        return nullptr;
    }
    const flow::Range& range(bool outgoing) const { return outgoing ? out_range : in_range; }
};

struct AutoHostOptions {
    unsigned fail_threshold = 3, fail_time = 60;
    unsigned retrans_threshold = 3;
    std::uint32_t retrans_maxseq = 32768;
    bool retrans_reset = true;
    std::uint32_t incoming_maxseq = 4096; // 0 = off
    std::uint32_t udp_out = 4;            // 0 = off
    std::uint32_t udp_in = 1;
    std::uint32_t max = 10'000; // entries of the list beyond which nothing is added; 0 = no limit
};

struct Profile {
    std::uint32_t number = 0;
    std::uint32_t id = 0; // what flows keep: no other profile of the run has it (generation.hpp)
    OptionPosition position = 0; // of --new, for the first profile of its first option
    std::string profile_name;    // "" = unnamed
    std::optional<std::string> cookie;

    MarkFilter mark;
    bool ipv4 = true, ipv6 = true;
    PortFilter tcp, udp, lport;
    IcmpFilter icmp;
    ProtocolFilter ipp;
    protocol::L7Set l7;
    std::vector<std::string> ssids;
    bool other_ssids = false; // any network but `ssids`
    CtFilters ct;
    HostCollection hosts, hosts_exclude;
    NetCollection nets, nets_exclude;
    std::shared_ptr<HostList> auto_hosts; // also a member of `hosts`
    AutoHostOptions auto_options;

    std::vector<LuaInstance> instances;

    std::string label() const;   // "N (name)" with "noname", for logs
    bool has_host_lists() const; // include or exclude collection is non-empty
};

} // namespace nfqws2::profile
