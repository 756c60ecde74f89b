// Sets of networks, up to 64 joined into one view: one look-up of an address answers for all. What
// is kept are sorted address ranges per family, each with the number of a class, and the classes:
// which sets hold the range, and with what value (docs/rules.md).
//
// A built view is immutable and safe for any thread. Rules of a profile see global and local sets:
// one view for the global ones, shared by all profiles, and one for each profile that has local
// ones, saves building the global ones again for each.
#pragma once

#include "nfqws2/base/file.hpp"
#include "nfqws2/base/ip_address.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::rules {

// A network as rules and set files write it: an address, or address/length with 0..32 or 0..128,
// decimal digits only. Host bits are cut, `host_bits` says that there were some.
struct Prefix {
    IpAddress address;
    unsigned length = 0;
    bool host_bits = false;

    static std::optional<Prefix> parse(std::string_view text);
    bool contains(const IpAddress& other) const; // false for the other family
    bool operator==(const Prefix&) const = default;
};

// A prefix with a value: "P", "P=7"; in a file also "P 7" and "P,7". Decimal or 0x. Default 1.
struct PrefixEntry {
    Prefix prefix;
    std::uint32_t value = 1;

    static std::optional<PrefixEntry> parse(std::string_view text);
};

class PrefixSets {
  public:
    static constexpr unsigned max_sets = 64;

    // What is known of an address. It stays good as long as the view.
    using Class = std::uint32_t; // 0: in no set

    Class find(const IpAddress& address) const;
    bool contains(Class found, unsigned set) const {
        return (classes_[found].sets >> set & 1U) != 0;
    }
    // Bit per set.
    std::uint64_t sets(Class found) const { return classes_[found].sets; }
    // Of the longest matching prefix in that set. Only of sets built with values; else nullopt.
    std::optional<std::uint32_t> value(Class found, unsigned set) const;

    std::size_t ranges() const;
    std::size_t classes() const { return classes_.size(); }
    std::size_t memory() const; // bytes

    ~PrefixSets();
    PrefixSets(const PrefixSets&) = delete;
    PrefixSets& operator=(const PrefixSets&) = delete;

  private:
    friend class PrefixSetsBuilder;
    template <typename Address> class Ranges;
    struct KnownClass {
        std::uint64_t sets = 0;
        std::uint32_t values = 0; // where its values begin
    };
    PrefixSets();

    std::vector<KnownClass> classes_;
    std::vector<std::uint32_t> values_;
    std::uint64_t with_values_ = 0;
    struct Families;
    std::unique_ptr<Families> families_;
};

// What reading a set file gave.
struct PrefixFileReport {
    bool ok = false;
    std::string error;                   // why not: "PATH: No such file or directory"
    std::size_t networks = 0;            // accepted
    std::size_t bad_lines = 0;           // skipped
    std::vector<std::string> complaints; // of the first three: "FILE:LINE: bad network : TEXT"
};

// Any thread, one at a time. Needs 12 bytes an IPv4 and 24 an IPv6 network until build().
class PrefixSetsBuilder {
  public:
    PrefixSetsBuilder();
    ~PrefixSetsBuilder();

    // The number of a new set; nullopt when there are max_sets. `with_values`: value() is asked.
    std::optional<unsigned> add_set(bool with_values);
    void add(unsigned set, const PrefixEntry& entry);
    // Text or gzip, read in pieces as other lists are (nfqws2/profile/list_reader.hpp); 50,000,000
    // networks at most. `opened`: it is open already (the process may not open it itself any more).
    // What was read before an error stays in the set: give the builder up then.
    PrefixFileReport add_file(unsigned set, const std::string& path, FileDescriptor opened = {});

    // Of equal prefixes in one set the largest value counts. Throws std::bad_alloc.
    std::unique_ptr<const PrefixSets> build();

  private:
    struct Items;
    std::unique_ptr<Items> items_;
    unsigned sets_ = 0;
    std::uint64_t with_values_ = 0;
};

} // namespace nfqws2::rules
