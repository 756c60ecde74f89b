// The resolver of c-ares: hosts file and name servers as the system's files tell, without threads.
#pragma once

#include "mdig/mdig_resolver.hpp"

#include <memory>
#include <string_view>

namespace nfqws2::tools {

// Null where mdig was built without c-ares, or it cannot begin.
std::unique_ptr<AsyncResolver> make_ares_resolver();

// How patient resolv.conf wants its reader to be: the last of each `options timeout:N attempts:N`.
struct Patience {
    int timeout_s = 5;
    int attempts = 2;
};
Patience patience_of(std::string_view resolv_conf);

} // namespace nfqws2::tools
