// Covers a sorted list of addresses with networks that are filled densely enough.
//
// Theory of operation. Walk over the addresses; at each one look at the networks around it from the
// widest to the narrowest permitted. The widest that satisfies the rule fixes how many of the
// remaining addresses are covered; the narrowest that covers the same ones is the answer. An
// address no network suits stays single.
//
// The number of addresses in a network comes from where the network ends in the list, and that end
// is the same for every address inside it. So the end is searched once per network and kept per
// prefix length: the whole walk is linear in the number of addresses, also when a wide network just
// misses the rule again and again.
#pragma once

#include "ip2net/net_key.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace nfqws2::tools {

struct PrefixRange {
    unsigned min; // 1 .. width - 1
    unsigned max;
};

// IPv4: at least mul/div of the network's addresses are in the list.
struct FillRule {
    using Key = Ipv4Key;
    std::uint32_t mul = 3;
    std::uint32_t div = 4;

    std::uint64_t needed(unsigned zero_bits) const {
        return (std::uint64_t{1} << zero_bits) * mul / div;
    }
    // So much of the network lies before the address that the rest cannot satisfy the rule.
    bool is_missed(Ipv4Key address, unsigned zero_bits) const {
        const std::uint64_t start = address.with_low_bits_clear(zero_bits).value;
        return address.value > start + (std::uint64_t{1} << zero_bits) * (div - mul) / div;
    }
};

// IPv6: at least so many addresses of the network are in the list.
struct CountRule {
    using Key = Ipv6Key;
    std::uint32_t count = 5;

    std::uint64_t needed(unsigned) const { return count; }
    bool is_missed(const Ipv6Key&, unsigned) const { return false; }
};

template <class Rule> class NetGrouper {
  public:
    using Key = typename Rule::Key;
    NetGrouper(std::span<const Key> sorted_unique, const Rule& rule, PrefixRange range)
        : keys_(sorted_unique), rule_(rule), zeros_min_(Key::width - range.max),
          zeros_max_(Key::width - range.min) {
        for (unsigned zeros = zeros_min_; zeros <= zeros_max_; zeros++)
            needed_[zeros] = rule_.needed(zeros);
    }

    // Calls emit(address, prefix_length) in ascending order; a single address has the full length.
    template <class Emit> void run(Emit emit) {
        for (std::size_t at = 0; at < keys_.size();) {
            const Best best = best_net(at);
            if (best.count != 0)
                emit(keys_[at].with_low_bits_clear(best.zeros), Key::width - best.zeros);
            else
                emit(keys_[at], Key::width);
            at += best.count != 0 ? best.count : 1;
        }
    }

  private:
    struct Best {
        std::size_t count = 0; // 0: no network
        unsigned zeros = 0;
    };
    struct KnownEnd {
        Key last{};          // last address of the network
        std::size_t end = 0; // index behind its last address in the list; 0: nothing known
    };

    Best best_net(std::size_t at) {
        Best best;
        std::size_t most = keys_.size() - at; // a narrower network cannot hold more
        for (unsigned zeros = zeros_max_ + 1; zeros-- > zeros_min_;) {
            if (needed_[zeros] > most || rule_.is_missed(keys_[at], zeros)) continue;
            const std::size_t count = end_of_net(at, zeros) - at;
            if (count == 1) break;
            most = count;
            if (count < needed_[zeros]) continue;
            if (best.count != 0 && count != best.count) break;
            best = {count, zeros};
        }
        return best;
    }

    // The walk only goes up, so an address not behind a known network's end is inside it.
    std::size_t end_of_net(std::size_t at, unsigned zeros) {
        KnownEnd& known = ends_[zeros];
        if (known.end == 0 || known.last < keys_[at]) {
            known.last = keys_[at].with_low_bits_set(zeros);
            known.end = search_end(at, known.last);
        }
        return known.end;
    }

    std::size_t search_end(std::size_t at, const Key& last) const {
        std::size_t step = 1; // most networks hold few addresses: grow from here, then bisect
        while (step < keys_.size() - at && !(last < keys_[at + step]))
            step *= 2;
        const auto from = keys_.begin() + static_cast<std::ptrdiff_t>(at + step / 2);
        const auto to =
            keys_.begin() + static_cast<std::ptrdiff_t>(std::min(at + step, keys_.size()));
        return static_cast<std::size_t>(std::upper_bound(from, to, last) - keys_.begin());
    }

    std::span<const Key> keys_;
    Rule rule_;
    unsigned zeros_min_;
    unsigned zeros_max_;
    std::array<std::uint64_t, Key::width> needed_{};
    std::array<KnownEnd, Key::width> ends_{};
};

} // namespace nfqws2::tools
