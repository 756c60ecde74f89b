-- Runs scripts that were written for NFLua (Lua within iptables). Load it before the script; it needs no other library.
--
-- A function of such a script gets the frame and the packet, and is called by the instance `nflua`:
--   --lua-init=@zapret-nflua.lua --lua-init=@script.lua --lua-desync=nflua:func=NAME
-- What such scripts know is made here: nf, timer, data and json, as globals and by require. docs/nflua.md tells what is
-- the same and what cannot be.

local native = nflua_enable()

data = native.data
json = native.json
nf = {}
timer = {}

-- What the script gets in place of what this library needs must not matter.
local rawsend, dissect, reconstruct_dissect, csum_tcp_fix = rawsend, dissect, reconstruct_dissect, csum_tcp_fix
local bitand, bitor, bitnot32, timer_set, timer_del = bitand, bitor, bitnot32, timer_set, timer_del
local execution_plan_cancel, tonumber, DLOG_ERR = execution_plan_cancel, tonumber, DLOG_ERR

-------------------------------------------------------------------------------------------------------------
-- Helpers
-------------------------------------------------------------------------------------------------------------

local LONGEST_PACKET = 65535

local function bad_argument(n, name, why)
	error(("bad argument #%d to '%s' (%s)"):format(n, name, why), 3)
end

local function expected(n, name, kind, value)
	error(("bad argument #%d to '%s' (%s expected, got %s)"):format(n, name, kind, type(value)), 3)
end

-- A number without its fraction.
local function whole(value)
	return value - value % 1
end

local warned = {}

-- Says it once a minute; `once`: once.
local function warn(text, once)
	local seconds = native.now()
	if warned[text] and (once or seconds - warned[text] < 60) then return end
	warned[text] = seconds
	DLOG_ERR(text)
end

-------------------------------------------------------------------------------------------------------------
-- Calling functions of scripts
-------------------------------------------------------------------------------------------------------------

local current_copy -- what nf.getpacket() has given in this call

-- What a match does (a target: nil) and the bits of which one has to be set (0: no condition). What the arguments cannot
-- say is an error.
local function read_arguments(arg, mode)
	local action, mask
	if mode == "match" then
		action = arg.j or "drop"
		if action ~= "drop" and action ~= "accept" and action ~= "next" and action ~= "continue" then
			error("nflua: unknown j '" .. action .. "'")
		end
	elseif mode ~= "target" then
		error("nflua: unknown mode '" .. mode .. "'")
	elseif not arg.func then
		error("nflua: 'func' is missing")
	end
	if arg.mask then
		mask = tonumber(arg.mask)
		if not mask or mask < 0 or mask > 0xFFFFFFFF then error("nflua: bad mask '" .. arg.mask .. "'") end
	end
	return action, mask or 0
end

-- Do the conditions hold that need no function? Where nothing was called for the packet before, the program knows that by
-- itself (native.conditions) and spares the call.
local function conditions_hold(desync, mask)
	if mask ~= 0 and bitand(mask, native.match_mask()) == 0 then return false end
	if desync.arg.tcp_payload then
		local dis = desync.dis
		return dis.tcp ~= nil and dis.payload ~= nil and #dis.payload > 0
	end
	return true
end

-- Calls the function. Returns whether it ran to its end, its result, and whether the packet is to be dropped anyway.
local function call(ctx, name)
	local f = _G[name]
	if type(f) ~= "function" then error("couldn't find function: " .. name, 0) end
	current_copy = nil
	local ran, result, gone = native.call(ctx, f)
	current_copy = nil
	return ran, result, gone
end

local function accept(ctx)
	execution_plan_cancel(ctx)
	return VERDICT_PASS
end

-- Does the packet match? The other results: it is to be dropped whatever the answer is, the function ran to its end.
local function matches(ctx, desync, mask)
	if not conditions_hold(desync, mask) then return false end
	local name = desync.arg.func
	if not name then return true end
	local ran, result, gone = call(ctx, name)
	if gone or not ran then return false, gone, ran end
	if type(result) ~= "boolean" then
		warn("invalid match return: " .. name)
		return false, false, true
	end
	return result, false, true
end

local function run_match(ctx, desync, action, mask)
	local matched, gone, ran = matches(ctx, desync, mask)
	if gone or (matched and action == "drop") then return VERDICT_DROP end
	if ran then native.commit(ctx) end
	if action == "accept" and matched or action == "next" and not matched then return accept(ctx) end
	return VERDICT_PASS
