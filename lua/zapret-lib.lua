NFQWS2_COMPAT_VER_REQUIRED=6
-- zapret-lib.lua: the base library of nfqws2 scripts. Installers look for the number above at the top of the file.
--
-- The file is its chapters in lua/lib, one behind the other: change those, then run src/tools/lua-library/make.py update.
-- They share their local functions, so none is loaded alone.
--
-- Load it first: --lua-init=@zapret-lib.lua. It needs only the native functions of the program and runs on
-- LuaJIT 2.1 and PUC Lua 5.3+. Every public function is a plain global and is looked up when it is called,
-- so a script may wrap or replace any of them (for example rawsend_dissect to capture what would be sent).
--
-- Words used below:
--   ctx      engine handle of the running call; nil when an orchestrator makes the call
--   desync   table passed to a desync function (.dis, .arg, .track, .l7payload, ...)
--   dis      dissected packet: .ip or .ip6, one of .tcp/.udp/.icmp, .payload
--   exthdr   IPv6 extension header {type=, next=, data=}; data without the first two bytes
--   option   values of desync.arg are strings; an option written without a value is "" and counts as present
--
-- Contents:
--   1. loading                       9. packet headers
--   2. desync functions             10. packet lengths
--   3. orchestration                11. autottl and fooling
--   4. positions and ranges         12. IPv4 id, filters, replay
--   5. sequence numbers             13. hosts, interfaces, files
--   6. option tables                14. sending
--   7. strings and dumps            15. URL and HTTP
--   8. tables, packing, blobs       16. TLS and QUIC


-------------------------------------------------------------------------------------------------------------
-- 1. Loading
-------------------------------------------------------------------------------------------------------------

if NFQWS2_COMPAT_VER ~= NFQWS2_COMPAT_VER_REQUIRED then
	error("Incompatible NFQWS2_COMPAT_VER. Use pktws and lua scripts from the same release !")
end

-- How many bytes hexdump_dlog shows. May be set before this file is loaded.
HEXDUMP_DLOG_MAX = HEXDUMP_DLOG_MAX or 32

-- Masks that round down to a multiple of 4 and 8 (48 bits).
NOT3 = bitnot(3)
NOT7 = bitnot(7)

do
	local seconds, nanoseconds = clock_gettime()
	math.randomseed(bitxor(getpid(), gettid(), seconds, nanoseconds))
end

local native_dlog = DLOG

-- Does somebody hear what is logged? Debugging is on, or a script has replaced DLOG.
local function is_logging()
	return b_debug or DLOG ~= native_dlog
end

-- Logs format:format(...). The text is built only if somebody hears it: debugging is on, or a script has replaced DLOG.
-- All libraries log by this.
function dlog_format(format, ...)
	if is_logging() then DLOG(format:format(...)) end
end


-------------------------------------------------------------------------------------------------------------
-- 2. Desync functions (--lua-desync=NAME). All take (ctx, desync) and return nothing (= VERDICT_PASS)
--    unless noted.
-------------------------------------------------------------------------------------------------------------

-- Source text each "<func_instance>_code" global was compiled from.
local luaexec_source = {}

-- Makes `outer` the global `desync` again. Passes the results of pcall on, or its error.
local function leave_luaexec(outer, ok, ...)
	_G.desync = outer
	if not ok then error((...), 0) end
	return ...
end

-- Runs Lua code, which sees the current table as the global `desync`. Returns what the code returns: its verdict.
-- Arguments:
--   code=<Lua source> (required): compiled once and kept in the global "<func_instance>_code"
function luaexec(ctx, desync)
	local code = desync.arg.code
	if not code then error("luaexec: no 'code' parameter") end

	local name = desync.func_instance .. "_code"
	if not _G[name] or (luaexec_source[name] or code) ~= code then
		local chunk, syntax_error = load(code, name)
		if not chunk then error(syntax_error, 0) end
		_G[name] = chunk
		luaexec_source[name] = code
	end

	local outer = _G.desync
	_G.desync = desync
	return leave_luaexec(outer, pcall(_G[name]))
end

-- Does nothing.
function pass(ctx, desync)
	DLOG("pass")
end

if takes_merged then takes_merged(pass) end

-- Logs the whole desync table.
function pktdebug(ctx, desync)
	DLOG("desync:")
	var_debug(desync)
end

-- Logs the arguments.
function argdebug(ctx, desync)
	var_debug(desync.arg)
end

local function counters_str(desync, reverse)
	local fields = {}
	for i, mode in ipairs { "n", "d", "b", "s", "p" } do
		fields[i] = mode .. pos_get(desync, mode, reverse)
	end
	return table.concat(fields, " ")
end

