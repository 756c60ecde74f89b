// The Lua state of a worker: libraries, what is taken away from scripts, globals, the
// --lua-init items, the interrupt (docs/contracts/lua-bridge.md#life-of-the-state).
#pragma once

#include "nfqws2/lua/host.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace nfqws2::lua {

struct NamedBlob {
    std::string name;
    std::vector<std::uint8_t> data;
};

struct InitItem {
    bool is_file = false;
    std::string text; // absolute path or source
};

struct Globals {
    std::string version;
    std::string writable; // "" = none
    std::uint32_t qnum = 0xFFFFFFFF;
    unsigned worker = 0; // the first one tells about the engine
    bool debug = false, daemon = false, server = false;
    bool ipcache_hostname = false, ctrack_disable = false;
};

class State {
  public:
    explicit State(Host& host);
    ~State();
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    // Creates the state and all globals. `seeded`: math.random follows host.random's seed and
    // math.randomseed ignores its argument. The blobs' memory is released. False: logged.
    bool open(std::vector<NamedBlob>& blobs, const Globals& globals, bool seeded);
    // Runs the items in order; false at the first error (logged) or when `stop` says so. `failed`
    // gets the index of the item with the error.
    bool run_init(std::span<const InitItem> items, const std::function<bool()>& stop,
                  std::optional<std::size_t>* failed = nullptr);

    // The global variables with the types of their values ("function", "string", ...).
    std::vector<std::pair<std::string, std::string>> globals() const;

    // Raises the error INTERRUPT in running Lua code. Async-signal-safe.
    void interrupt();
    // Full collection when `period_s` have passed since the last (0 = never); the first call
    // collects. Every call adapts the pause of the incremental collector to the size of the heap.
    void collect_garbage(unsigned period_s);

  private:
    bool load(const InitItem& item);
    bool run_item(const InitItem& item);
    void adapt_pause();

    Host& host_;
    std::int64_t next_gc_ms_ = 0;
    int large_heap_kb_ = 0; // beyond it
    bool large_heap_ = false;
};

// Stack index of the message handler that every protected call of ours names; it turns the error
// value into text and adds a traceback.
inline constexpr int message_handler_index = 1;

// Pops the error value left by a failed protected call and logs it: "LUA ERROR: <message>", then
// `where` (may be empty) and the traceback. Returns the message.
std::string log_lua_error(lua_State* L, const std::string& where);

} // namespace nfqws2::lua
