// The Lua side of the compiled table builder. Runs before scripts, keeps the FFI to itself.
#pragma once

namespace nfqws2::lua {

inline constexpr const char* fast_table_chunk = "=fast_table";

inline constexpr const char* fast_table_source = R"lua(
local facts_address, facts_size, payload_names, l7_names, profiles, states = ...
local ffi = require("ffi")
-- The builder becomes one long trace with a constant for each key: the usual limits would abort it.
require("jit.opt").start("maxrecord=8000", "maxirconst=2000")
ffi.cdef [[
struct nfqws2_side {
	double pcounter, pdcounter, pbcounter;
	uint32_t ip6_flow, seq0, seq, rseq, pos, uppos, uppos_prev, winsize_calc;
	uint32_t winsize, scale, mss, rseq_over_2g;
};
struct nfqws2_facts {
	const uint8_t *packet, *payload, *reasm, *decrypt;
	const char *ifin, *ifout, *hostname;
	double t_start, dt;
	struct nfqws2_side client, server;
	uint8_t target[16];
	uint32_t payload_len, reasm_len, decrypt_len, ifin_len, ifout_len, hostname_len;
	uint32_t l3, l4, l4proto, l3_len, l4_len, transport_len, fragment, frag_off;
	uint32_t ip6_flow, seq, ack, icmp_data;
	uint32_t fwmark, profile_n, outgoing, target_port, target_version, l7payload, l7proto;
	uint32_t has_reasm, has_decrypt, tcp_mss, replay, replay_piece, replay_count, reasm_offset;
	uint32_t has_track, tcp_track, incoming_ttl, track_l7, has_hostname, hostname_is_ip;
	uint32_t in_cutoff, out_cutoff, direct_is_client, lua_state;
	uint32_t valid;
};
]]
if ffi.sizeof("struct nfqws2_facts") ~= facts_size then return nil end
local f = ffi.cast("struct nfqws2_facts *", facts_address)
local str, G, error = ffi.string, _G, error
local floor = math.floor
local L3_V4, L3_V6, L4_TCP, L4_UDP, L4_ICMP = 1, 2, 1, 2, 3

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
		ip6_flow = f.ip6_flow, ip6_plen = u16(p, 4), ip6_nxt = p[6], ip6_hlim = p[7],
		ip6_src = str(p + 8, 16), ip6_dst = str(p + 24, 16),
		exthdr = size == 40 and {} or extension_headers(p, size),
	}
end

local function build_tcp(q)
	local b = q[12]
	return {
		th_sport = u16(q, 0), th_dport = u16(q, 2), th_seq = f.seq, th_ack = f.ack, th_x2 = b % 16,
		th_off = floor(b / 16), th_flags = q[13], th_win = u16(q, 14), th_sum = u16(q, 16),
		th_urp = u16(q, 18), options = build_options(q, f.l4_len),
	}
end

local function build_dissect(payload)
	local p, l3_len = f.packet, f.l3_len
	local q = p + l3_len
	local ip, ip6, tcp, udp, icmp, frag_off
	if f.l3 == L3_V4 then
		ip = build_ip(p, l3_len)
	else
		ip6 = build_ip6(p, l3_len)
	end
	if f.l4 == L4_TCP then
		tcp = build_tcp(q)
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
		l4proto = f.l4proto, transport_len = f.transport_len, l3_len = l3_len, l4_len = f.l4_len,
		payload = payload, frag_off = frag_off, ip = ip, ip6 = ip6, tcp = tcp, udp = udp,
		icmp = icmp,
	}
end

local function build_side(s)
	local flow, tcp
	if s.ip6_flow ~= 0 then flow = s.ip6_flow end
	if f.tcp_track ~= 0 then
		tcp = {
			seq0 = s.seq0, seq = s.seq, rseq = s.rseq, rseq_over_2G = s.rseq_over_2g ~= 0,
			pos = s.pos, uppos = s.uppos, uppos_prev = s.uppos_prev, winsize = s.winsize,
			winsize_calc = s.winsize_calc, scale = s.scale, mss = s.mss,
		}
	end
	return {
		pcounter = s.pcounter, pdcounter = s.pdcounter, pbcounter = s.pbcounter, ip6_flow = flow,
		tcp = tcp,
	}
end

local function build_track()
	local client, server = build_side(f.client), build_side(f.server)
	local direct, reverse = client, server
	if f.direct_is_client == 0 then direct, reverse = server, client end
	local ttl, host, host_is_ip
	if f.incoming_ttl ~= 0 then ttl = f.incoming_ttl end
	if f.has_hostname ~= 0 then
		host, host_is_ip = str(f.hostname, f.hostname_len), f.hostname_is_ip ~= 0
	end
	return {
		incoming_ttl = ttl, l7proto = l7_names[f.track_l7], hostname = host,
		hostname_is_ip = host_is_ip, lua_state = states[f.lua_state],
		lua_in_cutoff = f.in_cutoff ~= 0, lua_out_cutoff = f.out_cutoff ~= 0, t_start = f.t_start,
		pos = { dt = f.dt, client = client, server = server, direct = direct, reverse = reverse },
	}
end

local function build_target()
	local ip, ip6, port
	if f.target_version == 4 then ip = str(f.target, 4) else ip6 = str(f.target, 16) end
	if f.target_port ~= 0 then port = f.target_port end
	return { ip = ip, ip6 = ip6, port = port }
end

local function build()
	if f.valid == 0 then error("no packet") end
	local profile = profiles[f.profile_n]
	local payload = str(f.payload, f.payload_len)
	local track, ifin, ifout, reasm, decrypt, mss, none
	if f.has_track ~= 0 then track = build_track() end
	if f.ifin_len ~= 0 then ifin = str(f.ifin, f.ifin_len) end
	if f.ifout_len ~= 0 then ifout = str(f.ifout, f.ifout_len) end
	if f.has_reasm ~= 0 then
		if f.reasm == f.payload and f.reasm_len == f.payload_len then
			reasm = payload
		else
			reasm = str(f.reasm, f.reasm_len)
		end
	end
	if f.has_decrypt ~= 0 then decrypt = str(f.decrypt, f.decrypt_len) end
	if f.l4 == L4_TCP then
		mss = f.tcp_mss
		if mss == 0 then mss = G.DEFAULT_MSS end
	end
	local desync = {
		dis = build_dissect(payload), track = track, profile_n = f.profile_n,
		profile_name = profile.name, cookie = profile.cookie, outgoing = f.outgoing ~= 0,
		ifin = ifin, ifout = ifout, fwmark = f.fwmark, target = build_target(),
		replay = f.replay ~= 0, l7payload = payload_names[f.l7payload],
		l7proto = l7_names[f.l7proto], reasm_offset = f.reasm_offset, reasm_data = reasm,
		decrypt_data = decrypt, tcp_mss = mss, arg = none, func = none, func_n = none,
		func_instance = none, plan = none,
	}
	if f.replay ~= 0 then
		desync.replay_piece = f.replay_piece
		desync.replay_piece_count = f.replay_count
		desync.replay_piece_last = f.replay_piece == f.replay_count
	end
	return desync
end

return build, ffi
)lua";

} // namespace nfqws2::lua
