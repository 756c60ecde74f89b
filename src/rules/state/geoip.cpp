#include "nfqws2/rules/state/geoip.hpp"

#if NFQWS2_HAVE_GEOIP
#include <maxminddb.h>
#endif

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace nfqws2::rules {
namespace {

// ISO 3166-1, and XK.
constexpr std::string_view countries = "ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOB"
                                       "QBRBSBTBVBWBYBZCACCCDCFCGCHCICKCLCMCN"
                                       "COCRCUCVCWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBG"
                                       "DGEGFGGGHGIGLGMGNGPGQGRGSGTGUGWGYHKHM"
                                       "HNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZL"
                                       "ALBLCLILKLRLSLTLULVLYMAMCMDMEMFMGMHMK"
                                       "MLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOMPAP"
                                       "EPFPGPHPKPLPMPNPRPSPTPWPYQARERORSRURW"
                                       "SASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLT"
                                       "MTNTOTRTTTVTWTZUAUGUMUSUYUZVAVCVEVGVI"
                                       "VNVUWFWSXKYEYTZAZMZW";
constexpr std::string_view continents = "AFANASEUNAOCSA";

bool is_in(std::string_view codes, GeoCode code) {
    for (std::size_t i = 0; i < codes.size(); i += 2)
        if (GeoCode::of(codes.substr(i, 2)) == code) return true;
    return false;
}

} // namespace

GeoCode GeoCode::of(std::string_view text) {
    const auto capital = [](char c) { return c >= 'A' && c <= 'Z'; };
    GeoCode code;
    if (text.size() == 2 && capital(text[0]) && capital(text[1]))
        code.code = static_cast<std::uint16_t>(text[0] << 8 | text[1]);
    return code;
}

std::string GeoCode::text() const {
    if (code == 0) return "";
    return {static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
}

bool is_country_code(GeoCode code) {
    return is_in(countries, code);
}

bool is_continent_code(GeoCode code) {
    return is_in(continents, code);
}

#if NFQWS2_HAVE_GEOIP

namespace {

// A file of our own in the place for temporary ones, gone when this ends; who has mapped it keeps
// what it holds. A memfd would do, but the sandbox forbids it.
class PrivateCopy {
  public:
    PrivateCopy() = default;
    PrivateCopy(const PrivateCopy&) = delete;
    PrivateCopy& operator=(const PrivateCopy&) = delete;
    ~PrivateCopy() {
        if (file_) unlink(path_.c_str());
    }
    // False: *error says why.
    bool fill(const FileDescriptor& from, std::string* error) {
        struct stat st {};
        if (fstat(from.get(), &st) != 0 || !S_ISREG(st.st_mode)) {
            *error = "not a regular file";
            return false;
        }
        if (static_cast<std::size_t>(st.st_size) > GeoDatabases::largest_file) {
            *error = "larger than 512 MB";
            return false;
        }
        const char* place = std::getenv("TMPDIR");
        path_ = std::string(place != nullptr && place[0] == '/' ? place : "/tmp") +
                "/nfqws2-geoip-XXXXXX";
        file_.reset(mkostemp(path_.data(), O_CLOEXEC));
        if (file_ && copy(from)) return true;
        *error = std::strerror(errno);
        return false;
    }
    const std::string& path() const { return path_; }
    std::size_t size() const { return size_; }

  private:
    bool copy(const FileDescriptor& from) {
        std::vector<char> buffer(256 * 1024);
        while (size_ < GeoDatabases::largest_file) {
            const ssize_t got =
                pread(from.get(), buffer.data(), buffer.size(), static_cast<off_t>(size_));
            if (got == 0) return true;
            if (got < 0 || write(file_.get(), buffer.data(), static_cast<std::size_t>(got)) != got)
                return false;
            size_ += static_cast<std::size_t>(got);
        }
        return true;
    }

    FileDescriptor file_;
    std::string path_;
    std::size_t size_ = 0;
};

} // namespace

class GeoDatabases::File {
  public:
    ~File() {
        if (open_) MMDB_close(&database_);
    }
    bool open(const PrivateCopy& copy, std::string* error) {
        const int status = MMDB_open(copy.path().c_str(), MMDB_MODE_MMAP, &database_);
        open_ = status == MMDB_SUCCESS;
        size_ = copy.size();
        if (!open_) *error = MMDB_strerror(status);
        return open_;
    }
    std::size_t size() const { return size_; }

    // False: the database does not know the address.
    bool find(const IpAddress& address, GeoPlace& place) const {
        sockaddr_storage where{};
        if (address.version == 4) {
            auto& v4 = reinterpret_cast<sockaddr_in&>(where);
            v4.sin_family = AF_INET;
            std::memcpy(&v4.sin_addr, address.raw.data(), 4);
        } else {
            auto& v6 = reinterpret_cast<sockaddr_in6&>(where);
            v6.sin6_family = AF_INET6;
            std::memcpy(&v6.sin6_addr, address.raw.data(), 16);
        }
        int error = 0;
        MMDB_lookup_result_s found =
            MMDB_lookup_sockaddr(&database_, reinterpret_cast<const sockaddr*>(&where), &error);
        if (error != MMDB_SUCCESS || !found.found_entry) return false;
        place.country = code(found, "country", "iso_code");
        if (!place.country) place.country = code(found, "registered_country", "iso_code");
        place.continent = code(found, "continent", "code");
        return true;
    }

  private:
    static GeoCode code(MMDB_lookup_result_s& found, const char* table, const char* key) {
        MMDB_entry_data_s data{};
        const char* const path[] = {table, key, nullptr};
        if (MMDB_aget_value(&found.entry, &data, path) != MMDB_SUCCESS || !data.has_data ||
            data.type != MMDB_DATA_TYPE_UTF8_STRING)
            return {};
        return GeoCode::of({data.utf8_string, data.data_size});
    }

    MMDB_s database_{};
    bool open_ = false;
    std::size_t size_ = 0;
};

bool GeoDatabases::available(std::string*) {
    return true;
}

bool GeoDatabases::add(const std::string& path, std::string* error, FileDescriptor opened) {
    const FileDescriptor from =
        opened ? std::move(opened)
               : FileDescriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    std::string why;
    if (!from) {
        *error = path + ": " + std::strerror(errno);
        return false;
    }
    PrivateCopy copy;
    auto file = std::make_unique<File>();
    if (!copy.fill(from, &why) || !file->open(copy, &why)) {
        *error = path + ": not a MaxMind database: " + why;
        return false;
    }
    files_.push_back(std::move(file));
    share_.set(memory());
    return true;
}

GeoPlace GeoDatabases::find(const IpAddress& address) const {
    GeoPlace place;
    for (const auto& file : files_)
        if (file->find(address, place)) break;
    return place;
}

std::size_t GeoDatabases::memory() const {
    std::size_t sum = 0;
    for (const auto& file : files_)
        sum += file->size();
    return sum;
}

#else

class GeoDatabases::File {};

bool GeoDatabases::available(std::string* why_not) {
    *why_not = "geoip is not part of this build";
    return false;
}

bool GeoDatabases::add(const std::string&, std::string* error, FileDescriptor) {
    available(error);
    return false;
}

GeoPlace GeoDatabases::find(const IpAddress&) const {
    return {};
}

std::size_t GeoDatabases::memory() const {
    return 0;
}

#endif

GeoDatabases::GeoDatabases(MemoryBudget* budget) : share_(budget, MemoryBudget::Part::lists) {
}
GeoDatabases::~GeoDatabases() = default;

GeoPlace GeoCache::find(const std::shared_ptr<const GeoDatabases>& databases,
                        const IpAddress& address) {
    if (of_ != databases || known_.empty()) {
        of_ = databases;
        known_.assign(entries, {});
    }
    Entry& entry = known_[table_hash(key_, address.bytes()) % entries];
    if (entry.address != address) entry = {address, databases->find(address)};
    return entry.place;
}

} // namespace nfqws2::rules
