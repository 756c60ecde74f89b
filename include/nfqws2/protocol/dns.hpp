// DNS over UDP: recognition, and the names of a response (docs/contracts/protocols.md#dns).
#pragma once

#include "nfqws2/base/bytes.hpp"
#include "nfqws2/base/ip_address.hpp"

#include <functional>
#include <string_view>

namespace nfqws2::protocol {

// A header of 12 bytes with one question and plausible counts; nothing behind it is parsed.
bool is_dns_query(Bytes data);
bool is_dns_response(Bytes data);
// Calls `found(address, question name)` for each A/AAAA answer; stops silently at malformed data.
void harvest_dns(Bytes response,
                 const std::function<void(const IpAddress&, std::string_view)>& found);

} // namespace nfqws2::protocol
