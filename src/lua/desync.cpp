// Theory of operation. A survey over the profile's instances decides, without touching Lua, whether
// any of them is due for this packet. The `desync` table is built for the first function that is
// called, once, and shared by all instances of the packet; an instance whose conditions are known
// not to hold (nflua/conditions.hpp) is served without. The main stack of the state holds the
// message handler at index 1; each run leaves it as found. Errors end the run: the packet passes
// unmodified.
#include "nfqws2/lua/desync.hpp"

#include "desync_call.hpp"
#include "desync_text.hpp"
#include "errors.hpp"
#include "guard/collector.hpp"
#include "nflua/conditions.hpp"
#include "table/desync_table.hpp"
#include "table/keys.hpp"
#include "table/push_packet.hpp"
#include "table/read_packet.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/base/text.hpp"
#include "nfqws2/lua/connections.hpp"
#include "nfqws2/lua/packet_rules.hpp"
#include "nfqws2/lua/state.hpp"
#include "table/push_rules.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace nfqws2::lua {

namespace {

constexpr int verdict_pass = 0, verdict_modify = 1, verdict_drop = 2, verdict_mask = 3,
              verdict_preserve_next = 4;

std::string describe(const PacketView& view, const profile::LuaInstance& instance) {
    return "profile " + view.profile->label() + ", instance " + instance.name;
}

bool wants_state(const PacketView& view, const profile::LuaInstance& instance) {
    if (instance.ct_state.empty()) return true;
    return instance.ct_state.has(view.ct != nullptr ? view.ct->state() : packet::CtState::unknown);
}

// Why the instance does not take the packet. `cuts`: the flow has instance cutoffs.
std::optional<Skipped> why_not(const PacketView& view, const profile::LuaInstance& instance,
                               bool cuts) {
    const bool out = view.outgoing;
    if (cuts && view.track->instance_cut(view.profile->number, instance.func_n, out))
        return Skipped::cutoff;
    if (!flow::in_range(instance.range(out), view.direct())) return Skipped::range;
    if (!instance.payload.matches(view.payload)) return Skipped::payload;
    if (!wants_state(view, instance)) return Skipped::ct_state;
    return std::nullopt;
}

} // namespace

// The part of a packet's run that works inside a protected call.
struct Desync::Run {
    Desync* desync;
    const PacketView* view;
    bool cuts;      // the flow has instance cutoffs
    std::size_t at; // instance being looked at
    bool serving;   // it is being called
    capture::Verdict answer;
};

// What an instance did.
struct Desync::Deeds {
    bool changes, drops; // the packet
    bool sends;          // others
};

Desync::Desync(State& state) : state_(state), eras_(state) {
}
Desync::~Desync() = default;

bool Desync::takes_merged(const profile::Profile& profile, std::size_t instance) {
    return function_takes_merged(state_.lua(),
                                 eras_.of(profile).profiles[profile.number][instance].func_ref);
}

bool Desync::prepare(const profile::ProfileSet& profiles) {
    lua_State* L = state_.lua();
    const CollectorRest rest(L);
    lua_pushcfunction(L, [](lua_State* l) {
        Run& run = *static_cast<Run*>(lua_touserdata(l, 2));
        lua_settop(l, message_handler_index);
        run.desync->run_due(run);
        return 0;
    });
    run_ref_ = luaL_ref(L, LUA_REGISTRYINDEX);
    std::string error;
    eras_.begin(profiles.generation(), {});
    Eras::Step step = Eras::Step::more;
    while (step == Eras::Step::more)
        step = eras_.prepare(&error);
    if (step == Eras::Step::failed || !eras_.adopt(&error)) {
        log::error_text(error);
        return false;
    }
    if (log::debug_enabled()) log::debug("LUA INIT DONE");
    return true;
}

// Names of instances shift with the profiles: what another instance has learned must not be found
// under them.
void Desync::forget_states(const std::vector<std::string>& keys) {
    lua_State* L = state_.lua();
    const CollectorRest rest(L);
    lua_pushcfunction(L, [](lua_State* l) {
        const auto& names = *static_cast<const std::vector<std::string>*>(lua_touserdata(l, 1));
        lua_pushglobaltable(l);
        lua_pushliteral(l, "autostate");
        lua_rawget(l, -2);
        if (!lua_istable(l, -1)) return 0;
        for (const std::string& name : names) {
            push(l, name);
            lua_pushnil(l);
            lua_rawset(l, -3);
        }
        return 0;
    });
    lua_pushlightuserdata(L, const_cast<std::vector<std::string>*>(&keys));
    if (lua_pcall(L, 1, 0, message_handler_index) != 0) log_lua_error(L, "reload");
}

