// What a Lua state begins with (docs/contracts/lua-bridge.md#life-of-the-state).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nfqws2::lua {

// A global string of bytes: --blob.
struct Blob {
    std::string name;
    std::vector<std::uint8_t> data;
};

// What a reload makes of blobs: other bytes, or none any more.
struct BlobChange {
    std::string name;
    std::optional<std::vector<std::uint8_t>> data;
};
using BlobChanges = std::vector<BlobChange>;

// Bytes of a file, also inflated: a device must not fill the memory.
inline constexpr std::size_t longest_script = 64 * 1024 * 1024;

// One --lua-init: a file (absolute path) or source text.
struct LuaInit {
    bool is_file = false;
    std::string text;
};

// A program of its own (--lua-run): what it runs, and the words behind "--".
struct Script {
    LuaInit code;
    std::vector<std::string> words;
};

enum class ScriptEnd : std::uint8_t { done, failed, interrupted };

// What of the kernel scripts may reach beside their packets (--lua-allow).
struct KernelAccess {
    bool conntrack = false, queue = false, netlink = false;
};

// Why it cannot be compiled, "" if it can; looks at nothing else and runs nothing. In any thread.
std::string syntax_error(const LuaInit& item);

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
