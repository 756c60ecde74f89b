// Names to addresses. An interface, so that the pool can be tested without a network.
#pragma once

#include "mdig/mdig_line.hpp"
#include "nfqws2/base/ip_address.hpp"

#include <string>
#include <vector>

struct sockaddr;

namespace nfqws2::tools {

// What resolvers hand out; other families than IPv4 and IPv6 are left out.
void append_address(const sockaddr* address, std::vector<IpAddress>& out);

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

// Asks without waiting for the answer. A slot is a question that is on its way; its number comes
// back with the answer.
class AsyncResolver {
  public:
    struct Answer {
        unsigned slot = 0;
        int code = 0; // as above
        std::vector<IpAddress> addresses;
    };
    virtual ~AsyncResolver() = default;
    virtual void ask(unsigned slot, const std::string& name, Families families) = 0;
    // Appends what has been answered. Waits for that, or until the descriptor can be read (-1:
    // none), at most so many milliseconds (-1: any time).
    virtual void wait(int descriptor, int timeout_ms, std::vector<Answer>& answers) = 0;
};

const char* eai_name(int code); // "EAI_NONAME", ..., else "UNKNOWN"
std::string failure_text(const std::string& name, int code);

} // namespace nfqws2::tools