-- Logs the position counters of both directions and the sizes of the data at hand, in one line.
function posdebug(ctx, desync)
	if not desync.track then
		DLOG("posdebug: no track")
		return
	end
	local line = {
		"posdebug:", desync.outgoing and "out" or "in",
		"time", "+" .. desync.track.pos.dt .. "s",
		"direct", counters_str(desync, false),
		"reverse", counters_str(desync, true),
		"payload", #desync.dis.payload,
	}
	local function add(name, value)
		line[#line + 1] = name
		line[#line + 1] = value
	end
	if desync.reasm_data then add("reasm", #desync.reasm_data) end
	if desync.decrypt_data then add("decrypt", #desync.decrypt_data) end
	if desync.replay_piece_count then add("replay", desync.replay_piece .. "/" .. desync.replay_piece_count) end
	DLOG(table.concat(line, " "))
end

-- Sets desync.l7payload for the following Lua functions, depending on whether a literal text is in the data
-- (the reassembled message if there is one, else the packet payload).
-- Arguments:
--   pattern=<text> (required): text to search
--   payload=<payload type>: new type if it is found
--   undetected=<payload type>: new type if it is not found
function detect_payload_str(ctx, desync)
	local arg = desync.arg
	if not arg.pattern then error("detect_payload_str: missing 'pattern'") end

	local data = desync.reasm_data or desync.dis.payload
	local found = data:find(arg.pattern, 1, true) ~= nil
	dlog_format("detect_payload_str: %s '%s'", found and "detected" or "not detected", arg.payload or "?")
	desync.l7payload = (found and arg.payload or not found and arg.undetected) or desync.l7payload
end

-- Smallest useful orchestrator: takes the following instances over and runs them unchanged.
-- Returns their aggregated verdict.
function desync_orchestrator_example(ctx, desync)
	DLOG("orchestrator: taking over upcoming desync instances")
	orchestrate(ctx, desync)
	return replay_execution_plan(desync)
end


-------------------------------------------------------------------------------------------------------------
-- 3. Orchestration: running the following instances from Lua
-------------------------------------------------------------------------------------------------------------

local function subtable(parent, key)
	local child = parent[key]
	if not child then
		child = {}
		parent[key] = child
	end
	return child
end

-- Instance cutoff that also works without ctx (then remembered in track.lua_state.cutoff_shim).
-- dir : true = outgoing, false = incoming, nil = both
function instance_cutoff_shim(ctx, desync, dir)
	local instance = desync.func_instance
	if ctx then
		instance_cutoff(ctx, dir)
		return
	end
	if not desync.track then
		dlog_format("instance_cutoff_shim: cannot cutoff '%s' because conntrack is absent", instance)
		return
	end
	local cutoff = subtable(subtable(desync.track.lua_state, "cutoff_shim"), instance)
	if dir == nil then
		cutoff[true], cutoff[false] = true, true
	else
		cutoff[dir] = true
	end
	dlog_format("instance_cutoff_shim: cutoff '%s' in=%s out=%s", instance, not dir, dir ~= false)
end

-- True if the instance was cut off by instance_cutoff_shim for the direction of the packet;
-- else nil, or false without conntrack.
function cutoff_shim_check(desync)
	local instance = desync.func_instance
	if not desync.track then
		dlog_format("cutoff_shim_check: cannot check '%s' cutoff because conntrack is absent", instance)
		return false
	end
	local shim = desync.track.lua_state.cutoff_shim
	local cutoff = shim and shim[instance] and shim[instance][desync.outgoing]
	if cutoff then dlog_format("cutoff_shim_check: '%s' %s cutoff", instance, desync.outgoing and "out" or "in") end
	return cutoff
end

-- Substitutes argument prefixes in desync.arg, once: "%name" = blob, "#name" = length of the blob,
-- "\%..." and "\#..." = the text without the backslash.
function apply_arg_prefix(desync)
	local arg = desync.arg
	if arg.__prefix_applied then return end
	for name, value in pairs(arg) do
		if type(value) == "string" then
			local first, rest = value:sub(1, 1), value:sub(2)
			if first == "#" then
				arg[name] = tostring(#blob(desync, rest))
			elseif first == "%" then
				arg[name] = blob(desync, rest)
			elseif first == "\\" and rest:find("^[#%%]") then
				arg[name] = rest
			end
		end
	end
	arg.__prefix_applied = true
end

-- Makes a plan instance the current one: copies func, func_n, func_instance and its arguments to desync.
function apply_execution_plan(desync, instance)
	desync.func = instance.func
	desync.func_n = instance.func_n
	desync.func_instance = instance.func_instance
	desync.arg = deepcopy(instance.arg)
end

-- Joins two verdicts: DROP wins over MODIFY, MODIFY over PASS; PRESERVE_NEXT is kept from both. nil = PASS.
function verdict_aggregate(v1, v2)
	v1 = v1 or VERDICT_PASS
	v2 = v2 or VERDICT_PASS
	local base1, base2 = bitand(v1, VERDICT_MASK), bitand(v2, VERDICT_MASK)
	local base = VERDICT_PASS
	if base1 == VERDICT_DROP or base2 == VERDICT_DROP then
		base = VERDICT_DROP
	elseif base1 == VERDICT_MODIFY or base2 == VERDICT_MODIFY then
		base = VERDICT_MODIFY
	end
	return bitor(base, bitand(bitor(v1, v2), VERDICT_PRESERVE_NEXT))
end

-- Runs a plan instance and returns its verdict joined with `verdict`.
-- Cutoff, payload filter and range are respected: if one forbids the call, returns `verdict`.
function plan_instance_execute(desync, verdict, instance)
	apply_execution_plan(desync, instance)
	return plan_instance_execute_preapplied(desync, verdict, instance)
end

-- The same after apply_execution_plan was done by the caller (who may have changed desync.arg since).
function plan_instance_execute_preapplied(desync, verdict, instance)
	local name = desync.func_instance
	if cutoff_shim_check(desync) then
		dlog_format("plan_instance_execute: not calling '%s' because of voluntary cutoff", name)
		return verdict
	end
	if not payload_match_filter(desync.l7payload, instance.payload_filter) then
		dlog_format("plan_instance_execute: not calling '%s' because payload '%s' does not match filter '%s'",
			name, desync.l7payload, instance.payload_filter)
		return verdict
	end
	local range = instance.range
	if not pos_check_range(desync, range) then
		if is_logging() then
			dlog_format("plan_instance_execute: not calling '%s' because pos %s %s is out of range '%s'",
				name, pos_str(desync, range.from), pos_str(desync, range.to), pos_range_str(range))
		end
		return verdict
	end
	apply_arg_prefix(desync)
	desync.arg.__prefix_applied = nil
	dlog_format("plan_instance_execute: calling '%s'", name)
	local result = _G[instance.func](nil, desync)
	return verdict_aggregate(verdict, result)
end

-- Removes and returns the first instance of desync.plan; nil if there is none.
function plan_instance_pop(desync)
	return desync.plan and table.remove(desync.plan, 1)
end

-- Removes the first `max` instances of desync.plan, or all of them.
function plan_clear(desync, max)
	local plan = desync.plan
	if max then
		for _ = 1, math.min(max, #plan) do table.remove(plan, 1) end
	else
		for i = #plan, 1, -1 do plan[i] = nil end
	end
end

-- Takes the following instances over from the engine into desync.plan. Does nothing if that was done before.
function orchestrate(ctx, desync)
	if not desync.plan then
		execution_plan_cancel(ctx)
		desync.plan = execution_plan(ctx)
	end
end

-- Deep copy of desync that shares the connection state (track.lua_state) and the plan with the original.
function desync_copy(desync)
	local shared = {}
	if desync.track then shared[desync.track.lua_state] = desync.track.lua_state end
	if desync.plan then shared[desync.plan] = desync.plan end
	return deepcopy(desync, shared)
end

-- Pops and runs plan instances until the plan is empty or `max` of them were popped.
-- Returns the aggregated verdict; desync.func*, desync.arg remain those of the last popped instance.
function replay_execution_plan(desync, max)
	local verdict = VERDICT_PASS
	local popped = 0
	while not max or popped < max do
		local instance = plan_instance_pop(desync)
		if not instance then return verdict end
		verdict = plan_instance_execute(desync, verdict, instance)
		popped = popped + 1
	end
	dlog_format("replay_execution_plan: reached max instances limit %s", max)
	return verdict
end


-------------------------------------------------------------------------------------------------------------
-- 4. Positions and ranges
--    mode: n packets, d data packets, b bytes, s relative sequence, p position in the stream, a always, x never
--    range: {from={mode=,pos=}, to={mode=,pos=}, upper_cutoff=bool}
-------------------------------------------------------------------------------------------------------------

local function track_side(desync, reverse)
	local pos = desync.track.pos
	if reverse then return pos.reverse end
	return pos.direct
end

-- True if the sequence counter of the chosen side has passed 2 GB, so modes s and p cannot be trusted.
-- reverse : look at the opposite direction
function pos_counter_overflow(desync, mode, reverse)
	if not desync.track or mode ~= "s" and mode ~= "p" then return false end
	local tcp = track_side(desync, reverse).tcp
	return tcp and tcp.rseq_over_2G
end

-- Current value of a counter of one side (track.pos.direct or .reverse); 0 if there is none.
function pos_get_pos(track_pos, mode)
	if track_pos then
		if mode == "n" then return track_pos.pcounter end
		if mode == "d" then return track_pos.pdcounter end
		if mode == "b" then return track_pos.pbcounter end
		local tcp = track_pos.tcp
		if tcp then
			if mode == "s" then return tcp.rseq end
			if mode == "p" then return tcp.pos end
		end
	end
	return 0
end

-- Current value of a counter of this packet's direction, or of the reverse one; 0 without conntrack.
function pos_get(desync, mode, reverse)
	return pos_get_pos(desync.track and track_side(desync, reverse), mode)
end

-- Verdict on one end of a range that needs no comparison: true, false, or nil if the counter decides.
local function pos_check_trivial(desync, mode)
	if mode == "x" or pos_counter_overflow(desync, mode) then return false end
	if mode == "a" then return true end
	if not desync.track then return false end
end

-- Has the lower end of the range been reached?
function pos_check_from(desync, range)
	local from = range.from
	local trivial = pos_check_trivial(desync, from.mode)
	if trivial ~= nil then return trivial end
	return pos_get(desync, from.mode) >= from.pos
end

-- Is the upper end of the range not passed yet? With upper_cutoff the end itself is outside.
function pos_check_to(desync, range)
	local to = range.to
	local trivial = pos_check_trivial(desync, to.mode)
	if trivial ~= nil then return trivial end
	local pos = pos_get(desync, to.mode)
	return pos < to.pos or pos == to.pos and not range.upper_cutoff
end

-- Is the packet inside the range?
function pos_check_range(desync, range)
	return pos_check_from(desync, range) and pos_check_to(desync, range)
end

-- Text of a range, e.g. "n2-s100", or "n2<s100" with upper_cutoff.
function pos_range_str(range)
	local from, to = range.from, range.to
	return from.mode .. from.pos .. (range.upper_cutoff and "<" or "-") .. to.mode .. to.pos
end

-- Text of the current value of the counter that a range end {mode=} refers to, e.g. "n3".
function pos_str(desync, pos)
	return pos.mode .. pos_get(desync, pos.mode)
end


-------------------------------------------------------------------------------------------------------------
-- 5. Sequence numbers: comparisons modulo 2^32, the half before a number is "less"
-------------------------------------------------------------------------------------------------------------

local SIGN_BIT = 0x80000000

-- seq1 >= seq2
function seq_ge(seq1, seq2)
	return bitand(u32add(seq1, -seq2), SIGN_BIT) == 0
end

-- seq1 > seq2
function seq_gt(seq1, seq2)
	return seq1 ~= seq2 and seq_ge(seq1, seq2)
end

-- seq1 < seq2
function seq_lt(seq1, seq2)
	return bitand(u32add(seq1, -seq2), SIGN_BIT) ~= 0
end

-- seq1 <= seq2
function seq_le(seq1, seq2)
	return seq1 == seq2 or seq_lt(seq1, seq2)
end

-- low <= seq <= high
function seq_within(seq, low, high)
	return seq_ge(seq, low) and seq_le(seq, high)
end

-- True if all data of this TCP packet was seen before. nil without conntrack or TCP.
function is_retransmission(desync)
	local tcp = desync.track and desync.track.pos.direct.tcp
	return tcp and seq_ge(tcp.uppos_prev, tcp.pos)
end


-------------------------------------------------------------------------------------------------------------
-- 6. Option tables of the sending functions, made from desync.arg
-------------------------------------------------------------------------------------------------------------

-- Options of rawsend.
-- Group rawsend:
--   repeats=<number> (1): send each packet that many times
--   ifout=<interface> (of the packet): interface to send to
--   fwmark=<number> (of the packet): mark of what is sent, added to the desync mark
function rawsend_opts(desync)
	local opts = rawsend_opts_base(desync)
	opts.repeats = desync.arg.repeats
	return opts
end

-- The same without repeats.
function rawsend_opts_base(desync)
	local arg = desync.arg
	return {
		ifout = arg.ifout or desync.ifout,
		fwmark = arg.fwmark or desync.fwmark,
	}
end

-- Options of packet reconstruction.
-- Group reconstruct:
--   badsum: a wrong checksum of the transport header
function reconstruct_opts(desync)
	return { badsum = desync.arg.badsum }
end

-- All options of rawsend_dissect_segmented. ipfrag, ipid and fooling are desync.arg itself.
function desync_opts(desync)
	return {
		rawsend = rawsend_opts(desync),
		reconstruct = reconstruct_opts(desync),
		ipfrag = desync.arg,
		ipid = desync.arg,
		fooling = desync.arg,
	}
end


-------------------------------------------------------------------------------------------------------------
-- 7. Strings and dumps
-------------------------------------------------------------------------------------------------------------

local HEX_PAIR = {}
for byte = 0, 255 do
	HEX_PAIR[string.char(byte)] = ("%02X "):format(byte)
end

-- Hex dump "AB CD 01 02".
function string2hex(s)
	return (s:gsub(".", HEX_PAIR):sub(1, -2))
end

-- The first byte of s that is not text (0x20-0x7F, CR, LF, TAB); nil if there is none.
function has_nonprintable(s)
	return s:match("[^\32-\127\r\n\t]")
end

-- Text of v for a one-line dump. For strings: bytes outside 0x20-0x7F become dots; the second result is
-- their count.
function make_readable(v)
	if type(v) == "string" then return v:gsub("[^\32-\127]", ".") end
	return tostring(v)
end

-- s itself if it is text, else its hex dump.
function str_or_hex(s)
	return has_nonprintable(s) and string2hex(s) or s
end

local function dump_value(v, level, open_tables)
	local indent = ("  "):rep(level)
	if type(v) ~= "table" then
		DLOG(indent .. type(v) .. " " .. (type(v) == "string" and str_or_hex(v) or tostring(v)))
	elseif open_tables[v] then
		DLOG(indent .. "recursive " .. tostring(v))
	else
		open_tables[v] = true
		for key, field in pairs(v) do
			DLOG(indent .. "." .. tostring(key))
			dump_value(field, level + 1, open_tables)
		end
		open_tables[v] = nil
	end
end

-- Logs a value with all its fields.
function var_debug(v)
	if is_logging() then dump_value(v, 0, {}) end
end

-- Hex and readable dump of the first `max` bytes. nil for nil.
function hexdump(s, max)
	if not s then return nil end
	local cut = #s > max
	local head = cut and s:sub(1, max) or s
	local readable = make_readable(head)
	if cut then return string2hex(head) .. " ... " .. readable .. " ... " end
	return string2hex(head) .. "  " .. readable
end

-- hexdump of the first HEXDUMP_DLOG_MAX bytes. Returns the text, logs nothing.
function hexdump_dlog(s)
	return hexdump(s, HEXDUMP_DLOG_MAX)
end

local COMMA = (","):byte()

-- Is v one of the elements of the comma separated list s? Empty elements never match; false for nil s.
function in_list(s, v)
	if not s or type(v) ~= "string" or v == "" or v:find(",", 1, true) then return false end
	local first, last = s:find(v, 1, true)
	while first do
		if (first == 1 or s:byte(first - 1) == COMMA) and (last == #s or s:byte(last + 1) == COMMA) then
			return true
		end
		first, last = s:find(v, first + 1, true)
	end
	return false
end

-- Finds the end of the line that begins at pos. The line ends in CRLF, CR or LF.
-- Returns the index of its last byte (pos-1 if it is empty), and the index of the next line (nil if none).
function find_next_line(s, pos)
	local eol = s:find("[\r\n]", pos)
	if not eol then return #s, nil end
	local next_line = s:find("^\r\n", eol) and eol + 2 or eol + 1
	return eol - 1, next_line <= #s and next_line or nil
end

-- Exclusive or of truth values. b itself is returned if a is false.
function logical_xor(a, b)
	if a then return not b end
	return b
end


-------------------------------------------------------------------------------------------------------------
-- 8. Tables, packing, blobs
-------------------------------------------------------------------------------------------------------------

local function copy_tree(orig, copies)
	local copy = copies[orig]
	if copy then return copy end
	copy = {}
	copies[orig] = copy
	for key, value in pairs(orig) do
		if type(key) == "table" then key = copy_tree(key, copies) end
		if type(value) == "table" then value = copy_tree(value, copies) end
		copy[key] = value
	end
	local meta = getmetatable(orig)
	if meta then setmetatable(copy, copy_tree(meta, copies)) end
	return copy
end

-- Recursive copy of a table with keys, values and metatables; shared references and cycles are preserved.
-- Other values are returned as they are.
-- copies : table original -> copy; what is in it already is not copied again
function deepcopy(orig, copies)
	if type(orig) ~= "table" then return orig end
	return copy_tree(orig, copies or {})
end

-- One level copy.
-- copy : table to copy into, default a new one
local function copy_fields(orig, copy)
	copy = copy or {}
	for key, value in pairs(orig) do copy[key] = value end
	return copy
end

-- Copies of a dissect and its headers, one level each. They begin with the fields that are always there, so that the
-- table gets its size at once: growing with each field takes several times longer.
local function copy_dis(dis)
	return copy_fields(dis, {
		l4proto = dis.l4proto, transport_len = dis.transport_len, l3_len = dis.l3_len, l4_len = dis.l4_len,
		payload = dis.payload, ip = dis.ip, ip6 = dis.ip6, tcp = dis.tcp, udp = dis.udp,
	})
end

local function copy_ip(ip)
	return copy_fields(ip, {
		ip_v = ip.ip_v, ip_hl = ip.ip_hl, ip_tos = ip.ip_tos, ip_len = ip.ip_len, ip_id = ip.ip_id,
		ip_off = ip.ip_off, ip_ttl = ip.ip_ttl, ip_p = ip.ip_p, ip_sum = ip.ip_sum,
		ip_src = ip.ip_src, ip_dst = ip.ip_dst,
	})
end

local function copy_tcp(tcp)
	return copy_fields(tcp, {
		th_sport = tcp.th_sport, th_dport = tcp.th_dport, th_seq = tcp.th_seq, th_ack = tcp.th_ack,
		th_x2 = tcp.th_x2, th_off = tcp.th_off, th_flags = tcp.th_flags, th_win = tcp.th_win,
		th_sum = tcp.th_sum, th_urp = tcp.th_urp, options = tcp.options,
	})
end

-- Copy of an array. Of up to four elements, as the options of most TCP headers, it gets its size at once.
local function copy_array(list)
	local copy = { list[1], list[2], list[3], list[4] }
	for i = 5, #list do copy[i] = list[i] end
	return copy
end

-- Do two trees hold the same values?
local function same_tree(a, b)
	if a == b then return true end
	if type(a) ~= "table" or type(b) ~= "table" then return false end
	for key, value in pairs(a) do
		if not same_tree(value, b[key]) then return false end
	end
	for key in pairs(b) do
		if a[key] == nil then return false end
	end
	return true
end

-- New array with 1-based positions turned into 0-based ones; non-numbers are kept. nil for nil.
function zero_based_pos(a)
	if not a then return nil end
	local zero_based = {}
	for i, pos in ipairs(a) do
		zero_based[i] = type(pos) == "number" and pos - 1 or pos
	end
	return zero_based
end

-- Removes all elements equal to the number 1 from an array. Returns the same array.
function delete_pos_1(a)
	local kept, count = 0, #a
	for i = 1, count do
		local pos = a[i]
		if pos ~= 1 then
			kept = kept + 1
			a[kept] = pos
		end
	end
	for i = kept + 1, count do a[i] = nil end
	return a
end

-- Key of an element equal to v, or nil.
function array_search(a, v)
	for key, value in pairs(a) do
		if value == v then return key end
	end
end

-- Key of a table element whose field f equals v, or nil.
function array_field_search(a, f, v)
	for key, value in pairs(a) do
		if type(value) == "table" and value[f] == v then return key end
	end
end

-- Concatenation of packer(element) over an array. nil for nil.
function barray(a, packer)
	if not a then return nil end
	local parts = {}
	for i = 1, #a do parts[i] = packer(a[i]) end
	return table.concat(parts)
end

-- Concatenation of packer(value) over all keys of a table, in the order of pairs. nil for nil.
function btable(a, packer)
	if not a then return nil end
	local parts = {}
	for _, value in pairs(a) do parts[#parts + 1] = packer(value) end
	return table.concat(parts)
end

-- `len` bytes of the endless repetition of pat, from the 1-based offset (which may be 0 or negative).
function pattern(pat, offset, len)
	if not pat or pat == "" then error("pattern: bad or empty pattern") end
	if len <= 0 then return "" end
	local start = (offset - 1) % #pat
	local repeats = math.floor((start + len - 1) / #pat) + 1
	return pat:rep(repeats):sub(start + 1, start + len)
end

-- Does blob `name` exist? "0x..." always does. Returns true or the value, nil if it does not.
function blob_exist(desync, name)
	if not name then return nil end
	if name:sub(1, 2) == "0x" then return true end
	return _G[name] or desync[name]
end

-- Bytes of a blob: hex "0x...", else field of desync, else global variable. Raises an error if there is none.
-- def : result for an empty or absent name (without def: error)
function blob(desync, name, def)
	if not name or name == "" then
		if def then return def end
		error("empty blob name")
	end
	if name:sub(1, 2) == "0x" then
		return parse_hex(name:sub(3)) or error("invalid hex string : " .. name)
	end
	local value = desync[name] or _G[name]
	if not value then error("blob '" .. name .. "' unavailable") end
	return tostring(value)
end

-- The same, def for nil name.
function blob_or_def(desync, name, def)
	if name == nil then return def end
	return blob(desync, name, def)
end

-- tls_mod with one addition: "sni=%name" in modlist takes the name from desync or from a global variable.
function tls_mod_shim(desync, hello, modlist, payload)
	local first, last, name = modlist:find("sni=%%([^,]*)")
	if first then
		local value = desync[name] or _G[name]
		if not value then error("tls_mod_shim: non-existent var '" .. name .. "'") end
		modlist = modlist:sub(1, first - 1) .. "sni=" .. tostring(value) .. modlist:sub(last + 1)
	end
	return tls_mod(hello, modlist, payload)
end


-------------------------------------------------------------------------------------------------------------
-- 9. Packet headers
-------------------------------------------------------------------------------------------------------------

local TCP_FLAGS = {
	FIN = TH_FIN, SYN = TH_SYN, RST = TH_RST, PSH = TH_PUSH, PUSH = TH_PUSH,
	ACK = TH_ACK, URG = TH_URG, ECE = TH_ECE, CWR = TH_CWR,
}

-- Bit mask of a comma separated list of TCP flag names, in any case.
function parse_tcp_flags(s)
	local flags = 0
	for name in s:upper():gmatch("[^,]+") do
		local flag = TCP_FLAGS[name]
		if not flag then error("tcp flag '" .. name .. "' is invalid") end
		flags = bitor(flags, flag)
	end
	return flags
end

-- Protocol number that the IP header (IPv6: the last extension header) announces.
function ip_proto_l3(dis)
	if dis.ip then return dis.ip.ip_p end
	if dis.ip6 then
		local exthdr = dis.ip6.exthdr
		local last = exthdr and exthdr[#exthdr]
		if last then return last.next end
		return dis.ip6.ip6_nxt
	end
end

-- Protocol number of the transport header that is present; nil if none.
function ip_proto_l4(dis)
	if dis.tcp then return IPPROTO_TCP end
	if dis.udp then return IPPROTO_UDP end
	if dis.icmp then return dis.ip and IPPROTO_ICMP or dis.ip6 and IPPROTO_ICMPV6 or nil end
end

-- Protocol number by transport header, else by IP header.
function ip_proto(dis)
	return ip_proto_l4(dis) or ip_proto_l3(dis)
end

-- Writes the protocol number to the IP header (IPv6: the whole next-header chain).
-- proto : default ip_proto(dis)
function fix_ip_proto(dis, proto)
	proto = proto or ip_proto(dis)
	if not proto then return end
	if dis.ip then dis.ip.ip_p = proto end
	if dis.ip6 then fix_ip6_next(dis.ip6, proto) end
end

-- Index of the first TCP option of a kind; nil if none.
function find_tcp_option(options, kind)
	if not options then return nil end
	for i = 1, #options do
		if options[i].kind == kind then return i end
	end
	return nil
end

-- Index of the first extension header of a type; nil if none.
function find_ip6_exthdr(exthdr, proto)
	if not exthdr then return nil end
	for i = 1, #exthdr do
		if exthdr[i].type == proto then return i end
	end
	return nil
end

-- What points to extension header `index`: the table and the name of its field.
local function exthdr_link(ip6, index)
	if index == 1 then return ip6, "ip6_nxt" end
	return ip6.exthdr[index - 1], "next"
end

-- Inserts an extension header and links it into the chain.
-- index       : 1-based; nil = append
-- header_type : its protocol number
-- data        : its bytes without the first two; 6+8k of them (6+4k for AH)
function insert_ip6_exthdr(ip6, index, header_type, data)
	local exthdr = subtable(ip6, "exthdr")
	index = index or #exthdr + 1
	if index < 1 or index > #exthdr + 1 then
		error("insert_ip6_exthdr: invalid index " .. index)
	end
	local link, field = exthdr_link(ip6, index)
	table.insert(exthdr, index, { type = header_type, data = data, next = link[field] })
	link[field] = header_type
end

-- Removes an extension header and closes the chain.
function del_ip6_exthdr(ip6, index)
	local removed = ip6.exthdr and ip6.exthdr[index]
	if not removed then
		error("delete_ip6_exthdr: nonexistent index " .. index)
	end
	local link, field = exthdr_link(ip6, index)
	link[field] = removed.next
	table.remove(ip6.exthdr, index)
end

-- Rebuilds the next-header chain from the types of the extension headers.
-- last : protocol after the last header, default "no next header"
function fix_ip6_next(ip6, last)
	local next_proto = last or IPPROTO_NONE
	local exthdr = ip6.exthdr
	for i = exthdr and #exthdr or 0, 1, -1 do
		exthdr[i].next = next_proto
		next_proto = exthdr[i].type
	end
	ip6.ip6_nxt = next_proto
end

-- Raw source address; nil if there is no IP header.
function dis_ipsrc(dis)
	return dis.ip and dis.ip.ip_src or dis.ip6 and dis.ip6.ip6_src
end

-- Raw destination address; nil if there is no IP header.
function dis_ipdst(dis)
	return dis.ip and dis.ip.ip_dst or dis.ip6 and dis.ip6.ip6_dst
end

-- "tcp", "udp", "icmp" or "raw<protocol>".
function dis_l4_name(dis)
	return dis.tcp and "tcp" or dis.udp and "udp" or dis.icmp and "icmp" or "raw" .. tostring(ip_proto_l3(dis))
end

-- "sport:dport", for ICMP "type:code", else "?".
function dis_l4_ports(dis)
	local tcp, udp, icmp = dis.tcp, dis.udp, dis.icmp
	return tcp and tcp.th_sport .. ":" .. tcp.th_dport
		or udp and udp.uh_sport .. ":" .. udp.uh_dport
		or icmp and icmp.icmp_type .. ":" .. icmp.icmp_code
		or "?"
end

-- Timer name made from the flow: "1.2.3.4->5.6.7.8_udp_1:2".
function dis_timer_name(dis)
	return ntop(dis_ipsrc(dis)) .. "->" .. ntop(dis_ipdst(dis)) .. "_" .. dis_l4_name(dis) .. "_" .. dis_l4_ports(dis)
end

-- Timer name unique for instance, flow and packet (packet number, or a random suffix without conntrack).
function desync_timer_name(desync)
	local suffix = desync.track and "n" .. desync.track.pos.direct.pcounter or brandom_az09(10)
	return desync.func_instance .. "_" .. dis_timer_name(desync.dis) .. "_" .. suffix
end

-- Turns the packet around, in place: swaps addresses, ports, and TCP seq with ack. Flags stay.
function dis_reverse(dis)
	local ip, ip6, tcp, udp = dis.ip, dis.ip6, dis.tcp, dis.udp
	if ip then ip.ip_src, ip.ip_dst = ip.ip_dst, ip.ip_src end
	if ip6 then ip6.ip6_src, ip6.ip6_dst = ip6.ip6_dst, ip6.ip6_src end
	if tcp then
		tcp.th_sport, tcp.th_dport = tcp.th_dport, tcp.th_sport
		tcp.th_seq, tcp.th_ack = tcp.th_ack, tcp.th_seq
	end
	if udp then udp.uh_sport, udp.uh_dport = udp.uh_dport, udp.uh_sport end
end

-- Bytes of the IP header (with extension headers). ip_len is taken from the table.
-- options : reconstruct options, for IPv6 only; without ip6_last_proto the chain ends with 59
function dis_reconstruct_l3(dis, options)
	if dis.ip then return csum_ip4_fix(reconstruct_iphdr(dis.ip)) end
	if dis.ip6 then return reconstruct_ip6hdr(dis.ip6, options) end
end

local function wsize_number(arg, name)
	return tonumber(arg[name]) or error("wsize_rewrite: " .. name .. " requires a number")
end

-- Rewrites TCP window size and scale factor in place. Returns true if something was changed.
-- Group window:
--   wsize=<number>: new window size
--   scale=<number>: new scale factor; only ever decreased, and only if the packet has the option
function wsize_rewrite(dis, arg)
	local tcp = dis.tcp
	local changed = false
	if arg.wsize then
		local wsize = wsize_number(arg, "wsize")
		dlog_format("wsize_rewrite: window size %s => %s", tcp.th_win, wsize)
		tcp.th_win = wsize
		changed = true
	end
	local index = arg.scale and find_tcp_option(tcp.options, TCP_KIND_SCALE)
	if index then
		local scale = wsize_number(arg, "scale")
		local option = tcp.options[index]
		local current = option.data and option.data:byte()
		if not current then
			dlog_format("wsize_rewrite: scale option without data")
		elseif scale > current then
			dlog_format("wsize_rewrite: not increasing scale factor")
		elseif scale < current then
			dlog_format("wsize_rewrite: scale factor %s => %s", current, scale)
			option.data = bu8(scale)
			changed = true
		end
	end
	return changed
end


-------------------------------------------------------------------------------------------------------------
-- 10. Packet lengths in bytes, as the packet will be reconstructed
-------------------------------------------------------------------------------------------------------------

local function round_up(len, unit)
	return len + -len % unit
end

-- IP header without options and extension headers.
function l3_base_len(dis)
	return dis.ip and IP_BASE_LEN or dis.ip6 and IP6_BASE_LEN or 0
end

-- IP options, or extension headers.
-- last : count only the first `last` extension headers; nil or negative = all
function l3_extra_len(dis, last)
	if dis.ip then
		local options = dis.ip.options
		return options and round_up(#options, 4) or 0
	end
	local exthdr = dis.ip6 and dis.ip6.exthdr
	if not exthdr then return 0 end
	if not last or last < 0 or last > #exthdr then last = #exthdr end
	local len = 0
	for i = 1, last do
		local header = exthdr[i]
		len = len + round_up(2 + #header.data, header.type == IPPROTO_AH and 4 or 8)
	end
	return len
end

-- Whole IP header.
function l3_len(dis)
	return l3_base_len(dis) + l3_extra_len(dis)
end

-- Transport header without options.
function l4_base_len(dis)
	return dis.tcp and TCP_BASE_LEN or dis.udp and UDP_BASE_LEN or dis.icmp and ICMP_BASE_LEN or 0
end

-- TCP options with padding.
function l4_extra_len(dis)
	local options = dis.tcp and dis.tcp.options
	if not options then return 0 end
	local len = 0
	for i = 1, #options do
		local option = options[i]
		if option.kind == TCP_KIND_END or option.kind == TCP_KIND_NOOP then
			len = len + 1
		else
			len = len + 2 + (option.data and #option.data or 0)
		end
	end
	return round_up(len, 4)
end

-- Whole transport header.
function l4_len(dis)
	return l4_base_len(dis) + l4_extra_len(dis)
end

-- Everything in both headers beyond the base headers.
function l3l4_extra_len(dis)
	return l3_extra_len(dis) + l4_extra_len(dis)
end

-- Both headers.
function l3l4_len(dis)
	return l3_len(dis) + l4_len(dis)
end

-- Whole packet.
function packet_len(dis)
	return l3l4_len(dis) + #dis.payload
end


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


-------------------------------------------------------------------------------------------------------------
-- 12. IPv4 id, filters, replay
-------------------------------------------------------------------------------------------------------------

-- Sets the IPv4 id of a dissect, in place.
-- dis          : default desync.dis
-- ipid_options : default desync.arg
-- def          : default mode, itself "seq" by default
-- Group ipid:
--   ip_id=seq|rnd|zero|none (seq): next of a counter that starts with the packet's own id, random, 0, as it is
--   ip_id_conn: keep the counter of seq per connection instead of per packet
function apply_ip_id(desync, dis, ipid_options, def)
	dis = dis or desync.dis
	local ip = dis.ip
	if not ip then return end
	local options = ipid_options or desync.arg
	local mode = options.ip_id or def or "seq"
	if mode == "seq" then
		local counter = options.ip_id_conn and desync.track and desync.track.lua_state or desync
		local id = counter.ip_id or ip.ip_id
		ip.ip_id = id
		counter.ip_id = id + 1
	elseif mode == "zero" then
		ip.ip_id = 0
	elseif mode == "rnd" then
		ip.ip_id = math.random(1, 0xFFFF)
	end
end

-- Does the direction of the packet match the argument dir (default def, then "out")?
-- Group direction:
--   dir=in|out|any (out): direction of the packets to work on
function direction_check(desync, def)
	local dir = desync.arg.dir or def or "out"
	if desync.outgoing then return dir ~= "in" end
	return dir ~= "out"
end

-- Cuts the instance off for the direction that dir=in|out excludes.
function direction_cutoff_opposite(ctx, desync, def)
	local dir = desync.arg.dir or def or "out"
	if dir == "out" then
		instance_cutoff_shim(ctx, desync, false)
	elseif dir == "in" then
		instance_cutoff_shim(ctx, desync, true)
	end
end

-- Does the payload type match the filter (default def, then "known")? Always a boolean.
-- filter : comma separated types, "all", "known" (anything but unknown and empty); a leading "~" negates it
function payload_match_filter(l7payload, filter, def)
	local list = filter or def or "known"
	local negate = list:sub(1, 1) == "~"
	if negate then list = list:sub(2) end
	local match = in_list(list, l7payload)
		or in_list(list, "known") and l7payload ~= "unknown" and l7payload ~= "empty"
		or in_list(list, "all")
	return match ~= negate
end

-- Does the payload of the packet match the argument payload (default def, then "known")?
-- Group payload:
--   payload=<payload types> (known): types to work on, with commas; "all", "known" (neither unknown nor empty);
--       a leading "~" negates the list
function payload_check(desync, def)
	local filter = desync.arg.payload
	local match = payload_match_filter(desync.l7payload, filter, def)
	if not match then
		dlog_format("payload_check: payload '%s' does not pass '%s' filter", desync.l7payload, filter or def or "known")
	end
	return match
end

-- Key of the replay drop flag in track.lua_state.
function replay_drop_key(desync)
	return desync.func_instance .. "_replay_drop"
end

-- Remembers that the remaining pieces of this replay are to be dropped (v = true, the default), or forgets it.
function replay_drop_set(desync, v)
	if not desync.track then return end
	if v == nil then v = true end
	if not v then
		desync.track.lua_state[replay_drop_key(desync)] = nil
	elseif desync.replay then
		desync.track.lua_state[replay_drop_key(desync)] = true
	end
end

-- Must this piece of the replay be dropped? Forgets the flag with the last piece, or if this is no replay.
function replay_drop(desync)
	if not desync.track then return false end
	local state, key = desync.track.lua_state, replay_drop_key(desync)
	local drop = desync.replay and state[key] or false
	if not desync.replay or desync.replay_piece_last then state[key] = nil end
	if drop then DLOG("dropping replay packet because reasm was already sent") end
	return drop
end

-- True for the first piece of a replay, and for packets outside of a replay.
function replay_first(desync)
	return not desync.replay or desync.replay_piece == 1
end


-------------------------------------------------------------------------------------------------------------
-- 13. Hosts, interfaces, files
-------------------------------------------------------------------------------------------------------------

local TLDS = { "com", "org", "net", "edu", "gov", "biz" }

-- Random host name of `len` characters.
-- template : if given, the name ends in ".template"; if too long for that, only its last `len` characters
function genhost(len, template)
	if template and template ~= "" then
		if len <= 0 then return "" end
		if len <= #template then return template:sub(-len) end
		if len == #template + 1 then return "." .. template end
		return brandom_az(1) .. brandom_az09(len - #template - 2) .. "." .. template
	end
	if len <= 0 then error("genhost: invalid arg, length must be positive") end
	if len < 7 then return brandom_az(1) .. brandom_az09(len - 1) end
	return brandom_az(1) .. brandom_az09(len - 5) .. "." .. TLDS[math.random(#TLDS)]
end

-- Text of the target address; nil if there is none.
function host_ip(desync)
	local ip = desync.target.ip or desync.target.ip6
	return ip and ntop(ip)
end

-- Host name of the connection if known, else text of the target address.
function host_or_ip(desync)
	return desync.track and desync.track.hostname or host_ip(desync)
end

-- Reads the interface table to the global `ifaddrs`, at most once per second (time in `ifaddrs_last`).
function update_ifaddrs()
	if not ifaddrs then
		ifaddrs = get_ifaddrs()
		return
	end
	local now = os.time()
	if ifaddrs_last and ifaddrs_last ~= now then ifaddrs = get_ifaddrs() end
	ifaddrs_last = now
end

-- Name of the interface that owns a raw address; nil if none.
function ip2ifname(ip)
	update_ifaddrs()
	for name, interface in pairs(ifaddrs or {}) do
		if array_field_search(interface.addr or {}, "addr", ip) then return name end
	end
end

-- Is the path absolute (on Cygwin also with a drive letter)?
function is_absolute_path(path)
	return path:sub(1, 1) == "/" or uname().sysname:sub(1, 6) == "CYGWIN" and path:sub(2, 2) == ":"
end

-- path/file
function append_path(path, file)
	return path .. (path:sub(-1) == "/" and "" or "/") .. file
end

-- Relative file names go to the directory in the environment variable WRITABLE, if it is set.
function writable_file_name(filename)
	local dir = not is_absolute_path(filename) and os.getenv("WRITABLE")
	return dir and append_path(dir, filename) or filename
end

local function open_file(filename, mode, caller)
	local file, err = io.open(filename, mode)
	return file or error(caller .. ": " .. err)
end

-- Closes a file after reading; raises the error of the read if there was one. (End of file is none.)
local function close_after_read(file, err, caller)
	file:close()
	if err then error(caller .. ": " .. err) end
end

-- Is the file compressed by gzip? nil if it is empty.
function is_gzip_file(filename)
	local file = open_file(filename, "rb", "is_gzip_file")
	local magic, err = file:read(2)
	close_after_read(file, err, "is_gzip_file")
	return magic and magic == "\31\139"
end

-- Decompressed contents of the first member of a gzip file; nil if it is corrupt or truncated.
-- ratio      : expected compression, default 4
-- block_size : bytes read at a time, default 16384
function gunzip_file(filename, ratio, block_size)
	ratio = ratio or 4
	block_size = block_size or 16384
	local file = open_file(filename, "rb", "gunzip_file")
	local stream = gunzip_init()
	if not stream then
		file:close()
		error("gunzip_file: stream init error")
	end

	local parts = {}
	local block, err, part, finished
	repeat
		block, err = file:read(block_size)
		if not block then break end
		part, finished = gunzip_inflate(stream, block, math.floor(#block * ratio))
		parts[#parts + 1] = part
	until finished or not part
	gunzip_end(stream)
	close_after_read(file, err, "gunzip_file: file read error ")
	return finished and table.concat(parts) or nil
end

local function compressed_parts(stream, data, ratio, block_size)
	local parts = {}
	for pos = 1, #data, block_size do
		local block = data:sub(pos, pos + block_size - 1)
		parts[#parts + 1] = gzip_deflate(stream, block, math.max(64, math.floor(#block / ratio)))
			or error("gzip_file: compression error")
	end
	local part, finished
	repeat
		part, finished = gzip_deflate(stream, "")
		parts[#parts + 1] = part or error("gzip_file: compression error")
	until finished
	return parts
end

-- Writes data to a gzip file. Returns nothing; every failure is an error.
-- ratio      : expected compression, default 2
-- level      : 0..9, default 9
-- memlevel   : 1..9, default 8
-- block_size : bytes compressed at a time, default 16384
function gzip_file(filename, data, ratio, level, memlevel, block_size)
	local stream = gzip_init(nil, level or 9, memlevel or 8)
	if not stream then error("gzip_file: stream init error") end
	local parts = compressed_parts(stream, data, ratio or 2, block_size or 16384)
	gzip_end(stream)

	local file = open_file(filename, "wb", "gzip_file")
	local written, write_error = file:write(table.concat(parts))
	local closed, close_error = file:close()
	if not (written and closed) then error("gzip_file: " .. (write_error or close_error)) end
end

-- Contents of a file.
function readfile(filename)
	local file = open_file(filename, "rb", "readfile")
	local data, err = file:read("*a")
	close_after_read(file, err, "readfile")
	return data
end

-- Contents of a file, decompressed if it is a gzip file; nil if that is corrupt or truncated.
-- ratio : expected compression, see gunzip_file
function z_readfile(filename, ratio)
	if is_gzip_file(filename) then return gunzip_file(filename, ratio) end
	return readfile(filename)
end

-- Replaces the contents of a file. Returns nothing.
function writefile(filename, data)
	local file = open_file(filename, "wb", "writefile")
	local written, write_error = file:write(data)
	local closed, close_error = file:close()
	if not (written and closed) then error("writefile: " .. (write_error or close_error)) end
end


-------------------------------------------------------------------------------------------------------------
-- 14. Sending
-------------------------------------------------------------------------------------------------------------

-- Sends a dissect, as IP fragments if wanted. Returns true if all was sent; stops at the first failure.
-- options.rawsend     : options of rawsend (repeats count for each fragment)
-- options.reconstruct : options of reconstruction
-- options.ipfrag      : ipfrag and ipfrag_disorder; other options as the function needs
-- Group ipfrag:
--   ipfrag[=<function>] (ipfrag2): send IP fragments, made by global function f(dis, options.ipfrag)
--   ipfrag_disorder: last fragment first
--   ipfrag_pos_tcp=<bytes> (32): where ipfrag2 cuts the fragmentable part of TCP, a multiple of 8
--   ipfrag_pos_udp=<bytes> (8): the same for UDP
--   ipfrag_pos_icmp=<bytes> (8): the same for ICMP
--   ipfrag_pos=<bytes> (32): the same for others
--   ipfrag_next=<number>: IPv6: next header value in the second fragment
function rawsend_dissect_ipfrag(dis, options)
	options = options or {}
	local ipfrag = options.ipfrag
	local fragments
	if ipfrag and ipfrag.ipfrag and dis.frag == nil and dis.frag_off == nil then
		local name = ipfrag.ipfrag == "" and "ipfrag2" or ipfrag.ipfrag
		if type(_G[name]) ~= "function" then
			error("rawsend_dissect_ipfrag: ipfrag function '" .. tostring(name) .. "' does not exist")
		end
		fragments = _G[name](dis, ipfrag)
	end
	if not fragments then
		return rawsend_dissect(dis, options.rawsend, options.reconstruct)
	end

	local reconstruct = deepcopy(options.reconstruct) or {}
	reconstruct.ip6_preserve_next = true
	local first, last, step = 1, #fragments, 1
	if ipfrag.ipfrag_disorder then first, last, step = last, first, -1 end
	for i = first, last, step do
		dlog_format("sending ip fragment %d", i)
		if not rawsend_dissect(fragments[i], options.rawsend, reconstruct) then return false end
	end
	return true
end

-- Position where the fragmentable part is to be cut; nil if the packet ends before.
-- repeated_len : length of the headers that every fragment repeats
local function ipfrag_position(dis, options, repeated_len)
	local value
	if dis.tcp then
		value = options.ipfrag_pos_tcp or 32
	elseif dis.udp then
		value = options.ipfrag_pos_udp or 8
	elseif dis.icmp then
		value = options.ipfrag_pos_icmp or 8
	else
		value = options.ipfrag_pos or 32
	end
	local pos = tonumber(value)
	if not pos or pos < 0 then
		error("ipfrag2: invalid frag position '" .. tostring(value) .. "'")
	end
	if pos % 8 ~= 0 then error("ipfrag2: frag position must be multiple of 8") end
	if pos + l3_len(dis) > 65535 then error("ipfrag2: too high frag offset") end
	if pos + repeated_len >= packet_len(dis) then
		dlog_format("ipfrag2: ip frag pos %d exceeds packet length. ipfrag cancelled.", pos)
		return nil
	end
	return pos
end

local function ipfrag2_ip4(dis, options)
	local header_len = l3_len(dis)
	local pos = ipfrag_position(dis, options, header_len)
	if not pos then return nil end
	local id = dis.ip.ip_id
	if id == 0 then id = math.random(1, 0xFFFF) end

	local first = deepcopy(dis)
	first.ip.ip_id = id
	first.ip.ip_len = header_len + pos
	first.ip.ip_off = IP_MF

	local second = deepcopy(dis)
	second.ip.ip_id = id
	second.ip.ip_len = packet_len(dis) - pos
	second.ip.ip_off = divint(pos, 8)

	return { first, second }
end

-- Index where the fragment header belongs: behind the headers that every router on the path may need.
local function ip6_frag_index(exthdr)
	local index = 1
	local destopts_seen = false
	for i = 1, exthdr and #exthdr or 0 do
		local header_type = exthdr[i].type
		local first_destopts = header_type == IPPROTO_DSTOPTS and not destopts_seen
		if header_type == IPPROTO_HOPOPTS or header_type == IPPROTO_ROUTING or first_destopts then
			index = i + 1
		end
		destopts_seen = destopts_seen or first_destopts
	end
	return index
end

local IP6_FRAG_HEADER_LEN = 8

local function ipfrag2_ip6(dis, options)
	local index = ip6_frag_index(dis.ip6.exthdr)
	local unfragmentable = l3_extra_len(dis, index - 1)
	local pos = ipfrag_position(dis, options, IP6_BASE_LEN + unfragmentable)
	if not pos then return nil end
	local ident = bu32(math.random(1, 0xFFFFFFFF))

	local first = deepcopy(dis)
	insert_ip6_exthdr(first.ip6, index, IPPROTO_FRAGMENT, bu16(IP6F_MORE_FRAG) .. ident)
	first.ip6.ip6_plen = unfragmentable + IP6_FRAG_HEADER_LEN + pos

	local second = deepcopy(dis)
	insert_ip6_exthdr(second.ip6, index, IPPROTO_FRAGMENT, bu16(pos) .. ident)
	second.ip6.ip6_plen = packet_len(dis) - IP6_BASE_LEN + IP6_FRAG_HEADER_LEN - pos
	if options.ipfrag_next then second.ip6.exthdr[index].next = tonumber(options.ipfrag_next) end

	return { first, second }
end

-- Cuts a packet into two IP fragments. Returns their dissects, or nil if the packet is too short.
-- ipfrag_options : ipfrag_pos_tcp, ipfrag_pos_udp, ipfrag_pos_icmp, ipfrag_pos and ipfrag_next
function ipfrag2(dis, ipfrag_options)
	DLOG("ipfrag2")
	if dis.ip then return ipfrag2_ip4(dis, ipfrag_options) end
	if dis.ip6 then return ipfrag2_ip6(dis, ipfrag_options) end
end

-- Urgent pointer of the segment that begins at payload position pos, or nil if the segment has none.
local function segment_urgent_pointer(urp, pos, len)
	if urp == 0 then return pos == 1 and 0 or nil end
	if urp >= pos and urp < pos + len then return urp - pos + 1 end
end

-- Copy of a dissect for apply_fooling, apply_ip_id and rawsend_dissect: what they change is copied, what they only read
-- is shared. Functions named by a user may change anything.
local function copy_for_sending(dis, fooling, ipfrag)
	if fooling.fool or ipfrag and ipfrag.ipfrag then return deepcopy(dis) end
	local copy = copy_dis(dis)
	if dis.ip then copy.ip = copy_ip(dis.ip) end
	if dis.ip6 then copy.ip6 = deepcopy(dis.ip6) end
	if dis.tcp then
		copy.tcp = copy_tcp(dis.tcp)
		if dis.tcp.options then copy.tcp.options = copy_array(dis.tcp.options) end
	end
	return copy
end

-- Sends one segment. `added`: bytes by which fooling has made its headers longer. If it is not taken and these may be why
-- (the path takes less than the MSS says), it is sent in two, the second with as many bytes of payload.
local function send_fooled_segment(desync, segment, added, options)
	if rawsend_dissect_ipfrag(segment, options) then return true end
	local tcp, part = segment.tcp, segment.payload
	if added <= 0 or #part <= added or bitand(tcp.th_flags, TH_URG + TH_SYN) ~= 0 then return false end
	DLOG("rawsend_dissect_segmented: sending the segment in two because fooling has made it too long")
	local seq, flags, cut = tcp.th_seq, tcp.th_flags, #part - added
	segment.payload = part:sub(1, cut)
	tcp.th_flags = bitand(flags, bitnot(TH_FIN + TH_PUSH))
	local sent = rawsend_dissect_ipfrag(segment, options)
	if sent then
		segment.payload = part:sub(cut + 1)
		tcp.th_seq = u32add(seq, cut)
		tcp.th_flags = flags
		apply_ip_id(desync, segment, options.ipid)
		sent = rawsend_dissect_ipfrag(segment, options)
	end
	segment.payload, tcp.th_seq, tcp.th_flags = part, seq, flags
	return sent
end

-- Sends `segment`, a copy of `dis` for sending with a payload of its own, after fooling.
local function send_segments(desync, dis, segment, mss, options)
	apply_fooling(desync, segment, options.fooling)

	local tcp, payload = segment.tcp, segment.payload
	local max_len, added = #payload, 0
	if tcp then
		mss = mss or desync.tcp_mss
		local extra_len = l3l4_extra_len(segment)
		max_len, added = mss - extra_len, extra_len - l3l4_extra_len(dis)
		if max_len <= 0 then
			dlog_format("rawsend_dissect_segmented: headers leave no room for payload, mss %s", mss)
			return false
		end
	end
	if #payload <= max_len then
		apply_ip_id(desync, segment, options.ipid)
		return send_fooled_segment(desync, segment, added, options)
	end

	local urgent = bitand(dis.tcp.th_flags, TH_URG) ~= 0
	for pos = 1, #payload, max_len do
		local part = payload:sub(pos, pos + max_len - 1)
		segment.payload = part
		if urgent then
			local urp = segment_urgent_pointer(dis.tcp.th_urp or 0, pos, #part)
			tcp.th_flags = urp and bitor(tcp.th_flags, TH_URG) or bitand(tcp.th_flags, bitnot(TH_URG))
			tcp.th_urp = urp or 0
		end
		apply_ip_id(desync, segment, options.ipid)
		if not send_fooled_segment(desync, segment, added, options) then return false end
		tcp.th_seq = u32add(tcp.th_seq, #part)
	end
	return true
end

-- Sends a dissect after fooling, as TCP segments if it does not fit into mss. `dis` is not changed.
-- Returns true if all was sent; false at the first failure, or if the headers leave no room for payload.
-- Flags (except URG) are the same in every segment. UDP is never segmented.
-- dis     : default desync.dis
-- mss     : default desync.tcp_mss
-- options : default desync_opts(desync); .fooling, .ipid default to desync.arg; .rawsend, .reconstruct,
--           .ipfrag as in rawsend_dissect_ipfrag
function rawsend_dissect_segmented(desync, dis, mss, options)
	dis = dis or desync.dis
	options = options or desync_opts(desync)
	local segment = copy_for_sending(dis, options.fooling or desync.arg, options.ipfrag)
	return send_segments(desync, dis, segment, mss, options)
end

local dissect_segmented = rawsend_dissect_segmented

-- One level copy of a dissect with another payload and sequence number; the dissect itself if neither is wanted.
local function dis_with(dis, payload, seq)
	if not (payload or seq and seq ~= 0) then return dis end
	local copy = copy_dis(dis)
	copy.payload = payload or dis.payload
	if dis.tcp and seq and seq ~= 0 then
		copy.tcp = copy_tcp(dis.tcp)
		copy.tcp.th_seq = u32add(dis.tcp.th_seq, seq)
	end
	return copy
end

-- Sends the current packet with another payload and sequence number, segmented and fooled as above.
-- payload : default the payload of the packet
-- seq     : added to the TCP sequence number, may be negative
-- options : see rawsend_dissect_segmented
function rawsend_payload_segmented(desync, payload, seq, options)
	local dis = desync.dis
	if rawsend_dissect_segmented ~= dissect_segmented then -- a script has put its own in place of ours
		return rawsend_dissect_segmented(desync, dis_with(dis, payload, seq), nil, options)
	end
	options = options or desync_opts(desync)
	local segment = copy_for_sending(dis, options.fooling or desync.arg, options.ipfrag)
	segment.payload = payload or dis.payload
	if segment.tcp and seq and seq ~= 0 then segment.tcp.th_seq = u32add(dis.tcp.th_seq, seq) end
	return send_segments(desync, dis, segment, nil, options)
end


-------------------------------------------------------------------------------------------------------------
-- 15. URL and HTTP
-------------------------------------------------------------------------------------------------------------

-- Splits "host", "host:port", "[ipv6]" or "[ipv6]:port".
local function split_authority(authority)
	local address, rest = authority:match("^%[(.-)%](.*)$")
	if address then return address, rest:match("^:(.*)$") end
	local host, port = authority:match("^([^:]*):(.*)$")
	return host or authority, port
end

-- Splits a URL. Returns a table with any of proto, creds, domain, port, uri (strings); nil for a blank string.
-- The domain ends at "/", "?" or "#", which begin the uri. A text without scheme and without any of them is all uri;
-- one that begins with one of them has no domain.
function dissect_url(url)
	local begin = url:find("[^ \t]")
	if not begin then return nil end
	local result = {}
	local pos = begin

	local proto, after_proto = url:match("^(%a[%w+.-]*)://()", pos)
	if proto then
		result.proto = proto:lower()
		pos = after_proto
	end

	local creds, after_creds = url:match("^([^@/?#]*)@()", pos)
	if creds then
		result.creds = creds
		pos = after_creds
	end

	local authority
	local uri = url:find("[/?#]", pos)
	if uri then
		if uri ~= begin then authority = url:sub(pos, uri - 1) end
		result.uri = url:sub(uri)
	elseif proto then
		authority = url:sub(pos)
	else
		result.uri = url:sub(pos)
	end
	if authority then result.domain, result.port = split_authority(authority) end
	return result
end

-- The last `level` labels of a domain name; nil if it has fewer.
function dissect_nld(domain, level)
	if not domain then return nil end
	local dots = 0
	for i = #domain, 1, -1 do
		if domain:byte(i) == 46 then
			dots = dots + 1
			if dots == level then return domain:sub(i + 1) end
		end
	end
	return dots == level - 1 and domain or nil
end

-- Splits a header line. Returns name, value, length of the name, index of the value (of the last byte of the
-- line if the value is empty); nil if there is no colon.
function http_dissect_header(line)
	local colon = line:find(":", 1, true)
	if not colon then return nil end
	local value_start = line:find("[^ \t]", colon + 1)
	return line:sub(1, colon - 1), value_start and line:sub(value_start) or "", colon - 1, value_start or #line
end

-- Parses header lines from pos to the empty line. Lines without colon are skipped.
-- Returns an array of {header, header_low, value, pos_start, pos_end, pos_header_end, pos_value_start} and
-- the index behind the empty line (nil if the data ends before).
function http_dissect_headers(http, pos)
	local headers = {}
	while pos do
		local line_end, next_line = find_next_line(http, pos)
		if line_end < pos then return headers, next_line end
		local name, value, name_len, value_start = http_dissect_header(http:sub(pos, line_end))
		if name then
			headers[#headers + 1] = {
				header = name,
				header_low = name:lower(),
				value = value,
				pos_start = pos,
				pos_end = line_end,
				pos_header_end = pos + name_len - 1,
				pos_value_start = pos + value_start - 1,
			}
		end
		pos = next_line
	end
	return headers, nil
end

-- Adds headers, pos_headers_end and body to a dissected message whose headers begin at pos.
local function add_headers_and_body(message, http, pos)
	local headers, pos_headers_end = http_dissect_headers(http, pos)
	message.headers = headers
	message.pos_headers_end = pos_headers_end
	message.body = pos_headers_end and http:sub(pos_headers_end)
	return message
end

-- Parses an HTTP request. Returns {method, uri, http_ver, headers, pos_headers_end, body}, or nil.
-- Empty lines before the request are skipped.
function http_dissect_req(http)
	if not http then return nil end
	local pos = 1
	local line_end, next_line = find_next_line(http, pos)
	while line_end < pos do
		if not next_line then return nil end
		pos = next_line
		line_end, next_line = find_next_line(http, pos)
	end
	local method, uri, http_ver = http:sub(pos, line_end):match("^([^ \t]*)[ \t]+([^ \t]+)[ \t]*(.*)$")
	if not method then return nil end
	local req = { method = method, uri = uri, http_ver = http_ver ~= "" and http_ver or nil }
	return add_headers_and_body(req, http, next_line)
end

-- Parses an HTTP/1.x reply. Returns {code, headers, pos_headers_end, body}, or nil.
function http_dissect_reply(http)
	local code = http and http:match("^HTTP/1%.[01].(%d+)[ \t\r\n]")
	if not code then return nil end
	local _, next_line = find_next_line(http, 1)
	return add_headers_and_body({ code = tonumber(code) }, http, next_line)
end

local function http_eol(unixeol)
	return unixeol and "\n" or "\r\n"
end

-- Text of headers {header, value}. "" for nil.
-- unixeol : lines end in LF instead of CRLF
function http_reconstruct_headers(headers, unixeol)
	local eol = http_eol(unixeol)
	local lines = {}
	for i, header in ipairs(headers or {}) do
		lines[i] = header.header .. ": " .. header.value .. eol
	end
	return table.concat(lines)
end

-- Text of a request {method, uri, http_ver, headers, body}.
-- unixeol : lines end in LF instead of CRLF
function http_reconstruct_req(hdis, unixeol)
	local eol = http_eol(unixeol)
	return hdis.method .. " " .. hdis.uri .. (hdis.http_ver and " " .. hdis.http_ver or "") .. eol
		.. http_reconstruct_headers(hdis.headers, unixeol) .. eol .. (hdis.body or "")
end


-------------------------------------------------------------------------------------------------------------
-- 16. TLS and QUIC
-------------------------------------------------------------------------------------------------------------

-- 16.1 Constants ------------------------------------------------------------------------------------------

TLS_VER_SSL30 = 0x0300
TLS_VER_TLS10 = 0x0301
TLS_VER_TLS11 = 0x0302
TLS_VER_TLS12 = 0x0303
TLS_VER_TLS13 = 0x0304

-- Defines a global constant per row {constant, value, text}. Returns the table value -> text.
local function define_constants(rows)
	local names = {}
	for _, row in ipairs(rows) do
		local constant, value, text = row[1], row[2], row[3]
		_G[constant] = value
		names[value] = text
	end
	return names
end

TLS_HELLO_EXT_NAMES = define_constants {
	{ "TLS_EXT_SERVER_NAME", 0, "server_name" },
	{ "TLS_EXT_MAX_FRAGMENT_LENGTH", 1, "max_fragment_length" },
	{ "TLS_EXT_CLIENT_CERTIFICATE_URL", 2, "client_certificate_url" },
	{ "TLS_EXT_TRUSTED_CA_KEYS", 3, "trusted_ca_keys" },
	{ "TLS_EXT_TRUNCATED_HMAC", 4, "truncated_hmac" },
	{ "TLS_EXT_STATUS_REQUEST", 5, "status_request" },
	{ "TLS_EXT_USER_MAPPING", 6, "user_mapping" },
	{ "TLS_EXT_CLIENT_AUTHZ", 7, "client_authz" },
	{ "TLS_EXT_SERVER_AUTHZ", 8, "server_authz" },
	{ "TLS_EXT_CERT_TYPE", 9, "cert_type" },
	{ "TLS_EXT_SUPPORTED_GROUPS", 10, "supported_groups" },
	{ "TLS_EXT_EC_POINT_FORMATS", 11, "ec_point_formats" },
	{ "TLS_EXT_SRP", 12, "srp" },
	{ "TLS_EXT_SIGNATURE_ALGORITHMS", 13, "signature_algorithms" },
	{ "TLS_EXT_USE_SRTP", 14, "use_srtp" },
	{ "TLS_EXT_HEARTBEAT", 15, "heartbeat" },
	{ "TLS_EXT_ALPN", 16, "application_layer_protocol_negotiation" },
	{ "TLS_EXT_STATUS_REQUEST_V2", 17, "status_request_v2" },
	{ "TLS_EXT_SIGNED_CERTIFICATE_TIMESTAMP", 18, "signed_certificate_timestamp" },
	{ "TLS_EXT_CLIENT_CERT_TYPE", 19, "client_certificate_type" },
	{ "TLS_EXT_SERVER_CERT_TYPE", 20, "server_certificate_type" },
	{ "TLS_EXT_PADDING", 21, "padding" },
	{ "TLS_EXT_ENCRYPT_THEN_MAC", 22, "encrypt_then_mac" },
	{ "TLS_EXT_EXTENDED_MASTER_SECRET", 23, "extended_master_secret" },
	{ "TLS_EXT_TOKEN_BINDING", 24, "token_binding" },
	{ "TLS_EXT_CACHED_INFO", 25, "cached_info" },
	{ "TLS_EXT_COMPRESS_CERTIFICATE", 27, "compress_certificate" },
	{ "TLS_EXT_RECORD_SIZE_LIMIT", 28, "record_size_limit" },
	{ "TLS_EXT_DELEGATED_CREDENTIALS", 34, "delegated_credentials" },
	{ "TLS_EXT_SESSION_TICKET_TLS", 35, "session_ticket" },
	{ "TLS_EXT_KEY_SHARE_OLD", 40, "Reserved (key_share)" },
	{ "TLS_EXT_PRE_SHARED_KEY", 41, "pre_shared_key" },
	{ "TLS_EXT_EARLY_DATA", 42, "early_data" },
	{ "TLS_EXT_SUPPORTED_VERSIONS", 43, "supported_versions" },
	{ "TLS_EXT_COOKIE", 44, "cookie" },
	{ "TLS_EXT_PSK_KEY_EXCHANGE_MODES", 45, "psk_key_exchange_modes" },
	{ "TLS_EXT_TICKET_EARLY_DATA_INFO", 46, "Reserved (ticket_early_data_info)" },
	{ "TLS_EXT_CERTIFICATE_AUTHORITIES", 47, "certificate_authorities" },
	{ "TLS_EXT_OID_FILTERS", 48, "oid_filters" },
	{ "TLS_EXT_POST_HANDSHAKE_AUTH", 49, "post_handshake_auth" },
	{ "TLS_EXT_SIGNATURE_ALGORITHMS_CERT", 50, "signature_algorithms_cert" },
	{ "TLS_EXT_KEY_SHARE", 51, "key_share" },
	{ "TLS_EXT_TRANSPARENCY_INFO", 52, "transparency_info" },
	{ "TLS_EXT_CONNECTION_ID_DEPRECATED", 53, "connection_id (deprecated)" },
	{ "TLS_EXT_CONNECTION_ID", 54, "connection_id" },
	{ "TLS_EXT_EXTERNAL_ID_HASH", 55, "external_id_hash" },
	{ "TLS_EXT_EXTERNAL_SESSION_ID", 56, "external_session_id" },
	{ "TLS_EXT_QUIC_TRANSPORT_PARAMETERS_V1", 57, "quic_transport_parameters" },
	{ "TLS_EXT_TICKET_REQUEST", 58, "ticket_request" },
	{ "TLS_EXT_DNSSEC_CHAIN", 59, "dnssec_chain" },
	{ "TLS_EXT_GREASE_0A0A", 0xA0A, "Reserved (GREASE)" },
	{ "TLS_EXT_GREASE_1A1A", 0x1A1A, "Reserved (GREASE)" },
	{ "TLS_EXT_GREASE_2A2A", 0x2A2A, "Reserved (GREASE)" },
	{ "TLS_EXT_NPN", 0x3374, "next_protocol_negotiation" },
	{ "TLS_EXT_GREASE_3A3A", 0x3A3A, "Reserved (GREASE)" },
	{ "TLS_EXT_ALPS_OLD", 0x4469, "application_settings_old" },
	{ "TLS_EXT_ALPS", 0x44CD, "application_settings" },
	{ "TLS_EXT_GREASE_4A4A", 0x4A4A, "Reserved (GREASE)" },
	{ "TLS_EXT_GREASE_5A5A", 0x5A5A, "Reserved (GREASE)" },
	{ "TLS_EXT_GREASE_6A6A", 0x6A6A, "Reserved (GREASE)" },
	{ "TLS_EXT_CHANNEL_ID_OLD", 0x754F, "channel_id_old" },
	{ "TLS_EXT_CHANNEL_ID", 0x7550, "channel_id" },
	{ "TLS_EXT_GREASE_7A7A", 0x7A7A, "Reserved (GREASE)" },
	{ "TLS_EXT_GREASE_8A8A", 0x8A8A, "Reserved (GREASE)" },
	{ "TLS_EXT_GREASE_9A9A", 0x9A9A, "Reserved (GREASE)" },
	{ "TLS_EXT_GREASE_AAAA", 0xAAAA, "Reserved (GREASE)" },
	{ "TLS_EXT_GREASE_BABA", 0xBABA, "Reserved (GREASE)" },
	{ "TLS_EXT_GREASE_CACA", 0xCACA, "Reserved (GREASE)" },
	{ "TLS_EXT_GREASE_DADA", 0xDADA, "Reserved (GREASE)" },
	{ "TLS_EXT_GREASE_EAEA", 0xEAEA, "Reserved (GREASE)" },
	{ "TLS_EXT_GREASE_FAFA", 0xFAFA, "Reserved (GREASE)" },
	{ "TLS_EXT_ECH_OUTER_EXTENSIONS", 0xFD00, "ech_outer_extensions" },
	{ "TLS_EXT_ENCRYPTED_CLIENT_HELLO", 0xFE0D, "encrypted_client_hello" },
	{ "TLS_EXT_RENEGOTIATION_INFO", 0xFF01, "renegotiation_info" },
	{ "TLS_EXT_QUIC_TRANSPORT_PARAMETERS", 0xFFA5, "quic_transport_parameters (drafts version)" },
	{ "TLS_EXT_ENCRYPTED_SERVER_NAME", 0xFFCE, "encrypted_server_name" },
}

TLS_RECORD_TYPE_NAMES = define_constants {
	{ "TLS_RECORD_TYPE_CHANGE_CIPHER_SPEC", 20, "change_cipher_spec" },
	{ "TLS_RECORD_TYPE_ALERT", 21, "alert" },
	{ "TLS_RECORD_TYPE_HANDSHAKE", 22, "handshake" },
	{ "TLS_RECORD_TYPE_DATA", 23, "data" },
	{ "TLS_RECORD_TYPE_HEARTBEAT", 24, "heartbeat" },
}

TLS_HANDSHAKE_TYPE_NAMES = define_constants {
	{ "TLS_HANDSHAKE_TYPE_HELLO_REQUEST", 0, "hello_request" },
	{ "TLS_HANDSHAKE_TYPE_CLIENT", 1, "client_hello" },
	{ "TLS_HANDSHAKE_TYPE_SERVER", 2, "server_hello" },
	{ "TLS_HANDSHAKE_TYPE_CERTIFICATE", 11, "certificate" },
	{ "TLS_HANDSHAKE_TYPE_KEY_EXCHANGE", 12, "key_exchange" },
	{ "TLS_HANDSHAKE_TYPE_CERTIFICATE_REQUEST", 13, "certificate_request" },
	{ "TLS_HANDSHAKE_TYPE_SERVER_HELLO_DONE", 14, "hello_done" },
	{ "TLS_HANDSHAKE_TYPE_CERTIFICATE_VERIFY", 15, "certificate_verify" },
	{ "TLS_HANDSHAKE_TYPE_CLIENT_KEY_EXCHANGE", 16, "client_key_exchange" },
	{ "TLS_HANDSHAKE_TYPE_FINISHED", 20, "finished" },
	{ "TLS_HANDSHAKE_TYPE_CERTIFICATE_URL", 21, "certificate_url" },
	{ "TLS_HANDSHAKE_TYPE_CERTIFICATE_STATUS", 22, "certificate_status" },
	{ "TLS_HANDSHAKE_TYPE_SUPPLEMENTAL_DATA", 23, "supplemental_data" },
	{ "TLS_HANDSHAKE_TYPE_KEY_UPDATE", 24, "key_update" },
	{ "TLS_HANDSHAKE_TYPE_COMPRESSED_CERTIFICATE", 25, "compressed_certificate" },
}

TLS_HANDSHAKE_QUIC_TP_NAMES = define_constants {
	{ "TLS_HANDSHAKE_QUIC_TP_ORIGINAL_DESTINATION_CONNECTION_ID", 0, "original_destination_connection_id" },
	{ "TLS_HANDSHAKE_QUIC_TP_MAX_IDLE_TIMEOUT", 1, "max_idle_timeout" },
	{ "TLS_HANDSHAKE_QUIC_TP_STATELESS_RESET_TOKEN", 2, "stateless_reset_token" },
	{ "TLS_HANDSHAKE_QUIC_TP_MAX_UDP_PAYLOAD_SIZE", 3, "max_udp_payload_size" },
	{ "TLS_HANDSHAKE_QUIC_TP_INITIAL_MAX_DATA", 4, "initial_max_data" },
	{ "TLS_HANDSHAKE_QUIC_TP_INITIAL_MAX_STREAM_DATA_BIDI_LOCAL", 5, "initial_max_stream_data_bidi_local" },
	{ "TLS_HANDSHAKE_QUIC_TP_INITIAL_MAX_STREAM_DATA_BIDI_REMOTE", 6, "initial_max_stream_data_bidi_remote" },
	{ "TLS_HANDSHAKE_QUIC_TP_INITIAL_MAX_STREAM_DATA_UNI", 7, "initial_max_stream_data_uni" },
	{ "TLS_HANDSHAKE_QUIC_TP_INITIAL_MAX_STREAMS_BIDI", 8, "initial_max_streams_bidi" },
	{ "TLS_HANDSHAKE_QUIC_TP_INITIAL_MAX_STREAMS_UNI", 9, "initial_max_streams_uni" },
	{ "TLS_HANDSHAKE_QUIC_TP_ACK_DELAY_EXPONENT", 10, "ack_delay_exponent" },
	{ "TLS_HANDSHAKE_QUIC_TP_MAX_ACK_DELAY", 11, "max_ack_delay" },
	{ "TLS_HANDSHAKE_QUIC_TP_DISABLE_ACTIVE_MIGRATION", 12, "disable_active_migration" },
	{ "TLS_HANDSHAKE_QUIC_TP_PREFERRED_ADDRESS", 13, "preferred_address" },
	{ "TLS_HANDSHAKE_QUIC_TP_ACTIVE_CONNECTION_ID_LIMIT", 14, "active_connection_id_limit" },
	{ "TLS_HANDSHAKE_QUIC_TP_INITIAL_SOURCE_CONNECTION_ID", 15, "initial_source_connection_id" },
	{ "TLS_HANDSHAKE_QUIC_TP_RETRY_SOURCE_CONNECTION_ID", 16, "retry_source_connection_id" },
	{ "TLS_HANDSHAKE_QUIC_TP_VERSION_INFORMATION", 17, "version_information" },
	{ "TLS_HANDSHAKE_QUIC_TP_MAX_DATAGRAM_FRAME_SIZE", 32, "max_datagram_frame_size" },
	{ "TLS_HANDSHAKE_QUIC_TP_CIBIR_ENCODING", 0x1000, "cibir_encoding" },
	{ "TLS_HANDSHAKE_QUIC_TP_LOSS_BITS", 0x1057, "loss_bits" },
	{ "TLS_HANDSHAKE_QUIC_TP_GREASE_QUIC_BIT", 0x2AB2, "grease_quic_bit" },
	{ "TLS_HANDSHAKE_QUIC_TP_GOOGLE_INITIAL_RTT", 0x3127, "google_initial_rtt" },
	{ "TLS_HANDSHAKE_QUIC_TP_GOOGLE_CONNECTION_OPTIONS", 0x3128, "google_connection_options" },
	{ "TLS_HANDSHAKE_QUIC_TP_GOOGLE_USER_AGENT", 0x3129, "google_user_agent" },
	{ "TLS_HANDSHAKE_QUIC_TP_GOOGLE_SUPPORT_HANDSHAKE_DONE", 0x312A, "google_support_handshake_done" },
	{ "TLS_HANDSHAKE_QUIC_TP_GOOGLE_KEY_UPDATE_NOT_YET_SUPPORTED", 0x312B, "google_key_update_not_yet_supported" },
	{ "TLS_HANDSHAKE_QUIC_TP_GOOGLE_QUIC_PARAMS", 0x4751, "google_quic_params" },
	{ "TLS_HANDSHAKE_QUIC_TP_GOOGLE_QUIC_VERSION", 0x4752, "google_quic_version" },
	{ "TLS_HANDSHAKE_QUIC_TP_ENABLE_TIME_STAMP", 0x7157, "enable_time_stamp" },
	{ "TLS_HANDSHAKE_QUIC_TP_ENABLE_TIME_STAMP_V2", 0x7158, "enable_time_stamp_v2" },
	{ "TLS_HANDSHAKE_QUIC_TP_MIN_ACK_DELAY_OLD", 0xDE1A, "min_ack_delay" },
	{ "TLS_HANDSHAKE_QUIC_TP_FACEBOOK_PARTIAL_RELIABILITY", 0xFF00, "facebook_partial_reliability" },
	{ "TLS_HANDSHAKE_QUIC_TP_VERSION_INFORMATION_DRAFT", 0xFF73DB, "version_information_draft" },
	{ "TLS_HANDSHAKE_QUIC_TP_ADDRESS_DISCOVERY", 0x9F81A176, "address_discovery" },
	{ "TLS_HANDSHAKE_QUIC_TP_MIN_ACK_DELAY_DRAFT_V1", 0xFF03DE1A, "min_ack_delay (draft-01)" },
	{ "TLS_HANDSHAKE_QUIC_TP_MIN_ACK_DELAY_DRAFT05", 0xFF04DE1A, "min_ack_delay (draft-05)" },
	{ "TLS_HANDSHAKE_QUIC_TP_MIN_ACK_DELAY", 0xFF04DE1B, "min_ack_delay" },
}


-- 16.2 Predicates -----------------------------------------------------------------------------------------
-- Offsets are 1-based and 1 by default. Reading beyond the string is an error ("out of range").
-- partialOK: accept data that ends before the declared length.

-- Length of the record data, by its header.
function tls_record_data_len(tls, offset)
	return u16(tls, (offset or 1) + 3)
end

-- Is the record complete?
function tls_record_full(tls, offset)
	offset = offset or 1
	return tls_record_data_len(tls, offset) <= #tls - offset - 4
end

-- Content type of the record.
function tls_record_type(tls, offset)
	return u8(tls, offset or 1)
end

local function is_tls_version(ver)
	return ver >= TLS_VER_SSL30 and ver <= TLS_VER_TLS12
end

-- Is there a TLS record (of content type ctype if given)?
function is_tls_record(tls, offset, ctype, partialOK)
	offset = offset or 1
	if not tls or #tls - offset + 1 < 5 then return false end
	if ctype and tls_record_type(tls, offset) ~= ctype then return false end
	if not is_tls_version(u16(tls, offset + 1)) then return false end
	return partialOK and true or tls_record_full(tls, offset)
end

-- Length of the handshake body, by its header.
function tls_handshake_data_len(tls, offset)
	return u24(tls, (offset or 1) + 1)
end

-- Length of the handshake message with its header.
function tls_handshake_len(tls, offset)
	return tls_handshake_data_len(tls, offset) + 4
end

-- Is the handshake message complete?
function tls_handshake_full(tls, offset)
	offset = offset or 1
	return tls_handshake_len(tls, offset) <= #tls - offset + 1
end

-- Type of the handshake message.
function tls_handshake_type(tls, offset)
	return u8(tls, offset or 1)
end

-- Is the handshake type ClientHello or ServerHello?
function is_tls_handshake_type_hello(tls, offset)
	if not tls then return false end
	local htype = tls_handshake_type(tls, offset)
	return htype == TLS_HANDSHAKE_TYPE_CLIENT or htype == TLS_HANDSHAKE_TYPE_SERVER
end

-- Is there a handshake message (of type htype if given)?
function is_tls_handshake(tls, offset, htype, partialOK)
	offset = offset or 1
	if not tls or #tls - offset + 1 < 4 then return false end
	local found = tls_handshake_type(tls, offset)
	if htype and found ~= htype or not TLS_HANDSHAKE_TYPE_NAMES[found] then return false end
	if is_tls_handshake_type_hello(tls, offset) then
		if #tls - offset + 1 < 6 or not is_tls_version(u16(tls, offset + 4)) then return false end
	end
	return partialOK and true or tls_handshake_full(tls, offset)
end

-- Is there a ClientHello or ServerHello message?
function is_tls_hello(tls, offset, partialOK)
	return is_tls_handshake(tls, offset, TLS_HANDSHAKE_TYPE_CLIENT, partialOK)
		or is_tls_handshake(tls, offset, TLS_HANDSHAKE_TYPE_SERVER, partialOK)
end


-- 16.3 QUIC variable-length integers ----------------------------------------------------------------------

local TWO48 = 0x1000000000000

-- Decodes an integer. Returns value and encoded size; nothing if the data is too short.
function quic_tvb(data, offset)
	offset = offset or 1
	local first = data:byte(offset)
	if not first then return end
	local size = first < 0x40 and 1 or first < 0x80 and 2 or first < 0xC0 and 4 or 8
	if #data - offset + 1 < size then return end
	if size == 1 then return first, 1 end
	if size == 2 then return u16(data, offset) - 0x4000, 2 end
	if size == 4 then return u32(data, offset) - 0x80000000, 4 end
	return (u16(data, offset) - 0xC000) * TWO48 + u48(data, offset + 2), 8
end

-- Encodes an integer in the shortest form; nil if it is too large.
function bquic_tvb(v)
	if v < 0x40 then return bu8(v) end
	if v < 0x4000 then return bu16(v + 0x4000) end
	if v < 0x40000000 then return bu32(v + 0x80000000) end
	if v < 0x4000 * TWO48 then return bu16(divint(v, TWO48) + 0xC000) .. bu48(v % TWO48) end
end


-- 16.4 Formats of the extensions that are taken apart -----------------------------------------------------
-- A format describes a list of items:
--   len_size : bytes of the length in front of the list; nil = the list is the whole extension
--   min_size : bytes an item needs at least
--   lax      : fewer bytes than min_size after the last item are ignored, otherwise they are an error
--   read     : f(data, pos, last) -> item, position behind it; nil if the item does not fit
--   write    : f(item) -> bytes; nil if the item cannot be encoded

-- `len` bytes at pos, and the position behind; nil if they do not fit.
local function read_bytes(data, pos, len, last)
	local next_pos = pos + len
	if next_pos <= last + 1 then return data:sub(pos, next_pos - 1), next_pos end
end

local function read_u8(data, pos) return u8(data, pos), pos + 1 end
local function write_u8(n) return bu8(n) end
local function read_u16(data, pos) return u16(data, pos), pos + 2 end
local function write_u16(n) return bu16(n) end

local function read_string8(data, pos, last)
	return read_bytes(data, pos + 1, u8(data, pos), last)
end

local function write_string8(s)
	return bu8(#s) .. s
end

local function read_server_name(data, pos, last)
	local name, next_pos = read_bytes(data, pos + 3, u16(data, pos + 1), last)
	return name and { type = u8(data, pos), name = name }, next_pos
end

local function write_server_name(item)
	return bu8(item.type or 0) .. bu16(#item.name) .. item.name
end

local function read_key_share(data, pos, last)
	local kex, next_pos = read_bytes(data, pos + 4, u16(data, pos + 2), last)
	return kex and { group = u16(data, pos), kex = kex }, next_pos
end

local function write_key_share(item)
	return bu16(item.group) .. bu16(#item.kex) .. item.kex
end

local function quic_tp(tp_type, data)
	return data and { type = tp_type, name = TLS_HANDSHAKE_QUIC_TP_NAMES[tp_type], data = data }
end

local function read_quic_tp_draft(data, pos, last)
	local value, next_pos = read_bytes(data, pos + 4, u16(data, pos + 2), last)
	return quic_tp(u16(data, pos), value), next_pos
end

local function write_quic_tp_draft(item)
	return bu16(item.type) .. bu16(#item.data) .. item.data
end

-- Types above this are not exact as a number of every Lua engine, so they stay the bytes of the packet.
local QUIC_TP_MAX_NUMBER = 2 ^ 52

local function read_quic_tp(data, pos, last)
	local tp_type, type_size = quic_tvb(data, pos)
	if not tp_type then return nil end
	if tp_type > QUIC_TP_MAX_NUMBER then tp_type = data:sub(pos, pos + type_size - 1) end
	local len, len_size = quic_tvb(data, pos + type_size)
	if not len then return nil end
	local value, next_pos = read_bytes(data, pos + type_size + len_size, len, last)
	return quic_tp(tp_type, value), next_pos
end

local function write_quic_tp(item)
	local tp_type = type(item.type) == "string" and item.type or bquic_tvb(item.type)
	return tp_type and tp_type .. bquic_tvb(#item.data) .. item.data
end

local U8_LIST8 = { len_size = 1, min_size = 1, read = read_u8, write = write_u8 }
local U16_LIST8 = { len_size = 1, min_size = 2, lax = true, read = read_u16, write = write_u16 }
local U16_LIST16 = { len_size = 2, min_size = 2, lax = true, read = read_u16, write = write_u16 }

local EXT_FORMATS = {
	[TLS_EXT_SERVER_NAME] = { len_size = 2, min_size = 3, read = read_server_name, write = write_server_name },
	[TLS_EXT_ALPN] = { len_size = 2, min_size = 1, read = read_string8, write = write_string8 },
	[TLS_EXT_SUPPORTED_VERSIONS] = U16_LIST8,
	[TLS_EXT_COMPRESS_CERTIFICATE] = U16_LIST8,
	[TLS_EXT_SIGNATURE_ALGORITHMS] = U16_LIST16,
	[TLS_EXT_DELEGATED_CREDENTIALS] = U16_LIST16,
	[TLS_EXT_SUPPORTED_GROUPS] = U16_LIST16,
	[TLS_EXT_EC_POINT_FORMATS] = U8_LIST8,
	[TLS_EXT_PSK_KEY_EXCHANGE_MODES] = U8_LIST8,
	[TLS_EXT_KEY_SHARE] = { len_size = 2, min_size = 4, read = read_key_share, write = write_key_share },
	[TLS_EXT_QUIC_TRANSPORT_PARAMETERS] = {
		len_size = 2, min_size = 4, read = read_quic_tp_draft, write = write_quic_tp_draft,
	},
	[TLS_EXT_QUIC_TRANSPORT_PARAMETERS_V1] = { min_size = 2, lax = true, read = read_quic_tp, write = write_quic_tp },
}

-- These have no list in a ServerHello.
local SERVER_RAW_EXT = {
	[TLS_EXT_SUPPORTED_VERSIONS] = true,
	[TLS_EXT_KEY_SHARE] = true,
}

-- Items of an extension; nil if the data does not follow the format.
local function read_list(format, data)
	local pos, last = 1, #data
	local len_size = format.len_size
	if len_size then
		if last < len_size then return nil end
		local len = len_size == 1 and u8(data) or u16(data)
		if len > last - len_size then return nil end
		pos, last = len_size + 1, len_size + len
	end
	local list = {}
	while pos + format.min_size - 1 <= last do
		local item, next_pos = format.read(data, pos, last)
		if not item then return nil end
		list[#list + 1] = item
		pos = next_pos
	end
	if pos <= last and not format.lax then return nil end
	return list
end

-- Bytes of an extension; nil if an item cannot be encoded.
local function write_list(format, list)
	local parts = {}
	for i, item in ipairs(list) do
		parts[i] = format.write(item)
		if not parts[i] then return nil end
	end
	local body = table.concat(parts)
	if format.len_size == 1 then return bu8(#body) .. body end
	if format.len_size == 2 then return bu16(#body) .. body end
	return body
end


-- 16.5 Dissecting -----------------------------------------------------------------------------------------

-- Parses ext.data by ext.type. Sets ext.dis={list=...} if the format is known and followed, else ext.dis=nil.
function tls_dissect_ext(ext)
	local format = EXT_FORMATS[ext.type]
	local list = format and read_list(format, ext.data)
	ext.dis = list and { list = list }
end

local function read_numbers(data, pos, len, size)
	local read = size == 1 and u8 or u16
	local numbers = {}
	for p = pos, pos + len - size, size do
		numbers[#numbers + 1] = read(data, p)
	end
	return numbers
end

-- Reads the fields between session id and extensions. Returns the position behind them, nil if cut.
local function read_hello_suites(dis, data, pos, last)
	if dis.type == TLS_HANDSHAKE_TYPE_SERVER then
		if pos + 2 > last then return nil end
		dis.cipher_suite = u16(data, pos)
		dis.compression_method = u8(data, pos + 2)
		return pos + 3
	end
	local suites_len = pos + 1 <= last and u16(data, pos)
	if not suites_len or pos + 1 + suites_len > last then return nil end
	dis.cipher_suites = read_numbers(data, pos + 2, suites_len, 2)
	pos = pos + 2 + suites_len
	local methods_len = pos <= last and u8(data, pos)
	if not methods_len or pos + methods_len > last then return nil end
	dis.compression_methods = read_numbers(data, pos + 1, methods_len, 1)
	return pos + 1 + methods_len
end

-- Reads extensions to dis.ext. Returns false if one of them is cut.
local function read_hello_ext(dis, data, pos, last)
	dis.ext = {}
	while pos + 3 <= last do
		local len = u16(data, pos + 2)
		if pos + 3 + len > last then return false end
		local ext_type = u16(data, pos)
		local ext = {
			type = ext_type,
			name = tostring(TLS_HELLO_EXT_NAMES[ext_type]),
			data = data:sub(pos + 4, pos + 3 + len),
		}
		if dis.type == TLS_HANDSHAKE_TYPE_CLIENT or not SERVER_RAW_EXT[ext_type] then
			tls_dissect_ext(ext)
		end
		dis.ext[#dis.ext + 1] = ext
		pos = pos + 4 + len
	end
	return true
end

-- Parses the hello in handshake.data to handshake.dis:
--   type, ver, name, random, session_id, cipher_suites, compression_methods (server: cipher_suite,
--   compression_method), ext = array of {type, name, data[, dis]}
-- Returns true if it is complete, else partialOK or false; fields read so far remain. No dis if it is no hello.
function tls_dissect_handshake(handshake, partialOK)
	if type(handshake) ~= "table" then return false end
	local data = handshake.data
	local incomplete = partialOK or false
	handshake.dis = nil
	if not is_tls_hello(data, 1, partialOK) then return false end

	local htype = tls_handshake_type(data)
	local dis = { type = htype, ver = u16(data, 5), name = TLS_HANDSHAKE_TYPE_NAMES[htype] }
	handshake.dis = dis

	local last = math.min(tls_handshake_len(data), #data)
	if last < 36 then return incomplete end
	dis.random = data:sub(7, math.min(38, last))
	local sid_len = last >= 39 and u8(data, 39)
	if not sid_len or 39 + sid_len > last then return incomplete end
	dis.session_id = data:sub(40, 39 + sid_len)

	local pos = read_hello_suites(dis, data, 40 + sid_len, last)
	if not pos then return incomplete end

	local complete = tls_handshake_full(data)
	if pos + 1 <= last then
		local ext_last = pos + 1 + u16(data, pos)
		if ext_last > last then
			if not partialOK then return false end
			ext_last, complete = last, false
		end
		complete = read_hello_ext(dis, data, pos + 2, ext_last) and complete
	end
	return complete or incomplete
end

-- Reads the record at pos. Returns it and the position behind.
local function read_record(tls, pos, encrypted)
	local ctype, len = tls_record_type(tls, pos), tls_record_data_len(tls, pos)
	local record = {
		type = ctype,
		name = tostring(TLS_RECORD_TYPE_NAMES[ctype]),
		len = len,
		ver = u16(tls, pos + 1),
		encrypted = encrypted,
		data = tls:sub(pos + 5, pos + 4 + len),
	}
	return record, pos + 5 + len
end

-- Joins the message that begins in the last record of rec with the following records, which are appended.
-- Returns the message (nil if not even its header is there) and the position behind its last record
-- (nil if the message is cut).
local function join_handshake(tls, pos, rec, partialOK)
	local first = #rec
	local parts, size = { rec[first].data }, #rec[first].data
	local message_len
	while true do
		if not message_len and size >= 4 then message_len = tls_handshake_len(table.concat(parts)) end
		if message_len and size >= message_len then break end
		if not is_tls_record(tls, pos, TLS_RECORD_TYPE_HANDSHAKE, partialOK) then
			pos = nil
			break
		end
		local record
		record, pos = read_record(tls, pos, false)
		record.not_first = true
		rec[#rec + 1] = record
		parts[#parts + 1] = record.data
		size = size + #record.data
	end
	if not message_len then return nil, pos end

	local data = table.concat(parts)
	local htype = tls_handshake_type(data)
	for i = first, #rec do rec[i].htype = htype end
	return { type = htype, name = TLS_HANDSHAKE_TYPE_NAMES[htype], data = data }, pos
end

-- Reads all records. Returns the array of records and the table of handshakes by type (nil if none);
-- nil if a handshake is cut and partialOK is not set.
local function read_records(tls, pos, partialOK)
	local rec, handshakes = {}, nil
	local encrypted = false
	while pos and is_tls_record(tls, pos, nil, partialOK) do
		local record
		record, pos = read_record(tls, pos, encrypted)
		rec[#rec + 1] = record
		if record.type == TLS_RECORD_TYPE_CHANGE_CIPHER_SPEC then
			encrypted = true
		elseif record.type == TLS_RECORD_TYPE_HANDSHAKE and not encrypted then
			local handshake
			handshake, pos = join_handshake(tls, pos, rec, partialOK)
			if not pos and not partialOK then return nil end
			if handshake then
				handshakes = handshakes or {}
				handshakes[handshake.type] = handshake
			end
		end
	end
	return rec, handshakes
end

-- Parses TLS records, or a bare handshake message, at offset. Returns a table of rec and handshake; nothing if there is
-- neither.
-- partialOK : accept cut data
--   rec       : array of {type, name, len, ver, encrypted, data[, htype[, not_first]]}; absent without records
--   handshake : by handshake type {type, name, data[, dis]}; see tls_dissect_handshake for dis
function tls_dissect(tls, offset, partialOK)
	offset = offset or 1
	local rec, handshakes = read_records(tls, offset, partialOK)
	if not rec then return end
	if #rec == 0 then
		if not is_tls_handshake(tls, offset, nil, partialOK) then return end
		rec = nil
		local htype = tls_handshake_type(tls, offset)
		handshakes = {
			[htype] = { type = htype, name = TLS_HANDSHAKE_TYPE_NAMES[htype], data = tls:sub(offset) },
		}
	end
	if handshakes then
		local client, server = handshakes[TLS_HANDSHAKE_TYPE_CLIENT], handshakes[TLS_HANDSHAKE_TYPE_SERVER]
		if client then tls_dissect_handshake(client, partialOK) end
		if server then tls_dissect_handshake(server, partialOK) end
	end
	return { rec = rec, handshake = handshakes }
end


-- 16.6 Reconstructing -------------------------------------------------------------------------------------
-- What was not changed since it was dissected keeps its bytes, even where another encoding is possible.

-- Rebuilds ext.data from ext.dis, if there is one. Returns true if there is data.
function tls_reconstruct_ext(ext)
	if ext.dis then
		local format, list = EXT_FORMATS[ext.type], ext.dis.list
		if not format or not list then
			ext.data = nil
		elseif not ext.data or not same_tree(list, read_list(format, ext.data)) then
			ext.data = write_list(format, list)
		end
	end
	return type(ext.data) == "string"
end

-- Is there a whole message at the beginning of handshake.data?
local function has_whole_message(handshake)
	local data = handshake.data
	return data and #data >= 4 and tls_handshake_full(data)
end

-- Does handshake.data still say what handshake.dis says? A cut message never does.
local function is_hello_unchanged(handshake)
	if not has_whole_message(handshake) then return false end
	local current = { data = handshake.data }
	tls_dissect_handshake(current)
	return current.dis and current.dis.type == handshake.type and same_tree(current.dis, handshake.dis)
end

-- Bytes of the extension block; nil if an extension cannot be rebuilt.
local function hello_ext_block(ext_list)
	local parts = {}
	for i, ext in ipairs(ext_list or {}) do
		if not tls_reconstruct_ext(ext) then return nil end
		parts[i] = bu16(ext.type) .. bu16(#ext.data) .. ext.data
	end
	local block = table.concat(parts)
	return bu16(#block) .. block
end

-- Cipher suites and compression methods; nil if a ServerHello lacks them.
local function hello_suites(dis)
	if dis.type == TLS_HANDSHAKE_TYPE_SERVER then
		local suite, method = dis.cipher_suite, dis.compression_method
		return suite and method and bu16(suite) .. bu8(method)
	end
	local suites = barray(dis.cipher_suites or {}, bu16)
	local methods = barray(dis.compression_methods or {}, bu8)
	return bu16(#suites) .. suites .. bu8(#methods) .. methods
end

-- Bytes of a hello message; nil if a part cannot be rebuilt.
local function build_hello(handshake)
	local dis = handshake.dis
	local suites = hello_suites(dis)
	local ext_block = hello_ext_block(dis.ext)
	if not suites or not ext_block then return nil end

	local random = dis.random
	if not random or #random ~= 32 then random = brandom(32) end
	local session_id = dis.session_id or ""
	local body = bu16(dis.ver or TLS_VER_TLS12) .. random .. bu8(#session_id) .. session_id .. suites .. ext_block
	return bu8(handshake.type) .. bu24(#body) .. body
end

-- Further messages that follow the first one in handshake.data.
local function following_messages(handshake)
	if not has_whole_message(handshake) then return "" end
	return handshake.data:sub(tls_handshake_len(handshake.data) + 1)
end

-- Rebuilds handshake.data from handshake.dis if that is a hello. Returns true if there is data.
function tls_reconstruct_handshake(handshake)
	if type(handshake) ~= "table" then return false end
	local dis = handshake.dis
	local is_hello = dis and (dis.type == TLS_HANDSHAKE_TYPE_CLIENT or dis.type == TLS_HANDSHAKE_TYPE_SERVER)
	if is_hello and not is_hello_unchanged(handshake) then
		local hello = build_hello(handshake)
		handshake.data = hello and hello .. following_messages(handshake)
	end
	return type(handshake.data) == "string"
end

-- Handshake type whose data the record carries a piece of; nil if it carries its own data.
local function record_handshake_type(record, handshakes)
	if record.type ~= TLS_RECORD_TYPE_HANDSHAKE or record.encrypted then return nil end
	local handshake = handshakes[record.htype or false]
	return handshake and handshake.data and record.htype
end

-- Gives handshake data to the records first..last. Each but the last keeps its length as long as data lasts.
local function distribute_handshake(rec, first, last, data)
	local pos = 1
	for i = first, last do
		local record = rec[i]
		record.data = i < last and data:sub(pos, pos + record.len - 1) or data:sub(pos)
		record.len = #record.data
		pos = pos + record.len
	end
end

-- Bytes of a dissected TLS stream or bare handshake; nil if something cannot be rebuilt.
-- Handshakes are distributed over their records again. Records that got empty are omitted.
function tls_reconstruct(tdis)
	local handshakes = tdis.handshake or {}
	for _, handshake in pairs(handshakes) do
		if not tls_reconstruct_handshake(handshake) then return nil end
	end

	local rec = tdis.rec
	if not rec then
		local htype, handshake = next(handshakes)
		return htype and next(handshakes, htype) == nil and handshake.data or nil
	end

	local first = 1
	while first <= #rec do
		local last = first
		local htype = record_handshake_type(rec[first], handshakes)
		if htype then
			while rec[last + 1] and record_handshake_type(rec[last + 1], handshakes) == htype do last = last + 1 end
			distribute_handshake(rec, first, last, handshakes[htype].data)
		end
		first = last + 1
	end

	local parts = {}
	for _, record in ipairs(rec) do
		local data = record.data
		if not data then return nil end
		local was_empty = record.len == 0 and not record.htype
		if #data > 0 or was_empty then
			parts[#parts + 1] = bu8(record.type) .. bu16(record.ver) .. bu16(#data) .. data
		end
	end
	return table.concat(parts)
end


-- 16.7 Modifying a ClientHello ----------------------------------------------------------------------------

-- Edits the SNI extension as tls_client_hello_mod describes. Returns false if it is not possible.
local function modify_sni(dis, options)
	if not dis.ext then
		DLOG("tls_client_hello_mod: extensions not dissected")
		return false
	end
	local index = array_field_search(dis.ext, "type", TLS_EXT_SERVER_NAME)
	if not index then
		DLOG("tls_client_hello_mod: no SNI extension. adding")
		index = 1
		table.insert(dis.ext, index, {
			type = TLS_EXT_SERVER_NAME,
			name = TLS_HELLO_EXT_NAMES[TLS_EXT_SERVER_NAME],
			dis = { list = {} },
		})
	end
	if options.sni_del_ext then
		table.remove(dis.ext, index)
		return true
	end

	local ext = dis.ext[index]
	if options.sni_del then ext.dis = { list = {} } end
	if not ext.dis then
		DLOG("tls_client_hello_mod: SNI extension not dissected")
		return false
	end
	local list = ext.dis.list
	if options.sni_snt then
		for _, item in ipairs(list) do item.type = options.sni_snt end
	end
	local new_type = options.sni_snt_new or 0
	if options.sni_first then table.insert(list, 1, { type = new_type, name = options.sni_first }) end
	if options.sni_last then table.insert(list, { type = new_type, name = options.sni_last }) end
	return true
end

-- Modified copy of a ClientHello (records or bare message); nothing if it cannot be dissected or rebuilt.
-- Group sni:
--   sni_del_ext: remove the SNI extension, the rest is ignored
--   sni_del: remove all names
--   sni_snt=<number>: set the type of the names that are there
--   sni_snt_new=<number> (0): type of the added names
--   sni_first=<name>: add a name in front
--   sni_last=<name>: add a name at the end
-- If any of these but sni_snt_new is given and there is no SNI extension, it is added as the first one.
function tls_client_hello_mod(tls, options)
	local tdis = tls_dissect(tls)
	if not tdis then
		DLOG("tls_client_hello_mod: could not dissect tls")
		return
	end
	local hello = tdis.handshake and tdis.handshake[TLS_HANDSHAKE_TYPE_CLIENT]
	if not hello or not hello.dis then
		DLOG("tls_client_hello_mod: handshake not dissected")
		return
	end
	local wants_sni = options.sni_snt or options.sni_del_ext or options.sni_del or options.sni_first or options.sni_last
	if wants_sni and not modify_sni(hello.dis, options) then return end

	local result = tls_reconstruct(tdis)
	if not result then
		DLOG_ERR("tls_client_hello_mod: reconstruct error")
		return
	end
	return result
end
