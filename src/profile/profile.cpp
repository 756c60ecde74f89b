#include "nfqws2/profile/profile.hpp"

namespace nfqws2::profile {

[[gnu::cold]] std::string Profile::label() const {
    return std::to_string(number) + " (" + (profile_name.empty() ? "noname" : profile_name) + ")";
}

bool Profile::has_host_lists() const {
    return !hosts.empty() || !hosts_exclude.empty();
}

} // namespace nfqws2::profile
