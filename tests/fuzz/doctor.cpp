// What other programs list of a firewall, as `doctor` and `up` read it, and notes of list updates.
#include "ctl/doctor/queue_rules.hpp"
#include "ctl/list_update.hpp"
#include "nfqws2/base/text.hpp"

#include <cstdlib>

using namespace nfqws2;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* raw, std::size_t size) {
    const std::string_view text = as_text({raw, size});
    ctl::Listing listing;
    ctl::read_iptables_save(text, listing);
    ctl::read_nft_ruleset(text, listing);
    ctl::read_ip_rule(text, listing);
    for (const ctl::QueueRule& rule : listing.queues)
        if (!(rule.first <= rule.last && rule.last <= 65535)) std::abort();
    for (const ctl::MarkUse& mark : listing.marks)
        if (!(text.find(mark.text) != std::string_view::npos)) std::abort();
    const std::string report =
        ctl::list_update_report(ctl::parse_list_update(text), 1, ctl::Style());
    if (report.find('\x1b') != std::string::npos) std::abort();
    return 0;
}
