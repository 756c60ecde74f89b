// Theory of operation. As in fast_table.cpp, but the other way: a Lua function looks at the tables,
// LuaJIT compiles it to loads, checks of types and stores, and what it found lies in an array that
// it writes through the FFI. It was loaded before the FFI is removed. TCP options are a list of any
// length, which would make a loop of it: they are left to the C API.
#include "table/fast_reader.hpp"

#include "api/arguments.hpp"

#include "nfqws2/base/log.hpp"

#include <cstring>

namespace nfqws2::lua {

namespace {

constexpr std::string_view reader_source = R"lua(
local numbers, texts, sizes = ...
local ffi = require("ffi")
local n, s, size = ffi.cast("double *", numbers), ffi.cast("const char **", texts), ffi.cast("uint32_t *", sizes)
local type, getmetatable = type, getmetatable

local function plain(t)
	return type(t) == "table" and getmetatable(t) == nil
end

local function address(text, bytes)
	return type(text) == "string" and #text == bytes
end

local function read_ip(t)
	local tos, id, off, len, ttl, p = t.ip_tos, t.ip_id, t.ip_off, t.ip_len, t.ip_ttl, t.ip_p
	local src, dst = t.ip_src, t.ip_dst
	if type(tos) ~= "number" or type(id) ~= "number" or type(off) ~= "number" or type(len) ~= "number"
		or type(ttl) ~= "number" or type(p) ~= "number" or t.options ~= nil
		or not (address(src, 4) and address(dst, 4)) then return false end
	n[0], n[1], n[2], n[3], n[4], n[5] = tos, id, off, len, ttl, p
	s[1], s[2] = src, dst
	return true
end

local function read_ip6(t)
	local flow, plen, nxt, hlim = t.ip6_flow, t.ip6_plen, t.ip6_nxt, t.ip6_hlim
	local src, dst, list = t.ip6_src, t.ip6_dst, t.exthdr
	if type(flow) ~= "number" or type(plen) ~= "number" or type(nxt) ~= "number" or type(hlim) ~= "number"
		or list ~= nil and not (plain(list) and list[1] == nil)
		or not (address(src, 16) and address(dst, 16)) then return false end
	n[0], n[1], n[2], n[3] = flow, plen, nxt, hlim
	s[1], s[2] = src, dst
	return true
end

local function read_tcp(t)
	local sport, dport, seq, ack, x2 = t.th_sport, t.th_dport, t.th_seq, t.th_ack, t.th_x2
	local flags, win, sum, urp = t.th_flags, t.th_win, t.th_sum, t.th_urp
	if type(sport) ~= "number" or type(dport) ~= "number" or type(seq) ~= "number" or type(ack) ~= "number"
		or type(x2) ~= "number" or type(flags) ~= "number" or type(win) ~= "number" or type(sum) ~= "number"
		or type(urp) ~= "number" then return false end
	n[6], n[7], n[8], n[9], n[10], n[11], n[12], n[13], n[14] = sport, dport, seq, ack, x2, flags, win, sum, urp
	return true
end

local function read_udp(t)
	local sport, dport, ulen, sum = t.uh_sport, t.uh_dport, t.uh_ulen, t.uh_sum
	if type(sport) ~= "number" or type(dport) ~= "number" or type(ulen) ~= "number" or type(sum) ~= "number" then
		return false
	end
	n[6], n[7], n[8], n[9] = sport, dport, ulen, sum
	return true
end

return function(dis)
	if not plain(dis) or dis.frag_off ~= nil then return 0 end
	local payload, proto, ip, ip6, tcp, udp = dis.payload, dis.l4proto, dis.ip, dis.ip6, dis.tcp, dis.udp
	if type(payload) ~= "string" or type(proto) ~= "number" then return 0 end
	local kind
	if plain(ip) then
		if not read_ip(ip) then return 0 end
		kind = 1
	else
		if ip ~= nil or not plain(ip6) or not read_ip6(ip6) then return 0 end
		kind = 3
	end
	s[0], size[0], n[15] = payload, #payload, proto
	if plain(tcp) then
		if not read_tcp(tcp) then return 0 end
		return kind, tcp.options
	end
	if tcp ~= nil or not plain(udp) or not read_udp(udp) then return 0 end
	return kind + 1
end
)lua";

// What the function answers.
enum PlainKind : lua_Integer { not_plain, ip4_tcp, ip4_udp, ip6_tcp, ip6_udp };

} // namespace

