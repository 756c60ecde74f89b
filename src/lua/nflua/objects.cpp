#include "nflua/objects.hpp"

#include "api/arguments.hpp"
#include "api/functions.hpp"
#include "api/owned.hpp"
#include "nflua/fields.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <new>
#include <optional>

namespace nfqws2::lua {

namespace {

constexpr std::int64_t max_size = 16 * 1024 * 1024;
char class_tag, prepared_tag; // of the registry, of a layout
constexpr const char* class_name = "data";

struct Object {
    Loan* loan = nullptr; // nullptr: the bytes are `own`
    std::uint64_t loan_number = 0;
    std::uint8_t* own = nullptr;
    std::uint32_t offset = 0, size = 0; // in the loan; of the object
    bool has_layout = false;
    bool is_part = false; // of an object with bytes, which it keeps

    bool expired() const { return loan != nullptr && loan->number() != loan_number; }
    std::uint32_t length() const { return expired() ? 0 : size; }
    Bytes bytes() const {
        if (expired()) return {};
        return loan != nullptr ? loan->bytes().subspan(offset, size) : Bytes(own, size);
    }
    MutBytes writable() const {
        if (expired()) return {};
        return loan != nullptr ? loan->writable().subspan(offset, size) : MutBytes(own, size);
    }
};

// What a userdata keeps: before Lua 5.2 a table, then any value.
void set_kept(lua_State* L, int index) {
#if LUA_VERSION_NUM >= 502
    lua_setuservalue(L, index);
#else
    lua_setfenv(L, index);
#endif
}

void push_kept(lua_State* L, int index) {
#if LUA_VERSION_NUM >= 502
    lua_getuservalue(L, index);
#else
    lua_getfenv(L, index);
#endif
}

std::size_t raw_length(lua_State* L, int index) {
#if LUA_VERSION_NUM >= 502
    return static_cast<std::size_t>(lua_rawlen(L, index));
#else
    return lua_objlen(L, index);
#endif
}

// The functions of the class have its metatable as their first upvalue, its methods as the second.
Object& check_object(lua_State* L) {
    bool good = false;
    if (lua_type(L, 1) == LUA_TUSERDATA && lua_getmetatable(L, 1)) {
        good = lua_rawequal(L, -1, lua_upvalueindex(1));
        lua_pop(L, 1);
    }
    if (!good) wrong_type(L, 1, class_name);
    return *static_cast<Object*>(lua_touserdata(L, 1));
}

void push_class(lua_State* L) {
    lua_pushlightuserdata(L, &class_tag);
    lua_rawget(L, LUA_REGISTRYINDEX);
}

// With `extra` bytes behind it. Pushed.
Object& push_object(lua_State* L, std::size_t extra = 0) {
    void* const room = lua_newuserdata(L, sizeof(Object) + extra);
    Object& object = *::new (room) Object();
    push_class(L);
    lua_setmetatable(L, -2);
    return object;
}

// --- layouts

std::optional<char> first_letter(lua_State* L, int index) {
    if (lua_type(L, index) != LUA_TSTRING) return std::nullopt;
    const char* text = lua_tostring(L, index);
    return *text != '\0' ? std::optional(*text) : std::nullopt;
}

// The entry at the top says it by place or by name. Pushes it.
void push_part(lua_State* L, int entry, int place, const char* name) {
    lua_rawgeti(L, entry, place);
    if (!lua_isnil(L, -1)) return;
    lua_pop(L, 1);
    lua_pushstring(L, name);
    lua_rawget(L, entry);
}

bool is_little(std::optional<char> word) {
    if (word == 'l') return true;
    return word == 'h' && std::endian::native == std::endian::little;
}

// Of the entry at the top; nothing if there is no such field.
std::optional<DataField> read_entry(lua_State* L) {
    const int entry = lua_gettop(L);
    push_part(L, entry, 1, "offset");
    push_part(L, entry, 2, "length");
    push_part(L, entry, 3, "type");
    push_part(L, entry, 4, "endian");
    const std::int64_t offset = to_int(L, -4), length = to_int(L, -3);
    DataField field;
    field.text = first_letter(L, -2) == 's';
    field.little = is_little(first_letter(L, -1));
    lua_settop(L, entry);
    if (offset < 0 || offset > DataField::max_offset || length < 1 ||
        length > DataField::max_length)
        return std::nullopt;
    field.offset = static_cast<std::uint32_t>(offset);
    field.length = static_cast<std::uint32_t>(length);
    return field;
}

// Pushes what is made of the layout at `index`, now or before: names with packed fields.
void push_prepared(lua_State* L, int index) {
    lua_pushlightuserdata(L, &prepared_tag);
    lua_rawget(L, index);
    if (lua_istable(L, -1)) return;
    lua_pop(L, 1);
    lua_newtable(L);
    const int prepared = lua_gettop(L);
    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        if (lua_type(L, -2) == LUA_TSTRING && lua_istable(L, -1)) {
            if (const auto field = read_entry(L)) {
                lua_pushvalue(L, -2);
                lua_pushnumber(L, pack_field(*field));
                lua_rawset(L, prepared);
            }
        }
        lua_pop(L, 1);
    }
    lua_pushlightuserdata(L, &prepared_tag);
    lua_pushvalue(L, prepared);
    lua_rawset(L, index);
}

int data_layout(lua_State* L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    push_prepared(L, 1);
    lua_settop(L, 1);
    return 1;
}

// A part keeps { layout, owner }, anything else the layout itself.
int object_layout(lua_State* L) {
    Object& object = check_object(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    push_prepared(L, 2);
    if (object.is_part) {
        push_kept(L, 1);
        lua_insert(L, -2);
        lua_rawseti(L, -2, 1);
    } else {
        set_kept(L, 1);
    }
    object.has_layout = true;
    return 0;
}

void push_layout(lua_State* L, const Object& object, int index) {
    push_kept(L, index);
    if (!object.is_part) return;
    lua_rawgeti(L, -1, 1);
    lua_remove(L, -2);
}

// The field named by argument 2, nothing if there is none.
std::optional<DataField> find_field(lua_State* L, const Object& object) {
    if (!object.has_layout || lua_type(L, 2) != LUA_TSTRING) return std::nullopt;
    push_layout(L, object, 1);
    lua_pushvalue(L, 2);
    lua_rawget(L, -2);
    std::optional<DataField> field;
    if (lua_type(L, -1) == LUA_TNUMBER) field = unpack_field(lua_tonumber(L, -1));
    lua_pop(L, 2);
    return field;
}

bool holds_text(std::size_t size, const DataField& field) {
    return std::size_t{field.offset} + field.length <= size && field.length != 0;
}

// --- the class

int object_index(lua_State* L) {
    const Object& object = check_object(L);
    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(2));
    if (!lua_isnil(L, -1)) return 1;
    const auto field = find_field(L, object);
    if (!field) return 1;
    const Bytes bytes = object.bytes();
    if (field->text) {
        if (!holds_text(bytes.size(), *field)) return 1;
        push(L, bytes.subspan(field->offset, field->length));
    } else {
        const auto value = read_number(bytes, *field);
        if (!value) return 1;
        push_int(L, static_cast<std::int64_t>(*value));
    }
    return 1;
}

// The low 64 bits of a number without its fraction; nothing for what is not finite.
std::optional<std::uint64_t> low_bits(lua_State* L, int index) {
#if LUA_VERSION_NUM >= 503
    int exact = 0;
    const lua_Integer whole = lua_tointegerx(L, index, &exact);
    if (exact) return static_cast<std::uint64_t>(whole);
#endif
    constexpr double half = 9223372036854775808.0, modulus = 2 * half; // 2^63, 2^64
    double value = std::trunc(lua_tonumber(L, index));
    if (!std::isfinite(value)) return std::nullopt;
    if (value >= -half && value < half)
        return static_cast<std::uint64_t>(static_cast<std::int64_t>(value));
    value = std::fmod(value, modulus);
    if (value < 0) value += modulus;
    return value < modulus ? static_cast<std::uint64_t>(value) : 0;
}

int object_newindex(lua_State* L) {
    const Object& object = check_object(L);
    lua_settop(L, 3);
    const auto field = find_field(L, object);
    const std::size_t size = object.length();
    if (!field) return 0;
    if (field->text) {
        if (!holds_text(size, *field)) return 0;
        const Bytes value = check_text(L, 3);
        const std::size_t count = std::min<std::size_t>(value.size(), field->length);
        if (count != 0) std::memcpy(object.writable().data() + field->offset, value.data(), count);
        return 0;
    }
    if (!read_number(object.bytes(), *field)) return 0;
    if (!lua_isnumber(L, 3)) wrong_type(L, 3, "number");
    if (const auto value = low_bits(L, 3)) write_number(object.writable(), *field, *value);
    return 0;
}

int object_len(lua_State* L) {
    push_int(L, check_object(L).length());
    return 1;
}

int object_tostring(lua_State* L) {
    push(L, check_object(L).bytes());
    return 1;
}

// Pushes the object whose bytes a part of the one at index 1 shows, and keeps it in the part at the
// top, with the layout.
void keep_owner(lua_State* L, const Object& whole) {
    const int part = lua_gettop(L);
    lua_createtable(L, 2, 0);
    if (whole.has_layout) {
        push_layout(L, whole, 1);
        lua_rawseti(L, -2, 1);
    }
    if (whole.is_part) {
        push_kept(L, 1);
        lua_rawgeti(L, -1, 2);
        lua_remove(L, -2);
    } else {
        lua_pushvalue(L, 1);
    }
    lua_rawseti(L, -2, 2);
    set_kept(L, part);
}

int object_segment(lua_State* L) {
    const Object& whole = check_object(L);
    const std::int64_t size = whole.length();
    const std::int64_t offset = lua_isnoneornil(L, 2) ? 0 : check_int(L, 2);
    if (offset < 0 || offset >= size) return 0;
    const std::int64_t length = lua_isnoneornil(L, 3) ? size - offset : check_int(L, 3);
    if (length < 0 || length > size - offset) return 0;
    lua_settop(L, 1);
    Object& part = push_object(L);
    part.size = static_cast<std::uint32_t>(length);
    if (whole.loan != nullptr) {
        part.loan = whole.loan;
        part.loan_number = whole.loan_number;
        part.offset = whole.offset + static_cast<std::uint32_t>(offset);
        if (whole.has_layout) {
            push_layout(L, whole, 1);
            set_kept(L, 2);
        }
    } else {
        part.own = whole.own + offset;
        part.is_part = true;
        keep_owner(L, whole);
    }
    part.has_layout = whole.has_layout;
    return 1;
}

// --- the module

// Pushes an object with bytes of its own; without any, nothing.
Object* push_owner(lua_State* L, std::int64_t size) {
    if (size == 0) return nullptr;
    if (size < 0 || size > max_size ||
        !state_of(L).guard().has_room(static_cast<std::size_t>(size)))
        raise(L, "not enough memory");
    Object& object = push_object(L, static_cast<std::size_t>(size));
    object.own = reinterpret_cast<std::uint8_t*>(&object + 1);
    object.size = static_cast<std::uint32_t>(size);
    std::memset(object.own, 0, object.size);
    return &object;
}

int new_of_table(lua_State* L) {
    const std::size_t count = raw_length(L, 1);
    const Object* object = push_owner(L, static_cast<std::int64_t>(count));
    if (object == nullptr) return 0;
    for (std::size_t i = 0; i < count; i++) {
        lua_rawgeti(L, 1, static_cast<int>(i + 1));
        if (!lua_isnumber(L, -1)) luaL_argerror(L, 1, "a byte is no number");
        object->own[i] = static_cast<std::uint8_t>(to_int(L, -1));
        lua_pop(L, 1);
    }
    return 1;
}

int data_new(lua_State* L) {
    lua_settop(L, 1);
    switch (lua_type(L, 1)) {
    case LUA_TNIL:
        return 0;
    case LUA_TTABLE:
        return new_of_table(L);
    case LUA_TSTRING: {
        const Bytes text = check_text(L, 1);
        const Object* object = push_owner(L, static_cast<std::int64_t>(text.size()));
        if (object == nullptr) return 0;
        std::memcpy(object->own, text.data(), text.size());
        return 1;
    }
    case LUA_TNUMBER:
        return push_owner(L, check_int(L, 1)) != nullptr ? 1 : 0;
    default:
        wrong_type(L, 1, "table, number or string");
    }
}

} // namespace

