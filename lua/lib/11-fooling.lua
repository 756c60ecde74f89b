-------------------------------------------------------------------------------------------------------------
-- 11. Autottl and fooling
-------------------------------------------------------------------------------------------------------------

-- Parses "<delta>,<min>-<max>", e.g. "-1,3-20", to {delta=,min=,max=}. nil for nil.
function parse_autottl(s)
	if not s then return nil end
	local delta, min, max = s:match("^%s*([-+]?%d+),(%d+)-(%d+)%s*$")
	delta, min, max = tonumber(delta), tonumber(min), tonumber(max)
	if not delta or min > max then
		error("parse_autottl: invalid value '" .. s .. "'")
	end
	return { delta = delta, min = min, max = max }
end

local function initial_ttl(ttl)
	return ttl >= 224 and ttl <= 255 and 255
		or ttl >= 97 and ttl <= 128 and 128
		or ttl >= 33 and ttl <= 64 and 64
end

-- TTL for a packet that must expire short of (delta < 0) or behind (delta >= 0) the sender of an incoming
-- packet; nil if it cannot be found.
-- incoming_ttl : TTL of the incoming packet, from which the distance is guessed
-- attl         : result of parse_autottl
function autottl(incoming_ttl, attl)
	local initial = initial_ttl(incoming_ttl)
	if not initial then return nil end
	local hops = initial - incoming_ttl
	local ttl = math.max(attl.min, math.min(attl.max, hops + attl.delta))
	if (attl.delta < 0) == (ttl < hops) then return ttl end
	return nil
end

-- TTL found by autottl for this connection and instance, nil if unknown. Cached once found.
local function discover_ttl(desync, option)
	local track = desync.track
	local incoming_ttl = track and track.incoming_ttl
	local cache = incoming_ttl and subtable(subtable(track.lua_state, "autottl_cache"), desync.func_instance)
	if cache and cache.autottl_found then
		dlog_format("apply_fooling: using cached autottl %s", cache.autottl)
		return cache.autottl
	end

	local attl = parse_autottl(option) -- a bad option is an error even if there is nothing to apply it to
	if not cache then
		if track then dlog_format("apply_fooling: cannot apply autottl because incoming ttl unknown") end
		return nil
	end
	cache.autottl = autottl(incoming_ttl, attl)
	if cache.autottl then
		cache.autottl_found = true
		dlog_format("apply_fooling: discovered autottl %s", cache.autottl)
	else
		dlog_format("apply_fooling: could not discover autottl")
	end
	return cache.autottl
end

-- TTL by autottl option, else by fixed option; nil = leave as it is.
local function fooling_ttl(desync, fixed, auto)
	local ttl = auto and discover_ttl(desync, auto)
	if not ttl and fixed then
		ttl = tonumber(fixed)
		if not ttl or ttl < 0 or ttl > 255 then
			error("apply_fooling: ip_ttl and ip6_ttl require valid value")
		end
	end
	return ttl
end

local function fooling_increment(options, name)
	return tonumber(options[name])
		or error("apply_fooling: " .. name .. " requires increment parameter. there's no default value.")
end

local function fooling_hex(value)
	return parse_hex(value) or error("apply_fooling: invalid hex string '" .. value .. "'")
end

local function remove_nops(tcp_options)
	local kept, count = 0, #tcp_options
	for i = 1, count do
		local option = tcp_options[i]
		if option.kind ~= TCP_KIND_NOOP then
			kept = kept + 1
			tcp_options[kept] = option
		end
	end
	for i = kept + 1, count do tcp_options[i] = nil end
end

local function add_to_timestamp(tcp_options, increment)
	local index = find_tcp_option(tcp_options, TCP_KIND_TS)
	local option = tcp_options[index]
	if option and option.data and #option.data == 8 then
		-- A new table: a copy of the packet may share the old one.
		local changed = copy_fields(option)
		changed.data = bu32(u32add(u32(option.data), increment)) .. option.data:sub(5)
		tcp_options[index] = changed
	else
		dlog_format("apply_fooling: timestamp tcp option not present or invalid")
	end
end

