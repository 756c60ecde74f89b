// Helpers of the profile tests: temporary files, profiles from option words, packet queries.
#pragma once

#include "nfqws2/profile/filter_table.hpp"
#include "nfqws2/profile/list_store.hpp"
#include "nfqws2/profile/profile_builder.hpp"
#include "nfqws2/profile/profile_set.hpp"

#include <gtest/gtest.h>

#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace nfqws2::profile::testing {

class TempDir {
  public:
    TempDir() {
        std::string name = (std::filesystem::temp_directory_path() / "profile.XXXXXX").string();
        path_ = std::filesystem::canonical(mkdtemp(name.data()));
    }
    ~TempDir() { std::filesystem::remove_all(path_); }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;

    std::string file(const std::string& name) const { return path_ / name; }
    std::string write(const std::string& name, const std::string& text) const {
        std::ofstream(file(name), std::ios::binary) << text;
        return file(name);
    }
    std::string read(const std::string& name) const {
        std::ifstream in(file(name), std::ios::binary);
        std::stringstream text;
        text << in.rdbuf();
        return text.str();
    }

  private:
    std::filesystem::path path_;
};

inline std::string gzip(const std::string& text) {
    z_stream stream{};
    deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    std::string packed(deflateBound(&stream, text.size()) + 64, '\0');
    std::string input = text;
    stream.next_in = reinterpret_cast<Bytef*>(input.data());
    stream.avail_in = static_cast<uInt>(input.size());
    stream.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    deflate(&stream, Z_FINISH);
    packed.resize(stream.total_out);
    deflateEnd(&stream);
    return packed;
}

// Passes "--option=value" words to a builder.
class Options {
  public:
    explicit Options(ListStore& lists) : builder_(lists) {}

    bool give(const std::string& word) {
        using Method = void (ProfileBuilder::*)(std::string_view);
        using B = ProfileBuilder;
        static const std::map<std::string, Method> methods = {
            {"--new", &B::new_profile},
            {"--skip", &B::skip},
            {"--name", &B::set_name},
            {"--template", &B::set_template},
            {"--import", &B::import},
            {"--cookie", &B::set_cookie},
            {"--ipset", &B::ipset},
            {"--ipset-exclude", &B::ipset_exclude},
            {"--ipset-ip", &B::ipset_ip},
            {"--ipset-exclude-ip", &B::ipset_exclude_ip},
            {"--hostlist", &B::hostlist},
            {"--hostlist-exclude", &B::hostlist_exclude},
            {"--hostlist-domains", &B::hostlist_domains},
            {"--hostlist-exclude-domains", &B::hostlist_exclude_domains},
            {"--hostlist-auto", &B::hostlist_auto},
            {"--hostlist-auto-fail-threshold", &B::auto_fail_threshold},
            {"--hostlist-auto-fail-time", &B::auto_fail_time},
            {"--hostlist-auto-retrans-threshold", &B::auto_retrans_threshold},
            {"--hostlist-auto-retrans-maxseq", &B::auto_retrans_maxseq},
            {"--hostlist-auto-retrans-reset", &B::auto_retrans_reset},
            {"--hostlist-auto-incoming-maxseq", &B::auto_incoming_maxseq},
            {"--hostlist-auto-udp-out", &B::auto_udp_out},
            {"--hostlist-auto-udp-in", &B::auto_udp_in},
            {"--hostlist-auto-max", &B::auto_max},
            {"--payload", &B::payload},
            {"--ct-state", &B::ct_state},
            {"--in-range", &B::in_range},
            {"--out-range", &B::out_range},
            {"--lua-desync", &B::lua_desync},
        };
        const std::size_t equals = word.find('=');
        const std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
        const std::string option = word.substr(0, equals);
        error.clear();
        const std::size_t warned = builder_.warnings().size();
        const bool good = attempt([&] {
            for (const FilterRow& row : filter_rows)
                if (option == std::string("--") + row.option) return builder_.filter(row, value);
            (builder_.*methods.at(option))(value);
        });
        if (builder_.warnings().size() != warned) error = builder_.warnings().back().text;
        return good;
    }
    bool finish() {
        return attempt([&] { built = builder_.finish(); });
    }
    // All words and the end of the command line.
    bool parse(const std::vector<std::string>& words) {
        for (const std::string& word : words)
            if (!give(word)) return false;
        return finish();
    }

    std::string error;
    BuiltProfiles built;

  private:
    template <typename Step> bool attempt(Step&& step) {
        try {
            step();
            return true;
        } catch (const BadValue& e) {
            error = e.what();
            return false;
        }
    }

    ProfileBuilder builder_;
};

// The text without its hints: everything from the first " (" of each line on.
inline std::string without_hints(const std::string& text) {
    std::string out;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);)
        out += (out.empty() ? "" : "\n") + line.substr(0, line.find(" ("));
    return out;
}

inline IpAddress ip(std::string_view text) {
    return *IpAddress::parse(text);
}

inline Query tcp(std::string_view address, std::uint16_t port) {
    Query q;
    q.l4proto = IPPROTO_TCP;
    q.address = ip(address);
    q.port = port;
    return q;
}
inline Query udp(std::string_view address, std::uint16_t port) {
    Query q = tcp(address, port);
    q.l4proto = IPPROTO_UDP;
    return q;
}
inline Query icmp(std::string_view address, std::uint8_t type, std::uint8_t code) {
    Query q = tcp(address, 0);
    q.l4proto = q.address.version == 4 ? std::uint8_t{IPPROTO_ICMP} : std::uint8_t{IPPROTO_ICMPV6};
    q.icmp_type = type;
    q.icmp_code = code;
    return q;
}
inline Query protocol(std::string_view address, std::uint8_t number) {
    Query q = tcp(address, 0);
    q.l4proto = number;
    return q;
}
inline Query with_host(Query q, std::string_view host, bool is_ip = false) {
    q.has_hostname = true;
    q.hostname = host;
    q.hostname_is_ip = is_ip;
    return q;
}

// Profiles, lists and a clock that stands still, from option words.
class World {
  public:
    explicit World(const std::vector<std::string>& words) : lists(clock), options(lists) {
        EXPECT_TRUE(options.parse(words)) << options.error;
        EXPECT_TRUE(lists.load_all());
        profiles = std::make_unique<ProfileSet>(std::move(options.built.profiles), lists, clock);
    }
    std::uint32_t select(const Query& q) const { return profiles->select(q).profile->number; }
    // The filter that refused profile 1, "" if it was chosen.
    std::string refusal(const Query& q) const {
        std::vector<Rejection> rejected;
        profiles->select(q, &rejected);
        return rejected.empty() ? "" : rejected.front().by;
    }
    void advance(double seconds) {
        clock.advance_to(clock.boot_ns() + static_cast<std::int64_t>(seconds * 1e9));
    }

    VirtualClock clock{1'000'000'000'000};
    ListStore lists;
    Options options;
    std::unique_ptr<ProfileSet> profiles;
};

} // namespace nfqws2::profile::testing
