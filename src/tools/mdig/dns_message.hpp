// The two DNS messages mdig makes and reads for DNS-over-HTTPS pipelines: one question, one reply.
#pragma once

#include "nfqws2/base/bytes.hpp"
#include "nfqws2/base/ip_address.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

namespace nfqws2::tools {

inline constexpr std::size_t max_dns_message = 65535;

enum class DnsType : std::uint16_t { a = 1, aaaa = 28 };

// One trailing dot is allowed; no empty label, none above 63 bytes, 253 in total.
bool has_dns_shape(std::string_view name);
// nullopt if the name has not that shape. The ID is 0, as RFC 8484 section 4.1 wants it for caches.
std::optional<std::vector<std::uint8_t>> make_dns_query(std::string_view name, DnsType type);

// Calls found() for every A and AAAA record of the answer section, in order. False at the first
// structural error; what was found before it has been reported.
bool parse_dns_reply(Bytes message, const std::function<void(const IpAddress&)>& found);

} // namespace nfqws2::tools