local function add_md5(tcp_options, value)
	if find_tcp_option(tcp_options, TCP_KIND_MD5) then
		dlog_format("apply_fooling: md5 option already present")
		return
	end
	local data = value == "" and brandom(16) or fooling_hex(value)
	tcp_options[#tcp_options + 1] = { kind = TCP_KIND_MD5, data = data }
end

local function move_timestamp_up(tcp_options)
	local index = find_tcp_option(tcp_options, TCP_KIND_TS)
	if index then table.insert(tcp_options, 1, table.remove(tcp_options, index)) end
end

local function fool_tcp(tcp, options)
	if options.tcp_seq then tcp.th_seq = u32add(tcp.th_seq, fooling_increment(options, "tcp_seq")) end
	if options.tcp_ack then tcp.th_ack = u32add(tcp.th_ack, fooling_increment(options, "tcp_ack")) end
	if options.tcp_flags_unset then
		tcp.th_flags = bitand(tcp.th_flags, bitnot(parse_tcp_flags(options.tcp_flags_unset)))
	end
	if options.tcp_flags_set then
		tcp.th_flags = bitor(tcp.th_flags, parse_tcp_flags(options.tcp_flags_set))
	end
	local tcp_options = subtable(tcp, "options")
	if options.tcp_nop_del then remove_nops(tcp_options) end
	if options.tcp_ts then add_to_timestamp(tcp_options, fooling_increment(options, "tcp_ts")) end
	if options.tcp_md5 then add_md5(tcp_options, options.tcp_md5) end
	if options.tcp_ts_up then move_timestamp_up(tcp_options) end
end

local function zeros6() return "\0\0\0\0\0\0" end
local function random_ah() return "\0\0" .. brandom(4) end

-- In order of insertion; no index = at the end.
local IP6_FOOLING = {
	{ argument = "ip6_hopbyhop", type = IPPROTO_HOPOPTS, index = 1, default = zeros6 },
	{ argument = "ip6_hopbyhop2", type = IPPROTO_HOPOPTS, index = 1, default = zeros6 },
	{ argument = "ip6_destopt", type = IPPROTO_DSTOPTS, default = zeros6 },
	{ argument = "ip6_routing", type = IPPROTO_ROUTING, default = zeros6 },
	{ argument = "ip6_destopt2", type = IPPROTO_DSTOPTS, default = zeros6 },
	{ argument = "ip6_ah", type = IPPROTO_AH, default = random_ah },
}

local function fool_ip6(ip6, options)
	for i = 1, #IP6_FOOLING do
		local header = IP6_FOOLING[i]
		local value = options[header.argument]
		if value then
			local data = value == "" and header.default() or fooling_hex(value)
			insert_ip6_exthdr(ip6, header.index, header.type, data)
		end
	end
end

-- Applies the fooling options to a dissect, in place and in this order: TCP, IPv6, TTL, fool.
-- dis             : default desync.dis
-- fooling_options : default desync.arg
-- Group fooling:
--   ip_ttl=<0..255>: TTL, if there is no result from ip_autottl
--   ip6_ttl=<0..255>: hop limit, if there is no result from ip6_autottl
--   ip_autottl=<delta>,<min>-<max>: TTL by the distance of the peer, e.g. -1,3-20
--   ip6_autottl=<delta>,<min>-<max>: the same for IPv6
--   ip6_hopbyhop[=<hex>] (6 zero bytes): a hop-by-hop header in front
--   ip6_hopbyhop2[=<hex>] (6 zero bytes): one more in front of it
--   ip6_destopt[=<hex>] (6 zero bytes): a destination options header at the end
--   ip6_destopt2[=<hex>] (6 zero bytes): one more, behind the routing header
--   ip6_routing[=<hex>] (6 zero bytes): a routing header at the end
--   ip6_ah[=<hex>] (2 zero and 4 random bytes): an authentication header at the end
--   tcp_seq=<number>: added to the sequence number
--   tcp_ack=<number>: added to the acknowledgment number
--   tcp_ts=<number>: added to the timestamp
--   tcp_md5[=<hex>] (16 random bytes): an MD5 option, unless there is one
--   tcp_flags_set=<flags>: flags to set, by name with commas
--   tcp_flags_unset=<flags>: flags to clear
--   tcp_ts_up: the timestamp becomes the first option
--   tcp_nop_del: without NOP options
--   fool=<function>: global function f(dis, fooling_options), called last
function apply_fooling(desync, dis, fooling_options)
	dis = dis or desync.dis
	local options = fooling_options or desync.arg
	local ip, ip6 = dis.ip, dis.ip6

	if dis.tcp then fool_tcp(dis.tcp, options) end
	if ip6 then fool_ip6(ip6, options) end
	if ip then ip.ip_ttl = fooling_ttl(desync, options.ip_ttl, options.ip_autottl) or ip.ip_ttl end
	if ip6 then ip6.ip6_hlim = fooling_ttl(desync, options.ip6_ttl, options.ip6_autottl) or ip6.ip6_hlim end

	local fool = options.fool
	if fool and fool ~= "" then
		if type(_G[fool]) ~= "function" then
			error("apply_fooling: fool function '" .. tostring(fool) .. "' does not exist")
		end
		dlog_format("apply_fooling: calling '%s'", fool)
		_G[fool](dis, options)
	end
end
