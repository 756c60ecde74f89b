// The `desync` table through the Lua C API: every engine can do this.
#include "table/desync_table.hpp"

#include "api/arguments.hpp"
#include "table/fill.hpp"
#include "table/push_connection.hpp"
#include "table/push_packet.hpp"

namespace nfqws2::lua {

namespace {

// Sets fields of the table on top of the stack, each by its kind.
class Table {
  public:
    // The references are those of lists in the registry, for tables of packets and flows. `dissect`
    // is for the table of a packet only.
    explicit Table(lua_State* L, int profile_texts_ref = LUA_NOREF, int flows_ref = LUA_NOREF,
                   const packet::Dissect* dissect = nullptr)
        : L_(L), profile_texts_ref_(profile_texts_ref), flows_ref_(flows_ref), dissect_(dissect) {}

    // Pushes a table with all fields of a structure, and room for `more`.
    template <typename Structure> void push(const Structure& facts, int more = 0) {
        int count = more;
        Structure::each(
            [&](const char*, auto member) { count += is_shown<kind_of<decltype(member)>>; });
        lua_createtable(L_, 0, count);
        Structure::each([&](const char* name, auto member) { set(name, facts.*member); });
    }

  private:
    void set(const char*, const Hidden&) {}
    void set(const char*, const Address&) {}
    void set(const char* name, const Number& f) { set_integer(name, f.value); }
    void set(const char* name, const OptionalNumber& f) {
        if (f.value != 0) set_integer(name, f.value);
    }
    void set(const char* name, const KnownNumber& f) {
        if (f.value >= 0) set_integer(name, static_cast<std::int64_t>(f.value));
    }
    void set(const char* name, const OptionalReal& f) {
        if (f.value != 0) set(name, Real{f.value});
    }
    void set(const char* name, const CtStatusBits& f) {
        if (f.value < 0) return;
        lua_createtable(L_, 0, 4);
        for (const packet::CtStatusName& one : packet::ct_status_names()) {
            if ((static_cast<std::uint32_t>(f.value) & one.bit) == 0) continue;
            lua::push(L_, one.name);
            lua_pushboolean(L_, true);
            lua_rawset(L_, -3);
        }
        lua_setfield(L_, -2, name);
    }
    void set(const char* name, const Counter& f) {
        set_integer(name, static_cast<std::int64_t>(f.value));
    }
    void set(const char* name, const Real& f) {
        lua_pushnumber(L_, f.value);
        lua_setfield(L_, -2, name);
    }
    void set(const char* name, const Boolean& f) { set_boolean(name, f.value != 0); }
    void set(const char* name, const OptionalBoolean& f) {
        if (f.value != OptionalBoolean::absent) set_boolean(name, f.value == OptionalBoolean::yes);
    }
    void set(const char* name, const Text& f) {
        if (f.data.value == nullptr) return;
        lua::push(L_, Bytes(f.data.value, f.size.value));
        lua_setfield(L_, -2, name);
    }
    void set(const char* name, const Message& f) { set(name, Text{f.data, f.size}); }
    void set(const char* name, const L7Name& f) { set_text(L_, name, protocol::name(f.value)); }
    void set(const char* name, const PayloadName& f) {
        set_text(L_, name, protocol::name(f.value));
    }
    void set(const char* name, const ProfileText& f) {
        if (f.value != 0) set_kept(name, profile_texts_ref_, f.value);
    }
    void set(const char* name, const FlowState& f) { set_kept(name, flows_ref_, f.value); }
    void set(const char* name, const Mss& f) {
        if (f.value == Mss::of_global) {
            lua_getglobal(L_, "DEFAULT_MSS");
            lua_setfield(L_, -2, name);
        } else if (f.value != Mss::absent) {
            set_integer(name, f.value);
        }
    }
    void set(const char* name, const DissectFacts&) {
        push_dissect(L_, *dissect_);
        lua_setfield(L_, -2, name);
    }
    // A table that may be absent.
    template <typename Structure>
    requires requires(const Structure& f) { f.exists; }
    void set(const char* name, const Structure& f) {
        if (f.exists.value != 0) set_table(name, f);
    }
    void set(const char* name, const TargetFacts& f) { set_table(name, f); }
    void set(const char* name, const CtCounterFacts& f) { set_table(name, f); }
    void set(const char* name, const PosFacts& f) {
        lua_createtable(L_, 0, 5);
        set("dt", f.dt);
        const bool direct_is_client = f.direct_is_client.value != 0;
        set_side("client", direct_is_client ? "direct" : "reverse", f.client);
        set_side("server", direct_is_client ? "reverse" : "direct", f.server);
        lua_setfield(L_, -2, name);
    }

    // The value at a place of a list in the registry.
    void set_kept(const char* name, int list_ref, std::uint32_t place) {
        lua_rawgeti(L_, LUA_REGISTRYINDEX, list_ref);
        lua_rawgeti(L_, -1, static_cast<int>(place));
        lua_setfield(L_, -3, name);
        lua_pop(L_, 1);
    }
    void set_integer(const char* name, std::int64_t value) {
        push_int(L_, value);
        lua_setfield(L_, -2, name);
    }
    void set_boolean(const char* name, bool value) {
        lua_pushboolean(L_, value);
        lua_setfield(L_, -2, name);
    }
    template <typename Structure> void set_table(const char* name, const Structure& f) {
        push(f);
        lua_setfield(L_, -2, name);
    }
    void set_side(const char* name, const char* same, const SideFacts& side) {
        push(side);
        lua_pushvalue(L_, -1);
        lua_setfield(L_, -3, name);
        lua_setfield(L_, -2, same);
    }

    lua_State* L_;
    int profile_texts_ref_, flows_ref_;
    const packet::Dissect* dissect_;
};

} // namespace

void DesyncTable::push_track(lua_State* L, flow::Track& track, const flow::Positions& positions,
                             bool direct_is_client) const {
    flows_.need(L, track);
    TrackFacts facts{};
    fill(facts, track, positions, direct_is_client);
    Table(L, profile_texts_ref_, flows_.ref()).push(facts);
}

void DesyncTable::push_by_api(lua_State* L, const PacketView& view) const {
    if (view.track != nullptr) flows_.need(L, *view.track);
    Facts facts{};
    fill(facts, view);
    // arg, func, func_n, func_instance, plan
    Table(L, profile_texts_ref_, flows_.ref(), view.dis).push(facts, 5);
}

void push_facts(lua_State* L, const packet::CtFacts& known) {
    CtFacts facts;
    fill(facts, known);
    Table(L).push(facts);
}

void push_connection(lua_State* L, packet::CtSource source, const packet::Connection& connection) {
    CtFacts facts;
    fill(facts, source, connection);
    Table(L).push(facts);
}

} // namespace nfqws2::lua
