// Names to addresses. An interface, so that the pool can be tested without a network.
#pragma once

#include "mdig/mdig_line.hpp"
#include "nfqws2/base/ip_address.hpp"

#include <string>
#include <vector>

namespace nfqws2::tools {

class Resolver {
  public:
    virtual ~Resolver() = default;
    // 0 and the addresses in the resolver's order, or an EAI_ code. Called by many threads at once;
    // may block. `addresses` comes empty.
    virtual int resolve(const std::string& name, Families families,
                        std::vector<IpAddress>& addresses) = 0;
};

// getaddrinfo: hosts file, search rules and servers as the system has them.
class SystemResolver final : public Resolver {
  public:
    int resolve(const std::string& name, Families families,
                std::vector<IpAddress>& addresses) override;
};

const char* eai_name(int code); // "EAI_NONAME", ..., else "UNKNOWN"

} // namespace nfqws2::tools
