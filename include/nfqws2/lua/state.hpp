// The Lua state of a worker: the engine with its libraries, less what is taken away from scripts,
// the globals, the --lua-init items, the interrupt
// (docs/contracts/lua-bridge.md#life-of-the-state). What lives as long as the state belongs to it:
// guard, timers, what is kept in the registry, the buffer packets are rebuilt in.
#pragma once

#include "nfqws2/lua/guard.hpp"
#include "nfqws2/lua/init.hpp"
#include "nfqws2/lua/learned.hpp"
#include "nfqws2/lua/lua.hpp"
#include "nfqws2/lua/services.hpp"
#include "nfqws2/lua/timers.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace nfqws2::lua {

class Attachments;
struct DesyncCall;
class DesyncTable;
class FlowStates;
struct NfluaHost;
struct PacketScratch;
class Shedder;

// Of the modules behind `require`, alive now.
struct ModuleObjects {
    unsigned handles = 0, objects = 0;
    std::uint64_t lost_events = 0; // times that events of nfct came too fast
};

class State {
  public:
    State(const Services& services, const Limits& limits);
    ~State();
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    // Creates the state and all globals. `seeded`: math.random follows the seed of `random` and
    // math.randomseed ignores its argument. False: logged.
    bool open(std::vector<Blob> blobs, const Globals& globals, bool seeded);
    // Runs the items in order; false at the first error (logged) or when `stop` says so. `failed`
    // gets the index of the item with the error.
    bool run_init(std::span<const LuaInit> items, const std::function<bool()>& stop,
                  std::optional<std::size_t>* failed = nullptr);

    // Runs a program of its own: `arg`, `...`, modules beside its file. Failures are logged.
    ScriptEnd run_script(const Script& script);
    // Runs code from outside between packets, with the limits of a call. The error, logged too;
    // "" if there is none.
    std::string run_code(const std::string& name, const std::string& code);

    // The global variables with the types of their values ("function", "string", ...).
    std::vector<std::pair<std::string, std::string>> globals() const;

    // Whether a global variable is a string that `same` says yes to.
    bool global_is(const std::string& name, const std::function<bool(Bytes)>& same) const;

    // Raises the error INTERRUPT in running Lua code. Async-signal-safe.
    void interrupt() { guard_.interrupt(); }
    // Full collection when `period_s` have passed since the last (0 = never); the first call
    // collects. Every call adapts the pause of the incremental collector to the size of the heap.
    void collect_garbage(unsigned period_s);
    // Fires the timers that are due; how many failed.
    unsigned run_timers() { return timers_.run_due(L_, services_.clock.boot_ms()); }
    // The flow ends: what scripts keep of it goes too.
    void forget(flow::Track& track);
    // Of a flow with a strategy of `learn`.
    std::optional<Learned> learned(const flow::Track& track) const;

    lua_State* lua() const { return L_; } // nullptr before open()
    const Services& services() const { return services_; }
    Guard& guard() { return guard_; }
    const Guard& guard() const { return guard_; }
    // Whether scripts want to see frames, see PacketView::frame.
    bool wants_frames() const;
    std::uint64_t sent() const { return sent_; } // packets that scripts have sent
    Timers& timers() { return timers_; }
    const Timers& timers() const { return timers_; }

    // For the room itself.
    void count_sent(unsigned packets) { sent_ += packets; }
    FlowStates& flow_states() { return *flow_states_; }
    DesyncTable& desync_table() { return *desync_table_; }
    Attachments& attachments() { return *attachments_; }
    ModuleObjects& module_objects() { return module_objects_; }
    PacketScratch& scratch() { return *scratch_; }
    Shedder& shedder() { return *shedder_; }
    NfluaHost& nflua() { return *nflua_; }
    const NfluaHost& nflua() const { return *nflua_; }
    bool in_init() const { return in_init_; }                  // an item of --lua-init runs
    DesyncCall* running_call() const { return running_call_; } // nullptr: none

  private:
    friend class CallScope;

    void load_libraries(bool report);
    void set_globals(std::span<const Blob> blobs, const Globals& globals);
    void wrap_os_functions();
    bool load(const LuaInit& item);
    bool run_item(const LuaInit& item);
    void adapt_pause();

    const Services services_;
    Guard guard_;
    Timers timers_{guard_};
    std::unique_ptr<FlowStates> flow_states_;
    std::unique_ptr<DesyncTable> desync_table_;
    std::unique_ptr<PacketScratch> scratch_;
    std::unique_ptr<Shedder> shedder_;
    std::unique_ptr<Attachments> attachments_;
    ModuleObjects module_objects_;
    std::unique_ptr<NfluaHost> nflua_;
    lua_State* L_ = nullptr;
    DesyncCall* running_call_ = nullptr;
    std::string pending_warning_; // of Lua's warn(), until its last part
    std::uint64_t sent_ = 0;
    std::int64_t next_gc_ms_ = 0;
    int large_heap_kb_ = 0; // beyond it
    bool large_heap_ = false;
    bool in_init_ = false;
};

} // namespace nfqws2::lua