capture::Verdict Desync::run(const PacketView& view) {
    const profile::Profile& profile = *view.profile;
    flow::Track* track = view.track;
    const bool out = view.outgoing;
    if (track != nullptr && track->cutoff(out)) {
        if (log::debug_enabled()) log::debug("lua %s cutoff", out ? "out" : "in");
        if (observer_ != nullptr) tell_skipped(profile, 0, Skipped::lua_cutoff);
        return {};
    }
    if (profile.instances.empty()) return {};

    // The survey.
    const flow::SidePositions* side = view.direct();
    bool all_cut = true, any_due = false, any_wants_payload = false;
    const bool cuts = track != nullptr && track->has_cuts();
    for (const profile::LuaInstance& instance : profile.instances) {
        if (cuts && track->instance_cut(profile.number, instance.func_n, out)) continue;
        if (flow::beyond_range(instance.range(out), side)) {
            if (log::debug_enabled()) log_beyond(view, instance);
            continue;
        }
        all_cut = false;
        if (!instance.payload.matches(view.payload)) continue;
        any_wants_payload = true;
        any_due =
            any_due || (flow::in_range(instance.range(out), side) && wants_state(view, instance));
    }
    if (!any_due && observer_ != nullptr)
        for (const profile::LuaInstance& instance : profile.instances)
            observer_->skipped(instance, *why_not(view, instance, cuts));
    if (all_cut) {
        if (log::debug_enabled())
            log::debug("all %s desync functions reached cutoff condition", out ? "out" : "in");
        if (track != nullptr) track->set_cutoff(out);
        return {};
    }
    if (any_due) return run_protected(view, cuts);

    if (log::debug_enabled() && any_wants_payload)
        for (const profile::LuaInstance& instance : profile.instances)
            log_decision(view, instance, why_not(view, instance, cuts));
    else if (log::debug_enabled())
        log::debug("all %s desync functions do not want `%s` payload", out ? "out" : "in",
                   std::string(protocol::name(view.payload)).c_str());
    return {};
}

// Most of what can fail is in the instances' own protected calls; but metatables of the globals or
// of the table, and want of memory, may raise errors between them.
capture::Verdict Desync::run_protected(const PacketView& view, bool cuts) {
    lua_State* L = state_.lua();
    lua_settop(L, message_handler_index);
    Run run{this, &view, cuts, 0, false, {}};
    const profile::Profile& profile = *view.profile;
    Era& era = eras_.of(profile);
    const bool old = !eras_.is_newest(era);
    if (old) eras_.go_back_to(era);
    state_.guard().enter_profile(profile);
    const GuardScope scope(state_.guard());
    lua_rawgeti(L, LUA_REGISTRYINDEX, run_ref_);
    lua_pushvalue(L, message_handler_index); // has the same index inside
    lua_pushlightuserdata(L, &run);
    const bool ran = lua_pcall(L, 2, 0, message_handler_index) == 0;
    if (old) eras_.return_from(era);
    if (ran) return run.answer;

    if (run.serving) {
        era.profiles[profile.number][run.at].counts.errors++;
        instance_failed(log_lua_error(L, describe(view, profile.instances[run.at])));
        run.at++;
    } else {
        errors_++;
        log_lua_error(L, "profile " + profile.label());
    }
    if (observer_ != nullptr) tell_skipped(profile, run.at, Skipped::error);
    return failed();
}