end

local function run_target(ctx, desync, mask)
	if not conditions_hold(desync, mask) then return VERDICT_PASS end
	local name = desync.arg.func
	local ran, result, gone = call(ctx, name)
	if gone or result == "drop" or result == "stolen" then return VERDICT_DROP end
	if ran then native.commit(ctx) end
	if result == "queue" or result == "repeat" then
		warn(("nflua: '%s' of %s counts as 'accept'"):format(result, name), true)
		return accept(ctx)
	end
	if result == "accept" or result == "stop" then return accept(ctx) end
	return VERDICT_PASS
end

local function run(ctx, desync, mode)
	if not ctx then error("nflua: there is no packet below an orchestrator") end
	local action, mask = read_arguments(desync.arg, mode)
	if action then return run_match(ctx, desync, action, mask) end
	return run_target(ctx, desync, mask)
end

-- Asks a function of a script whether the packet matches: true or false.
-- Arguments: not direction, not payload
--   func=<function>: called as f(frame, packet); without it the other conditions alone decide
--   j=<word> (drop): what a match does: drop, accept (later instances are not run), next (later instances run only if it matched) or continue (nothing)
--   tcp_payload: only TCP packets with payload match
--   mask=<number> (0): only if one of these bits is set, see nf.set_match_bit; 0 is no condition
-- Verdict: PASS or DROP. What the function has written to the packet goes on as it is.
function nflua_match(ctx, desync)
	return run(ctx, desync, "match")
end

-- Lets a function of a script decide: "drop", "stolen", "accept", "stop"; anything else goes on with the next instance.
-- Arguments: not direction, not payload, not j
--   func=<function> (required): called as f(frame, packet)
--   tcp_payload: only TCP packets with payload are shown to it
--   mask=<number> (0): only if one of these bits is set, see nf.set_match_bit; 0 is no condition
-- Verdict: PASS or DROP. What the function has written to the packet goes on as it is.
function nflua_target(ctx, desync)
	return run(ctx, desync, "target")
end

-- Calls a function that was written for NFLua, as a match or as a target.
-- Arguments: not direction, not payload
--   func=<function>: called as f(frame, packet); a match may do without
--   mode=<word> (match): match or target, see nflua_match and nflua_target
--   j=<word> (drop): in match mode, what a match does: drop, accept, next or continue
--   tcp_payload: only TCP packets with payload
--   mask=<number> (0): only if one of these bits is set, see nf.set_match_bit; 0 is no condition
-- Verdict: PASS or DROP. What the function has written to the packet goes on as it is.
function nflua(ctx, desync)
	return run(ctx, desync, desync.arg.mode or "match")
end

for f, mode in pairs({ [nflua] = false, [nflua_match] = "match", [nflua_target] = "target" }) do
	native.conditions(f, function(arg)
		local action, mask = read_arguments(arg, mode or arg.mode or "match")
		return mask, arg.tcp_payload, action == "next"
	end)
end

-------------------------------------------------------------------------------------------------------------
-- Packets of scripts
-------------------------------------------------------------------------------------------------------------

-- The packet as a table that reconstruct_dissect takes, with a new payload, without options. Nil: it has no such header.
local function with_payload(raw, payload)
	local d = dissect(raw)
	if not (d.tcp or d.udp) then return nil end
	local ip, ip6 = d.ip, d.ip6
	if ip then
		ip.options, ip.ip_off = nil, IP_DF
	else
		ip6.exthdr, ip6.ip6_nxt = {}, d.tcp and IPPROTO_TCP or IPPROTO_UDP
	end
	if d.tcp then d.tcp.options = {} end
	return { ip = ip, ip6 = ip6, tcp = d.tcp, udp = d.udp, payload = payload }
end

local function headers_size(d)
	return (d.ip and IP_BASE_LEN or IP6_BASE_LEN) + (d.tcp and TCP_BASE_LEN or UDP_BASE_LEN)
end

-- Builds and sends it; false if it cannot be.
local function send_built(d)
	if headers_size(d) + #d.payload > LONGEST_PACKET then return false end
	return rawsend(reconstruct_dissect(d))
end

