// The pipeline: a packet comes in, walks through flow, payload, profile and Lua, and leaves as a
// verdict plus packets of our own (docs/contracts/flows.md#the-way-of-a-packet). It does not know
// where packets come from or go to.
#pragma once

#include "nfqws2/base/clock.hpp"
#include "nfqws2/base/random.hpp"
#include "nfqws2/capture/ct_requests.hpp"
#include "nfqws2/capture/messages.hpp"
#include "nfqws2/capture/packet_io.hpp"
#include "nfqws2/capture/queue_door.hpp"
#include "nfqws2/flow/connection_table.hpp"
#include "nfqws2/flow/ip_cache.hpp"
#include "nfqws2/lua/init.hpp"
#include "nfqws2/lua/learned.hpp"
#include "nfqws2/profile/auto_hosts.hpp"
#include "nfqws2/profile/list_store.hpp"
#include "nfqws2/profile/profile_set.hpp"
#include "nfqws2/protocol/names.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <poll.h>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nfqws2::flow {
class PastHosts;
}
namespace nfqws2::lua {
class FileGate;
class OrderlyEnd;
struct PreparedInstance;
} // namespace nfqws2::lua
namespace nfqws2::store {
class Stores;
}
namespace nfqws2::rules {
class Judge;
struct InForce;
struct Statistics;
struct Tables;
} // namespace nfqws2::rules

namespace nfqws2::engine {

class FlowWatcher;
class Trace;

unsigned default_lua_memory_mb(); // depends on the machine

// What leaves in place of the first held segment of a TLS ClientHello: see engine/fastpath.cpp.
enum class FastpathWorkaround : std::uint8_t { off, on, automatic };

struct Options {
    std::uint32_t desync_fwmark = 0x40000000;
    bool server = false;
    bool ctrack_disable = false;
    bool offload = false;           // tell when a flow is finished
    std::uint32_t offload_mark = 0; // a mark that rules do not set
    FastpathWorkaround fastpath_workaround = FastpathWorkaround::off;
    flow::TableOptions ctrack;
    std::size_t past_hosts = 0; // names to remember whose flows have ended
    protocol::DisableSet payload_disable, reasm_disable;
    std::uint32_t ipcache_lifetime = 7200;
    bool ipcache_hostname = false;
    bool seeded = false; // --seed: math.randomseed ignores its argument
    std::uint64_t seed = 0;

    std::optional<packet::CtSource> ct;      // none: --ct=off
    std::uint32_t ct_state_mark = 0;         // three bits of the packet's mark, 0 = none
    std::vector<std::uint16_t> ct_ftp_ports; // --ct-sim-helper

    // Lua
    std::uint32_t qnum = 0xFFFFFFFF;    // global `qnum`
    unsigned worker = 0;                // which of several engines, from 0
    bool in_thread = false;             // one of several threads uses the engine
    bool debug = false, daemon = false; // globals b_debug, b_daemon
    std::string version;                // global NFQWS2_VER
    std::string writable;               // globals WRITABLE and WRITEABLE, "" = none
    std::vector<lua::Blob> blobs;       // user blobs in order; the standard ones are added
    std::vector<lua::LuaInit> lua_init;
    lua::KernelAccess lua_kernel; // what of the kernel scripts may reach
    bool lua_may_wait = false;    // no packets wait for scripts
    bool offline = false;         // packets come from a capture
    unsigned lua_gc_s = 60;
    unsigned lua_call_ms = 1000;                      // processor time of a call, 0 = no limit
    unsigned lua_wait_ms = 10'000;                    // of waiting in a call, 0 = no limit
    unsigned lua_memory_mb = default_lua_memory_mb(); // of the Lua heap, 0 = no limit
    const lua::FileGate* file_gate = nullptr;         // what scripts may open; nullptr: anything
};

struct Services {
    Clock* clock = nullptr;
    Random* random = nullptr;
    capture::PacketSender* sender = nullptr;
    capture::NetworkInfo* network = nullptr;
    profile::ProfileSet* profiles = nullptr;
    profile::ListStore* lists = nullptr;
    profile::AutoHosts* auto_hosts = nullptr;
    // SSID of an interface name, "" if unknown; may be empty.
    std::function<std::string_view(std::string_view)> ssid_of;
    Trace* trace = nullptr;            // --trace
    flow::IpCache* ip_cache = nullptr; // shared by several engines; else each has its own
    MemoryBudget* memory = nullptr;    // likewise; nullptr: no bound but those of the options
    store::Stores* stores = nullptr;   // what scripts remember; likewise
    capture::CtRequests* ct_requests = nullptr; // the kernel's connections, where they can be asked
    capture::QueueDoor* queues = nullptr;       // that scripts may open
    capture::MessageSender* messages = nullptr; // of scripts; nullptr: off
    lua::OrderlyEnd* end = nullptr;             // of os.exit(); nullptr: at once
    // --rules: what they remember, and those in force at the start. Both or none.
    rules::Tables* rule_tables = nullptr;
    std::shared_ptr<const rules::InForce> rules = nullptr;
    std::function<rules::Statistics()> rule_statistics = {}; // of all engines; any thread
};

struct Counters {
    std::uint64_t packets = 0, accepted = 0, modified = 0, dropped = 0, ignored = 0, lua_errors = 0;
    std::uint64_t bytes = 0, held = 0; // packets that were put aside

