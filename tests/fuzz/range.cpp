// Packet ranges and filter lists: what was read reads the same when written, and a list is the
// union of its elements. First byte: the grammar.
#include "nfqws2/flow/range.hpp"
#include "nfqws2/base/bytes.hpp"
#include "nfqws2/base/text.hpp"
#include "nfqws2/profile/filters.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace nfqws2;

void require(bool condition) {
    if (!condition) std::abort();
}

void check_range(std::string_view text) {
    const auto range = flow::parse_range(text);
    if (!range) return;
    require(flow::parse_range(flow::to_text(*range)) == range);
    flow::SidePositions side;
    for (const std::uint32_t n : {0U, 1U, range->from.pos, range->to.pos, range->to.pos + 1}) {
        side.pcounter = side.pdcounter = n;
        side.pbcounter = n;
        require(!flow::in_range(*range, &side) || !flow::beyond_range(*range, &side));
    }
    require(!flow::in_range(*range, nullptr) || !flow::beyond_range(*range, nullptr));
}

// `matches(filter, n)` for a list is what some element of it says.
template <typename Filter, typename Matches>
void check_list(std::string_view text, unsigned last, Matches matches) {
    constexpr std::size_t max_elements = 40;
    Filter whole;
    if (!whole.add(text)) {
        require(whole.empty());
        return;
    }
    std::vector<Filter> elements;
    for (const std::string_view element : split(text, ',')) {
        require(elements.emplace_back().add(element));
        if (elements.size() > max_elements) return;
    }
    // Every value would take long where there are many; a stride visits all residues in time.
    for (unsigned n = 0; n <= last; n += last > 1000 ? 37 : 1) {
        const bool any = std::any_of(elements.begin(), elements.end(),
                                     [&](const Filter& element) { return matches(element, n); });
        require(matches(whole, n) == any);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view text = as_text(Bytes(data + 1, size - 1));
    switch (data[0] % 4) {
    case 0:
        check_range(text);
        break;
    case 1:
        check_list<profile::PortFilter>(text, 65535, [](const profile::PortFilter& f, unsigned n) {
            return f.matches(static_cast<std::uint16_t>(n));
        });
        break;
    case 2:
        check_list<profile::IcmpFilter>(text, 65535, [](const profile::IcmpFilter& f, unsigned n) {
            return f.matches(static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n));
        });
        break;
    default:
        check_list<profile::ProtocolFilter>(text, 255,
                                            [](const profile::ProtocolFilter& f, unsigned n) {
                                                return f.matches(static_cast<std::uint8_t>(n));
                                            });
    }
    return 0;
}
