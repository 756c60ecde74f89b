// Does the kernel's connection tracking count what the rules ask for?
#include "doctor/checks.hpp"

#include <algorithm>

namespace nfqws2::ctl {
namespace {

constexpr const char* folder = "/proc/sys/net/netfilter/";

bool any_counts(const Facts& facts) {
    return std::ranges::any_of(facts.listing.queues,
                               [](const QueueRule& rule) { return rule.counts; });
}

// Strategies that learn from resets of a blocking box, whose numbers are mostly wrong.
bool learns(const Daemon& daemon) {
    const std::string options = daemon.options();
    for (const char* word : {"hostlist-auto=", "lua-desync=circular", "lua-desync=learn"})
        if (options.find(word) != std::string::npos) return true;
    return false;
}

// Scripts of NFLua that may ask the kernel for connections, and so for their counters.
bool asks_for_traffic(const Daemon& daemon) {
    const std::string options = daemon.options();
    const auto allowed = options.find("lua-allow=");
    return options.find("zapret-nflua.lua") != std::string::npos && allowed != std::string::npos &&
           options.find("conntrack", allowed) != std::string::npos;
}

} // namespace

void check_conntrack(const Facts& facts, Findings& findings) {
    const Machine& machine = *facts.machine;
    const bool counting_off = machine.line(std::string(folder) + "nf_conntrack_acct") == "0";
    for (const Daemon& daemon : facts.daemons)
        if (counting_off && daemon.answers() && asks_for_traffic(daemon))
            findings.push_back({"traffic-not-counted", Gravity::warning,
                                "scripts of NFLua find no counters of connections "
                                "(nf.traffic) while nf_conntrack_acct is 0",
                                "sysctl -w net.netfilter.nf_conntrack_acct=1", daemon.where()});
    if (any_counts(facts) && counting_off)
        findings.push_back({"conntrack-not-counting", Gravity::problem,
                            "rules ask for the first packets of a connection, but the kernel does "
                            "not count them (nf_conntrack_acct is 0)",
                            "sysctl -w net.netfilter.nf_conntrack_acct=1"});
    if (machine.line(std::string(folder) + "nf_conntrack_tcp_be_liberal") != "0") return;
    for (const Daemon& daemon : facts.daemons)
        if (daemon.answers() && any_counts(facts) && learns(daemon))
            findings.push_back(
                {"conntrack-not-liberal", Gravity::warning,
                 "the strategy learns from resets, and those of blocking boxes are "
                 "hidden while nf_conntrack_tcp_be_liberal is 0",
                 "sysctl -w net.netfilter.nf_conntrack_tcp_be_liberal=1 (the service "
                 "does it with MODE_FILTER=autohostlist)",
                 daemon.where()});
}

} // namespace nfqws2::ctl
