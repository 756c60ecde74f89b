// Theory of operation. Prefixes nest or are apart, so that one walk over all of them, sorted by
// begin and length, with a stack of those that are open, finds every range of addresses that is in
// the same sets with the same values. Such a combination is a class; there are few.
#include "nfqws2/rules/state/prefix_sets.hpp"

#include "../regular_file.hpp"
#include "nfqws2/base/bytes.hpp"
#include "nfqws2/profile/list_reader.hpp"

#include <algorithm>
#include <bit>
#include <compare>
#include <functional>
#include <limits>
#include <map>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace nfqws2::rules {
namespace {

struct Address6 {
    std::uint64_t high = 0, low = 0;
    auto operator<=>(const Address6&) const = default;
};
using Address4 = std::uint32_t;

Address4 last_of(Address4 first, unsigned length) {
    return length == 0 ? ~Address4{0} : first | ((Address4{1} << (32 - length)) - 1);
}
Address6 last_of(Address6 first, unsigned length) {
    const auto ones = [](unsigned kept) { // the bits behind the first `kept` of 64
        return kept == 0    ? ~std::uint64_t{0}
               : kept >= 64 ? 0
                            : (std::uint64_t{1} << (64 - kept)) - 1;
    };
    return {first.high | ones(std::min(length, 64U)),
            first.low | ones(length > 64 ? length - 64 : 0)};
}
// False behind the last address.
bool increment(Address4& address) {
    return ++address != 0;
}
bool increment(Address6& address) {
    if (++address.low != 0) return true;
    return ++address.high != 0;
}

std::size_t top_of(Address4 address) {
    return address >> 16;
}
std::size_t top_of(Address6 address) {
    return static_cast<std::size_t>(address.high >> 48);
}

template <typename Address> struct Item {
    Address first;
    std::uint32_t value;
    std::uint8_t length, set;
};

// PREFIX, PREFIX VALUE, PREFIX=VALUE, PREFIX,VALUE; a comment may follow.
std::optional<PrefixEntry> parse_line(std::string_view word, std::string_view rest) {
    const std::size_t comment = word.find('#');
    if (comment != std::string_view::npos) return PrefixEntry::parse(word.substr(0, comment));
    rest = rest.substr(0, std::min(rest.find('#'), rest.size()));
    if (rest.find_first_not_of(" \t") == std::string_view::npos) return PrefixEntry::parse(word);
    return PrefixEntry::parse(std::string(word) + " " + std::string(rest));
}

std::uint64_t bit(unsigned set) {
    return std::uint64_t{1} << set;
}

} // namespace

// Many ranges are found through an index by the first bits of the address; their classes are mostly
// few, and take two bytes then.
template <typename Address> class PrefixSets::Ranges {
  public:
    Class find(Address address) const {
        const Address *from = begins_.data(), *to = from + begins_.size();
        if (!tops_.empty()) {
            const std::size_t top = top_of(address);
            to = from + tops_[top + 1];
            from += tops_[top];
        }
        const Address* next = std::upper_bound(from, to, address);
        if (next == begins_.data()) return 0;
        const auto number = static_cast<std::size_t>(next - begins_.data()) - 1;
        return small_classes_.empty() ? classes_[number] : small_classes_[number];
    }
    // In order; a later one with the same begin replaces an earlier one.
    void add(Address begin, Class of_range) {
        if (!begins_.empty() && begins_.back() == begin) {
            begins_.pop_back();
            classes_.pop_back();
        }
        const Class before = classes_.empty() ? 0 : classes_.back();
        if (before == of_range) return;
        begins_.push_back(begin);
        classes_.push_back(of_range);
    }
    void finish() {
        begins_.shrink_to_fit();
        constexpr Class most_small = std::numeric_limits<std::uint16_t>::max();
        if (std::ranges::all_of(classes_, [](Class one) { return one <= most_small; })) {
            small_classes_.assign(classes_.begin(), classes_.end());
            classes_ = {};
        }
        classes_.shrink_to_fit();
        if (begins_.size() < worth_an_index) return;
        tops_.assign(tops + 1, 0);
        for (const Address& begin : begins_)
            tops_[top_of(begin) + 1]++;
        for (std::size_t i = 0; i < tops; i++)
            tops_[i + 1] += tops_[i];
    }
    std::size_t size() const { return begins_.size(); }
    std::size_t memory() const {
        return begins_.capacity() * sizeof(Address) + classes_.capacity() * sizeof(Class) +
               small_classes_.capacity() * sizeof(std::uint16_t) +
               tops_.capacity() * sizeof(std::uint32_t);
    }

  private:
    static constexpr std::size_t tops = 65'536, worth_an_index = 16'384;

    std::vector<Address> begins_;
    std::vector<Class> classes_; // or, if all of them are small:
    std::vector<std::uint16_t> small_classes_;
    std::vector<std::uint32_t> tops_; // how many ranges begin below these first 16 bits
};

