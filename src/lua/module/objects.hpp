// Objects of modules: full userdata, each kind with a metatable of its own that is known by its
// address, so that no script can make one thing pass for another. An object may end before it is
// collected; whoever uses it then gets an error. A kind T has `name`, `gone` (what is wrong with it
// after its end) and `ended()`. One with `end(State&)`, which may be called twice, is told when it
// is collected.
#pragma once

#include "api/owned.hpp"
#include "module/module.hpp"

#include <memory>
#include <new>
#include <type_traits>

namespace nfqws2::lua {

template <typename T> void* metatable_key() {
    static char key;
    return &key;
}

template <typename T> bool is_object(lua_State* L, int index) {
    if (lua_type(L, index) != LUA_TUSERDATA || lua_getmetatable(L, index) == 0) return false;
    lua_pushlightuserdata(L, metatable_key<T>());
    lua_rawget(L, LUA_REGISTRYINDEX);
    const bool same = lua_rawequal(L, -1, -2) != 0;
    lua_pop(L, 2);
    return same;
}

// Of the right kind, whatever its state.
template <typename T> T& check_kind(lua_State* L, int index) {
    if (!is_object<T>(L, index)) wrong_kind(L, index, T::name);
    return *static_cast<T*>(lua_touserdata(L, index));
}

template <typename T> T& check_object(lua_State* L, int index) {
    T& object = check_kind<T>(L, index);
    if (object.ended()) luaL_error(L, "%s %s", T::name, T::gone);
    return object;
}

// Pushes an empty one.
template <typename T> T& push_object(lua_State* L) {
    void* const memory = lua_newuserdata(L, sizeof(T));
    lua_pushlightuserdata(L, metatable_key<T>());
    lua_rawget(L, LUA_REGISTRYINDEX);
    T& object = *::new (memory) T();
    lua_setmetatable(L, -2);
    return object;
}

template <typename T> int collect_object(lua_State* L) {
    T* const object = static_cast<T*>(lua_touserdata(L, 1));
    object->end(module_state(L));
    // A finalizer of the script may still have it, or what points to it: an empty one has ended.
    std::destroy_at(object);
    std::construct_at(object);
    return 0;
}

template <typename T> void make_kind(lua_State* L, State& state, lua_CFunction to_text) {
    lua_pushlightuserdata(L, metatable_key<T>());
    lua_createtable(L, 0, 4);
    if constexpr (requires(T & object) { object.end(state); }) {
        push_module_function(L, state, {"__gc", collect_object<T>});
        lua_setfield(L, -2, "__gc");
    } else {
        static_assert(std::is_trivially_destructible_v<T>);
    }
    push_module_function(L, state, {"tostring", to_text});
    lua_setfield(L, -2, "__tostring");
    lua_pushstring(L, T::name);
    lua_setfield(L, -2, "__name");
    hide_metatable(L, T::name);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

} // namespace nfqws2::lua
