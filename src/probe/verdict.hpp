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
    std::string address; // that was asked
    std::string error;   // empty if the code is 0
};

constexpr int code_daemon = 252;  // of a strategy: nfqws2 has failed
constexpr int code_invalid = 253; // of a strategy: nfqws2 does not take it
constexpr int code_suspicious = 254;
constexpr int code_refused = 7;  // curl's: no connection, and at once
constexpr int code_timeout = 28; // curl's
constexpr int code_port = 45;    // curl's: the local port is in use

// Does a redirect stay at the site (the host or a name below it)? One without a host does.
bool redirect_is_own(std::string_view location, std::string_view host);

// A block page is a redirect to another site; 400 means that the server saw what only the box
// should.
void judge_http(Attempt& attempt, std::string_view location, std::string_view host);

// Of a line of a header: remembers where a redirect leads to. What counts is the last answer.
void note_location(std::string& location, std::string_view line);

// Printable ASCII only: what the other side wrote may be no text, or nothing for a terminal.
std::string plain_text(std::string_view text);

// CODE|STATUS|BYTES|MS|CONNECTED|ADDRESS|ERROR, in one line.
std::string attempt_text(const Attempt& attempt);

} // namespace nfqws2::probe