struct PrefixSets::Families {
    Ranges<Address4> v4;
    Ranges<Address6> v6;
};

PrefixSets::PrefixSets() : classes_(1), families_(std::make_unique<Families>()) {
}
PrefixSets::~PrefixSets() = default;

PrefixSets::Class PrefixSets::find(const IpAddress& address) const {
    if (address.version == 4) return families_->v4.find(load_be32(address.raw.data()));
    if (address.version != 6) return 0;
    return families_->v6.find({load_be64(address.raw.data()), load_be64(address.raw.data() + 8)});
}

std::optional<std::uint32_t> PrefixSets::value(Class found, unsigned set) const {
    const KnownClass& known = classes_[found];
    const std::uint64_t valued = known.sets & with_values_;
    if ((valued & bit(set)) == 0) return std::nullopt;
    const auto before = static_cast<std::size_t>(std::popcount(valued & (bit(set) - 1)));
    return values_[known.values + before];
}

std::size_t PrefixSets::ranges() const {
    return families_->v4.size() + families_->v6.size();
}

std::size_t PrefixSets::memory() const {
    return families_->v4.memory() + families_->v6.memory() +
           classes_.capacity() * sizeof(KnownClass) + values_.capacity() * sizeof(std::uint32_t);
}

struct PrefixSetsBuilder::Items {
    std::vector<Item<Address4>> v4;
    std::vector<Item<Address6>> v6;

    // Classes by what they are, and by the class outside and what came to it.
    struct Known {
        using What = std::pair<std::uint64_t, std::vector<std::uint32_t>>;
        // Not <=>: on big endian processors it is a memcmp, of whose length GCC 12 warns without a
        // reason. With a comparison that is named the values are compared one by one.
        struct Before {
            bool operator()(const What& a, const What& b) const {
                if (a.first != b.first) return a.first < b.first;
                return std::lexicographical_compare(a.second.begin(), a.second.end(),
                                                    b.second.begin(), b.second.end(),
                                                    std::less<>{});
            }
        };
        std::map<What, PrefixSets::Class, Before> classes;
        std::map<std::tuple<PrefixSets::Class, unsigned, std::uint32_t>, PrefixSets::Class> steps;
    };
    Known known;

    PrefixSets::Class inside(PrefixSets& sets, PrefixSets::Class outside, unsigned set,
                             std::uint32_t value);
    template <typename Address>
    void join(PrefixSets& sets, std::vector<Item<Address>>& items,
              PrefixSets::Ranges<Address>& ranges);
};

PrefixSetsBuilder::PrefixSetsBuilder() : items_(std::make_unique<Items>()) {
}
PrefixSetsBuilder::~PrefixSetsBuilder() = default;

std::optional<unsigned> PrefixSetsBuilder::add_set(bool with_values) {
    if (sets_ == PrefixSets::max_sets) return std::nullopt;
    if (with_values) with_values_ |= bit(sets_);
    return sets_++;
}

void PrefixSetsBuilder::add(unsigned set, const PrefixEntry& entry) {
    const std::uint8_t* raw = entry.prefix.address.raw.data();
    const auto length = static_cast<std::uint8_t>(entry.prefix.length);
    const auto number = static_cast<std::uint8_t>(set);
    if (entry.prefix.address.version == 4)
        items_->v4.push_back({load_be32(raw), entry.value, length, number});
    else
        items_->v6.push_back({{load_be64(raw), load_be64(raw + 8)}, entry.value, length, number});
}