void FastReader::open(lua_State* L, const Compiler& compiler) {
    if (!is_luajit) return;
    const int top = lua_gettop(L);
    bool good = luaL_loadbuffer(L, reader_source.data(), reader_source.size(), "=fast_reader") == 0;
    if (good) {
        lua_pushlightuserdata(L, fields_.numbers.data());
        lua_pushlightuserdata(L, fields_.texts.data());
        lua_pushlightuserdata(L, fields_.sizes.data());
        // Fails without an FFI in this build of LuaJIT.
        good = lua_pcall(L, 3, 1, 0) == 0 && lua_isfunction(L, -1);
    } else {
        log::error("LUA: %s", lua_tostring(L, -1));
    }
    if (good) {
        function_ref_ = luaL_ref(L, LUA_REGISTRYINDEX);
        compiler_ = &compiler;
    }
    lua_settop(L, top);
}

bool FastReader::read(lua_State* L, int dis, packet::Blueprint& plan) {
    if (compiler_ == nullptr || !compiler_->is_on()) return false;
    lua_rawgeti(L, LUA_REGISTRYINDEX, function_ref_);
    lua_pushvalue(L, dis);
    lua_call(L, 1, 2);
    const lua_Integer kind = lua_tointeger(L, -2);
    if (kind == not_plain) {
        lua_pop(L, 2);
        return false;
    }
    lua_remove(L, -2);
    plan.l3 = kind == ip4_tcp || kind == ip4_udp ? packet::L3::ipv4 : packet::L3::ipv6;
    plan.l4 = kind == ip4_tcp || kind == ip6_tcp ? packet::L4::tcp : packet::L4::udp;
    if (plan.l4 == packet::L4::udp) lua_pop(L, 1);
    plan.payload = as_bytes({fields_.texts[0], fields_.sizes[0]});
    plan.raw_protocol = packet::raw_protocol_of(number<std::uint8_t>(15));
    take_ip(plan);
    take_transport(plan);
    return true;
}

// Modulo the width of the field, as TableReader does it.
template <typename T> T FastReader::number(std::size_t place) const {
    return static_cast<T>(cut_to_int(fields_.numbers[place]));
}

void FastReader::take_ip(packet::Blueprint& plan) const {
    if (plan.l3 == packet::L3::ipv4) {
        packet::Ipv4Fields& ip = plan.ip;
        ip.tos = number<std::uint8_t>(0);
        ip.id = number<std::uint16_t>(1);
        ip.off = number<std::uint16_t>(2);
        ip.len = number<std::uint16_t>(3);
        ip.ttl = number<std::uint8_t>(4);
        ip.protocol = number<std::uint8_t>(5);
        std::memcpy(ip.source.data(), fields_.texts[1], ip.source.size());
        std::memcpy(ip.destination.data(), fields_.texts[2], ip.destination.size());
    } else {
        packet::Ipv6Fields& ip = plan.ip6;
        ip.flow = number<std::uint32_t>(0);
        ip.payload_len = number<std::uint16_t>(1);
        ip.next = number<std::uint8_t>(2);
        ip.hop_limit = number<std::uint8_t>(3);
        std::memcpy(ip.source.data(), fields_.texts[1], ip.source.size());
        std::memcpy(ip.destination.data(), fields_.texts[2], ip.destination.size());
    }
}

void FastReader::take_transport(packet::Blueprint& plan) const {
    if (plan.l4 == packet::L4::udp) {
        plan.udp = {number<std::uint16_t>(6), number<std::uint16_t>(7), number<std::uint16_t>(8),
                    number<std::uint16_t>(9)};
        return;
    }
    packet::TcpFields& tcp = plan.tcp;
    tcp.source_port = number<std::uint16_t>(6);
    tcp.destination_port = number<std::uint16_t>(7);
    tcp.seq = number<std::uint32_t>(8);
    tcp.ack = number<std::uint32_t>(9);
    tcp.x2 = number<std::uint8_t>(10);
    tcp.flags = number<std::uint8_t>(11);
    tcp.window = number<std::uint16_t>(12);
    tcp.checksum = number<std::uint16_t>(13);
    tcp.urgent = number<std::uint16_t>(14);
}

} // namespace nfqws2::lua
