// Country and continent of an address from MaxMind databases, through libmaxminddb. The file is
// copied into a file of our own, without a name, before it is mapped: a database that is truncated
// in place while mapped would end the process with SIGBUS. The copy counts in the memory budget.
//
// Opened databases are immutable and safe for any thread; GeoCache belongs to one worker.
#pragma once

#include "nfqws2/base/file.hpp"
#include "nfqws2/base/ip_address.hpp"
#include "nfqws2/base/memory_budget.hpp"
#include "nfqws2/base/siphash.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::rules {

// Two capital letters; none where the database does not tell.
struct GeoCode {
    std::uint16_t code = 0;
    static GeoCode of(std::string_view two_letters); // none for anything else
    std::string text() const;
    explicit operator bool() const { return code != 0; }
    bool operator==(const GeoCode&) const = default;
};
bool is_country_code(GeoCode code);   // ISO 3166-1, and XK
bool is_continent_code(GeoCode code); // AF AN AS EU NA OC SA

struct GeoPlace {
    GeoCode country;   // country.iso_code, else registered_country.iso_code
    GeoCode continent; // continent.code
    bool operator==(const GeoPlace&) const = default;
};

class GeoDatabases {
  public:
    static constexpr std::size_t largest_file = 512 * 1024 * 1024;
    // Whether this build and this machine can read databases; else why not.
    static bool available(std::string* why_not);

    // Any thread. `opened`: the file is open already. Copies and checks the file. On error false,
    // with one line in `*error` ("PATH: not a MaxMind database: ..."), and the others stay.
    bool add(const std::string& path, std::string* error, FileDescriptor opened = {});
    // The first database that knows the address; nothing where none does or it is damaged there.
    GeoPlace find(const IpAddress& address) const;
    bool empty() const { return files_.empty(); }
    std::size_t memory() const; // bytes

    explicit GeoDatabases(MemoryBudget* budget = nullptr);
    ~GeoDatabases();
    GeoDatabases(const GeoDatabases&) = delete;
    GeoDatabases& operator=(const GeoDatabases&) = delete;

  private:
    class File;
    std::vector<std::unique_ptr<File>> files_;
    MemoryShare share_;
};

// The last answers: 4,096 of them, chosen by keyed hash, 96 KiB.
class GeoCache {
  public:
    static constexpr std::size_t entries = 4096;
    explicit GeoCache(const SipKey& key = SipKey::of_process()) : key_(key) {}
    // Forgets everything when the databases are others than before.
    GeoPlace find(const std::shared_ptr<const GeoDatabases>& databases, const IpAddress& address);

  private:
    struct Entry {
        IpAddress address;
        GeoPlace place;
    };
    SipKey key_;
    std::shared_ptr<const GeoDatabases> of_;
    std::vector<Entry> known_; // empty before the first question
};

} // namespace nfqws2::rules