void open_data(State& state) {
    lua_State* L = state.lua();
    lua_pushlightuserdata(L, &class_tag);
    lua_newtable(L);
    const int metatable = lua_gettop(L);
    lua_newtable(L);
    const int methods = metatable + 1;
    const auto add = [&](int table, const char* name, lua_CFunction function) {
        lua_pushvalue(L, metatable);
        lua_pushvalue(L, methods);
        lua_pushcclosure(L, function, 2);
        lua_setfield(L, table, name);
    };
    add(methods, "layout", object_layout);
    add(methods, "segment", object_segment);
    add(methods, "tostring", object_tostring);
    add(metatable, "__index", object_index);
    add(metatable, "__newindex", object_newindex);
    add(metatable, "__len", object_len);
    add(metatable, "__tostring", object_tostring);
    lua_pop(L, 1);
    hide_metatable(L, class_name);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

void push_data_module(State& state) {
    lua_State* L = state.lua();
    lua_createtable(L, 0, 2);
    lua_pushlightuserdata(L, &state);
    lua_pushcclosure(L, data_new, 1);
    lua_setfield(L, -2, "new");
    lua_pushcfunction(L, data_layout);
    lua_setfield(L, -2, "layout");
}

void push_loan(lua_State* L, Loan& loan) {
    Object& object = push_object(L);
    object.loan = &loan;
    object.loan_number = loan.number();
    object.size = static_cast<std::uint32_t>(loan.bytes().size());
}

} // namespace nfqws2::lua
