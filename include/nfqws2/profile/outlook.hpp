// What the choice of a flow's profile still depends on.
#pragma once

#include "nfqws2/profile/profile_set.hpp"

namespace nfqws2::profile {

// What is known about a flow for good.
struct Settled {
    bool l7 = false;   // Query::l7 will not change
    bool host = false; // nor will the host name; what the lists said of it stays
};

// Whether the search for a TCP or UDP flow, whose profile is `current`, could end elsewhere once
// more is known. Looks at filters that are fixed, not at what lists contain at the moment.
bool may_change_profile(const ProfileSet& profiles, const Query& query, const Profile& current,
                        Settled settled);

} // namespace nfqws2::profile
