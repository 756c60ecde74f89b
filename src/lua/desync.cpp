// Theory of operation. A survey over the profile's instances decides, without touching Lua, whether
// any of them is due for this packet; only then the `desync` table is built, once, and shared by
// all instances of the packet. The main stack of the state holds the message handler at index 1;
// each run leaves it as found. Errors end the run: the packet passes unmodified.
#include "nfqws2/lua/desync.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/base/text.hpp"
#include "nfqws2/lua/state.hpp"

#include <algorithm>
#include <cmath>

namespace nfqws2::lua {

namespace {

constexpr int verdict_pass = 0, verdict_modify = 1, verdict_drop = 2, verdict_mask = 3,
              verdict_preserve_next = 4;

std::string describe(const PacketView& view, const profile::LuaInstance& instance) {
    return "profile " + view.profile->label() + ", instance " + instance.name;
}

} // namespace

const flow::SidePositions* PacketView::direct() const {
    if (positions == nullptr) return nullptr;
    return from_client ? &positions->client : &positions->server;
}

// Lua references of what never changes about an instance.
struct Desync::Prepared {
    struct Argument {
        int name_ref, value_ref;
        bool substituted; // begins with % or # or an escape of them
    };
    int func_ref = LUA_NOREF, name_ref = LUA_NOREF;
    std::vector<Argument> arguments; // without repeated names: the first wins
};

struct Desync::PreparedProfile {
    std::vector<Prepared> instances;
};

Desync::Desync(Host& host) : host_(host), table_(host) {
}
Desync::~Desync() = default;

bool Desync::prepare(const profile::ProfileSet& profiles) {
    lua_State* L = host_.L;
    table_.prepare(profiles);
    const auto intern = [L](std::string_view text) {
        push(L, text);
        return luaL_ref(L, LUA_REGISTRYINDEX);
    };
    for (const auto& profile : profiles.all()) {
        if (prepared_.size() <= profile->number) prepared_.resize(profile->number + 1);
        for (const profile::LuaInstance& instance : profile->instances) {
            lua_getglobal(L, instance.func.c_str());
            const bool exists = lua_isfunction(L, -1);
            lua_pop(L, 1);
            if (!exists) {
                log::error("desync function '%s' does not exist (profile %s)",
                           instance.func.c_str(), profile->label().c_str());
                return false;
            }
            Prepared prepared;
            prepared.func_ref = intern(instance.func);
            prepared.name_ref = intern(instance.name);
            std::vector<std::string_view> seen;
            for (const auto& [name, value] : instance.args) {
                if (std::find(seen.begin(), seen.end(), name) != seen.end()) continue;
                seen.push_back(name);
                const bool marked = !value.empty() && (value[0] == '%' || value[0] == '#' ||
                                                       (value[0] == '\\' && value.size() > 1 &&
                                                        (value[1] == '%' || value[1] == '#')));
                prepared.arguments.push_back({intern(name), intern(value), marked});
            }
            prepared_[profile->number].instances.push_back(std::move(prepared));
        }
    }
    if (log::debug_enabled()) log::debug("LUA INIT DONE");
    return true;
}

capture::Verdict Desync::run(const PacketView& view) {
    const profile::Profile& profile = *view.profile;
    flow::Track* track = view.track;
    const bool out = view.outgoing;
    if (track != nullptr && track->cutoff(out)) {
        if (log::debug_enabled()) log::debug("lua %s cutoff", out ? "out" : "in");
        return {};
    }
    if (profile.instances.empty()) return {};

    // The survey.
    const flow::SidePositions* side = view.direct();
    bool all_cut = true, any_due = false;
    const bool cuts = track != nullptr && track->has_cuts();
    const auto is_cut = [&](const profile::LuaInstance& i) {
        return cuts && track->instance_cut(profile.number, i.func_n, out);
    };
    for (const profile::LuaInstance& instance : profile.instances) {
        if (is_cut(instance) || flow::beyond_range(instance.range(out), side)) continue;
        all_cut = false;
        any_due = any_due || (instance.payload.matches(view.payload) &&
                              flow::in_range(instance.range(out), side));
    }
    if (all_cut) {
        if (log::debug_enabled())
            log::debug("all %s desync functions reached cutoff condition", out ? "out" : "in");
        if (track != nullptr) track->set_cutoff(out);
        return {};
    }
    if (!any_due) return {};

    lua_State* L = host_.L;
    lua_settop(L, message_handler_index);
    if (!lua_checkstack(L, 64)) return failed();
    if (!table_.push(view)) {
        errors_++;
        log_lua_error(L, "profile " + profile.label());
        return failed();
    }
    const int desync_index = lua_gettop(L);

    int verdict = verdict_pass;
    const PreparedProfile& prepared = prepared_[profile.number];
    for (std::size_t i = 0; i < profile.instances.size(); i++) {
        const profile::LuaInstance& instance = profile.instances[i];
        if (is_cut(instance) || !flow::in_range(instance.range(out), side) ||
            !instance.payload.matches(view.payload)) {
            if (log::debug_enabled()) log::debug("* lua '%s' : not due", instance.name.c_str());
            continue;
        }
        bool cancelled = false;
        const std::optional<int> result =
            call(view, instance, prepared.instances[i], desync_index, &cancelled);
        if (!result) return failed();
        const int action = *result & verdict_mask;
        if (action == verdict_drop ||
            (action == verdict_modify && (verdict & verdict_mask) == verdict_pass))
            verdict = (verdict & verdict_preserve_next) | action;
        verdict |= *result & verdict_preserve_next;
        if (cancelled) break;
    }
    capture::Verdict answer;
    if ((verdict & verdict_mask) == verdict_drop)
        answer.action = capture::Action::drop;
    else if ((verdict & verdict_mask) == verdict_modify)
        answer = rebuild(view, desync_index, (verdict & verdict_preserve_next) != 0);
    lua_settop(L, message_handler_index);
    return answer;
}

std::optional<int> Desync::call(const PacketView& view, const profile::LuaInstance& instance,
                                const Prepared& prepared, int desync_index, bool* cancelled) {
    lua_State* L = host_.L;
    // The function is looked up now: scripts may redefine it at run time.
    lua_getglobal(L, instance.func.c_str());
    if (!lua_isfunction(L, -1)) {
        errors_++;
        log::error("desync function '%s' does not exist", instance.func.c_str());
        return std::nullopt;
    }
    push_ctx(host_);
    lua_pushvalue(L, desync_index);

    // Arguments are resolved against the table as the previous instance left it.
    if (!push_arguments(prepared, desync_index)) {
        errors_++;
        log::error("  in %s", describe(view, instance).c_str());
        return std::nullopt;
    }
    lua_setfield(L, desync_index, "arg");
    lua_rawgeti(L, LUA_REGISTRYINDEX, prepared.func_ref);
    lua_setfield(L, desync_index, "func");
    lua_pushnumber(L, instance.func_n);
    lua_setfield(L, desync_index, "func_n");
    lua_rawgeti(L, LUA_REGISTRYINDEX, prepared.name_ref);
    lua_setfield(L, desync_index, "func_instance");
    if (log::debug_enabled()) log::debug("* lua '%s' : desync", instance.name.c_str());

    DesyncCall running;
    running.track = view.track;
    running.profile = view.profile;
    running.instance = &instance;
    running.outgoing = view.outgoing;
    running.raw_packet = view.dis->packet;
    host_.call = &running;
    const int status = lua_pcall(L, 2, LUA_MULTRET, message_handler_index);
    host_.call = nullptr;
    *cancelled = running.plan_cancelled;
    if (status != 0) {
        errors_++;
        log_lua_error(L, describe(view, instance));
        return std::nullopt;
    }
    return verdict_of(lua_gettop(L) - desync_index, view, instance);
}

std::optional<int> Desync::verdict_of(int result_count, const PacketView& view,
                                      const profile::LuaInstance& instance) {
    lua_State* L = host_.L;
    if (result_count == 0) return verdict_pass;
    std::string complaint;
    std::optional<int> verdict;
    if (result_count > 1) {
        complaint =
            nfqws2::format("desync function returned more than one result : %d", result_count);
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
        errors_++;
        log::error("%s in %s", complaint.c_str(), describe(view, instance).c_str());
    }
    return verdict;
}

bool Desync::push_arguments(const Prepared& instance, int desync_index) {
    lua_State* L = host_.L;
    lua_createtable(L, 0, static_cast<int>(instance.arguments.size()));
    for (const Prepared::Argument& argument : instance.arguments) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, argument.name_ref);
        lua_rawgeti(L, LUA_REGISTRYINDEX, argument.value_ref);
        if (argument.substituted) {
            std::size_t size = 0;
            const char* text = lua_tolstring(L, -1, &size);
            if (!substitute(instance, {text, size}, desync_index)) return false;
            lua_remove(L, -2);
        }
        lua_rawset(L, -3);
    }
    return true;
}

