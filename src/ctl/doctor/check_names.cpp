// Does the name server lie? Addresses from it are held against those that come over HTTPS. Large
// sites answer everywhere with other addresses, so a difference alone says nothing: an answer is
// false if it is no address of the internet, or the same for several names that have others.
#include "doctor/checks.hpp"

#include "nfqws2/base/text.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <map>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <set>
#include <sys/socket.h>

namespace nfqws2::ctl {
namespace {

using Addresses = std::set<std::string>;

bool sane(const std::string& name) {
    return !name.empty() && name.size() < 254 && name.front() != '-' &&
           std::ranges::all_of(name, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '-' || c == '_';
           });
}

Addresses plain_addresses(const std::string& name) {
    addrinfo hints{};
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (getaddrinfo(name.c_str(), nullptr, &hints, &found) != 0) return {};
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
    Addresses addresses;
    for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
        std::array<char, INET_ADDRSTRLEN> text{};
        const auto* address = reinterpret_cast<const sockaddr_in*>(one->ai_addr);
        if (inet_ntop(AF_INET, &address->sin_addr, text.data(), text.size()) != nullptr)
            addresses.insert(text.data());
    }
    return addresses;
}

Addresses encrypted_addresses(const Machine& machine, const std::string& url,
                              const std::string& name) {
    const Output output =
        machine.run({"curl", "-s", "-m", "10", "--max-filesize", "65536", "-H",
                     "accept: application/dns-json", url + "?type=A&name=" + name});
    Addresses addresses;
    if (!output.good()) return addresses;
    const auto answer = parse_object(output.text, 1U << 16);
    if (!answer) return addresses;
    constexpr int type_a = 1;
    for (const Json& record : elements(member(*answer, "Answer")))
        if (integer_of(member(record, "type")) == type_a)
            addresses.insert(text_of(member(record, "data")));
    return addresses;
}

// Of no server on the internet.
bool reserved(const std::string& text) {
    in_addr address{};
    if (inet_pton(AF_INET, text.c_str(), &address) != 1) return true;
    const std::uint32_t a = ntohl(address.s_addr);
    const auto within = [a](std::uint32_t network, unsigned bits) {
        return (a >> (32 - bits)) == (network >> (32 - bits));
    };
    return within(0x00000000, 8) || within(0x0A000000, 8) || within(0x7F000000, 8) ||
           within(0x64400000, 10) || within(0xA9FE0000, 16) || within(0xAC100000, 12) ||
           within(0xC0A80000, 16) || within(0xE0000000, 3);
}

} // namespace

void check_names(const Machine& machine, const std::vector<std::string>& names,
                 const std::string& url, Findings& findings) {
    std::map<std::string, Addresses> suspects; // names with nothing in common
    std::map<std::string, std::size_t> times;  // how often an address was said
    std::size_t answered = 0;
    for (const std::string& name : names) {
        if (!sane(name)) continue;
        const Addresses encrypted = encrypted_addresses(machine, url, name);
        if (encrypted.empty()) continue;
        answered++;
        const Addresses plain = plain_addresses(name);
        const bool common = std::ranges::any_of(
            plain, [&](const std::string& address) { return encrypted.contains(address); });
        if (common) continue;
        suspects[name] = plain;
        for (const std::string& address : plain)
            times[address]++;
    }
    if (answered == 0 && !names.empty())
        findings.push_back({"names-unchecked", Gravity::note,
                            "no answer over HTTPS from " + url + ", so names were not compared",
                            "curl has to be there; name another server by --doh"});
    for (const auto& [name, plain] : suspects) {
        const bool lies = plain.empty() || std::ranges::any_of(plain, [&](const std::string& one) {
                              return reserved(one) || times[one] > 1;
                          });
        if (!lies) continue;
        findings.push_back({"names-differ", Gravity::problem,
                            "the name server says " +
                                (plain.empty() ? std::string("nothing") : *plain.begin()) +
                                " for " + name + ", other addresses come over HTTPS",
                            "no strategy helps against that: use DNS over HTTPS or TLS", name});
    }
}

} // namespace nfqws2::ctl
