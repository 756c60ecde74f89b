#include "nfqws2/protocol/xmpp.hpp"

#include <string_view>

namespace nfqws2::protocol {

namespace {

constexpr std::string_view stream_tag = "<stream:stream ";
constexpr std::size_t xml_declaration = 21; // the shortest one: <?xml version='1.0'?>

} // namespace

bool is_xmpp_stream(Bytes data) {
    if (data.size() < 16 || data[0] != '<') return false;
    const std::string_view text = as_text(data);
    if (text.starts_with(stream_tag)) return true;
    return text.size() >= xml_declaration + stream_tag.size() && text.starts_with("<?xml ") &&
           text.find(stream_tag, xml_declaration) != std::string_view::npos;
}

bool is_xmpp_starttls(Bytes data) {
    return as_text(data).starts_with("<starttls ");
}
bool is_xmpp_proceed(Bytes data) {
    return as_text(data).starts_with("<proceed ");
}
// At least one byte must follow.
bool is_xmpp_features(Bytes data) {
    return data.size() >= 17 && as_text(data).starts_with("<stream:features");
}

} // namespace nfqws2::protocol
