// Host lists and ip sets from arbitrary text, cut into arbitrary pieces. Every entry that was
// accepted must be found again, and the pieces must not show. First byte: size of the pieces.
#include "nfqws2/profile/host_table.hpp"
#include "nfqws2/profile/list_reader.hpp"
#include "nfqws2/profile/net_table.hpp"
#include "nfqws2/profile/profile_builder.hpp"
#include "profile/host_entry.hpp"

#include "nfqws2/base/text.hpp"
#include "nfqws2/profile/lua_call.hpp"

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace nfqws2;
using namespace nfqws2::profile;

constexpr std::size_t longest_host = 4095;

void require(bool condition) {
    if (!condition) std::abort();
}

std::vector<std::string> scan_whole(std::string_view text) {
    std::vector<std::string> entries;
    ListScanner scanner([&](std::string_view token, std::size_t) { entries.emplace_back(token); });
    require(scanner.scan(text, true) == text.size());
    return entries;
}

std::vector<std::string> scan_pieces(std::string_view text, std::size_t piece) {
    std::vector<std::string> entries;
    ListScanner scanner([&](std::string_view token, std::size_t) { entries.emplace_back(token); });
    std::size_t done = 0;
    for (std::size_t end = piece; end < text.size(); end += piece)
        done += scanner.scan(text.substr(done, end - done), false);
    scanner.scan(text.substr(done), true);
    return entries;
}

void check_hosts(const std::vector<std::string>& entries) {
    HostTableBuilder builder;
    for (const std::string& entry : entries)
        builder.add(entry);
    const HostTable table = builder.finish();
    for (const std::string& entry : entries) {
        std::string name = ascii_lower(std::string_view(entry));
        if (name.starts_with('^')) name.erase(0, 1);
        if (name.size() > longest_host) continue;
        require(table.find(name) != HostMatch::none);
        if (!name.empty() && name.front() != '.')
            require(match_host({name, false}, [&](std::string_view part) {
                        return table.find(part);
                    }).has_value());
    }
}

void check_tidying(const std::vector<std::string>& entries) {
    for (const std::string& entry : entries) {
        const HostEntry tidy = tidy_host_entry(entry, "");
        if (is_ordinary_entry(entry)) require(tidy.flaw.empty() && tidy.text == entry);
        if (tidy.flaw.empty()) require(tidy_host_entry(tidy.text, "").flaw.empty());
        require(tidy_host_entry(entry, "# comment").text == tidy.text);
    }
}

void check_networks(const std::vector<std::string>& entries) {
    NetTable table;
    std::vector<Network> networks;
    for (const std::string& entry : entries) {
        if (const auto network = parse_network(entry)) {
            table.add(*network);
            networks.push_back(*network);
        }
    }
    table.finish();
    for (const Network& network : networks) {
        const auto found = table.find(network.address);
        require(found && found->prefix <= network.prefix);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view text = as_text(Bytes(data + 1, size - 1));
    const std::vector<std::string> entries = scan_whole(text);
    require(entries == scan_pieces(text, data[0] + std::size_t{1}));
    check_hosts(entries);
    check_networks(entries);
    check_tidying(entries);

    try {
        require(is_identifier(parse_lua_call(text).func));
    } catch (const BadValue&) {
        // refusing is fine
    }
    PortFilter ports;
    if (ports.add(text)) ports.matches(data[0]);
    IcmpFilter icmp;
    if (icmp.add(text)) icmp.matches(data[0], 0);
    ProtocolFilter protocols;
    if (protocols.add(text)) protocols.matches(data[0]);
    return 0;
}
