// What ProfileBuilder knows about a profile or template while its options are read.
#pragma once

#include "nfqws2/profile/filter_table.hpp"
#include "nfqws2/profile/profile_builder.hpp"

#include <bitset>

namespace nfqws2::profile {

// The options of an automatic list that were given, directly or by an import.
struct AutoGiven {
    bool fail_threshold = false, fail_time = false, retrans_threshold = false;
    bool retrans_maxseq = false, retrans_reset = false, incoming_maxseq = false;
    bool udp_out = false, udp_in = false, max = false;
};

struct ProfileBuilder::Draft {
    std::unique_ptr<Profile> profile = std::make_unique<Profile>();
    bool skipped = false, is_template = false;
    std::bitset<filter_rows.size()> given; // filters, directly or by an import
    bool imported = false;                 // a template somebody used
    bool begun = false;                    // its position is known
    OptionPosition template_position = 0;
    AutoGiven auto_given;
    std::shared_ptr<HostList> domains, domains_exclude; // anonymous lists
    std::shared_ptr<NetList> networks, networks_exclude;
    // --payload, --ct-state, --in-range, --out-range in force
    protocol::PayloadSet payload;
    packet::CtStateSet ct_state;
    flow::Range in_range = flow::Range::never(), out_range = flow::Range::always();

    void import(const Draft& from);
};

// An option that is on for every number but 0 and off for an empty value.
void set_switch(bool& to, bool& given, std::string_view value);

// Throws BadValue "<what> : <value><hint>".
[[noreturn]] void refuse(const char* what, std::string_view value, std::string_view hint = {});

} // namespace nfqws2::profile
