// The options in force, as far as the next reload compares with them.
#pragma once

#include "nfqws2/base/siphash.hpp"
#include "nfqws2/lua/init.hpp"
#include "options/arguments.hpp"
#include "reload/option_set.hpp"

#include <map>
#include <string>
#include <vector>

namespace nfqws2::app {

struct InForce {
    struct LuaItem {
        lua::LuaInit item;
        Hash128 content; // of the file, or of the text
    };
    Arguments arguments;
    OptionSet set;
    std::map<std::string, Hash128> blobs; // by name; their bytes are in Lua alone
    std::vector<LuaItem> lua;
    bool uses_ssid = false;
};

Hash128 fingerprint(Bytes data);
std::map<std::string, Hash128> fingerprints(const std::vector<lua::Blob>& blobs);
std::vector<InForce::LuaItem> read_lua_items(const std::vector<lua::LuaInit>& items);

} // namespace nfqws2::app
