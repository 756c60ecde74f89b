// One IPv4 or IPv6 address as a value. 17 bytes, comparable, printable; used as key and argument.
#pragma once

#include "nfqws2/base/bytes.hpp"

#include <array>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace nfqws2 {

struct IpAddress {
    std::array<std::uint8_t, 16> raw{}; // IPv4 uses the first four bytes, the rest is zero
    std::uint8_t version = 0;           // 4, 6, or 0 for "none"

    static IpAddress v4(const std::uint8_t* p) {
        IpAddress a;
        std::memcpy(a.raw.data(), p, 4);
        a.version = 4;
        return a;
    }
    static IpAddress v6(const std::uint8_t* p) {
        IpAddress a;
        std::memcpy(a.raw.data(), p, 16);
        a.version = 6;
        return a;
    }
    // inet_pton rules (no short forms, no zone); nullopt for anything else.
    static std::optional<IpAddress> parse(std::string_view text);

    bool empty() const { return version == 0; }
    Bytes bytes() const { return {raw.data(), version == 4 ? 4U : version == 6 ? 16U : 0U}; }
    std::string text() const; // inet_ntop form, "" for none

    bool operator==(const IpAddress&) const = default;
};

} // namespace nfqws2
