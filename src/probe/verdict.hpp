// What an attempt gave, and what is to be thought of an answer of HTTP.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace nfqws2::probe {

// As the curl program would end it; 254 is an answer that is not the site's.
struct Attempt {
    int code = 0;
    long status = 0;
    std::uint64_t bytes = 0;
    std::uint64_t milliseconds = 0;
    bool connected = false;
    std::string error; // empty if the code is 0
};

constexpr int code_suspicious = 254;

// Does a redirect stay at the site (the host or a name below it)? One without a host does.
bool redirect_is_own(std::string_view location, std::string_view host);

// A block page is a redirect to another site; 400 means that the server saw what only the box
// should.
void judge_http(Attempt& attempt, std::string_view location, std::string_view host);

// INDEX|NUMBER|CODE|STATUS|BYTES|MS|CONNECTED|ADDRESS|ERROR and a line feed.
std::string attempt_line(std::uint32_t index, std::uint32_t number, const Attempt& attempt,
                         std::string_view address);

} // namespace nfqws2::probe