local Packet = {}
Packet.__index = Packet
Packet.__metatable = "packet"
local handles = setmetatable({}, { __mode = "k" }) -- of packets

local function open_bytes(packet, name)
	local handle = handles[packet]
	if not handle then bad_argument(1, name, "packet expected, got " .. type(packet)) end
	return native.copy_bytes(handle), handle
end

-- Sends the packet and closes it; with a payload in place of its own, and without options then.
function Packet.send(packet, payload, proto)
	local raw, handle = open_bytes(packet or false, "send")
	if not raw then error("closed packet", 2) end
	local sent
	if payload == nil then
		sent = rawsend(raw)
	else
		if type(payload) ~= "string" and type(payload) ~= "number" then expected(2, "send", "string", payload) end
		if proto ~= nil and type(proto) ~= "number" then expected(3, "send", "number", proto) end
		local d = with_payload(raw, tostring(payload))
		if not d or headers_size(d) + #d.payload > LONGEST_PACKET then
			local is_tcp = d and d.tcp or not d and (proto == IPPROTO_TCP or dissect(raw).l4proto == IPPROTO_TCP)
			error(is_tcp and "unable to set tcp payload" or "unable to set udp payload", 2)
		end
		sent = send_built(d)
	end
	native.copy_close(handle)
	if not sent then error("unable to send packet", 2) end
end

-- Frees it.
function Packet.close(packet)
	local _, handle = open_bytes(packet or false, "close")
	native.copy_close(handle)
end

