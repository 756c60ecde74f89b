// Connection tracking (docs/contracts/native-functions.md#connection-tracking).
#include "api/arguments.hpp"
#include "api/functions.hpp"
#include "desync_call.hpp"
#include "table/push_connection.hpp"

#include "nfqws2/lua/connections.hpp"
#include "nfqws2/packet/dissect.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>

namespace nfqws2::lua {

namespace {

// Reads the fields of the table at `index`; every error is raised with the name of the function.
// Holds nothing that needs a destructor.
class Fields {
  public:
    Fields(lua_State* L, const char* function, int index)
        : L_(L), function_(function), index_(index) {}

    void refuse_unknown(std::span<const char* const> known) const {
        lua_pushnil(L_);
        while (lua_next(L_, index_) != 0) {
            lua_pop(L_, 1);
            const char* name = lua_type(L_, -1) == LUA_TSTRING ? lua_tostring(L_, -1) : nullptr;
            if (name == nullptr)
                luaL_error(L_, "%s: unknown field '%s'", function_, luaL_typename(L_, -1));
            const bool is_known = std::ranges::any_of(
                known, [name](const char* one) { return std::strcmp(one, name) == 0; });
            if (!is_known) luaL_error(L_, "%s: unknown field '%s'", function_, name);
        }
    }
    // False: absent.
    bool number(const char* name, std::uint32_t* out, std::uint64_t max) const {
        lua_getfield(L_, index_, name);
        const bool there = !lua_isnil(L_, -1);
        if (there) {
            if (!lua_isnumber(L_, -1)) luaL_error(L_, "%s: %s is not a number", function_, name);
            const double value = std::trunc(lua_tonumber(L_, -1));
            if (!(value >= 0 && value <= static_cast<double>(max)))
                luaL_error(L_, "%s: %s out of range", function_, name);
            *out = static_cast<std::uint32_t>(value);
        }
        lua_pop(L_, 1);
        return there;
    }
    // The bytes live as long as the table has them.
    bool bytes(const char* name, Bytes* out) const {
        lua_getfield(L_, index_, name);
        const bool there = !lua_isnil(L_, -1);
        if (there) {
            if (lua_type(L_, -1) != LUA_TSTRING)
                luaL_error(L_, "%s: %s is not a string", function_, name);
            std::size_t size = 0;
            const char* text = lua_tolstring(L_, -1, &size);
            *out = as_bytes({text, size});
        }
        lua_pop(L_, 1);
        return there;
    }
    bool address(const char* name, IpAddress* out) const {
        Bytes raw;
        if (!bytes(name, &raw)) return false;
        if (raw.size() != 4 && raw.size() != 16)
            luaL_error(L_, "%s: %s is not an address of 4 or 16 bytes", function_, name);
        *out = raw.size() == 4 ? IpAddress::v4(raw.data()) : IpAddress::v6(raw.data());
        return true;
    }
    bool labels(const char* name, std::array<std::uint8_t, 16>* out) const {
        Bytes raw;
        if (!bytes(name, &raw)) return false;
        if (raw.size() != out->size()) luaL_error(L_, "%s: %s is not 16 bytes", function_, name);
        std::copy(raw.begin(), raw.end(), out->begin());
        return true;
    }
    bool helper(const char* name, packet::CtHelper* out) const {
        Bytes raw;
        if (!bytes(name, &raw)) return false;
        if (raw.size() > packet::CtHelper::max_size)
            luaL_error(L_, "%s: %s out of range", function_, name);
        *out = packet::CtHelper(as_text(raw));
        return true;
    }
    [[noreturn]] void refuse(const char* what) const {
        luaL_error(L_, "%s: %s", function_, what);
        std::abort(); // luaL_error does not return
    }