    Counters& operator+=(const Counters& more) {
        packets += more.packets;
        bytes += more.bytes;
        accepted += more.accepted;
        modified += more.modified;
        dropped += more.dropped;
        ignored += more.ignored;
        lua_errors += more.lua_errors;
        held += more.held;
        return *this;
    }
};

struct ProfileCounts {
    std::uint64_t flows = 0;   // that chose it
    std::uint64_t packets = 0; // that it was in charge of
};

class Engine final : public capture::PacketHandler {
  public:
    Engine(Options options, Services services);
    ~Engine() override;

    // Makes the Lua state, runs the items, checks functions, see
    // docs/contracts/lua-bridge.md#life-of-the-state. False: logged. May be stopped between items.
    bool init_lua(const std::function<bool()>& stop_requested);
    // The same without that check, for --check; `failed` gets the index of the item with the error.
    bool run_lua_init(const std::function<bool()>& stop_requested,
                      std::optional<std::size_t>* failed);
    // Runs a program of its own (--lua-run).
    lua::ScriptEnd run_script(const lua::Script& script);
    // What scripts have attached to the loop: what is to be watched, until the next call of Lua.
    // Served is what is ready or has no descriptor, at most so many events of each.
    std::span<pollfd> attached();
    bool has_attached() const;
    bool attached_have_more() const; // serve them without waiting
    void serve_attached(unsigned most = 64);
    // Names and types of the global variables of Lua.
    std::vector<std::pair<std::string, std::string>> lua_globals() const;
    // Asks running Lua code to end with the error INTERRUPT. Async-signal-safe.
    void interrupt();
    // The calling thread uses the engine from now on.
    void adopt();

    capture::Verdict on_packet(const capture::InputPacket& packet) override;
    bool wants_frames() const override;

    // Housekeeping for the event loop, called once per turn (after a batch, or on time-out).
    bool has_timers() const;
    std::int64_t next_timer_ms() const;   // boot ms of the next Lua timer, INT64_MAX if none
    std::int64_t next_oneshot_ms() const; // the same for timers that fire once
    int next_wakeup_ms() const; // until a timer, a held packet or an idle flow is due; -1 = none
    void run_timers();          // due Lua timers, overdue held packets
    void collect_garbage();     // --lua-gc, by time
    void release_held();        // program end: held packets leave unmodified

    // A reload: the next profiles are made ready beside those in force, in pieces of less than a
    // millisecond, and replace them between two packets. Flows choose again at their next packet;
    // what is held is replayed by the profiles that held it, which stay until drop_old_profiles()
    // says true. A failure leaves everything as it was.
    struct NextProfiles {
        profile::GenerationPtr profiles;
        lua::BlobChanges blobs;
        std::size_t blob_bytes = 0;         // of all blobs then
        std::vector<std::string> forgotten; // keys of what orchestrators have learned
    };
    enum class Prepared : std::uint8_t { more, ready, failed };
    void begin_profiles(const NextProfiles& next);
    Prepared prepare_profiles(std::string* error);
    bool adopt_profiles(const NextProfiles& next, std::string* error);
    void abandon_profiles();   // those that were begun
    void take_back_profiles(); // those that were adopted last
    bool drop_old_profiles();
    // The stage of the rules; nullptr without --rules.
    rules::Judge* judge();
    const rules::Judge* judge() const;
    // --lua-init items in the state as it is. False: logged.
    bool run_lua_items(std::span<const lua::LuaInit> items);
    // See lua::State::run_code().
    std::string run_lua_code(const std::string& name, const std::string& code);
    // Whether the global is still the blob with these bytes.
    bool blob_is(const std::string& name, const std::function<bool(Bytes)>& same) const;

    const Counters& counters() const;
    ProfileCounts counts_of(std::uint32_t profile) const;
    std::span<const lua::PreparedInstance> instances(std::uint32_t profile) const;
    std::size_t flows() const;
    std::uint64_t flows_seen() const;    // since the start
    std::uint64_t flows_evicted() const; // ended early for want of room
    // See flow::ConnectionTable::scan(). `now_ns` is the time that the flows' stamps are to be
    // compared with.
    std::uint32_t
    scan_flows(std::uint32_t cursor, std::size_t least,
               const std::function<void(const flow::Track&, std::int64_t now_ns)>& visit) const;
    const flow::PastHosts* past_hosts() const; // nullptr without Options::past_hosts
    std::size_t held() const;
    // Between packets; one watcher at a time, the last. False: not beside --trace.
    bool watch(FlowWatcher& watcher);
    void unwatch(const FlowWatcher& watcher); // nothing if it is another one
    // What `learn` has chosen for the flow.
    std::optional<lua::Learned> learned(const flow::Track& track) const;
    void dump_conntrack(const std::function<void(const std::string&)>& line) const; // SIGUSR1
    void dump_ip_cache(const std::function<void(const std::string&)>& line) const;  // SIGUSR2

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace nfqws2::engine
