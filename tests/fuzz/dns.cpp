// Names and addresses of DNS responses.
#include "nfqws2/protocol/dns.hpp"

#include <cstdlib>

using namespace nfqws2;
using namespace nfqws2::protocol;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* raw, std::size_t size) {
    const Bytes data(raw, size);
    is_dns_query(data);
    unsigned count = 0;
    harvest_dns(data, [&](const IpAddress& address, std::string_view name) {
        if (address.empty() || name.empty() || name.size() > 254 || ++count > 100) std::abort();
    });
    return 0;
}