function Packet.__tostring(packet)
	local raw = open_bytes(packet or false, "tostring")
	return raw and ("packet: { len:%d }"):format(#raw) or "packet closed"
end

-- A copy of the packet of this call, which may be kept.
function nf.getpacket()
	local raw = native.packet()
	if not current_copy then
		local packet = setmetatable({}, Packet)
		handles[packet] = native.copy(raw)
		current_copy = packet
	end
	return current_copy
end

-- With true: the packet is dropped when the call ends, whatever the function returns.
nf.hotdrop = native.hotdrop

-------------------------------------------------------------------------------------------------------------
-- Replies
-------------------------------------------------------------------------------------------------------------

local function is_single(d)
	if d.ip then
		local first = d.ip.ip_dst:byte()
		return first < 224
	end
	return d.ip6.ip6_dst:byte() ~= 255
end

local function tcp_checksum_is_right(raw, d)
	local ip, header = raw:sub(1, d.l3_len), raw:sub(d.l3_len + 1, d.l3_len + d.l4_len)
	return csum_tcp_fix(ip, header, d.payload) == header
end

-- An IP header in the other direction.
local function reversed_ip(d)
	if d.ip then
		return { ip_v = 4, ip_ttl = 64, ip_off = IP_DF, ip_p = d.l4proto, ip_src = d.ip.ip_dst, ip_dst = d.ip.ip_src }
	end
	return nil, { ip6_flow = 0x60000000, ip6_hlim = 64, ip6_nxt = d.l4proto, ip6_src = d.ip6.ip6_dst,
		ip6_dst = d.ip6.ip6_src, exthdr = {} }
end

local function tcp_reply(raw, d)
	local tcp = d.tcp
	if not tcp or bitand(tcp.th_flags, TH_RST) ~= 0 or not tcp_checksum_is_right(raw, d) then return nil end
	local seen = #d.payload
	if bitand(tcp.th_flags, TH_SYN) ~= 0 then seen = seen + 1 end
	if bitand(tcp.th_flags, TH_FIN) ~= 0 then seen = seen + 1 end
	return { th_sport = tcp.th_dport, th_dport = tcp.th_sport, th_seq = tcp.th_ack,
		th_ack = (tcp.th_seq + seen) % 2 ^ 32, th_flags = bitor(TH_PUSH, TH_ACK), th_win = 0, options = {} }
end

local function udp_reply(d)
	return d.udp and { uh_sport = d.udp.uh_dport, uh_dport = d.udp.uh_sport }
end

-- Answers the sender of the packet of this call: kind "tcp" or "udp".
function nf.reply(kind, message)
	if type(kind) ~= "string" then expected(1, "reply", "string", kind) end
	if type(message) ~= "string" and type(message) ~= "number" then expected(2, "reply", "string", message) end
	local refusal = "couldn't reply a packet"
	local there, raw = pcall(native.packet)
	if not there then error(refusal, 2) end
	local d, first = dissect(raw), kind:sub(1, 1)
	local answer = { payload = tostring(message) }
	if first == "t" then
		answer.tcp = tcp_reply(raw, d)
	elseif first == "u" then
		answer.udp = udp_reply(d)
	end
	if not (answer.tcp or answer.udp) or not is_single(d) then error(refusal, 2) end
	answer.ip, answer.ip6 = reversed_ip(d)
	if not send_built(answer) then error(refusal, 2) end
end

-------------------------------------------------------------------------------------------------------------
-- What is known of the connection, the time and the state
-------------------------------------------------------------------------------------------------------------

-- A number for the connection of the packet, the same in both directions; 0 if it has none.
nf.connid = native.connid

-- Packets and bytes of a direction of a connection, which either of its tuples finds: (family, proto, src, sport, dst, dport,
-- dir); dir "both" gives four numbers. Nil and a message if there is none, or nobody counts.
nf.traffic = native.traffic

-- Ends the connection of the packet, or of (family, proto, src, sport, dst, dport).
nf.delete_conntrack = native.delete_conntrack

-- Seconds since 1970, milliseconds of this second.
nf.time = native.now

-- Bytes of all Lua data, microseconds spent in functions of scripts since the last call.
nf.get_mem_info = native.memory
nf.get_cpu_mem_info = native.memory

-- The mask that the argument `mask` of instances is compared with.
function nf.set_match_bit(bit, on)
	if type(bit) ~= "number" then expected(1, "set_match_bit", "number", bit) end
	if type(on) ~= "boolean" then expected(2, "set_match_bit", "boolean", on) end
	if not (bit >= 0 and bit < 32) then error("bit out of range", 2) end
	local mask, value = native.match_mask(), whole(2 ^ whole(bit))
	native.match_mask(on and bitor(mask, value) or bitand(mask, bitnot32(value)))
end

function nf.get_match_mask()
	return native.match_mask()
end

function nf.reset_match_mask()
	native.match_mask(0)
end

-------------------------------------------------------------------------------------------------------------
-- Messages to other programs
-------------------------------------------------------------------------------------------------------------

-- (port, groups, payload) as the manual of NFLua has it, or (payload, port[, groups[, flags]]) as its code has: told apart
-- by the type of the first. Returns the length of the payload.
function nf.netlink(...)
	local first = ...
	if type(first) ~= "string" then return native.netlink(...) end
	local payload, port, groups, flags = ...
	return native.netlink(port, groups or 0, payload, flags)
end

-- The same without groups: (payload, port).
function nf.genetlink(payload, port)
	return native.netlink(port, 0, payload)
end

-------------------------------------------------------------------------------------------------------------
-- Timers
-------------------------------------------------------------------------------------------------------------

local LONGEST_WAIT, SHORTEST_WAIT = 2 ^ 31 - 1, 10
local names = setmetatable({}, { __mode = "k" }) -- of timers
local timers_made = 0

-- Calls f once, so many milliseconds later.
function timer.create(ms, f)
	if type(ms) ~= "number" then expected(1, "create", "number", ms) end
	if type(f) ~= "function" then expected(2, "create", "function", f) end
	if not (ms >= 0 and ms <= LONGEST_WAIT) then bad_argument(1, "create", "out of range") end
	timers_made = timers_made + 1
	local that = setmetatable({}, { __metatable = "timer" })
	names[that] = ("nflua:%d"):format(timers_made)
	timer_set(names[that], function() f() end, math.max(ms, SHORTEST_WAIT), true)
	return that
end

-- Nothing if it has fired.
function timer.destroy(that)
	local name = names[that or false]
	if not name then bad_argument(1, "destroy", "timer expected, got " .. type(that)) end
	timer_del(name)
end

-------------------------------------------------------------------------------------------------------------
-- Modules
-------------------------------------------------------------------------------------------------------------

for name, module in pairs({ nf = nf, timer = timer, data = data, json = json }) do
	rawset(package.loaded, name, module)
end

-- Last, so that a file of this name is found before.
local searchers = package.loaders or package.searchers -- luacheck: ignore 143
searchers[#searchers + 1] = function(name)
	if name == "crypto" or name == "base64" then
		return ("\n\tthe module '%s' of NFLua is part of its kernel and not of this program"):format(name)
	end
end
