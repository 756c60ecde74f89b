// Positions in payloads and ClientHello editing
// (docs/contracts/native-functions.md#positions-and-clienthello-editing). The work is done in
// protocol/; results come back as plain values, so that no vector is alive when an error is raised.
#include "api/arguments.hpp"
#include "api/functions.hpp"
#include "api/owned.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/protocol/marker.hpp"
#include "nfqws2/protocol/tls_mod.hpp"

namespace nfqws2::lua {

namespace {

// The three strings that all resolve functions begin with.
struct Question {
    Bytes data;
    protocol::Payload type;
    std::string_view markers;
};

Question check_question(lua_State* L, const char* name, int max_arguments) {
    check_count(L, name, 3, max_arguments);
    Question question{check_string(L, 1), protocol::Payload::unknown, {}};
    const std::string_view type_name = check_name(L, 2);
    question.markers = check_name(L, 3);
    const auto type = protocol::payload_from_name(type_name);
    if (!type) luaL_error(L, "bad payload type : '%s'", type_name.data());
    question.type = *type;
    return question;
}

// Zero-based offset to what the script wants to see.
void push_position(lua_State* L, std::size_t offset, bool zero_based) {
    push_int(L, static_cast<std::int64_t>(offset) + !zero_based);
}

int resolve_pos(lua_State* L) {
    const Question question = check_question(L, "resolve_pos", 4);
    const auto marker = protocol::parse_marker(question.markers);
    if (!marker) return luaL_error(L, "bad marker : '%s'", question.markers.data());
    const auto offset = protocol::resolve(question.data, question.type, *marker);
    if (offset)
        push_position(L, *offset, lua_toboolean(L, 4));
    else
        lua_pushnil(L);
    return 1;
}

struct Offsets {
    bool valid = false;
    std::size_t count = 0;
    std::array<std::size_t, protocol::max_markers> at;
};

void resolve_list(const Question& question, Offsets& out) {
    const auto markers = protocol::parse_marker_list(question.markers);
    if (!markers) return;
    out.valid = true;
    for (const std::size_t offset : protocol::resolve_all(question.data, question.type, *markers)) {
        if (out.count == out.at.size()) break;
        out.at[out.count++] = offset;
    }
}

int resolve_multi_pos(lua_State* L) {
    const Question question = check_question(L, "resolve_multi_pos", 4);
    Offsets offsets;
    resolve_list(question, offsets);
    if (!offsets.valid) return luaL_error(L, "bad marker list");
    const bool zero_based = lua_toboolean(L, 4);
    lua_createtable(L, static_cast<int>(offsets.count), 0);
    for (std::size_t i = 0; i < offsets.count; i++) {
        push_position(L, offsets.at[i], zero_based);
        lua_rawseti(L, -2, static_cast<int>(i + 1));
    }
    return 1;
}

struct ResolvedRange {
    const char* error = nullptr;
    std::optional<std::size_t> from, to;
};

ResolvedRange resolve_two(const Question& question) {
    const auto markers = protocol::parse_marker_list(question.markers, 2);
    if (!markers) return {"bad marker list", {}, {}};
    if (markers->size() != 2) return {"resolve_range require 2 markers", {}, {}};
    return {nullptr, protocol::resolve(question.data, question.type, (*markers)[0]),
            protocol::resolve(question.data, question.type, (*markers)[1])};
}

int resolve_range(lua_State* L) {
    const Question question = check_question(L, "resolve_range", 5);
    const ResolvedRange range = resolve_two(question);
    if (range.error) return luaL_error(L, "%s", range.error);
    const bool strict = lua_toboolean(L, 4), zero_based = lua_toboolean(L, 5);
    const bool usable = strict ? range.from && range.to : range.from || range.to;
    const std::size_t from = range.from.value_or(0);
    const std::size_t to = range.to.value_or(question.data.empty() ? 0 : question.data.size() - 1);
    if (!usable || from > to) {
        lua_pushnil(L);
        return 1;
    }
    lua_createtable(L, 2, 0);
    push_position(L, from, zero_based);
    lua_rawseti(L, -2, 1);
    push_position(L, to, zero_based);
    lua_rawseti(L, -2, 2);
    return 1;
}

enum class Edit { bad_list, nothing_to_do, failed, done };

// The edited blob is left in `result`.
Edit edit_hello(Bytes blob, std::string_view list, std::optional<Bytes> payload, Random& random,
                std::vector<std::uint8_t>& result) {
    const auto mod = protocol::parse_tls_mod(list);
    if (!mod) return Edit::bad_list;
    if (!mod->any()) return Edit::nothing_to_do;
    protocol::TlsModResult edited = protocol::apply_tls_mod(blob, *mod, payload, random);
    if (log::debug_enabled())
        for (const std::string& notice : edited.notices)
            log::debug("tls_mod: %s", notice.c_str());
    if (!edited.ok()) {
        log::error("%s", edited.error.c_str());
        return Edit::failed;
    }
    result = std::move(edited.data);
    return Edit::done;
}

int tls_mod(lua_State* L) {
    check_count(L, "tls_mod", 2, 3);
    const Bytes blob = check_string(L, 1);
    const std::string_view list = check_name(L, 2);
    std::optional<Bytes> payload;
    if (!lua_isnoneornil(L, 3)) payload = check_string(L, 3);
    auto& edited = push_owned<std::vector<std::uint8_t>>(L);
    switch (edit_hello(blob, list, payload, state_of(L).services().random, edited)) {
    case Edit::bad_list:
        return luaL_error(L, "invalid tls mod list : '%s'", list.data());
    case Edit::nothing_to_do:
        lua_pushvalue(L, 1);
        break;
    case Edit::failed:
        lua_pushnil(L);
        break;
    case Edit::done:
        push(L, Bytes(edited));
        free_owned(edited);
        break;
    }
    return 1;
}

} // namespace

void register_payload_api(State& state) {
    static constexpr NativeFunction functions[] = {
        {"resolve_pos", resolve_pos},
        {"resolve_multi_pos", resolve_multi_pos},
        {"resolve_range", resolve_range},
        {"tls_mod", tls_mod},
    };
    register_functions(state, functions);
}

} // namespace nfqws2::lua
