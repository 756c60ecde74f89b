// One reader for each action: its arguments in a file, as an action. Each says what is wrong.
#pragma once

#include "reader.hpp"

namespace nfqws2::rules::act {

using Got = std::optional<Action>;

struct Context {
    Build& build;
    const Values& values;
    const Names& names;
    std::string_view word; // of the action
};

inline constexpr Bounds any32{0, 0xFFFFFFFF};
inline constexpr Bounds ids{1, 255};

inline std::optional<std::uint8_t> read_id(const Context& c, const Node* node) {
    const auto id = node != nullptr ? c.values.number(*node, ids) : std::nullopt;
    return id ? std::optional(static_cast<std::uint8_t>(*id)) : std::nullopt;
}

template <typename A> Got read_bare(const Context&, const Node&) {
    return A{};
}

// read_action_ways.cpp: where the packet goes, and how it leaves
Got read_level(const Context& c, const Node& node);
Got read_pass(const Context& c, const Node& node);
Got read_goto(const Context& c, const Node& node);
Got read_verdict(const Context& c, const Node& node);
Got read_switch(const Context& c, const Node& node);
Got read_translate(const Context& c, const Node& node);

// read_action_marks.cpp: marks and counters
Got read_stats(const Context& c, const Node& node);
Got read_local_mark(const Context& c, const Node& node);
Got read_stored_mark(const Context& c, const Node& node);

// read_action_meters.cpp: meters, samples, authentication
Got read_ratelimit(const Context& c, const Node& node);
Got read_rate(const Context& c, const Node& node);
Got read_sample(const Context& c, const Node& node);
Got read_tcpauth(const Context& c, const Node& node);

} // namespace nfqws2::rules::act
