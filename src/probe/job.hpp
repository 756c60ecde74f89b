// What to ask for: a line of the list of jobs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nfqws2::probe {

enum class Protocol { http, tls12, tls13, http3 };

// INDEX FIRST LAST PORT ADDRESS TEST DOMAIN[/URI] [MARK], separated by blanks, as blockcheck2
// writes them. The attempts FIRST to LAST are made one after another from the local ports PORT,
// PORT+1 ...; PORT 0 is any port.
struct Job {
    std::uint32_t index = 0;
    std::uint32_t first = 1;
    std::uint32_t last = 1;
    std::uint16_t port = 0;
    std::string address; // no brackets
    Protocol protocol = Protocol::http;
    std::string place; // host with or without a path
    std::uint32_t mark = 0;

    std::string_view host() const;
    bool ipv6() const { return address.find(':') != std::string::npos; }
};

std::optional<Job> read_job(std::string_view line);

} // namespace nfqws2::probe
