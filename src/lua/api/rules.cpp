// Traffic rules (docs/lua-api.md#traffic-rules): the marks that rules ask about, a check of rules,
// what was counted.
#include "api/arguments.hpp"
#include "api/functions.hpp"
#include "api/owned.hpp"
#include "desync_call.hpp"

#include "nfqws2/base/sort.hpp"
#include "nfqws2/rules/document.hpp"
#include "nfqws2/rules/statistics.hpp"

#include <cmath>
#include <limits>

namespace nfqws2::lua {

namespace {

constexpr double ns_per_second = 1e9;

rules::Tables& check_tables(lua_State* L, const char* function) {
    rules::Tables* tables = state_of(L).services().rule_tables;
    if (tables == nullptr) luaL_error(L, "%s: rules are not loaded", function);
    return *tables;
}

IpAddress check_address(lua_State* L, int index) {
    const Bytes raw = check_string(L, index);
    if (raw.size() != 4 && raw.size() != 16)
        luaL_argerror(L, index, "an address of 4 or 16 bytes expected");
    return raw.size() == 4 ? IpAddress::v4(raw.data()) : IpAddress::v6(raw.data());
}

// Kind and id are the first two arguments; addresses, or ctx, stand at `index`.
rules::MarkKey check_mark(lua_State* L, const rules::Tables& tables, int index) {
    const auto kind = rules::mark_kind(check_name(L, 1));
    if (!kind) luaL_argerror(L, 1, "hmark, dhmark, sdhmark or connmark expected");
    const auto id = static_cast<std::uint8_t>(check_range(L, 2, 1, UINT8_MAX));
    switch (*kind) {
    case rules::MarkKind::source:
        return tables.marks.source(id, check_address(L, index));
    case rules::MarkKind::destination:
        return tables.marks.destination(id, check_address(L, index));
    case rules::MarkKind::pair: {
        const IpAddress from = check_address(L, index), to = check_address(L, index + 1);
        if (from.version != to.version)
            luaL_argerror(L, index + 1, "an address of the same family expected");
        return tables.marks.pair(id, from, to);
    }
    case rules::MarkKind::connection:
        break;
    }
    const auto key = rules::connection_of(tables, id, check_ctx(L, index).raw_packet);
    if (!key) luaL_argerror(L, index, "this packet has no connection");
    return *key;
}

std::int64_t now_ns(lua_State* L) {
    return state_of(L).services().clock.boot_ns();
}

int rule_mark(lua_State* L) {
    check_count(L, "rule_mark", 3, 4);
    const rules::Tables& tables = check_tables(L, "rule_mark");
    const rules::Mark mark = tables.marks.find(check_mark(L, tables, 3), now_ns(L));
    if (mark.status == rules::MarkStatus::none) {
        lua_pushnil(L);
        return 1;
    }
    push_int(L, mark.value);
    lua_pushstring(L, mark.status == rules::MarkStatus::valid ? "valid" : "expired");
    push_number(L, static_cast<double>(mark.age_ns) / ns_per_second);
    return 3;
}

std::int64_t check_lifetime(lua_State* L, int index) {
    if (lua_isnoneornil(L, index)) return 0;
    const double seconds = luaL_checknumber(L, index);
    if (!(seconds >= 0 && seconds <= std::numeric_limits<std::uint32_t>::max()))
        luaL_argerror(L, index, "out of range");
    return static_cast<std::int64_t>(seconds * ns_per_second);
}

int rule_mark_set(lua_State* L) {
    check_count(L, "rule_mark_set", 5, 6);
    rules::Tables& tables = check_tables(L, "rule_mark_set");
    const rules::MarkKey key = check_mark(L, tables, 5);
    const auto value = static_cast<std::uint32_t>(check_range(L, 3, 0, UINT32_MAX));
    bool written = true;
    tables.marks.write(key, rules::MarkHow::set, value, check_lifetime(L, 4), now_ns(L), &written);
    if (written) {
        lua_pushboolean(L, true);
        return 1;
    }
    lua_pushnil(L);
    lua_pushliteral(L, "there is no memory for another mark");
    return 2;
}

int rule_mark_del(lua_State* L) {
    check_count(L, "rule_mark_del", 3, 4);
    rules::Tables& tables = check_tables(L, "rule_mark_del");
    lua_pushboolean(L, tables.marks.erase(check_mark(L, tables, 3)));
    return 1;
}

// --- rules_check

// A Lua table as a document without places. The nodes belong to a userdata, so an error may be
// raised anywhere.
class DocumentReader {
  public:
    explicit DocumentReader(lua_State* L) : L_(L) {}

