// Who may talk to the page's server. Pure functions over what a browser sends.
//
// Other sites can make a browser send requests here, and names that resolve to this machine can
// make their scripts part of "this" site. So the Host header has to be an address or localhost;
// what changes something needs a header that another site cannot send unasked; beyond loopback
// everything needs a token.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace nfqws2::ctl {

struct Listen {
    std::string host; // address or "localhost", without brackets
    int port = 0;
    bool loopback() const;
    std::string text() const; // "127.0.0.1:8422", "[::1]:8422"
};
// "ADDRESS:PORT", "[IPV6]:PORT", "PORT" (on 127.0.0.1)
std::optional<Listen> parse_listen(std::string_view text);

bool host_is_allowed(std::string_view header);

// 32 hexadecimal digits nobody can guess.
std::string new_token();
bool same_secret(std::string_view a, std::string_view b); // in the same time whatever they hold

// The value of a cookie, "" if it is not there.
std::string_view cookie(std::string_view header, std::string_view name);
// "Bearer TOKEN"
std::string_view bearer(std::string_view header);

} // namespace nfqws2::ctl