void Desync::run_due(Run& run) {
    lua_State* L = state_.lua();
    const PacketView& view = *run.view;
    const profile::Profile& profile = *view.profile;
    luaL_checkstack(L, 64, "desync");
    int desync_index = 0; // there is no table yet

    int verdict = verdict_pass;
    Bytes replacement;    // what goes on instead of the packet
    bool rebuilt = false; // by what a later instance says
    unsigned spare = 0;   // of the replacements
    Era::Profile& prepared = eras_.of(profile).profiles[profile.number];
    for (std::size_t i = 0; i < profile.instances.size(); i++) {
        const profile::LuaInstance& instance = profile.instances[i];
        run.at = i;
        const std::optional<Skipped> why = why_not(view, instance, run.cuts);
        const bool refused =
            !why && conditions_refuse(state_, prepared[i], desync_index == 0 ? view.dis : nullptr);
        if (!why && !refused && desync_index == 0) desync_index = push_table(view);
        if (log::debug_enabled()) log_decision(view, instance, why);
        if (why) {
            if (observer_ != nullptr) observer_->skipped(instance, *why);
            continue;
        }
        DesyncCall running;
        running.raw_packet = replacement.empty() ? view.dis->packet : replacement;
        running.replacement = &replacements_[spare];
        if (observer_ != nullptr) observer_->calling(instance);
        InstanceCounts& counts = prepared[i].counts;
        const auto begin = counts.begin_call();
        const std::uint64_t sent_before = state_.sent();
        run.serving = true;
        running.instance = &instance;
        const std::optional<int> result =
            refused ? refuse(prepared[i], running)
                    : call(view, instance, prepared[i], desync_index, running);
        run.serving = false;
        counts.errors += running.errors;
        errors_ += running.errors;
        counts.sent += state_.sent() - sent_before;
        if (begin) counts.end_call(*begin);
        if (!result) {
            counts.errors++;
            if (observer_ != nullptr) tell_skipped(profile, i + 1, Skipped::error);
            run.answer = failed();
            return;
        }
        int action = *result & verdict_mask;
        if (view.merged != 0) {
            const Deeds deeds{action != verdict_pass || running.replaced, action == verdict_drop,
                              state_.sent() != sent_before};
            if (wants_pieces(run, prepared[i], deeds)) return;
        }
        if (running.replaced) {
            // What instances before this one wanted to be rebuilt is in what it got, or gone.
            if (action == verdict_pass) action = verdict_modify;
            replacement = replacements_[spare];
            spare ^= 1;
            rebuilt = false;
            show_replacement(replacement, desync_index);
        } else if (action == verdict_modify) {
            rebuilt = true;
        }
        if (observer_ != nullptr) observer_->returned(action);
        counts.modified += action == verdict_modify;
        counts.dropped += action == verdict_drop;
        if (action == verdict_drop ||
            (action == verdict_modify && (verdict & verdict_mask) == verdict_pass))
            verdict = (verdict & verdict_preserve_next) | action;
        verdict |= *result & verdict_preserve_next;
        if (running.plan_cancelled) {
            if (observer_ != nullptr) tell_skipped(profile, i + 1, Skipped::plan_cancelled);
            break;
        }
    }
    run.at = profile.instances.size();
    if ((verdict & verdict_mask) == verdict_drop)
        run.answer.action = capture::Action::drop;
    else if ((verdict & verdict_mask) == verdict_modify && !replacement.empty() && !rebuilt)
        run.answer = {capture::Action::modify, replacement};
    else if ((verdict & verdict_mask) == verdict_modify)
        run.answer = rebuild(view, desync_index, (verdict & verdict_preserve_next) != 0);
}

// The names of fields lie below the table.
int Desync::push_table(const PacketView& view) {
    lua_State* L = state_.lua();
    push_keys(L);
    if (!state_.desync_table().push(L, view)) lua_error(L);
    const int index = lua_gettop(L);
    if (view.rules != nullptr) {
        push_account(L, view.rules->account());
        lua_setfield(L, index, "rules");
    }
    return index;
}

// In place of a call: as its function would have answered.
int Desync::refuse(const PreparedInstance& prepared, DesyncCall& running) {
    log_call(*running.instance);
    if (prepared.conditions.ends_plan) cancel_plan(running);
    return verdict_pass;
}

std::optional<int> Desync::call(const PacketView& view, const profile::LuaInstance& instance,
                                const PreparedInstance& prepared, int desync_index,
                                DesyncCall& running) {
    lua_State* L = state_.lua();
    state_.guard().next_call(instance);
    // The function is looked up now: scripts may redefine it at run time.
    lua_pushglobaltable(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, prepared.func_ref);
    lua_gettable(L, -2);
    lua_remove(L, -2);
    if (!lua_isfunction(L, -1)) {
        const std::string error = "desync function '" + instance.func + "' does not exist";
        log::error_text(error);
        return instance_failed(error);
    }
    push_ctx(L);
    lua_pushvalue(L, desync_index);

    // Arguments are resolved against the table as the previous instance left it.
    const int keys = desync_index - 1;
    push_key(L, keys, Key::arg);
    if (!push_arguments(prepared, desync_index)) {
        log::error("  in %s", describe(view, instance).c_str());
        return instance_failed(substitute_error_);
    }
    lua_settable(L, desync_index);
    push_key(L, keys, Key::func);
    lua_rawgeti(L, LUA_REGISTRYINDEX, prepared.func_ref);
    lua_settable(L, desync_index);
    push_key(L, keys, Key::func_n);
    lua_pushinteger(L, static_cast<lua_Integer>(instance.func_n));
    lua_settable(L, desync_index);
    push_key(L, keys, Key::func_instance);
    lua_rawgeti(L, LUA_REGISTRYINDEX, prepared.name_ref);
    lua_settable(L, desync_index);
    log_call(instance);

    running.track = view.track;
    running.profile = view.profile;
    running.outgoing = view.outgoing;
    running.connection = view.ct;
    running.frame = view.frame;
    const int status = [&] {
        const CallScope scope(state_, running);
        return lua_pcall(L, 2, LUA_MULTRET, message_handler_index);
    }();
    if (status != 0) return instance_failed(log_lua_error(L, describe(view, instance)));
    return verdict_of(lua_gettop(L) - desync_index, view, instance);
}

