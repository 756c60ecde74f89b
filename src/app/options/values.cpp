#include "options/values.hpp"

#include "nfqws2/base/output_file.hpp"
#include "nfqws2/base/text.hpp"

#include <cerrno>
#include <cstring>
#include <grp.h>
#include <pwd.h>

namespace nfqws2::app {

bool parse_flag(const std::optional<std::string>& value) {
    if (!value) return true;
    if (value->empty()) return false;
    const auto number = decimal(*value, UINT32_MAX);
    if (!number) throw BadValue("bad value '" + *value + "', should be 0 or 1");
    return *number != 0;
}

namespace {

// Not as --filter-mark has it: the reference refuses 0X here.
std::optional<std::uint64_t> mark_number(const std::string& text) {
    std::optional<std::uint64_t> mark;
    if (text.starts_with("0x")) {
        const std::string digits = text.substr(2);
        if (!digits.empty() && digits.size() <= 8 &&
            digits.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos)
            mark = std::stoul(digits, nullptr, 16);
    } else {
        mark = decimal(text, UINT32_MAX);
    }
    return mark;
}

} // namespace

std::uint32_t parse_mark(const std::string& text) {
    const auto mark = mark_number(text);
    if (!mark) throw BadValue("mark should be decimal or 0xHEX : " + text);
    return static_cast<std::uint32_t>(*mark);
}

std::uint32_t parse_fwmark(const std::string& text) {
    const auto mark = mark_number(text);
    if (!mark || *mark == 0)
        throw BadValue("fwmark/sockarg should be decimal or 0xHEX and should not be zero : " +
                       text);
    return static_cast<std::uint32_t>(*mark);
}

flow::TableOptions parse_ctrack_timeouts(const std::string& text, flow::TableOptions base) {
    const auto items = split(text, ':');
    std::uint32_t* const targets[] = {&base.timeout_syn, &base.timeout_established,
                                      &base.timeout_fin, &base.timeout_udp};
    bool good = items.size() == 3 || items.size() == 4;
    for (std::size_t i = 0; good && i < items.size(); i++) {
        const auto seconds = decimal(items[i], UINT32_MAX);
        good = seconds.has_value();
        if (good) *targets[i] = static_cast<std::uint32_t>(*seconds);
    }
    if (!good)
        throw BadValue("invalid ctrack-timeouts value : " + text +
                       " (should be syn:established:fin[:udp] in seconds, e.g. 60:300:60:60)");
    return base;
}

Privileges parse_uid(const std::string& text, Privileges base) {
    constexpr std::size_t max_gids = 64;
    const std::size_t colon = text.find(':');
    const auto uid = decimal(std::string_view(text).substr(0, colon), UINT32_MAX);
    std::vector<unsigned> gids;
    bool good = uid.has_value();
    if (colon == std::string::npos) {
        gids.push_back(default_id);
    } else {
        for (const auto item : split(std::string_view(text).substr(colon + 1), ',')) {
            const auto gid = decimal(item, UINT32_MAX);
            good = good && gid && gids.size() < max_gids;
            if (good) gids.push_back(static_cast<unsigned>(*gid));
        }
    }
    if (!good)
        throw BadValue("--uid should be : uid[:gid,gid,...] : " + text +
                       " (numbers; for a name use --user)");
    base.drop = true;
    base.by_user = false;
    base.user.clear();
    base.uid = static_cast<unsigned>(*uid);
    base.gids = std::move(gids);
    return base;
}

Privileges parse_user(const std::string& name, Privileges base) {
    const passwd* entry = getpwnam(name.c_str());
    if (entry == nullptr) throw BadValue("non-existent username supplied : " + name);
    base.drop = true;
    base.by_user = true;
    base.user = name;
    base.uid = entry->pw_uid;
    base.gids = {entry->pw_gid};
    return base;
}

unsigned parse_group(const std::string& text) {
    if (const auto gid = parse_uint(text, UINT32_MAX - 1)) return static_cast<unsigned>(*gid);
    const group* entry = getgrnam(text.c_str());
    if (entry == nullptr) throw BadValue("non-existent group : " + text);
    return entry->gr_gid;
}

std::vector<capture::Network> parse_networks(const std::string& text) {
    std::vector<capture::Network> networks;
    for (const auto item : split(text, ',')) {
        const std::size_t slash = item.find('/');
        const auto address = IpAddress::parse(item.substr(0, slash));
        const unsigned bits = address && address->version == 4 ? 32 : 128;
        std::optional<std::uint64_t> prefix = bits;
        if (slash != std::string_view::npos) prefix = decimal(item.substr(slash + 1), bits);
        if (!address || !prefix)
            throw BadValue("bad ip or subnet : " + std::string(item) +
                           " (e.g. 192.0.2.10,2001:db8::/64)");
        networks.push_back({*address, static_cast<unsigned>(*prefix)});
    }
    return networks;
}

lua::LuaInit parse_lua_code(const std::string& text, const char* option) {
    if (text.starts_with('@')) return {true, made_absolute(text.substr(1))};
    // Never a Lua statement.
    const bool is_name = text.find_first_of(" \t\r\n=(;") == std::string::npos;
    if (is_name && (text.ends_with(".lua") || text.ends_with(".lua.gz")))
        throw BadValue("'" + text + "' is no Lua code, to run a file write --" + option + "=@" +
                       text);
    return {false, text};
}

namespace {

BadValue bad_file(const std::string& path) {
    return BadValue("bad file '" + path + "' (" +
                    (path.empty() ? "empty name" : std::strerror(errno)) + ")");
}

} // namespace

std::string made_absolute(const std::string& path) {
    auto absolute = absolute_path(path);
    if (!absolute) throw bad_file(path);
    return *absolute;
}

std::string output_path(const std::string& path) {
    auto full = full_path(path);
    if (!full) throw bad_file(path);
    return *full;
}

} // namespace nfqws2::app
