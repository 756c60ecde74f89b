#include "table/push_connection.hpp"

#include "api/arguments.hpp"

namespace nfqws2::lua {

namespace {

using packet::Connection;
using packet::CtTuple;

void set_boolean(lua_State* L, const char* name, bool value) {
    lua_pushboolean(L, value);
    lua_setfield(L, -2, name);
}

void set_bytes(lua_State* L, const char* name, Bytes bytes) {
    push(L, bytes);
    lua_setfield(L, -2, name);
}

void set_tuple(lua_State* L, const char* name, const CtTuple& t) {
    lua_createtable(L, 0, 6);
    set_int(L, "proto", t.proto);
    set_bytes(L, "src", t.src.bytes());
    set_bytes(L, "dst", t.dst.bytes());
    if (t.has_ports()) {
        set_int(L, "sport", t.sport);
        set_int(L, "dport", t.dport);
    } else if (t.is_icmp()) {
        set_int(L, "icmp_type", t.icmp_type);
        set_int(L, "icmp_code", t.icmp_code);
        set_int(L, "icmp_id", t.icmp_id);
    }
    lua_setfield(L, -2, name);
}

void set_flags(lua_State* L, std::uint32_t status) {
    lua_createtable(L, 0, 4);
    for (const packet::CtStatusName& one : packet::ct_status_names()) {
        if ((status & one.bit) == 0) continue;
        push(L, one.name);
        lua_pushboolean(L, true);
        lua_rawset(L, -3);
    }
    lua_setfield(L, -2, "flags");
}

void set_nat(lua_State* L, const Connection& c) {
    const bool source = c.reply.dst != c.orig.src || c.reply.dport != c.orig.sport;
    const bool destination = c.reply.src != c.orig.dst || c.reply.sport != c.orig.dport;
    if (!source && !destination) return;
    const bool ports = c.orig.has_ports();
    lua_createtable(L, 0, 4);
    if (source) {
        set_bytes(L, "src", c.reply.dst.bytes());
        if (ports) set_int(L, "sport", c.reply.dport);
    }
    if (destination) {
        set_bytes(L, "dst", c.reply.src.bytes());
        if (ports) set_int(L, "dport", c.reply.sport);
    }
    lua_setfield(L, -2, "nat");
}

void set_counter(lua_State* L, const char* name, const packet::CtCounter& counter) {
    lua_createtable(L, 0, 2);
    set_int(L, "packets", static_cast<std::int64_t>(counter.packets));
    set_int(L, "bytes", static_cast<std::int64_t>(counter.bytes));
    lua_setfield(L, -2, name);
}

void set_connection(lua_State* L, const Connection& c) {
    if (c.id) set_int(L, "id", *c.id);
    if (c.mark) set_int(L, "mark", *c.mark);
    if (c.zone != 0) set_int(L, "zone", c.zone);
    if (c.status) {
        set_int(L, "status", *c.status);
        set_flags(L, *c.status);
    }
    if (c.timeout) set_int(L, "timeout", *c.timeout);
    if (!c.helper.empty()) set_text(L, "helper", c.helper.text());
    if (c.tcp_state != packet::CtTcp::unknown) set_text(L, "tcp_state", name(c.tcp_state));
    set_tuple(L, "orig", c.orig);
    set_tuple(L, "reply", c.reply);
    if (c.master) set_tuple(L, "master", *c.master);
    set_nat(L, c);
    if (c.counted) {
        lua_createtable(L, 0, 2);
        set_counter(L, "orig", c.orig_counter);
        set_counter(L, "reply", c.reply_counter);
        lua_setfield(L, -2, "counters");
    }
    if (c.start_ns != 0) {
        lua_pushnumber(L, static_cast<lua_Number>(c.start_ns / 1'000'000'000) +
                              static_cast<lua_Number>(c.start_ns % 1'000'000'000) * 1e-9);
        lua_setfield(L, -2, "start");
    }
    if (c.labels) set_bytes(L, "labels", *c.labels);
}

} // namespace

void push_facts(lua_State* L, const packet::CtFacts& facts) {
    lua_createtable(L, 0, 16);
    set_text(L, "source", name(facts.source));
    set_text(L, "state", name(facts.state));
    set_boolean(L, "exact", facts.exact);
    if (facts.direction != packet::CtDirection::unknown)
        set_text(L, "dir", facts.direction == packet::CtDirection::reply ? "reply" : "original");
    if (facts.connection) set_connection(L, *facts.connection);
}

void push_connection(lua_State* L, packet::CtSource source, const Connection& c) {
    lua_createtable(L, 0, 14);
    set_text(L, "source", name(source));
    set_connection(L, c);
}

} // namespace nfqws2::lua
