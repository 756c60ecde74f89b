// Stores (docs/contracts/native-functions.md#stores): store(name) and its methods. A store is a
// userdata with the number of its table; it can be kept as long as the state lives.
#include "api/arguments.hpp"
#include "api/functions.hpp"
#include "api/owned.hpp"
#include "nfqws2/store/stores.hpp"

#include <array>
#include <span>

namespace nfqws2::lua {

namespace {

constexpr const char* store_type = "userdata_store";
constexpr int typical_fields = 4;

// Of which stores, and which of them: methods are called without an upvalue.
struct Store {
    store::Stores* all;
    std::size_t number;
};

Store& check_store(lua_State* L) {
    void* data = lua_touserdata(L, 1);
    bool good = false;
    if (data != nullptr && lua_getmetatable(L, 1)) {
        luaL_getmetatable(L, store_type);
        good = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
    }
    if (!good) wrong_type(L, 1, store_type);
    return *static_cast<Store*>(data);
}

int refuse(lua_State* L, const char* why) {
    lua_pushnil(L);
    lua_pushstring(L, why);
    return 2;
}

// Pushes the table of a record; nil if there is none. Only plain memory is held, since any push may
// raise an error.
void push_record(lua_State* L, const Store& s, std::string_view key) {
    store::Stores::Buffer buffer;
    const auto packed = s.all->read(s.number, key, buffer);
    if (!packed) {
        lua_pushnil(L);
        return;
    }
    lua_createtable(L, 0, typical_fields);
    store::PackedFields walk(*packed);
    for (store::FieldView field; walk.next(field);) {
        lua_pushlstring(L, field.name.data(), field.name.size());
        if (field.is_number)
            push_number(L, field.number);
        else
            lua_pushlstring(L, field.text.data(), field.text.size());
        lua_rawset(L, -3);
    }
}

// The field at the top of the stack, name below value, which the table at hand keeps. Why not,
// nullptr if it was taken.
const char* read_field(lua_State* L, store::FieldView& field) {
    if (lua_type(L, -2) != LUA_TSTRING) return "a name of a field is no string";
    const int type = lua_type(L, -1);
    if (type != LUA_TSTRING && type != LUA_TNUMBER)
        return "a value is neither a string nor a number";
    std::size_t size = 0;
    const char* name = lua_tolstring(L, -2, &size);
    field.name = {name, size};
    field.is_number = type == LUA_TNUMBER;
    if (field.is_number) {
        field.number = lua_tonumber(L, -1);
    } else {
        const char* text = lua_tolstring(L, -1, &size);
        field.text = {text, size};
    }
    return nullptr;
}

// Those of a table, as long as it keeps them: fields with a value, and those that are `false`.
struct GivenFields {
    std::array<store::FieldView, store::max_fields> fields;
    std::array<std::string_view, store::max_fields> gone;
    std::size_t count = 0, gone_count = 0;
};

const char* read_fields(lua_State* L, int table, GivenFields& given) {
    lua_pushnil(L);
    while (lua_next(L, table) != 0) {
        if (given.count + given.gone_count == store::max_fields) return "more than 16 fields";
        const bool goes = lua_isboolean(L, -1) && !lua_toboolean(L, -1);
        if (goes) { // only the name counts
            lua_pop(L, 1);
            lua_pushliteral(L, "");
        }
        store::FieldView& field = given.fields[given.count];
        const char* why = read_field(L, field);
        if (why != nullptr) return why;
        if (goes)
            given.gone[given.gone_count++] = field.name;
        else
            given.count++;
        lua_pop(L, 1);
    }
    return nullptr;
}

int store_get(lua_State* L) {
    check_count(L, "get", 2);
    const Store& s = check_store(L);
    push_record(L, s, as_text(check_text(L, 2)));
    return 1;
}

int done_or(lua_State* L, const char* why_not) {
    if (why_not != nullptr) return refuse(L, why_not);
    lua_pushboolean(L, 1);
    return 1;
}

int store_set(lua_State* L) {
    check_count(L, "set", 3, 4);
    const Store& s = check_store(L);
    const std::string_view key = as_text(check_text(L, 2));
    luaL_checktype(L, 3, LUA_TTABLE);
    const auto ttl = lua_isnoneornil(L, 4)
                         ? store::default_ttl
                         : static_cast<std::uint32_t>(check_range(L, 4, 0, UINT32_MAX));
    GivenFields given;
    const char* why = read_fields(L, 3, given);
    if (why == nullptr && given.gone_count > 0) why = "a value is neither a string nor a number";
    if (why == nullptr)
        why = s.all->write(s.number, key, std::span(given.fields.data(), given.count), ttl);
    return done_or(L, why);
}

int store_merge(lua_State* L) {
    check_count(L, "merge", 3);
    const Store& s = check_store(L);
    const std::string_view key = as_text(check_text(L, 2));
    luaL_checktype(L, 3, LUA_TTABLE);
    GivenFields given;
    const char* why = read_fields(L, 3, given);
    if (why == nullptr)
        why = s.all->merge(s.number, key, std::span(given.fields.data(), given.count),
                           std::span(given.gone.data(), given.gone_count));
    return done_or(L, why);
}

int store_add(lua_State* L) {
    check_count(L, "add", 4);
    const Store& s = check_store(L);
    const std::string_view key = as_text(check_text(L, 2)), field = as_text(check_text(L, 3));
    const char* why = nullptr;
    const auto sum = s.all->add(s.number, key, field, luaL_checknumber(L, 4), &why);
    if (!sum) return refuse(L, why);
    push_number(L, *sum);
    return 1;
}

int store_delete(lua_State* L) {
    check_count(L, "delete", 2);
    const Store& s = check_store(L);
    s.all->erase(s.number, as_text(check_text(L, 2)));
    return 0;
}

// What the function writes is not seen by the walk, which knows the keys of its beginning.
int store_each(lua_State* L) {
    check_count(L, "each", 2, 3);
    const Store& s = check_store(L);
    const int function = lua_gettop(L);
    const std::string_view prefix = function == 3 ? as_text(check_text(L, 2)) : std::string_view();
    luaL_checktype(L, function, LUA_TFUNCTION);
    auto& keys = push_owned<std::vector<std::string>>(L);
    keys = s.all->keys(s.number, prefix);
    const int top = lua_gettop(L);
    for (const std::string& key : keys) {
        push_record(L, s, key);
        if (!lua_isnil(L, -1)) {
            lua_pushvalue(L, function);
            lua_pushlstring(L, key.data(), key.size());
            lua_pushvalue(L, -3);
            lua_call(L, 2, 0);
        }
        lua_settop(L, top);
    }
    return 0;
}

int store_count(lua_State* L) {
    check_count(L, "count", 1);
    const Store& s = check_store(L);
    push_int(L, static_cast<std::int64_t>(s.all->count(s.number)));
    return 1;
}

void push_metatable(lua_State* L) {
    static constexpr NativeFunction methods[] = {{"get", store_get},     {"set", store_set},
                                                 {"add", store_add},     {"delete", store_delete},
                                                 {"merge", store_merge}, {"each", store_each},
                                                 {"count", store_count}};
    if (!luaL_newmetatable(L, store_type)) return;
    lua_createtable(L, 0, std::size(methods));
    for (const NativeFunction& method : methods) {
        lua_pushcfunction(L, method.function);
        lua_setfield(L, -2, method.name);
    }
    lua_setfield(L, -2, "__index");
    hide_metatable(L, store_type);
}

int open_store(lua_State* L) {
    check_count(L, "store", 1);
    const std::string_view name = as_text(check_text(L, 1));
    store::Stores* all = state_of(L).services().stores;
    if (all == nullptr) return refuse(L, "there are no stores");
    const char* why = nullptr;
    const auto number = all->open(name, &why);
    if (!number) return refuse(L, why);
    new (lua_newuserdata(L, sizeof(Store))) Store{all, *number};
    push_metatable(L);
    lua_setmetatable(L, -2);
    return 1;
}

} // namespace

void register_store_api(State& state) {
    static constexpr NativeFunction functions[] = {{"store", open_store}};
    register_functions(state, functions);
}

} // namespace nfqws2::lua