PrefixFileReport PrefixSetsBuilder::add_file(unsigned set, const std::string& path,
                                             FileDescriptor opened) {
    constexpr std::size_t most_networks = 50'000'000;
    PrefixFileReport report;
    const auto take = [&](std::string_view word, const profile::ListLine& line) {
        if (const auto entry = parse_line(word, line.rest)) {
            if (report.networks++ < most_networks) add(set, *entry);
            return;
        }
        constexpr std::size_t told = 3, shown = 60;
        if (report.bad_lines++ < told)
            report.complaints.push_back(path + ":" + std::to_string(line.number) +
                                        ": bad network : " + std::string(word.substr(0, shown)));
    };
    if (!opened) opened = open_regular(path, &report.error);
    if (!opened) return report;
    const profile::ListFileResult read = profile::scan_list_file(path, take, std::move(opened));
    if (!read.ok)
        report.error = read.error.starts_with(path) ? read.error : path + ": " + read.error;
    else if (read.utf16)
        report.error = path + ": this is UTF-16, a list is UTF-8";
    else if (report.networks > most_networks)
        report.error = path + ": more than " + std::to_string(most_networks) + " networks";
    report.ok = report.error.empty();
    return report;
}

PrefixSets::Class PrefixSetsBuilder::Items::inside(PrefixSets& sets, PrefixSets::Class outside,
                                                   unsigned set, std::uint32_t value) {
    const bool valued = (sets.with_values_ & bit(set)) != 0;
    const auto [step, fresh] = known.steps.try_emplace({outside, set, valued ? value : 0}, 0);
    if (!fresh) return step->second;
    const PrefixSets::KnownClass before = sets.classes_[outside];
    const std::uint64_t with_values = before.sets & sets.with_values_;
    const auto from = sets.values_.begin() + static_cast<std::ptrdiff_t>(before.values);
    std::vector<std::uint32_t> values(from, from + std::popcount(with_values));
    if (valued) {
        const auto at = values.begin() + std::popcount(with_values & (bit(set) - 1));
        if ((with_values & bit(set)) != 0)
            *at = value;
        else
            values.insert(at, value);
    }
    const auto [found, made] = known.classes.try_emplace(
        {before.sets | bit(set), values}, static_cast<PrefixSets::Class>(sets.classes_.size()));
    if (made) {
        sets.classes_.push_back(
            {before.sets | bit(set), static_cast<std::uint32_t>(sets.values_.size())});
        sets.values_.insert(sets.values_.end(), values.begin(), values.end());
    }
    step->second = found->second;
    return step->second;
}

template <typename Address>
void PrefixSetsBuilder::Items::join(PrefixSets& sets, std::vector<Item<Address>>& items,
                                    PrefixSets::Ranges<Address>& ranges) {
    // The wider first; of equal ones the largest value last, so that it is the one that stays.
    std::sort(items.begin(), items.end(), [](const auto& a, const auto& b) {
        return std::tie(a.first, a.length, a.set, a.value) <
               std::tie(b.first, b.length, b.set, b.value);
    });
    struct Open {
        Address last;
        PrefixSets::Class of_it;
    };
    std::vector<Open> open;
    const auto close = [&] {
        Address next = open.back().last;
        open.pop_back();
        const bool more = increment(next);
        // Whoever ends here too is closed next and says it again.
        if (more) ranges.add(next, open.empty() ? 0 : open.back().of_it);
    };
    for (const Item<Address>& item : items) {
        while (!open.empty() && open.back().last < item.first)
            close();
        const PrefixSets::Class outside = open.empty() ? 0 : open.back().of_it;
        open.push_back(
            {last_of(item.first, item.length), inside(sets, outside, item.set, item.value)});
        ranges.add(item.first, open.back().of_it);
    }
    while (!open.empty())
        close();
    ranges.finish();
    items = {};
}

std::unique_ptr<const PrefixSets> PrefixSetsBuilder::build() {
    std::unique_ptr<PrefixSets> sets(new PrefixSets());
    sets->with_values_ = with_values_;
    items_->known = {};
    items_->known.classes[{0, {}}] = 0;
    items_->join(*sets, items_->v4, sets->families_->v4);
    items_->join(*sets, items_->v6, sets->families_->v6);
    sets->classes_.shrink_to_fit();
    sets->values_.shrink_to_fit();
    return sets;
}

} // namespace nfqws2::rules
