// Theory of operation: the packets a profile accepts are described by sets of ports (TCP, UDP),
// ICMP types and codes, and protocol numbers, and by the other filters. An earlier profile takes a
// packet away if it accepts it too. Where its other filters are at least as wide, all packets
// within its sets are gone; what is left of the sets in the end can be selected. Filters are
// compared as they are now: a list that is filled later can only take fewer packets away.
#include "check/check_profiles.hpp"
#include "check/reach.hpp"

namespace nfqws2::app {
namespace {

using profile::Profile;

// "profile 1 (a) always wins", "profiles 1 (a), 2 (b) always win"
std::string winners_text(const std::vector<const Profile*>& winners) {
    std::string text = winners.size() == 1 ? "profile " : "profiles ";
    for (std::size_t i = 0; i < winners.size(); i++)
        text += (i == 0 ? "" : ", ") + winners[i]->label();
    return text + (winners.size() == 1 ? " always wins" : " always win");
}

// Flows that the queue sees from their start begin with another state. An inverted filter has the
// unknown state too, and means something else.
bool wants_later_packets_only(const packet::CtStateSet& states) {
    using packet::CtState;
    return states.has(CtState::established) && !states.has(CtState::fresh) &&
           !states.has(CtState::unknown);
}

} // namespace

void check_profiles(const Profiles& profiles, Report& report) {
    std::vector<std::pair<const Profile*, std::unique_ptr<Reach>>> earlier;
    for (const auto& p : profiles) {
        if (p->number == 0) break;
        const std::string never = "profile " + p->label() + " can never be selected: ";
        if (const char* why = impossible(*p)) {
            report.add(Level::warning, p->position, never + why);
            continue;
        }
        if (wants_later_packets_only(p->ct.state))
            report.add(Level::warning, p->position,
                       "profile " + p->label() +
                           ": --filter-ctstate is about the first packet of a flow, which is "
                           "established only if the queue has not seen the beginning (--ct-state "
                           "looks at each packet)");
        auto reach = std::make_unique<Reach>(reach_of(*p));
        if (reach->none()) {
            report.add(Level::warning, p->position, never + "its filters contradict each other");
            continue;
        }
        Reach left = *reach;
        std::vector<const Profile*> winners;
        for (const auto& [other, taken] : earlier) {
            if (!taken->meets(left) || !covers(*other, *p)) continue;
            left.remove(*taken);
            winners.push_back(other);
        }
        if (left.none()) report.add(Level::warning, p->position, never + winners_text(winners));
        earlier.emplace_back(p.get(), std::move(reach));
    }
}

} // namespace nfqws2::app
