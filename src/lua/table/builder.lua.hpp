// The Lua side of the compiled builder. Runs before scripts, keeps the FFI to itself. $structures
// and the fields of constructors ($track) come from facts.hpp, put in by builder_text.hpp.
#pragma once

#include <string_view>

namespace nfqws2::lua {

// How the engine calls it.
inline constexpr const char* builder_chunk = "=fast_table";

inline constexpr std::string_view builder_template = R"lua(
local facts_address, facts_size, payload_names, l7_names, profile_texts, states, status_names = ...
local ffi = require("ffi")
-- The builder becomes one long trace with a constant for each key: the usual limits would abort it.
require("jit.opt").start("maxrecord=8000", "maxirconst=2000")
ffi.cdef [[
$structures
]]
if ffi.sizeof("struct desync") ~= facts_size then return nil end
local facts = ffi.cast("struct desync *", facts_address)
local str, G, error, pairs = ffi.string, _G, error, pairs
local floor = math.floor
local band = require("bit").band
local L3_V4, L3_V6, L4_TCP, L4_UDP, L4_ICMP = 1, 2, 1, 2, 3

-- Of an OptionalBoolean.
local known = { false, true }

local function has(status, bit)
	return band(status, bit) ~= 0 or nil
end

-- All but the bits that build_flags() names.
local rare_bits = 0xfffffe40

local function u16(p, i)
	return p[i] * 256 + p[i + 1]
end

local function tcp_options(q, size)
	local options, n, i = {}, 0, 20
	while i < size do
		local kind = q[i]
		if kind == 0 then break end
		n = n + 1
		if kind == 1 then
			options[n] = { kind = 1 }
			i = i + 1
		else
			if i + 1 >= size then break end
			local len = q[i + 1]
			if len < 2 or i + len > size then break end
			options[n] = { kind = kind, data = str(q + i + 2, len - 2) }
			i = i + len
		end
	end
	return options
end

-- Nearly every data packet of a modern stack carries NOP, NOP, timestamps and nothing else.
local function build_options(q, size)
	if size == 20 then return {} end
	if size == 32 and q[20] == 1 and q[21] == 1 and q[22] == 8 and q[23] == 10 then
		return { { kind = 1 }, { kind = 1 }, { kind = 8, data = str(q + 24, 8) } }
	end
	return tcp_options(q, size)
end

local function extension_headers(p, size)
	local headers, n, i, kind = {}, 0, 40, p[6]
	while i < size do
		local len = kind == 44 and 8 or kind == 51 and 8 + 4 * p[i + 1] or 8 + 8 * p[i + 1]
		n = n + 1
		headers[n] = { type = kind, next = p[i], data = str(p + i + 2, len - 2) }
		kind = p[i]
		i = i + len
	end
	return headers
end

local function build_ip(p, size)
	local ip = {
		ip_v = floor(p[0] / 16), ip_hl = size / 4, ip_tos = p[1], ip_len = u16(p, 2),
		ip_id = u16(p, 4), ip_off = u16(p, 6), ip_ttl = p[8], ip_p = p[9], ip_sum = u16(p, 10),
		ip_src = str(p + 12, 4), ip_dst = str(p + 16, 4),
	}
	if size > 20 then ip.options = str(p + 20, size - 20) end
	return ip
end

local function build_ip6(p, size)
	return {
		ip6_flow = facts.dis.ip6_flow, ip6_plen = u16(p, 4), ip6_nxt = p[6], ip6_hlim = p[7],
		ip6_src = str(p + 8, 16), ip6_dst = str(p + 24, 16),
		exthdr = size == 40 and {} or extension_headers(p, size),
	}
end

local function build_tcp_header(q, size)
	local b, dis = q[12], facts.dis
	return {
		th_sport = u16(q, 0), th_dport = u16(q, 2), th_seq = dis.th_seq, th_ack = dis.th_ack,
		th_x2 = b % 16, th_off = floor(b / 16), th_flags = q[13], th_win = u16(q, 14),
		th_sum = u16(q, 16), th_urp = u16(q, 18), options = build_options(q, size),
	}
end

local function build_dis(f, payload)
	local p, l3_len, l4_len = f.packet, f.l3_len, f.l4_len
	local q = p + l3_len
	local ip, ip6, tcp, udp, icmp, frag_off
	if f.l3 == L3_V4 then
		ip = build_ip(p, l3_len)
	else
		ip6 = build_ip6(p, l3_len)
	end
	if f.l4 == L4_TCP then
		tcp = build_tcp_header(q, l4_len)
	elseif f.l4 == L4_UDP then
		udp = {
			uh_sport = u16(q, 0), uh_dport = u16(q, 2), uh_ulen = u16(q, 4), uh_sum = u16(q, 6),
		}
	elseif f.l4 == L4_ICMP then
		icmp = {
			icmp_type = q[0], icmp_code = q[1], icmp_cksum = u16(q, 2), icmp_data = f.icmp_data,
		}
	end
	if f.fragment ~= 0 then frag_off = f.frag_off end
	return {
		l4proto = f.l4proto, transport_len = f.transport_len, l3_len = l3_len, l4_len = l4_len,
		payload = payload, frag_off = frag_off, ip = ip, ip6 = ip6, tcp = tcp, udp = udp,
		icmp = icmp,
	}
end

local function build_tcp(f)
	if f.exists ~= 0 then return { $tcp } end
end

local function build_side(f)
	return { $side }
end

local function build_pos(f)
	local client, server = build_side(f.client), build_side(f.server)
	local direct, reverse = client, server
	if f.direct_is_client == 0 then direct, reverse = server, client end
	return { dt = f.dt, client = client, server = server, direct = direct, reverse = reverse }
end

local function build_track(f)
	if f.exists ~= 0 then return { $track } end
end

local function build_target(f)
	return { $target }
end

-- Bits of a status, those of most connections first.
local function build_flags(status)
	local flags = {
		expected = has(status, 1), seen_reply = has(status, 2), assured = has(status, 4),
		confirmed = has(status, 8), src_nat = has(status, 0x10), dst_nat = has(status, 0x20),
		src_nat_done = has(status, 0x80), dst_nat_done = has(status, 0x100),
	}
	if band(status, rare_bits) ~= 0 then
		for bit, name in pairs(status_names) do flags[name] = has(status, bit) end
	end
	return flags
end

local function build_ct_tuple(f)
	if f.exists ~= 0 then return { $ct_tuple } end
end

local function build_ct_nat(f)
	if f.exists ~= 0 then return { $ct_nat } end
end

local function build_ct_counter(f)
	return { $ct_counter }
end

local function build_ct_counters(f)
	if f.exists ~= 0 then return { $ct_counters } end
end

local function build_ct(f)
	if f.exists ~= 0 then return { $ct } end
end

local function build()
	local f, none = facts
	if f.valid == 0 then error("no packet") end
	local payload = str(f.dis.payload.data, f.dis.payload.size)
	local mss = f.tcp_mss
	if mss == 0 then mss = nil elseif mss == 0x10000 then mss = G.DEFAULT_MSS end
	return {
		$desync
		arg = none, func = none, func_n = none, func_instance = none, plan = none,
	}
end

return build, ffi
)lua";

} // namespace nfqws2::lua
