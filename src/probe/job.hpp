// What to ask for: a line of the list of jobs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nfqws2::probe {

enum class Protocol { http, tls12, tls13, http3 };

// By the name of the test in the scripts of blockcheck2: curl_test_http ...
std::optional<Protocol> protocol_named(std::string_view test);
// The next word of a line, which becomes what stands behind it. Empty at the end.
std::string_view take_word(std::string_view& line);
bool is_address(const std::string& text); // of either version, no brackets

struct Page {
    std::string address; // no brackets
    Protocol protocol = Protocol::http;
    std::string place; // host with or without a path

    std::string_view host() const;
    bool plain() const { return protocol == Protocol::http; } // no TLS
    bool ipv6() const { return address.find(':') != std::string::npos; }
};

// INDEX FIRST LAST PORT ADDRESS TEST DOMAIN[/URI] [MARK], separated by blanks. The attempts FIRST
// to LAST are made one after another from the local ports PORT, PORT+1 ...; PORT 0 is any port.
struct Job : Page {
    std::uint32_t index = 0;
    std::uint32_t first = 1;
    std::uint32_t last = 1;
    std::uint16_t port = 0;
    std::uint32_t mark = 0;
};

std::optional<Job> read_job(std::string_view line);

} // namespace nfqws2::probe
