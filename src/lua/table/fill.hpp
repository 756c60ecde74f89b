// From a packet and its flow to the values of the fields. What is absent is decided here, for both
// builders.
#pragma once

#include "nfqws2/lua/packet_view.hpp"
#include "table/facts.hpp"

namespace nfqws2::lua {

// All but `dis`, which only the compiled builder needs. A track must have its `lua_state` by then.
void fill(Facts& facts, const PacketView& view);
void fill(DissectFacts& facts, const packet::Dissect& dissect);
void fill(TrackFacts& facts, const flow::Track& track, const flow::Positions& positions,
          bool direct_is_client);
void fill(CtFacts& facts, const packet::CtFacts& known);
// Without what belongs to a packet.
void fill(CtFacts& facts, packet::CtSource source, const packet::Connection& connection);

// The places of kind ProfileText.
inline std::uint32_t name_place(const profile::Profile& profile) {
    return profile.profile_name.empty() ? 0 : 2 * profile.id + 1;
}
inline std::uint32_t cookie_place(const profile::Profile& profile) {
    return profile.cookie ? 2 * profile.id + 2 : 0;
}

} // namespace nfqws2::lua