// Asked about an instance that was shown a merged packet. True: it is to be shown its pieces.
bool Desync::wants_pieces(Run& run, PreparedInstance& prepared, Deeds deeds) {
    if (!deeds.changes && !deeds.sends) return false;
    const PacketView& view = *run.view;
    const profile::Profile& profile = *view.profile;
    const std::string error = nfqws2::format(
        "%s: a function that takes merged packets has to pass them and to send nothing",
        describe(view, profile.instances[run.at]).c_str());
    if (!std::exchange(prepared.reported, true))
        log::error("%s. Such a flow gets its packets one by one from now on.", error.c_str());
    view.track->set_wants_pieces();
    prepared.counts.errors++;
    // What was sent before a drop was sent in place of the packet.
    if (!deeds.changes || (deeds.drops && deeds.sends)) {
        errors_++;
        return false;
    }
    instance_failed(error);
    if (observer_ != nullptr) tell_skipped(profile, run.at + 1, Skipped::error);
    run.answer.action = capture::Action::split;
    return true;
}

// To later instances.
void Desync::show_replacement(Bytes packet, int desync_index) {
    lua_State* L = state_.lua();
    push_dissect(L, packet::dissect(packet));
    lua_setfield(L, desync_index, "dis");
}

std::optional<int> Desync::verdict_of(int result_count, const PacketView& view,
                                      const profile::LuaInstance& instance) {
    lua_State* L = state_.lua();
    if (result_count == 0) return verdict_pass;
    std::string complaint;
    std::optional<int> verdict;
    if (result_count > 1) {
        complaint =
            nfqws2::format("desync function returned more than one result : %d", result_count);
    } else if (lua_isnil(L, -1)) {
        verdict = verdict_pass;
    } else if (!lua_isnumber(L, -1)) {
        complaint = "desync function returned non-int result";
    } else {
        const double value = std::trunc(lua_tonumber(L, -1));
        if (value >= 0 && value <= 7)
            verdict = static_cast<int>(value);
        else
            complaint = "desync function returned bad int result";
    }
    lua_pop(L, result_count);
    if (!verdict) {
        log::error("%s in %s", complaint.c_str(), describe(view, instance).c_str());
        return instance_failed(complaint);
    }
    return verdict;
}

std::nullopt_t Desync::instance_failed(std::string_view error) {
    errors_++;
    if (observer_ != nullptr) observer_->failed(error);
    return std::nullopt;
}

void Desync::tell_skipped(const profile::Profile& profile, std::size_t from, Skipped why) {
    for (std::size_t i = from; i < profile.instances.size(); i++)
        observer_->skipped(profile.instances[i], why);
}

capture::Verdict Desync::rebuild(const PacketView& view, int desync_index, bool preserve_next) {
    lua_State* L = state_.lua();
    lua_pushliteral(L, "dis");
    lua_rawget(L, desync_index);
    if (!lua_istable(L, -1)) {
        errors_++;
        log::error("dissect data is bad. VERDICT_MODIFY cancel. (profile %s)",
                   view.profile->label().c_str());
        if (observer_ != nullptr) observer_->rebuild_failed("dissect data is bad");
        return failed();
    }
    RebuildOptions options;
    options.ip6_preserve_next = preserve_next;
    std::string error;
    const Bytes packet = rebuild_protected(L, state_.scratch(), state_.services().random,
                                           lua_gettop(L), options, &error);
    if (packet.empty()) {
        errors_++;
        log::error("failed to reconstruct packet after VERDICT_MODIFY: %s (profile %s)",
                   error.c_str(), view.profile->label().c_str());
        if (observer_ != nullptr) observer_->rebuild_failed(error);
        lua_settop(L, message_handler_index);
        return {};
    }
    return {capture::Action::modify, packet};
}

capture::Verdict Desync::failed() {
    log::error("desync ERROR. passing packet unmodified.");
    lua_settop(state_.lua(), message_handler_index);
    return {};
}

} // namespace nfqws2::lua