    // The value at the top of the stack, which stays there.
    void read(rules::Node& out, int depth) {
        constexpr int deepest = 32;
        constexpr std::size_t most_values = 200'000;
        if (depth > deepest || ++values_ > most_values)
            luaL_error(L_, "rules_check: the table is too large or too deep");
        luaL_checkstack(L_, 4, "rules_check");
        out.at = {0, 0, 0};
        out.kind = rules::Node::Kind::other;
        switch (lua_type(L_, -1)) {
        case LUA_TSTRING:
            read_text(out);
            break;
        case LUA_TBOOLEAN:
            out.kind = rules::Node::Kind::boolean;
            out.integer = lua_toboolean(L_, -1) ? 1 : 0;
            break;
        case LUA_TNUMBER:
            read_number(out);
            break;
        case LUA_TTABLE:
            read_table(out, depth);
            break;
        default:
            break;
        }
    }

  private:
    void read_text(rules::Node& out) {
        std::size_t size = 0;
        const char* text = lua_tolstring(L_, -1, &size);
        out.kind = rules::Node::Kind::text;
        out.text.assign(text, size);
    }
    void read_number(rules::Node& out) {
        constexpr double exact = 9007199254740992; // 2^53
        const double number = lua_tonumber(L_, -1);
        if (number != std::trunc(number) || std::fabs(number) > exact) return;
        out.kind = rules::Node::Kind::integer;
        out.integer = static_cast<std::int64_t>(number);
    }
    // An empty one is an array, but of the root.
    void read_table(rules::Node& out, int depth) {
        lua_rawgeti(L_, -1, 1);
        const bool has_first = !lua_isnil(L_, -1);
        lua_pop(L_, 1);
        if (has_first) return read_items(out, depth);
        out.kind = rules::Node::Kind::table;
        lua_pushnil(L_);
        while (lua_next(L_, -2) != 0) {
            if (lua_type(L_, -2) != LUA_TSTRING)
                luaL_error(L_, "rules_check: a key of a table is no string");
            std::size_t size = 0;
            const char* key = lua_tolstring(L_, -2, &size);
            rules::Member& member = out.members.emplace_back();
            member.key.assign(key, size);
            member.at = {0, 0, 0};
            read(member.value, depth + 1);
            lua_pop(L_, 1);
        }
        sort_stably(out.members, [](const auto& a, const auto& b) { return a.key < b.key; });
        if (out.members.empty() && depth > 0) out.kind = rules::Node::Kind::array;
    }
    void read_items(rules::Node& out, int depth) {
        out.kind = rules::Node::Kind::array;
        for (int i = 1;; i++) {
            lua_rawgeti(L_, -1, i);
            if (lua_isnil(L_, -1)) break;
            read(out.items.emplace_back(), depth + 1);
            lua_pop(L_, 1);
        }
        lua_pop(L_, 1);
    }

