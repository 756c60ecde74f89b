#include "ip2net/net_text.hpp"

#include "nfqws2/base/bytes.hpp"

#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <cstring>

namespace nfqws2::tools {

namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// A table, because whether a digit is above 9 cannot be predicted by a branch.
constexpr std::array<std::int8_t, 256> hex_values = [] {
    std::array<std::int8_t, 256> values{};
    values.fill(-1);
    for (unsigned i = 0; i < 16; i++) {
        values[static_cast<unsigned char>("0123456789abcdef"[i])] = static_cast<std::int8_t>(i);
        values[static_cast<unsigned char>("0123456789ABCDEF"[i])] = static_cast<std::int8_t>(i);
    }
    return values;
}();

int hex_digit(char c) {
    return hex_values[static_cast<unsigned char>(c)];
}

// Groups of hex digits with at most one "::" inside or at the end, which is how nearly every line
// looks; three times as fast as inet_pton. nullopt means only "not this form".
std::optional<Ipv6Key> parse_plain_ipv6(std::string_view text) {
    constexpr unsigned none = 9;
    std::uint16_t groups[8];
    unsigned count = 0;
    unsigned gap = none; // index of the first group behind "::"
    const char* p = text.data();
    const char* const end = p + text.size();
    while (p != end && count < 8) {
        unsigned value = 0;
        const char* const start = p;
        for (int digit; p != end && p - start < 4 && (digit = hex_digit(*p)) >= 0; p++)
            value = value << 4 | static_cast<unsigned>(digit);
        if (p == start) return std::nullopt;
        groups[count++] = static_cast<std::uint16_t>(value);
        if (p == end) break;
        if (*p++ != ':' || p == end) return std::nullopt;
        if (*p != ':') continue;
        if (gap != none) return std::nullopt;
        gap = count;
        p++;
    }
    if (p != end || (gap == none) != (count == 8)) return std::nullopt;

    std::uint64_t words[2] = {0, 0};
    for (unsigned i = 0; i < count; i++) {
        const unsigned place = i < gap ? i : i + 8 - count;
        words[place / 4] |= std::uint64_t{groups[i]} << (48 - 16 * (place % 4));
    }
    return Ipv6Key{words[0], words[1]};
}

struct Run {
    unsigned first = 8;
    unsigned count = 1; // a single zero group is not shortened
};

Run longest_zero_run(const std::uint8_t* raw) {
    Run best;
    for (unsigned i = 0; i < 8;) {
        unsigned end = i;
        while (end < 8 && load_be16(raw + 2 * end) == 0)
            end++;
        if (end - i > best.count) best = {i, end - i};
        i = end + 1;
    }
    return best;
}

// What inet_ntop writes for an address that does not begin with a zero group, without printf.
char* write_groups(char* out, const std::uint8_t* raw) {
    static constexpr char digits[] = "0123456789abcdef";
    const Run zeros = longest_zero_run(raw);
    for (unsigned i = 0; i < 8; i++) {
        if (i != 0) *out++ = ':';
        if (i == zeros.first) {
            i += zeros.count - 1;
            if (i == 7) *out++ = ':';
            continue;
        }
        const unsigned group = load_be16(raw + 2 * i);
        for (unsigned shift = 16; shift != 0;) {
            shift -= 4;
            if (group >> shift != 0 || shift == 0) *out++ = digits[group >> shift & 15];
        }
    }
    return out;
}

} // namespace

std::optional<Ipv4Key> take_ipv4(std::string_view& text) {
    const char* p = text.data();
    const char* const end = p + text.size();
    std::uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        if (i != 0 && (p == end || *p++ != '.')) return std::nullopt;
        if (p == end || !is_digit(*p)) return std::nullopt;
        unsigned octet = 0;
        for (; p != end && is_digit(*p); p++) {
            octet = octet * 10 + static_cast<unsigned>(*p - '0');
            if (octet > 255) return std::nullopt;
        }
        value = value << 8 | octet;
    }
    text.remove_prefix(static_cast<std::size_t>(p - text.data()));
    return Ipv4Key{value};
}

std::optional<Ipv6Key> parse_ipv6(std::string_view text) {
    if (const auto plain = parse_plain_ipv6(text)) return plain;
    char name[INET6_ADDRSTRLEN];
    if (text.empty() || text.size() >= sizeof(name) || text.find('\0') != std::string_view::npos)
        return std::nullopt;
    std::memcpy(name, text.data(), text.size());
    name[text.size()] = '\0';
    std::uint8_t raw[16];
    if (inet_pton(AF_INET6, name, raw) != 1) return std::nullopt;
    return Ipv6Key{load_be64(raw), load_be64(raw + 8)};
}

char* write_number(char* out, unsigned value) {
    return std::to_chars(out, out + 10, value).ptr;
}

char* write_ipv4(char* out, Ipv4Key key) {
    for (unsigned i = 0; i < 4; i++) {
        if (i != 0) *out++ = '.';
        const unsigned octet = key.byte(i);
        if (octet >= 100) *out++ = static_cast<char>('0' + octet / 100);
        if (octet >= 10) *out++ = static_cast<char>('0' + octet / 10 % 10);
        *out++ = static_cast<char>('0' + octet % 10);
    }
    return out;
}

char* write_ipv6(char* out, Ipv6Key key) {
    std::uint8_t raw[16];
    for (unsigned i = 0; i < 16; i++)
        raw[i] = static_cast<std::uint8_t>(key.byte(i));
    if (raw[0] != 0 || raw[1] != 0) return write_groups(out, raw);
    // Only with a zero in front the dotted forms are possible.
    char name[INET6_ADDRSTRLEN];
    if (inet_ntop(AF_INET6, raw, name, sizeof(name)) == nullptr) return out;
    const std::size_t size = std::strlen(name);
    std::memcpy(out, name, size);
    return out + size;
}

} // namespace nfqws2::tools
