// Lines of ip2net and mdig, and DNS replies. The first byte chooses, the rest is the input. What is
// read must be what the C library reads, and what is written must be read back.
#include "nfqws2/base/ip_address.hpp"
#include "tools/ip2net/ip2net_input.hpp"
#include "tools/ip2net/net_text.hpp"
#include "tools/mdig/dns_message.hpp"
#include "tools/mdig/mdig_ares.hpp"
#include "tools/mdig/mdig_line.hpp"

#include <arpa/inet.h>
#include <cstdlib>
#include <string>

namespace {

using namespace nfqws2;
using namespace nfqws2::tools;

void require(bool condition) {
    if (!condition) std::abort();
}

void fuzz_ipv4_line(std::string_view line) {
    char text[max_printed_ipv4];
    unsigned size = 0;
    Ipv4Key key;
    if (read_ipv4_line(line, key, text, size) != LineUse::printed) return;
    require(size <= sizeof(text));
    char again[max_printed_ipv4];
    unsigned again_size = 0;
    require(read_ipv4_line({text, size}, key, again, again_size) == LineUse::printed);
    require(std::string_view(text, size) == std::string_view(again, again_size));
}

void fuzz_ipv6(std::string_view text) {
    std::uint8_t raw[16];
    const std::string copy(text);
    const bool good = copy.find('\0') == std::string::npos && copy.size() < INET6_ADDRSTRLEN &&
                      inet_pton(AF_INET6, copy.c_str(), raw) == 1;
    const auto key = parse_ipv6(text);
    require(key.has_value() == good);
    if (!good) return;
    require(*key == (Ipv6Key{load_be64(raw), load_be64(raw + 8)}));
    char written[46];
    require(std::string(written, write_ipv6(written, *key)) == IpAddress::v6(raw).text());
}

void fuzz_ipv6_line(std::string_view line) {
    const Ipv6Line read = read_ipv6_line(line);
    if (read.use == LineUse::printed) require(!read.printed.empty() && read.mask < 128);
}

void fuzz_mdig_line(std::string_view line) {
    for (const Families families : {Families{true, false}, {false, true}, {true, true}}) {
        const MdigLine got = classify_line(line, families);
        if (got.kind == LineKind::literal)
            require(IpAddress::parse(got.address).has_value() && got.mask.value_or(0) < 128);
        if (got.kind == LineKind::domain) {
            const auto query = make_dns_query(line, DnsType::a);
            require(query && query->size() <= 12 + 255 + 4);
        }
    }
    require(printable(line).size() <= 64);
    const Patience patience = patience_of(line);
    require(patience.timeout_s >= 1 && patience.timeout_s <= 30);
    require(patience.attempts >= 1 && patience.attempts <= 5);
}

void fuzz_reply(Bytes message) {
    std::size_t found = 0;
    parse_dns_reply(message, [&](const IpAddress& address) {
        require(!address.empty());
        found++;
    });
    require(found * 15 <= message.size()); // the shortest record with an address
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const Bytes rest(data + 1, size - 1);
    switch (data[0] % 5) {
    case 0:
        fuzz_ipv4_line(as_text(rest));
        break;
    case 1:
        fuzz_ipv6(as_text(rest));
        break;
    case 2:
        fuzz_ipv6_line(as_text(rest));
        break;
    case 3:
        fuzz_mdig_line(as_text(rest));
        break;
    default:
        fuzz_reply(rest);
    }
    return 0;
}
