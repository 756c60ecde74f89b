// Listings of a firewall: whatever stands there is read, and compared with rules for all ports.
#include "app/firewall/installed.hpp"

#include <cstdlib>
#include <string_view>

namespace {

using namespace nfqws2::app::firewall;

RuleSet needed() {
    RuleSet set;
    set.queue = 300;
    for (const Way way : {Way::out, Way::in})
        for (const Transport transport : {Transport::tcp, Transport::udp}) {
            Rule rule;
            rule.way = way;
            rule.transport = transport;
            set.rules.push_back(rule);
        }
    return set;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const Installed installed = read_installed(text);
    for (const QueueRule& rule : installed.rules) {
        if (!rule.out && !rule.in) std::abort();
        for (const Spans* spans : {&rule.dports, &rule.sports})
            for (const Span& span : *spans)
                if (span.from > span.to || span.to > UINT16_MAX) std::abort();
    }
    compare(needed(), installed);
    return 0;
}
