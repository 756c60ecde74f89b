// The contents of one ip set, immutable: networks sorted by address, those inside a wider one
// dropped, so that the only candidate for an address is its predecessor. 5 bytes per IPv4 and 17
// bytes per IPv6 network plus 3 % for a sample that keeps most of the search within the cache.
#pragma once

#include "nfqws2/base/ip_address.hpp"
#include "nfqws2/profile/page_array.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

namespace nfqws2::profile {

struct Network {
    IpAddress address; // host bits are zero
    unsigned prefix = 0;
};
// An ip set entry (docs/contracts/lists.md#files); nullopt if malformed.
std::optional<Network> parse_network(std::string_view text);

template <std::size_t N> struct Prefix {
    std::array<std::uint8_t, N> address;
    std::uint8_t length;
};

template <std::size_t N> class PrefixArray {
  public:
    void add(const std::uint8_t* address, unsigned length); // host bits are zero
    void finish();                                          // sorts; find() works from here on
    const Prefix<N>* find(const std::uint8_t* address) const;
    const PageArray<Prefix<N>>& all() const { return networks_; }
    std::size_t size() const { return networks_.size(); }
    std::size_t memory() const { return networks_.memory() + sample_.memory(); }

  private:
    PageArray<Prefix<N>> networks_;
    PageArray<std::array<std::uint8_t, N>> sample_; // address of every 32nd network
};

class NetTable {
  public:
    bool contains(const IpAddress& address) const { return find(address).has_value(); }
    std::optional<Network> find(const IpAddress& address) const;
    // Of the IP version, in order of address.
    void each(unsigned version, const std::function<void(const Network&)>& see) const;
    bool empty() const { return size() == 0; }
    std::size_t size() const { return v4_.size() + v6_.size(); }
    std::size_t memory() const { return v4_.memory() + v6_.memory(); }

    void add(const Network& network);
    void finish();

  private:
    PrefixArray<4> v4_;
    PrefixArray<16> v6_;
};

} // namespace nfqws2::profile