  private:
    lua_State* L_;
    const char* function_;
    int index_;
};

void check_table(lua_State* L, int index) {
    if (!lua_istable(L, index)) wrong_type(L, index, "table");
}

int fail(lua_State* L, const char* message, int error) {
    lua_pushnil(L);
    lua_pushstring(L, message);
    if (error == 0) return 2;
    push_int(L, error);
    return 3;
}

PacketConnection& check_connection(lua_State* L, const char* function) {
    const DesyncCall& call = check_ctx(L);
    if (call.connection == nullptr) luaL_error(L, "%s: --ct is off", function);
    return *call.connection;
}

int ct_set(lua_State* L) {
    check_count(L, "ct_set", 2);
    PacketConnection& connection = check_connection(L, "ct_set");
    check_table(L, 2);
    static constexpr const char* known[] = {"mark",   "mark_mask",   "timeout", "helper",
                                            "labels", "labels_mask", "status"};
    const Fields fields(L, "ct_set", 2);
    fields.refuse_unknown(known);
    packet::CtChanges changes;
    std::uint32_t number = 0;
    if (fields.number("mark", &number, UINT32_MAX)) changes.mark = number;
    if (fields.number("mark_mask", &number, UINT32_MAX)) changes.mark_mask = number;
    if (fields.number("timeout", &number, UINT32_MAX)) changes.timeout = number;
    if (fields.number("status", &number, UINT32_MAX)) {
        constexpr std::uint32_t allowed =
            packet::ct_status::assured | packet::ct_status::fixed_timeout;
        if ((number & ~allowed) != 0) fields.refuse("status out of range");
        changes.status = number;
    }
    packet::CtHelper helper;
    if (fields.helper("helper", &helper)) changes.helper = helper;
    std::array<std::uint8_t, 16> labels{};
    if (fields.labels("labels", &labels)) changes.labels = labels;
    if (fields.labels("labels_mask", &labels)) changes.labels_mask = labels;
    if (const char* why = connection.set(changes)) return fail(L, why, 0);
    lua_pushboolean(L, true);
    return 1;
}

const char* text_of(int error) {
    switch (error) {
    case ENOENT:
        return "not found";
    case EOPNOTSUPP:
        return "the connection has no helper: assign one by a firewall rule";
    default:
        return std::strerror(error);
    }
}

int ct_expect(lua_State* L) {
    check_count(L, "ct_expect", 2);
    PacketConnection& connection = check_connection(L, "ct_expect");
    check_table(L, 2);
    static constexpr const char* known[] = {"dst",   "dport",   "src",       "sport",
                                            "proto", "timeout", "permanent", "helper"};
    const Fields fields(L, "ct_expect", 2);
    fields.refuse_unknown(known);
    packet::CtExpectation wanted;
    std::uint32_t number = 0;
    if (!fields.address("dst", &wanted.tuple.dst)) fields.refuse("dst is missing");
    if (!fields.number("dport", &number, UINT16_MAX)) fields.refuse("dport is missing");
    wanted.tuple.dport = static_cast<std::uint16_t>(number);
    if (fields.address("src", &wanted.tuple.src) &&
        wanted.tuple.src.version != wanted.tuple.dst.version)
        fields.refuse("src and dst are of different families");
    if (fields.number("sport", &number, UINT16_MAX))
        wanted.tuple.sport = static_cast<std::uint16_t>(number);
    if (fields.number("proto", &number, UINT8_MAX))
        wanted.tuple.proto = static_cast<std::uint8_t>(number);
    fields.number("timeout", &wanted.timeout, UINT32_MAX);
    fields.helper("helper", &wanted.helper);
    lua_getfield(L, 2, "permanent");
    wanted.permanent = lua_toboolean(L, -1);
    lua_pop(L, 1);
    const int error = connection.expect(wanted);
    if (error != 0) return fail(L, text_of(error), error);
    lua_pushboolean(L, true);
    return 1;
}

packet::CtTuple check_tuple(const Fields& fields) {
    packet::CtTuple tuple;
    std::uint32_t number = 0;
    if (!fields.number("proto", &number, UINT8_MAX)) fields.refuse("proto is missing");
    tuple.proto = static_cast<std::uint8_t>(number);
    if (!fields.address("src", &tuple.src)) fields.refuse("src is missing");
    if (!fields.address("dst", &tuple.dst)) fields.refuse("dst is missing");
    if (tuple.src.version != tuple.dst.version)
        fields.refuse("src and dst are of different families");
    if (fields.number("sport", &number, UINT16_MAX))
        tuple.sport = static_cast<std::uint16_t>(number);
    if (fields.number("dport", &number, UINT16_MAX))
        tuple.dport = static_cast<std::uint16_t>(number);
    if (fields.number("icmp_type", &number, UINT8_MAX))
        tuple.icmp_type = static_cast<std::uint8_t>(number);
    if (fields.number("icmp_code", &number, UINT8_MAX))
        tuple.icmp_code = static_cast<std::uint8_t>(number);
    if (fields.number("icmp_id", &number, UINT16_MAX))
        tuple.icmp_id = static_cast<std::uint16_t>(number);
    return tuple;
}

int ct_lookup(lua_State* L) {
    check_count(L, "ct_lookup", 1);
    check_table(L, 1);
    Connections* connections = state_of(L).services().ct;
    if (connections == nullptr) return luaL_error(L, "ct_lookup: --ct is off");
    static constexpr const char* known[] = {"proto", "src",       "dst",       "sport",  "dport",
                                            "zone",  "icmp_type", "icmp_code", "icmp_id"};
    const Fields fields(L, "ct_lookup", 1);
    fields.refuse_unknown(known);
    const packet::CtTuple tuple = check_tuple(fields);
    std::uint32_t zone = 0;
    fields.number("zone", &zone, UINT16_MAX);
    int error = 0;
    const std::optional<packet::Connection> found =
        connections->find(tuple, static_cast<std::uint16_t>(zone), &error);
    if (!found) return fail(L, text_of(error), error);
    push_connection(L, connections->source(), *found);
    return 1;
}

} // namespace

void register_ct_api(State& state) {
    static constexpr NativeFunction functions[] = {
        {"ct_set", ct_set},
        {"ct_expect", ct_expect},
        {"ct_lookup", ct_lookup},
    };
    register_functions(state, functions);
}

} // namespace nfqws2::lua
