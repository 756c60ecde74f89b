// Do packets come to the daemons?
#include "doctor/checks.hpp"

#include <algorithm>
#include <sstream>

namespace nfqws2::ctl {
namespace {

bool leads_to(const QueueRule& rule, unsigned queue) {
    return rule.first <= queue && queue <= rule.last;
}

// Connections with the outside that are open now: state 01, neither side on the loopback.
bool connections_exist(const Machine& machine) {
    for (const char* file : {"/proc/net/tcp", "/proc/net/tcp6"}) {
        std::istringstream lines(machine.read(file).value_or(""));
        for (std::string line; std::getline(lines, line);) {
            std::istringstream stream(line);
            std::string number, near, far, state;
            if (!(stream >> number >> near >> far >> state) || state != "01") continue;
            // 127.0.0.1 in the byte order of the machine, ::1 likewise.
            const bool loopback = near.starts_with("0100007F") || near.starts_with("7F") ||
                                  near.starts_with("00000000000000000000000001000000");
            if (!loopback) return true;
        }
    }
    // What a router forwards is known to conntrack alone.
    const std::string tracked = machine.line("/proc/sys/net/netfilter/nf_conntrack_count");
    return tracked.size() > 2;
}

bool reached(const Facts& facts, const Daemon& daemon) {
    for (const unsigned queue : daemon.queues())
        for (const QueueRule& rule : facts.listing.queues)
            if (leads_to(rule, queue)) return true;
    return false;
}

void check_daemon(const Facts& facts, const Daemon& daemon, Findings& findings) {
    if (!reached(facts, daemon)) {
        if (!daemon.queues().empty())
            findings.push_back({"no-rules", Gravity::problem,
                                "no firewall rule sends packets to " + daemon.where(),
                                "nfqws2ctl up FILE sets what the options need; or start the "
                                "firewall part of the service",
                                daemon.where()});
        return;
    }
    const auto packets = integer_of(member(daemon.total, "packets"));
    if (packets == 0 && connections_exist(*facts.machine))
        findings.push_back({"rules-send-nothing", Gravity::warning,
                            "rules lead to " + daemon.where() +
                                ", but no packet has come although connections exist",
                            "look at devices and marks of the rules, and whether something before "
                            "them accepts the packets",
                            daemon.where()});
}

} // namespace

void check_rules_reach(const Facts& facts, Findings& findings) {
    if (!facts.rules_known) {
        findings.push_back({"rules-unknown", Gravity::warning,
                            "neither nft nor iptables-save can list the firewall's rules",
                            "run as root, with the tool of your firewall installed"});
        return;
    }
    for (const Daemon& daemon : facts.daemons)
        if (daemon.answers()) check_daemon(facts, daemon, findings);
    std::vector<unsigned> told;
    for (const QueueRule& rule : facts.listing.queues)
        for (unsigned queue = rule.first; queue <= rule.last && facts.kernel_queues; queue++) {
            if (facts.owner(queue) != nullptr || std::ranges::count(told, queue) != 0) continue;
            told.push_back(queue);
            const std::string where = "queue " + std::to_string(queue);
            findings.push_back(
                {"rules-other-queue", rule.bypass ? Gravity::warning : Gravity::problem,
                 "rules send packets to " + where + ", which nobody reads" +
                     (rule.bypass ? "" : ": they are lost (no bypass)"),
                 "remove these rules, or start a daemon with --qnum=" + std::to_string(queue),
                 where});
        }
}

} // namespace nfqws2::ctl
