// A host name found in a payload (docs/contracts/protocols.md#host-names).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace nfqws2::protocol {

struct HostName {
    std::string name;
    bool is_ip = false;
};
// Port and bracket removal, IP literal detection.
HostName normalise_host(std::string_view raw);

// Second-level label of a host: offsets relative to its start.
struct SecondLevel {
    std::size_t sld = 0, midsld = 0, endsld = 0;
};
std::optional<SecondLevel> second_level(std::string_view host);

// Not empty and printable ASCII without blanks. Names come unchecked from the network: whatever
// writes them to a file or matches them as a domain asks this first.
bool is_printable_host(std::string_view host);

} // namespace nfqws2::protocol
