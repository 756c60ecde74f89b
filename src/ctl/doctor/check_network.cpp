// Routes, filters of the reverse path, sizes.
#include "doctor/checks.hpp"

#include <set>

namespace nfqws2::ctl {
namespace {

constexpr std::uint64_t usual_mtu = 1500;

bool strict(const Machine& machine, const std::string& device) {
    const std::string folder = "/proc/sys/net/ipv4/conf/";
    const std::string own = machine.line(folder + device + "/rp_filter");
    const std::string all = machine.line(folder + "all/rp_filter");
    return std::max(own, all) == "1"; // the larger one counts, 2 is the loose kind
}

} // namespace

void check_network(const Facts& facts, Findings& findings) {
    const Machine& machine = *facts.machine;
    std::set<std::string> devices;
    for (const DefaultRoute& route : facts.routes)
        devices.insert(route.device);
    for (const std::string& device : devices)
        if (devices.size() > 1 && strict(machine, device))
            findings.push_back({"rp-filter", Gravity::warning,
                                "several devices have a default route and " + device +
                                    " drops what would be answered over another one (rp_filter 1)",
                                "sysctl -w net.ipv4.conf." + device + ".rp_filter=2", device});
    if (machine.line("/proc/sys/net/ipv4/ip_forward") != "1" || facts.listing.clamps ||
        !facts.rules_known)
        return;
    std::set<std::string> told;
    for (const DefaultRoute& route : facts.routes)
        if (route.mtu != 0 && route.mtu < usual_mtu && told.insert(route.device).second)
            findings.push_back({"mtu-below-mss", Gravity::warning,
                                "packets to " + route.device + " have at most " +
                                    std::to_string(route.mtu) +
                                    " bytes, and nothing tells the hosts behind this router",
                                "clamp the MSS: iptables -t mangle -A FORWARD -p tcp --tcp-flags "
                                "SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu",
                                route.device});
}

} // namespace nfqws2::ctl
