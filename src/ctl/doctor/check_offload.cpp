// Do flows go around the firewall?
#include "doctor/checks.hpp"

#include <sstream>

namespace nfqws2::ctl {
namespace {

// OpenWrt: "option flow_offloading '1'" of the defaults.
bool uci_offloads(const std::string& config) {
    std::istringstream lines(config);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string kind, name, value;
        words >> kind >> name >> value;
        std::erase_if(value, [](char c) { return c == '\'' || c == '"'; });
        const bool on = value == "1" || value == "yes" || value == "on" || value == "true" ||
                        value == "enabled";
        if (on && kind == "option" && name.starts_with("flow_offloading")) return true;
    }
    return false;
}

} // namespace

void check_offload(const Facts& facts, Findings& findings) {
    const bool system = uci_offloads(facts.machine->read("/etc/config/firewall").value_or(""));
    if (!facts.listing.offload && !system) return;
    findings.push_back(
        {"flow-offload", Gravity::problem,
         system ? "flow offloading is on in /etc/config/firewall: packets of open connections do "
                  "not pass the rules"
                : "the firewall offloads flows (flowtable): their packets do not pass the rules",
         system
             ? "uci set firewall.@defaults[0].flow_offloading=0, also flow_offloading_hw; commit "
               "and restart the firewall. FLOWOFFLOAD of the service does it with exceptions"
             : "remove the flowtable rule, or let FLOWOFFLOAD of the service do it with "
               "exceptions"});
}

} // namespace nfqws2::ctl
