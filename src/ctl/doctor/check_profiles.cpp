// Are there profiles that nothing reaches?
#include "doctor/checks.hpp"

namespace nfqws2::ctl {
namespace {

constexpr std::int64_t enough_packets = 200; // to say that something never came

} // namespace

void check_profiles(const Facts& facts, Findings& findings) {
    for (const Daemon& daemon : facts.daemons) {
        if (integer_of(member(daemon.total, "packets")).value_or(0) < enough_packets) continue;
        for (const Json& profile : daemon.profiles) {
            const auto number = integer_of(member(profile, "n"));
            // The last one has no instances and is there for the rest.
            if (!number || *number == 0 || integer_of(member(profile, "packets")) != 0) continue;
            const std::string name = text_of(member(profile, "name"));
            findings.push_back({"profile-unreached", Gravity::note,
                                "no packet has reached profile " + std::to_string(*number) +
                                    (name.empty() ? "" : " (" + name + ")"),
                                "nfqws2ctl find HOST tells which profile a host gets, and why",
                                daemon.where()});
        }
    }
}

} // namespace nfqws2::ctl
