#include "nfqws2/profile/net_table.hpp"

#include <algorithm>
#include <cstring>

namespace nfqws2::profile {

namespace {

constexpr std::size_t sample_every = 32;
constexpr std::size_t longest_token = 127; // the rest of a longer one is not looked at

// Keeps the first `prefix` bits.
void clear_host_bits(std::uint8_t* address, std::size_t size, unsigned prefix) {
    for (std::size_t i = 0; i < size; ++i) {
        const unsigned first = static_cast<unsigned>(i) * 8;
        if (prefix <= first)
            address[i] = 0;
        else if (prefix < first + 8)
            address[i] = static_cast<std::uint8_t>(address[i] & 0xFF00U >> (prefix - first));
    }
}

std::optional<unsigned> parse_prefix(std::string_view text, unsigned max) {
    if (!text.empty() && text.front() == '+') text.remove_prefix(1);
    if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
    unsigned value = 0;
    for (char c : text) { // trailing junk is ignored
        if (c < '0' || c > '9') break;
        value = value * 10 + static_cast<unsigned>(c - '0');
        if (value > max) return std::nullopt;
    }
    return value;
}

// Big-endian addresses as numbers: byte order is numeric order.
bool address_less(const std::array<std::uint8_t, 4>& a, const std::uint8_t* b) {
    return load_be32(a.data()) < load_be32(b);
}
bool address_less(const std::array<std::uint8_t, 16>& a, const std::uint8_t* b) {
    const std::uint64_t high_a = load_be64(a.data());
    const std::uint64_t high_b = load_be64(b);
    return high_a != high_b ? high_a < high_b : load_be64(a.data() + 8) < load_be64(b + 8);
}

template <std::size_t N> bool covers(const Prefix<N>& network, const std::uint8_t* address) {
    std::array<std::uint8_t, N> masked;
    std::memcpy(masked.data(), address, N);
    clear_host_bits(masked.data(), N, network.length);
    return masked == network.address;
}

} // namespace

std::optional<Network> parse_network(std::string_view text) {
    text = text.substr(0, longest_token);
    const std::size_t slash = text.find('/');
    const auto address = IpAddress::parse(text.substr(0, slash));
    if (!address) return std::nullopt;
    Network network{*address, address->version == 4 ? 32U : 128U};
    if (slash != std::string_view::npos) {
        const auto prefix = parse_prefix(text.substr(slash + 1), network.prefix);
        if (!prefix) return std::nullopt;
        network.prefix = *prefix;
    }
    clear_host_bits(network.address.raw.data(), network.address.bytes().size(), network.prefix);
    return network;
}

template <std::size_t N> void PrefixArray<N>::add(const std::uint8_t* address, unsigned length) {
    Prefix<N> network{};
    std::memcpy(network.address.data(), address, N);
    network.length = static_cast<std::uint8_t>(length);
    networks_.push_back(network);
}

template <std::size_t N> void PrefixArray<N>::finish() {
    std::sort(networks_.begin(), networks_.end(), [](const Prefix<N>& a, const Prefix<N>& b) {
        if (a.address == b.address) return a.length < b.length;
        return address_less(a.address, b.address.data());
    });
    std::size_t kept = 0;
    for (std::size_t i = 0; i < networks_.size(); ++i) {
        const Prefix<N> network = networks_[i];
        if (kept > 0 && covers(networks_[kept - 1], network.address.data())) continue;
        networks_[kept++] = network;
    }
    networks_.truncate(kept);
    networks_.shrink();
    sample_ = PageArray<std::array<std::uint8_t, N>>();
    for (std::size_t i = 0; i < kept; i += sample_every)
        sample_.push_back(networks_[i].address);
    sample_.shrink();
}

template <std::size_t N> const Prefix<N>* PrefixArray<N>::find(const std::uint8_t* address) const {
    // Both searches count the elements that are not above the address.
    const auto not_above = [&](const std::array<std::uint8_t, N>& a) {
        return address_less(a, address) || std::memcmp(a.data(), address, N) == 0;
    };
    const auto* sample = std::partition_point(sample_.begin(), sample_.end(), not_above);
    if (sample == sample_.begin()) return nullptr;
    const auto block = static_cast<std::size_t>(sample - sample_.begin() - 1) * sample_every;
    const Prefix<N>* first = networks_.begin() + block;
    const Prefix<N>* last = first + std::min(sample_every, networks_.size() - block);
    const Prefix<N>* found = std::partition_point(
        first, last, [&](const Prefix<N>& network) { return not_above(network.address); });
    --found; // the sampled network itself is not above
    return covers(*found, address) ? found : nullptr;
}

template class PrefixArray<4>;
template class PrefixArray<16>;

void NetTable::add(const Network& network) {
    if (network.address.version == 4)
        v4_.add(network.address.raw.data(), network.prefix);
    else
        v6_.add(network.address.raw.data(), network.prefix);
}

void NetTable::finish() {
    v4_.finish();
    v6_.finish();
}

std::optional<Network> NetTable::find(const IpAddress& address) const {
    if (address.version == 4) {
        if (const auto* found = v4_.find(address.raw.data()))
            return Network{IpAddress::v4(found->address.data()), found->length};
    } else if (address.version == 6) {
        if (const auto* found = v6_.find(address.raw.data()))
            return Network{IpAddress::v6(found->address.data()), found->length};
    }
    return std::nullopt;
}

void NetTable::each(unsigned version, const std::function<void(const Network&)>& see) const {
    if (version == 4)
        for (const auto& prefix : v4_.all())
            see({IpAddress::v4(prefix.address.data()), prefix.length});
    if (version == 6)
        for (const auto& prefix : v6_.all())
            see({IpAddress::v6(prefix.address.data()), prefix.length});
}

} // namespace nfqws2::profile
