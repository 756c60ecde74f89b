// The checks. Each looks at the facts and adds what it finds; a right set-up has no findings.
#pragma once

#include "doctor/facts.hpp"

#include <array>

namespace nfqws2::ctl {

using Check = void (*)(const Facts&, Findings&);

void check_daemons(const Facts& facts, Findings& findings);
void check_owners(const Facts& facts, Findings& findings);
void check_rules_reach(const Facts& facts, Findings& findings);
void check_rules_fit(const Facts& facts, Findings& findings);
void check_offload(const Facts& facts, Findings& findings);
void check_conntrack(const Facts& facts, Findings& findings);
void check_marks(const Facts& facts, Findings& findings);
void check_network(const Facts& facts, Findings& findings);
void check_kernel(const Facts& facts, Findings& findings);
void check_lists(const Facts& facts, Findings& findings);
void check_profiles(const Facts& facts, Findings& findings);

inline constexpr std::array<Check, 11> all_checks = {
    check_kernel,    check_daemons, check_owners,    check_rules_reach,
    check_rules_fit, check_offload, check_conntrack, check_marks,
    check_network,   check_lists,   check_profiles};

// Names whose addresses are asked twice: as the machine does, and over an encrypted way. Apart from
// the others because it asks servers outside. `url` answers in the JSON form of DNS over HTTPS.
void check_names(const Machine& machine, const std::vector<std::string>& names,
                 const std::string& url, Findings& findings);

} // namespace nfqws2::ctl
