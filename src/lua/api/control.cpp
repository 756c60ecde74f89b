// Control over the run of instances (docs/contracts/lua-bridge.md#cutoffs-and-the-plan). `ctx` is
// one userdata for the whole life of the state; it is good exactly as long as a CallScope lasts.
#include "api/arguments.hpp"
#include "api/functions.hpp"
#include "api/owned.hpp"
#include "desync_call.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/packet/dissect.hpp"

namespace nfqws2::lua {

namespace {

constexpr const char* ctx_type = "desync_ctx";
char registry_tag; // of the userdata
char merged_tag;   // of the functions that take merged packets

bool is_ctx(lua_State* L, int index) {
    if (lua_touserdata(L, index) == nullptr || !lua_getmetatable(L, index)) return false;
    luaL_getmetatable(L, ctx_type);
    const bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

// The optional argument `outgoing`: nil stands for both directions.
struct Directions {
    bool in = true, out = true;
    const char* text() const { return in && out ? "in/out" : out ? "out" : "in"; }
};
Directions check_directions(lua_State* L, int index) {
    if (lua_isnoneornil(L, index)) return {};
    if (!lua_isboolean(L, index)) wrong_type(L, index, "boolean");
    const bool out = lua_toboolean(L, index);
    return {!out, out};
}

int instance_cutoff(lua_State* L) {
    check_count(L, "instance_cutoff", 1, 2);
    if (lua_isnil(L, 1)) { // the caller was not called as an instance of its own
        if (log::debug_enabled()) log::debug("instance cutoff ignored: no ctx");
        return 0;
    }
    const DesyncCall& call = check_ctx(L);
    const Directions directions = check_directions(L, 2);
    if (call.track == nullptr) {
        if (log::debug_enabled())
            log::debug("instance cutoff of '%s' not possible: no conntrack",
                       call.instance->name.c_str());
        return 0;
    }
    if (log::debug_enabled())
        log::debug("instance cutoff of '%s' %s", call.instance->name.c_str(), directions.text());
    call.track->cut_instance(call.profile->number, call.instance->func_n, directions.in,
                             directions.out);
    return 0;
}

int lua_cutoff(lua_State* L) {
    check_count(L, "lua_cutoff", 1, 2);
    const DesyncCall& call = check_ctx(L);
    const Directions directions = check_directions(L, 2);
    if (call.track == nullptr) {
        if (log::debug_enabled()) log::debug("lua cutoff not possible: no conntrack");
        return 0;
    }
    if (log::debug_enabled())
        log::debug("lua cutoff %s by '%s'", directions.text(), call.instance->name.c_str());
    if (directions.in) call.track->set_cutoff(false);
    if (directions.out) call.track->set_cutoff(true);
    return 0;
}

int raw_packet(lua_State* L) {
    check_count(L, "raw_packet", 1);
    push(L, check_ctx(L).raw_packet);
    return 1;
}

int packet_replace(lua_State* L) {
    check_count(L, "packet_replace", 2);
    DesyncCall& call = check_ctx(L);
    replace_packet(L, call, check_string(L, 2));
    return 0;
}

int execution_plan_cancel(lua_State* L) {
    check_count(L, "execution_plan_cancel", 1);
    cancel_plan(check_ctx(L));
    return 0;
}

// By the function itself: a script may put another one under its name.
int takes_merged(lua_State* L) {
    check_count(L, "takes_merged", 1);
    if (!lua_isfunction(L, 1)) wrong_type(L, 1, "function");
    lua_pushlightuserdata(L, &merged_tag);
    lua_rawget(L, LUA_REGISTRYINDEX);
    lua_pushvalue(L, 1);
    lua_pushboolean(L, true);
    lua_rawset(L, -3);
    return 0;
}

void set_range_end(lua_State* L, const char* name, const flow::RangePos& end) {
    lua_createtable(L, 0, 2);
    set_text(L, "mode", {&end.mode, 1});
    set_int(L, "pos", end.pos);
    lua_setfield(L, -2, name);
}

void push_arguments(lua_State* L, const profile::LuaInstance& instance) {
    lua_createtable(L, 0, static_cast<int>(instance.args.size()));
    // Backwards, so that the first of equal names is the one that stays.
    for (auto argument = instance.args.rbegin(); argument != instance.args.rend(); ++argument) {
        push(L, argument->first);
        push(L, argument->second);
        lua_rawset(L, -3);
    }
}

void push_payload_set(lua_State* L, protocol::PayloadSet set) {
    using protocol::Payload;
    lua_newtable(L);
    for (unsigned i = 0; i < static_cast<unsigned>(Payload::count); i++) {
        const auto type = static_cast<Payload>(i);
        if (set.empty() ? type != Payload::all : !set.has(type)) continue;
        push(L, protocol::name(type));
        lua_pushboolean(L, true);
        lua_rawset(L, -3);
    }
}

void push_ct_states(lua_State* L, packet::CtStateSet set) {
    using packet::CtState;
    lua_createtable(L, 0, 5);
    for (const CtState state : {CtState::fresh, CtState::established, CtState::related,
                                CtState::invalid, CtState::untracked}) {
        if (!set.has(state)) continue;
        push(L, name(state));
        lua_pushboolean(L, true);
        lua_rawset(L, -3);
    }
}

void push_plan_element(lua_State* L, const profile::LuaInstance& instance, bool outgoing) {
    lua_createtable(L, 0, 7);
    set_text(L, "func", instance.func);
    set_int(L, "func_n", instance.func_n);
    set_text(L, "func_instance", instance.name);
    push_arguments(L, instance);
    lua_setfield(L, -2, "arg");

    const flow::Range& range = instance.range(outgoing);
    lua_createtable(L, 0, 3);
    set_range_end(L, "from", range.from);
    set_range_end(L, "to", range.to);
    lua_pushboolean(L, range.upper_exclusive);
    lua_setfield(L, -2, "upper_cutoff");
    lua_setfield(L, -2, "range");

    if (!instance.ct_state.empty()) {
        push_ct_states(L, instance.ct_state);
        lua_setfield(L, -2, "ct_state");
    }
    push_payload_set(L, instance.payload);
    lua_setfield(L, -2, "payload");
    auto& text = push_owned<std::string>(L);
    text = protocol::to_text(instance.payload);
    push(L, text);
    lua_setfield(L, -3, "payload_filter");
    free_owned(text);
    lua_pop(L, 1);
}

int execution_plan(lua_State* L) {
    check_count(L, "execution_plan", 1);
    const DesyncCall& call = check_ctx(L);
    const auto& instances = call.profile->instances;
    const auto first = static_cast<std::size_t>(call.instance - instances.data()) + 1;
    lua_createtable(L, static_cast<int>(instances.size() - first), 0);
    for (std::size_t i = first; i < instances.size(); i++) {
        push_plan_element(L, instances[i], call.outgoing);
        lua_rawseti(L, -2, static_cast<int>(i - first + 1));
    }
    return 1;
}

} // namespace

DesyncCall& check_ctx(lua_State* L, int index) {
    if (lua_isnil(L, index)) luaL_error(L, "missing ctx");
    if (!is_ctx(L, index)) wrong_type(L, index, ctx_type);
    const State& state = state_of(L);
    if (state.running_call() == nullptr) raise(L, "ctx is invalid");
    return *state.running_call();
}

void cancel_plan(DesyncCall& call) {
    call.plan_cancelled = true;
    if (log::debug_enabled())
        log::debug("execution plan cancel from '%s'", call.instance->name.c_str());
}

void replace_packet(lua_State* L, DesyncCall& call, Bytes packet) {
    constexpr std::size_t least = 20, most = 65535;
    if (packet.size() < least || packet.size() > most)
        luaL_error(L, "packet_replace: bad length %d", static_cast<int>(packet.size()));
    if (!packet::looks_like_ipv4(packet) && !packet::looks_like_ipv6(packet))
        luaL_error(L, "bad ip4/ip6 header");
    call.replacement->assign(packet.begin(), packet.end());
    call.replaced = true;
}

void push_raw_global(lua_State* L, int name_ref) {
    lua_pushglobaltable(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, name_ref);
    lua_rawget(L, -2);
    lua_remove(L, -2);
}

bool function_takes_merged(lua_State* L, int name_ref) {
    const int top = lua_gettop(L);
    lua_pushlightuserdata(L, &merged_tag);
    lua_rawget(L, LUA_REGISTRYINDEX);
    push_raw_global(L, name_ref);
    bool takes = false;
    if (lua_isfunction(L, -1)) {
        lua_rawget(L, -2);
        takes = lua_toboolean(L, -1) != 0;
    }
    lua_settop(L, top);
    return takes;
}

void push_ctx(lua_State* L) {
    lua_pushlightuserdata(L, &registry_tag);
    lua_rawget(L, LUA_REGISTRYINDEX);
}

void register_control_api(State& state) {
    static constexpr NativeFunction functions[] = {
        {"instance_cutoff", instance_cutoff}, {"lua_cutoff", lua_cutoff},
        {"execution_plan", execution_plan},   {"execution_plan_cancel", execution_plan_cancel},
        {"raw_packet", raw_packet},           {"packet_replace", packet_replace},
        {"takes_merged", takes_merged},
    };
    register_functions(state, functions);

    lua_State* L = state.lua();
    lua_pushlightuserdata(L, &registry_tag);
    lua_newuserdata(L, 1);
    luaL_newmetatable(L, ctx_type);
    hide_metatable(L, ctx_type);
    lua_setmetatable(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);

    // Its keys do not keep a function alive that nobody can call any more.
    lua_pushlightuserdata(L, &merged_tag);
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

} // namespace nfqws2::lua
