// The rules of a firewall that have to do with queues and marks, as far as checks need them. What
// is not understood is left out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::ctl {

struct QueueRule {
    unsigned first = 0, last = 0;         // queues
    bool bypass = false;                  // without a program packets pass
    bool counts = false;                  // asks the kernel for packets of a connection
    std::optional<std::uint64_t> packets; // that have met it, where the rule counts
};

// A rule that sets marks, or an `ip rule` that looks at them.
struct MarkUse {
    std::uint32_t mask = 0; // bits that it writes or looks at
    std::string text;       // of the rule
};

struct Listing {
    std::vector<QueueRule> queues;
    std::vector<MarkUse> marks;
    bool offload = false; // flows leave the way through the firewall
    bool clamps = false;  // the MSS is cut down to the MTU
};

// Both add to what is there. Chains and tables of our own are not looked at for marks and offload.
void read_iptables_save(std::string_view text, Listing& listing); // of iptables-save -c
void read_nft_ruleset(std::string_view text, Listing& listing);   // of nft list ruleset
void read_ip_rule(std::string_view text, Listing& listing);       // of ip rule show

} // namespace nfqws2::ctl
