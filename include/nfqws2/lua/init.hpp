// What a Lua state begins with (docs/contracts/lua-bridge.md#life-of-the-state).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace nfqws2::lua {

// A global string of bytes: --blob.
struct Blob {
    std::string name;
    std::vector<std::uint8_t> data;
};

// One --lua-init: a file (absolute path) or source text.
struct LuaInit {
    bool is_file = false;
    std::string text;
};

// What the global variables tell scripts about the program.
struct Globals {
    std::string version;
    std::string writable; // "" = none
    std::uint32_t qnum = 0xFFFFFFFF;
    unsigned worker = 0; // the first one tells about the engine
    bool debug = false, daemon = false, server = false;
    bool ipcache_hostname = false, ctrack_disable = false;
};

} // namespace nfqws2::lua
