// Filters about the connection of a packet, with their value grammars
// (docs/contracts/profiles.md#filters-of-the-kernels-connection).
#pragma once

#include "nfqws2/packet/connection.hpp"
#include "nfqws2/profile/filters.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::profile {

// What a search asks of the connection. The default is that of a packet without one.
struct CtQuery {
    packet::CtState state = packet::CtState::unknown;
    std::uint32_t mark = 0, status = 0;
    std::uint16_t zone = 0;
    std::string_view helper, master_helper;
};

// "[~]STATE[,STATE...]". Throws BadValue "bad value for --OPTION: 'X'" with the nearest name.
packet::CtStateSet parse_ct_states(const char* option, std::string_view value);

struct CtFilters {
    packet::CtStateSet state;

    MarkFilter mark;
    bool other_marks = false; // any but `mark`

    struct ZoneRange {
        std::uint16_t from, to;
        bool operator==(const ZoneRange&) const = default;
    };
    std::vector<ZoneRange> zones;
    bool other_zones = false;

    std::vector<std::string> helpers; // "*" any, "-" none
    bool other_helpers = false;

    std::uint32_t status = 0;
    bool not_all_status = false;

    // Each throws BadValue.
    void set_mark(std::string_view value);
    void set_zones(std::string_view value);
    void set_helpers(std::string_view value);
    void set_status(std::string_view value);

    bool any() const { return !state.empty() || any_detail(); }
    bool any_detail() const {
        return restricts_mark() || !zones.empty() || !helpers.empty() || status != 0;
    }
    bool restricts_mark() const { return other_marks || !mark.any(); }
    bool wants_mark(const CtQuery& q) const { return mark.matches(q.mark) != other_marks; }
    bool wants_zone(const CtQuery& q) const;
    bool wants_helper(const CtQuery& q) const;
    bool wants_status(const CtQuery& q) const {
        return status == 0 || ((q.status & status) == status) != not_all_status;
    }
};

} // namespace nfqws2::profile
