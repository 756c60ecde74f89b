#include "nfqws2/protocol/dns.hpp"

#include "nfqws2/base/text.hpp"

#include <array>
#include <optional>

namespace nfqws2::protocol {

namespace {

constexpr std::size_t header_size = 12;
constexpr std::size_t longest_name = 254;
constexpr unsigned max_records = 100;
constexpr std::uint16_t type_a = 1, type_aaaa = 28, class_in = 1;

// Dotted name in lower case, kept on the stack.
struct Name {
    std::array<char, longest_name> text{};
    std::size_t size = 0;
    std::string_view view() const { return {text.data(), size}; }
};

bool is_pointer(std::uint8_t length) {
    return (length & 0xC0) == 0xC0;
}

bool append_label(Name& name, Bytes label) {
    const std::size_t dot = name.size != 0 ? 1 : 0;
    if (label.size() > longest_name - name.size || name.size + dot + label.size() > longest_name)
        return false;
    if (dot != 0) name.text[name.size++] = '.';
    for (const std::uint8_t c : label)
        name.text[name.size++] = ascii_lower(static_cast<char>(c));
    return true;
}

// Labels up to the root, no pointers. `at` ends behind them.
bool read_labels(Bytes message, std::size_t& at, Name& name) {
    while (at < message.size()) {
        const std::uint8_t length = message[at++];
        if (length == 0) return name.size != 0;
        if ((length & 0xC0) != 0 || length > message.size() - at) return false;
        if (!append_label(name, message.subspan(at, length))) return false;
        at += length;
    }
    return false;
}

// The question's name: labels, or one pointer to labels.
bool read_question_name(Bytes message, std::size_t& at, Name& name) {
    if (at >= message.size()) return false;
    if (!is_pointer(message[at])) return read_labels(message, at, name);
    if (message.size() - at < 2) return false;
    std::size_t target = load_be16(message.data() + at) & 0x3FFFU;
    at += 2;
    return read_labels(message, target, name);
}

// An owner name, not looked at; a pointer ends it.
bool skip_name(Bytes message, std::size_t& at) {
    while (at < message.size()) {
        const std::uint8_t length = message[at];
        if (is_pointer(length)) {
            at += 2;
            return at <= message.size();
        }
        if ((length & 0xC0) != 0) return false;
        at += std::size_t{1} + length;
        if (length == 0) return true;
    }
    return false;
}

std::optional<IpAddress> address_of(std::uint16_t type, std::uint16_t dns_class, Bytes data) {
    if (dns_class != class_in) return std::nullopt;
    if (type == type_a && data.size() == 4) return IpAddress::v4(data.data());
    if (type == type_aaaa && data.size() == 16) return IpAddress::v6(data.data());
    return std::nullopt;
}

// One answer record; false at the end of what is well formed.
bool read_answer(Bytes message, std::size_t& at, std::optional<IpAddress>& address) {
    if (!skip_name(message, at) || message.size() - at < 10) return false;
    const std::uint8_t* fixed = message.data() + at;
    const std::size_t size = load_be16(fixed + 8);
    at += 10;
    if (size > message.size() - at) return false;
    address = address_of(load_be16(fixed), load_be16(fixed + 2), message.subspan(at, size));
    at += size;
    return true;
}

} // namespace

bool is_dns_query(Bytes data) {
    return data.size() >= header_size && (data[2] & 0xFE) == 0 && load_be16(data.data() + 4) == 1 &&
           load_be32(data.data() + 6) == 0 && load_be16(data.data() + 10) <= 3;
}

bool is_dns_response(Bytes data) {
    return data.size() >= header_size && (data[2] & 0xF8) == 0x80 &&
           load_be16(data.data() + 4) == 1 && load_be16(data.data() + 6) <= max_records &&
           load_be16(data.data() + 8) <= max_records && load_be16(data.data() + 10) <= max_records;
}

void harvest_dns(Bytes response,
                 const std::function<void(const IpAddress&, std::string_view)>& found) {
    if (!is_dns_response(response)) return;
    unsigned answers = load_be16(response.data() + 6);
    if (answers == 0) return;

    std::size_t at = header_size;
    Name name;
    if (!read_question_name(response, at, name) || response.size() - at < 4) return;
    const std::uint16_t type = load_be16(response.data() + at);
    if (type != type_a && type != type_aaaa) return;
    if (load_be16(response.data() + at + 2) != class_in) return;
    at += 4;

    for (std::optional<IpAddress> address; answers > 0 && read_answer(response, at, address);
         --answers) {
        if (address) found(*address, name.view());
    }
}

} // namespace nfqws2::protocol
