// Running a profile's Lua instances on one packet: which of them are due, the `desync` table, the
// calls, the verdict (docs/contracts/lua-bridge.md#when-instances-are-called).
#pragma once

#include "nfqws2/capture/packet_io.hpp"
#include "nfqws2/lua/eras.hpp"
#include "nfqws2/lua/packet_view.hpp"
#include "nfqws2/lua/state.hpp"
#include "nfqws2/profile/profile_set.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::lua {

// Why an instance of the packet's profile was not called, or what it was called for in vain
// (error).
enum class Skipped : std::uint8_t {
    payload,
    range,
    ct_state,
    cutoff,
    lua_cutoff,
    plan_cancelled,
    error,
};

// Told what becomes of every instance of a packet's profile (--trace), in order: either skipped(),
// or calling() and then returned() or failed().
class InstanceObserver {
  public:
    virtual ~InstanceObserver() = default;
    virtual void skipped(const profile::LuaInstance& instance, Skipped why) = 0;
    virtual void calling(const profile::LuaInstance& instance) = 0;
    virtual void returned(int verdict) = 0; // pass, modify or drop: 0, 1, 2
    virtual void failed(std::string_view error) = 0;
    virtual void rebuild_failed(std::string_view error) = 0; // after all instances
};

struct DesyncCall;

class Desync {
  public:
    explicit Desync(State& state);
    ~Desync();

    // Interns names and arguments of all instances. False: a desync function does not exist
    // (logged).
    bool prepare(const profile::ProfileSet& profiles);
    // nullptr: nobody watches.
    void set_observer(InstanceObserver* observer) { observer_ = observer; }
    // The result's bytes live in the buffer of the state: valid until Lua runs again. Of a merged
    // packet it may be `split`: an instance that said it only looks wants its pieces, and was
    // reported.
    capture::Verdict run(const PacketView& view);
    // Whether the function of an instance said so, by its index in the profile.
    bool takes_merged(const profile::Profile& profile, std::size_t instance);
    std::uint64_t errors() const { return errors_; }
    // What was prepared, and what a reload prepares.
    Eras& eras() { return eras_; }
    const Eras& eras() const { return eras_; }
    // What orchestrators have learned under these keys is forgotten: autostate[KEY].
    void forget_states(const std::vector<std::string>& keys);

  private:
    struct Run;
    struct Deeds;

    capture::Verdict run_protected(const PacketView& view, bool cuts);
    void run_due(Run& run);
    int push_table(const PacketView& view); // where it is on the stack
    int refuse(const PreparedInstance& prepared, DesyncCall& running);
    bool wants_pieces(Run& run, PreparedInstance& prepared, Deeds deeds);
    bool push_arguments(const PreparedInstance& instance, int desync_index);
    bool substitute(const PreparedInstance& instance, std::string_view value, int desync_index);
    std::optional<int> call(const PacketView& view, const profile::LuaInstance& instance,
                            const PreparedInstance& prepared, int desync_index,
                            DesyncCall& running);
    void show_replacement(Bytes packet, int desync_index);
    std::optional<int> verdict_of(int result_count, const PacketView& view,
                                  const profile::LuaInstance& instance);
    capture::Verdict rebuild(const PacketView& view, int desync_index, bool preserve_next);
    capture::Verdict failed();
    std::nullopt_t instance_failed(std::string_view error);
    // The rest of the instances, from index `from` on, are not called for the same reason.
    void tell_skipped(const profile::Profile& profile, std::size_t from, Skipped why);

    State& state_;
    Eras eras_;
    int run_ref_ = LUA_NOREF; // the function around run_due()
    std::uint64_t errors_ = 0;
    InstanceObserver* observer_ = nullptr;
    std::string substitute_error_; // why substitute() failed last
    // Of the packet, by scripts: what goes on now, and where the next one is put.
    std::array<std::vector<std::uint8_t>, 2> replacements_;
};

} // namespace nfqws2::lua
