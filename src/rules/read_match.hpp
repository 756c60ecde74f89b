// One reader for each match: what a file gives as its value, as a test. Each says what is wrong.
#pragma once

#include "reader.hpp"

namespace nfqws2::rules::match {

using Got = std::optional<Condition>;

struct Context {
    Build& build;
    const Values& values;
    const Names& names;
    std::string_view word; // of the match
};

inline constexpr Bounds any32{0, 0xFFFFFFFF};

// read_match_layers.cpp: headers of IP, parts of layers, bytes
Got read_address(const Context& c, const Node& node);
Got read_port(const Context& c, const Node& node);
Got read_protocol(const Context& c, const Node& node);
Got read_ttl(const Context& c, const Node& node);
Got read_length(const Context& c, const Node& node);
Got read_fragment(const Context& c, const Node& node);
Got read_spi(const Context& c, const Node& node);
Got read_sequence(const Context& c, const Node& node);

// read_match_transport.cpp: TCP and ICMP
Got read_flags(const Context& c, const Node& node);
Got read_options(const Context& c, const Node& node);
Got read_mss(const Context& c, const Node& node);
Got read_window_scale(const Context& c, const Node& node);
Got read_icmp(const Context& c, const Node& node);

// read_match_known.cpp: what is known beside the packet
Got read_set(const Context& c, const Node& node);
Got read_geo(const Context& c, const Node& node);
Got read_mark(const Context& c, const Node& node);
Got read_local_mark(const Context& c, const Node& node);
Got read_verdict(const Context& c, const Node& node);
Got read_direction(const Context& c, const Node& node);
Got read_interface(const Context& c, const Node& node);
Got read_connection_state(const Context& c, const Node& node);
Got read_firewall_mark(const Context& c, const Node& node);
Got read_connection_mark(const Context& c, const Node& node);

} // namespace nfqws2::rules::match
