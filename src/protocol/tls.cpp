#include "nfqws2/protocol/tls.hpp"

#include "nfqws2/base/text.hpp"

#include <algorithm>

namespace nfqws2::protocol {

namespace {

constexpr std::size_t record_header = 5;
constexpr std::size_t max_name = 255;
constexpr std::uint16_t server_name_type = 0;
constexpr std::uint8_t client_hello = 1, server_hello = 2;

bool is_hello(Bytes handshake, std::uint8_t type) {
    return handshake.size() >= 6 && handshake[0] == type && handshake[4] == 3 && handshake[5] <= 3;
}

bool is_hello_record(Bytes data, std::uint8_t type) {
    return data.size() >= 11 && data[0] == 0x16 && data[1] == 3 && data[2] <= 3 &&
           is_hello(data.subspan(record_header), type);
}

std::string name_text(Bytes name) {
    std::string_view text = as_text(clipped(name, 0, max_name));
    return ascii_lower(text.substr(0, text.find('\0')));
}

std::optional<std::string> name_of(Bytes data, const std::optional<Extension>& extension) {
    if (!extension) return std::nullopt;
    const Bytes content = data.subspan(extension->offset, extension->size);
    const auto name = server_name_in_extension(content);
    if (!name) return std::nullopt;
    return name_text(content.subspan(name->offset, name->size));
}

} // namespace

bool is_tls_client_hello(Bytes data) {
    return is_hello_record(data, client_hello);
}
bool is_tls_server_hello(Bytes data) {
    return is_hello_record(data, server_hello);
}

std::size_t tls_record_size(Bytes data) {
    return std::size_t{load_be16(data.data() + 3)} + record_header;
}
bool tls_record_full(Bytes data) {
    return data.size() >= record_header && tls_record_size(data) <= data.size();
}

bool is_client_hello_handshake(Bytes handshake) {
    return is_hello(handshake, client_hello);
}
bool client_hello_handshake_full(Bytes handshake) {
    return is_client_hello_handshake(handshake) &&
           std::size_t{load_be24(handshake.data() + 1)} + 4 <= handshake.size();
}

std::optional<std::size_t> extensions_offset(Bytes handshake) {
    const std::size_t size = handshake.size();
    std::size_t at = 38; // type, length, version, random
    if (size < at + 1) return std::nullopt;
    const bool is_client = handshake[0] == client_hello;
    at += 1 + std::size_t{handshake[at]}; // session id
    if (size < at + 2) return std::nullopt;
    if (is_client) at += load_be16(handshake.data() + at); // cipher suites, else one is chosen
    at += 2;
    if (size < at + 1) return std::nullopt;
    if (is_client) at += handshake[at]; // compression methods
    at += 1;
    if (size < at + 2) return std::nullopt;
    return at;
}

std::optional<Extension> find_extension_in_handshake(Bytes handshake, std::uint16_t type,
                                                     Strictness strictness) {
    const auto length_at = extensions_offset(handshake);
    if (!length_at) return std::nullopt;
    std::size_t at = *length_at + 2;
    std::size_t left = load_be16(handshake.data() + *length_at);
    if (strictness == Strictness::strict) {
        if (left > handshake.size() - at) return std::nullopt;
        if (std::size_t{load_be24(handshake.data() + 1)} + 4 > handshake.size())
            return std::nullopt;
    }
    left = std::min(left, handshake.size() - at);

    while (left >= 4) {
        const std::uint16_t found = load_be16(handshake.data() + at);
        const std::size_t size = load_be16(handshake.data() + at + 2);
        at += 4;
        left -= 4;
        if (left < size) break;
        if (found == type) return Extension{at, size};
        at += size;
        left -= size;
    }
    return std::nullopt;
}

std::optional<Extension> find_extension(Bytes tcp_data, std::uint16_t type, Strictness strictness) {
    if (!is_tls_client_hello(tcp_data) && !is_tls_server_hello(tcp_data)) return std::nullopt;
    if (strictness == Strictness::strict && !tls_record_full(tcp_data)) return std::nullopt;
    const Bytes record = clipped(tcp_data, 0, tls_record_size(tcp_data));
    auto found = find_extension_in_handshake(clipped(record, record_header), type, strictness);
    if (found) found->offset += record_header;
    return found;
}

std::optional<Extension> server_name_in_extension(Bytes extension_data) {
    const std::size_t size = extension_data.size();
    if (size < 5 || extension_data[2] != 0) return std::nullopt;
    const std::size_t list = load_be16(extension_data.data());
    const std::size_t name = load_be16(extension_data.data() + 3);
    if (list < name + 3 || list > size - 2) return std::nullopt;
    return Extension{5, name};
}

std::optional<std::string> tls_client_hello_host(Bytes tcp_data) {
    return name_of(tcp_data, find_extension(tcp_data, server_name_type, Strictness::partial));
}

std::optional<std::string> client_hello_handshake_host(Bytes handshake) {
    return name_of(handshake,
                   find_extension_in_handshake(handshake, server_name_type, Strictness::partial));
}

} // namespace nfqws2::protocol
