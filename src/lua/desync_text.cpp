#include "desync_text.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/lua/connections.hpp"

namespace nfqws2::lua {

namespace {

void log_range(const PacketView& view, const profile::LuaInstance& instance, bool inside) {
    const flow::Range& range = instance.range(view.outgoing);
    log::debug("* lua '%s' : %s pos %s %s range %s", instance.name.c_str(),
               view.outgoing ? "out" : "in", flow::position_text(range, view.direct()).c_str(),
               inside ? "in" : "not in", flow::to_text(range).c_str());
}

void log_payload(const PacketView& view, const profile::LuaInstance& instance, bool wanted) {
    const std::string payload(protocol::name(view.payload));
    log::debug("* lua '%s' : payload_type '%s' %s filter", instance.name.c_str(), payload.c_str(),
               wanted ? "satisfy" : "does not satisfy");
}

} // namespace

void log_beyond(const PacketView& view, const profile::LuaInstance& instance) {
    const flow::Range& range = instance.range(view.outgoing);
    const flow::SidePositions* side = view.direct();
    const int wrapped = side != nullptr && side->rseq_over_2g ? 1 : 0;
    const auto overflow = [wrapped](char mode) { return mode == 's' || mode == 'p' ? wrapped : 0; };
    log::debug("* lua '%s' : %s pos %s overflow %d %d is beyond range %s (ctrack %s)",
               instance.name.c_str(), view.outgoing ? "out" : "in",
               flow::position_text(range, side).c_str(), overflow(range.from.mode),
               overflow(range.to.mode), flow::to_text(range).c_str(),
               side != nullptr ? "enabled" : "disabled");
}

void log_decision(const PacketView& view, const profile::LuaInstance& instance,
                  std::optional<Skipped> why) {
    if (why == Skipped::cutoff) {
        log::debug("* lua '%s' : cutoff", instance.name.c_str());
        return;
    }
    const bool in_range = why != Skipped::range;
    // Said already, when the instances were looked through.
    if (!in_range && flow::beyond_range(instance.range(view.outgoing), view.direct())) return;
    log_range(view, instance, in_range);
    if (in_range) log_payload(view, instance, why != Skipped::payload);
    if (why == Skipped::ct_state)
        log::debug(
            "* lua '%s' : ct state '%s' does not satisfy filter", instance.name.c_str(),
            std::string(name(view.ct != nullptr ? view.ct->state() : packet::CtState::unknown))
                .c_str());
}

void log_call(const profile::LuaInstance& instance) {
    if (log::debug_enabled()) log::debug("* lua '%s' : desync", instance.name.c_str());
}

} // namespace nfqws2::lua
