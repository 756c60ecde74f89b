// HTTP/1 requests, replies, header values, foreign redirects (docs/contracts/protocols.md#http).
#pragma once

#include "nfqws2/base/bytes.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace nfqws2::protocol {

// One of nine methods in capitals, blank, URI, "HTTP/1." with 10 bytes left.
bool is_http_request(Bytes data);
// 15 bytes at least: "HTTP/1.0" or "HTTP/1.1", blank, three digits.
bool is_http_reply(Bytes data);
// Three digits of a reply's status line; 0 if it is none.
int http_reply_status(Bytes data);
// The first LF + name + ':' anywhere; lower-cased, at most 255 bytes; nullopt if empty.
std::optional<std::string> http_header_value(Bytes data, std::string_view name);
// Raw value of the Host header (not yet normalised).
std::optional<std::string> http_host(Bytes request);
// A 302/307 to another second-level domain.
bool is_foreign_redirect(Bytes reply, std::string_view host);

} // namespace nfqws2::protocol