// Pushes the substituted value (spec part 06 section 6.1).
bool Desync::substitute(const Prepared&, std::string_view value, int desync_index) {
    lua_State* L = host_.L;
    if (value[0] == '\\') {
        push(L, value.substr(1));
        return true;
    }
    const std::string_view name = value.substr(1);
    push(L, name);
    lua_gettable(L, desync_index);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_getglobal(L, std::string(name).c_str());
    }
    if (lua_isnil(L, -1)) {
        log::error("blob '%.*s' unavailable", static_cast<int>(name.size()), name.data());
        return false;
    }
    if (value[0] == '%') {
        if (lua_type(L, -1) == LUA_TNUMBER) lua_tostring(L, -1); // converts in place
        return true;
    }
    std::size_t size = 0;
    if (lua_type(L, -1) == LUA_TNUMBER || lua_type(L, -1) == LUA_TSTRING)
        lua_tolstring(L, -1, &size);
    else if (lua_istable(L, -1))
#if LUA_VERSION_NUM >= 502
        size = lua_rawlen(L, -1);
#else
        size = lua_objlen(L, -1);
#endif
    lua_pop(L, 1);
    push(L, std::to_string(size));
    return true;
}

capture::Verdict Desync::rebuild(const PacketView& view, int desync_index, bool preserve_next) {
    lua_State* L = host_.L;
    lua_pushliteral(L, "dis");
    lua_rawget(L, desync_index);
    if (!lua_istable(L, -1)) {
        errors_++;
        log::error("dissect data is bad. VERDICT_MODIFY cancel. (profile %s)",
                   view.profile->label().c_str());
        return failed();
    }
    RebuildOptions options;
    options.ip6_preserve_next = preserve_next;
    std::string error;
    const Bytes packet = rebuild_dissect(host_, lua_gettop(L), options, &error);
    if (packet.empty()) {
        errors_++;
        log::error("failed to reconstruct packet after VERDICT_MODIFY: %s (profile %s)",
                   error.c_str(), view.profile->label().c_str());
        lua_settop(L, message_handler_index);
        return {};
    }
    return {capture::Action::modify, packet};
}

capture::Verdict Desync::failed() {
    log::error("desync ERROR. passing packet unmodified.");
    lua_settop(host_.L, message_handler_index);
    return {};
}

} // namespace nfqws2::lua