    lua_State* L_;
    std::size_t values_ = 0;
};

int rules_check(lua_State* L) {
    check_count(L, "rules_check", 1);
    const int type = lua_type(L, 1);
    if (type != LUA_TTABLE && type != LUA_TSTRING) wrong_type(L, 1, "table or string");
    auto& document = push_owned<rules::Node>(L);
    auto& compiled = push_owned<rules::Compiled>(L);
    if (type == LUA_TSTRING) {
        compiled = rules::check_text(as_text(check_string(L, 1)));
    } else {
        lua_pushvalue(L, 1);
        DocumentReader(L).read(document, 0);
        lua_pop(L, 1);
        compiled = rules::check_document(document);
        document = {};
    }
    if (compiled.positioned.empty()) {
        lua_pushboolean(L, true);
        return 1;
    }
    lua_pushnil(L);
    lua_createtable(L, static_cast<int>(compiled.positioned.size()), 0);
    for (std::size_t i = 0; i < compiled.positioned.size(); i++) {
        const rules::Compiled::Positioned& one = compiled.positioned[i];
        lua_createtable(L, 0, 3);
        if (one.line != 0) {
            set_int(L, "line", one.line);
            set_int(L, "column", one.column);
        }
        set_text(L, "text", one.text);
        lua_rawseti(L, -2, static_cast<int>(i + 1));
    }
    return 2;
}

// --- rules_stats

void set_count(lua_State* L, const char* name, std::uint64_t value) {
    set_int(L, name, static_cast<std::int64_t>(value));
}

// Sets the table at the top as the field `key` of the one below.
void set_member(lua_State* L, std::string_view key) {
    push(L, key);
    lua_insert(L, -2);
    lua_rawset(L, -3);
}

void set_rules(lua_State* L, const rules::Statistics& from) {
    lua_createtable(L, static_cast<int>(from.rules.size()), 0);
    for (std::size_t i = 0; i < from.rules.size(); i++) {
        const rules::Judge::RuleCounts& rule = from.rules[i];
        lua_createtable(L, 0, 6);
        set_text(L, "name", rule.name);
        set_text(L, "profile", rule.profile);
        set_text(L, "chain", rule.chain);
        set_count(L, "packets", rule.counts.packets);
        set_count(L, "bytes", rule.counts.bytes);
        set_count(L, "dropped", rule.counts.dropped);
        lua_rawseti(L, -2, static_cast<int>(i + 1));
    }
    lua_setfield(L, -2, "rules");
    lua_createtable(L, 0, static_cast<int>(from.counters.size()));
    for (const rules::Judge::NamedCounts& counter : from.counters) {
        lua_createtable(L, 0, 3);
        set_count(L, "packets", counter.counts.packets);
        set_count(L, "bytes", counter.counts.bytes);
        set_int(L, "last", counter.last_ns / 1'000'000'000);
        set_member(L, counter.name);
    }
    lua_setfield(L, -2, "counters");
}

void set_meters(lua_State* L, const char* name, const std::vector<rules::Statistics::Meter>& from) {
    lua_createtable(L, 0, static_cast<int>(from.size()));
    for (const rules::Statistics::Meter& meter : from) {
        lua_createtable(L, 0, 4);
        set_count(L, "buckets", meter.counts.buckets);
        set_count(L, "exceed", meter.counts.exceed);
        set_count(L, "violate", meter.counts.violate);
        set_count(L, "buckets_full", meter.counts.buckets_full);
        lua_rawseti(L, -2, meter.id);
    }
    lua_setfield(L, -2, name);
}

void set_tables(lua_State* L, const rules::Statistics& from) {
    lua_createtable(L, 0, 3);
    set_count(L, "buckets", from.buckets.entries);
    set_meters(L, "ratelimit", from.ratelimits);
    set_meters(L, "rate", from.rates);
    lua_setfield(L, -2, "meters");
    lua_createtable(L, 0, 2);
    set_count(L, "entries", from.marks.entries);
    set_count(L, "evicted", from.marks.evicted);
    lua_setfield(L, -2, "marks");
    lua_createtable(L, 0, static_cast<int>(from.authentications.size()));
    for (const rules::Statistics::Authentication& one : from.authentications) {
        lua_createtable(L, 0, 3);
        set_count(L, "sources", one.counts.sources);
        set_count(L, "challenged", one.counts.challenged);
        set_count(L, "passed", one.counts.passed);
        lua_rawseti(L, -2, one.id);
    }
    lua_setfield(L, -2, "tcpauth");
    set_count(L, "tcpauth_limited", from.answers_limited);
}

int rules_stats(lua_State* L) {
    check_count(L, "rules_stats", 0);
    const auto& statistics = state_of(L).services().rule_statistics;
    if (!statistics) return luaL_error(L, "rules_stats: rules are not loaded");
    auto& from = push_owned<rules::Statistics>(L);
    from = statistics();
    lua_createtable(L, 0, 10);
    set_int(L, "t", from.unix_s);
    set_count(L, "packets", from.packets);
    set_count(L, "dropped", from.dropped);
    lua_pushboolean(L, from.observe);
    lua_setfield(L, -2, "observe");
    set_rules(L, from);
    set_tables(L, from);
    return 1;
}

} // namespace

void register_rules_api(State& state) {
    static constexpr NativeFunction functions[] = {
        {"rule_mark", rule_mark},         {"rule_mark_set", rule_mark_set},
        {"rule_mark_del", rule_mark_del}, {"rules_check", rules_check},
        {"rules_stats", rules_stats},
    };
    register_functions(state, functions);
}

} // namespace nfqws2::lua
