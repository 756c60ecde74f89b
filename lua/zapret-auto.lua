-- Orchestrators: functions that decide which of the instances after them run. Load after zapret-lib.lua.
--
-- An orchestrator takes the list of following instances (the plan) over from the engine with orchestrate(); from then on
-- nothing of it runs unless an orchestrator runs it. desync.arg belongs to the instance executed last, so orchestrators
-- read their own arguments before they run the plan.
--
-- State, open to user scripts:
--   autostate[askey][hostkey] : host record: failure_counter, failure_time_last, nstrategy, ctstrategy, final
--                               late_failure: the limit was reached while no packet came
--   track.lua_state.automate  : connection record, shared by all orchestrators: nocheck, failure, retrans
--                               due: when it is a failure unless something comes before (automate_watch)

-- Programs read some of the texts that this file logs: docs/contracts/debug-text.md.

-- Defined by zapret-lib.lua; this is for one of another origin, which lacks it.
dlog_format = dlog_format or function(format, ...)
	if b_debug then DLOG(format:format(...)) end
end


-------------------------------------------------------------------------------------------------------------
-- Records
-------------------------------------------------------------------------------------------------------------

-- The global function called `name`, or nil.
local function global_function(name)
	local f = _G[name]
	return type(f) == "function" and f or nil
end

-- Returns the key of the host record: host name, else target IP.
-- Group host key:
--   nld=<number>: last labels of the name that count
--   reqhost: no IP instead of a missing name: then nil
function standard_hostkey(desync)
	local track, arg = desync.track, desync.arg
	local name = track and track.hostname
	if name then
		local nld = tonumber(arg.nld)
		if nld and nld > 0 and not track.hostname_is_ip then
			return dissect_nld(name, nld) or name
		end
		return name
	end
	return not arg.reqhost and host_ip(desync) or nil
end

-- A table of host records is swept when it reaches this size.
local HOST_RECORDS_MAX = 10000

-- Number of host records by table. Weak: user scripts may replace autostate.
local record_count = setmetatable({}, { __mode = "k" })

local WITHOUT_KNOWLEDGE = { nstrategy = true, ctstrategy = true, final = true }

-- True if the record holds nothing that a new one would not: first strategy, no failures, no fields of user scripts.
local function is_blank(hrec)
	if (hrec.nstrategy or 1) ~= 1 then return false end
	for field in pairs(hrec) do
		if not WITHOUT_KNOWLEDGE[field] then return false end
	end
	return true
end

-- Makes room: forgets blank records; if more than `enough` are left, the half with the older failures.
local function sweep_records(records, enough)
	local kept, sum = 0, 0
	for key, hrec in pairs(records) do
		if is_blank(hrec) then
			records[key] = nil
		else
			kept = kept + 1
			sum = sum + (hrec.failure_time_last or 0)
		end
	end
	if kept > enough then
		local average = sum / kept
		for key, hrec in pairs(records) do
			if (hrec.failure_time_last or 0) <= average then
				records[key] = nil
				kept = kept - 1
			end
		end
	end
	record_count[records] = kept
end

-- Fewer records are not worth their memory.
local HOST_RECORDS_FEW = 500

-- Records that are a failure or two, without a lesson learned from them.
local function forget_unproven(records)
	for key, hrec in pairs(records) do
		if (hrec.nstrategy or 1) == 1 and not hrec.final then records[key] = nil end
	end
end

local function size_of(records)
	local n = 0
	for _ in pairs(records) do
		n = n + 1
	end
	return n
end

-- Memory is short: what was learned of a host is worth more than that one of its connections has failed.
if on_memory_low then
	on_memory_low(function()
		for _, records in pairs(autostate or {}) do
			if record_count[records] and size_of(records) > HOST_RECORDS_FEW then
				forget_unproven(records)
				sweep_records(records, HOST_RECORDS_FEW)
			end
		end
	end)
end

-- Returns the name of the table of records and the key of the packet's host in it; nil if the host has no key.
-- Group host record:
--   key=<name> (instance name): name of the table of records, shared by several orchestrators
--   hostkey=<function> (standard_hostkey): makes the key of the record
function automate_host_key(desync)
	local arg = desync.arg
	local make_key = standard_hostkey
	if arg.hostkey then
		make_key = global_function(arg.hostkey)
		if not make_key then
			error("automate: invalid hostkey function '" .. arg.hostkey .. "'")
		end
	end
	local hostkey = make_key(desync)
	if not hostkey then
		DLOG("automate: host record key unavailable")
		return nil
	end
	return arg.key and #arg.key > 0 and arg.key or desync.func_instance, hostkey
end

-- Returns the record of the packet's host, created on demand; nil if the host has no key.
function automate_host_record(desync)
	local askey, hostkey = automate_host_key(desync)
	if not askey then return nil end
	autostate = autostate or {}
	local records = autostate[askey]
	if not records then
		records = {}
		autostate[askey] = records
	end
	local hrec = records[hostkey]
	if not hrec then
		local count = record_count[records] or 0
		if count >= HOST_RECORDS_MAX then
			sweep_records(records, HOST_RECORDS_MAX / 2)
			count = record_count[records]
		end
		record_count[records] = count + 1
		hrec = {}
		records[hostkey] = hrec
	end
	dlog_format("automate: host record key 'autostate.%s.%s'", askey, hostkey)
	return hrec
end

-- Returns the record of the connection, created on demand; nil without conntrack.
function automate_conn_record(desync)
	local track = desync.track
	if not track then
		DLOG("automate: no connection record without conntrack")
		return nil
	end
	local crec = track.lua_state.automate
	if not crec then
		crec = {}
		track.lua_state.automate = crec
	end
	return crec
end


-------------------------------------------------------------------------------------------------------------
-- Failure counting
-------------------------------------------------------------------------------------------------------------

-- Counts a failure of the host, one per connection at most (crec may be nil: always).
-- Returns true, and starts anew, if this failure is the last one allowed.
-- fails   : how many make it final
-- maxtime : seconds after which older failures are forgotten
function automate_failure_counter(hrec, crec, fails, maxtime)
	if crec then
		if crec.failure then
			DLOG("automate: duplicate failure in the same connection is not counted")
			return false
		end
		crec.failure = true
	end
	local now = os.time()
	local last = hrec.failure_time_last or now
	local count = hrec.failure_counter or 0
	if count > 0 and now > last + maxtime then
		dlog_format("automate: failure counter reset because last failure was %d seconds ago", now - last)
		count = 0
	end
	count = count + 1
	hrec.failure_time_last = now
	hrec.failure_counter = count
	dlog_format("automate: failure counter %s/%s", count, fails)
	if fails and count >= fails then
		hrec.failure_counter = nil
		return true
	end
	return false
end

-- Forgets the failures of the host.
function automate_failure_counter_reset(hrec)
	if hrec.failure_counter then
		DLOG("automate: failure counter reset")
		hrec.failure_counter = nil
	end
end

-- These are in a file of their own.
local in_zapret_learn = { "detect_silence", "detect_tls_alert", "detect_cutoff", "detect_blockpage", "success_bytes" }

local function named_detector(argument, name)
	local found = global_function(name)
	if found then return found end
	error("automate: invalid " .. argument:gsub("_", " ") .. " function '" .. name .. "'" ..
		(array_search(in_zapret_learn, name) and ", it is in zapret-learn.lua" or ""))
end

-- Several detectors by the text that names them.
local joined_detectors = {}

-- Returns the detector of a text "f+g": true if one of them says so.
local function join_detectors(argument, names)
	local joined = joined_detectors[names]
	if joined then return joined end
	local list = {}
	for name in names:gmatch("[^+]+") do
		named_detector(argument, name)
		list[#list + 1] = name
	end
	joined = function(desync, crec)
		for i = 1, #list do
			if named_detector(argument, list[i])(desync, crec) then return true end
		end
		return false
	end
	joined_detectors[names] = joined
	return joined
end

-- Returns the detector that a text names: "f", or "f+g" for one of them.
-- argument : that of the orchestrator, for messages
function automate_detector(argument, name)
	if name:find("+", 1, true) then return join_detectors(argument, name) end
	return named_detector(argument, name)
end

-- What the connection's orchestrator has chosen, what the argument names, or the default.
local function detector(desync, crec, argument, default)
	local chosen, name = crec[argument], desync.arg[argument]
	return chosen or name and automate_detector(argument, name) or default
end

-- Lets the detectors look at the packet. A connection gives one result, success has priority.
-- Group result check:
--   success_detector=<function> (standard_success_detector): f(desync, crec), true on success; f+g: one of them
--   failure_detector=<function> (standard_failure_detector): f(desync, crec), true on failure; f+g: one of them
-- Returns "success", "failure", or nil: not known yet, or told before.
function automate_result(desync, crec)
	if crec.nocheck then return nil end
	if detector(desync, crec, "success_detector", standard_success_detector)(desync, crec) then
		DLOG("automate: success detected")
		crec.nocheck = true
		return "success"
	end
	if detector(desync, crec, "failure_detector", standard_failure_detector)(desync, crec) then
		DLOG("automate: failure detected")
		crec.nocheck = true
		return "failure"
	end
	return nil
end

-- Group failure check:
--   fails=<number> (3): how many failures of a host make it final
--   time=<seconds> (60): older failures are forgotten
-- Returns true if the failures of the host reached the limit with this packet, or while no packet came.
function automate_failure_check(desync, hrec, crec)
	if hrec.late_failure then
		hrec.late_failure = nil
		return true
	end
	local arg = desync.arg
	local result = automate_result(desync, crec)
	if result == "success" then
		automate_failure_counter_reset(hrec)
	elseif result == "failure" then
		return automate_failure_counter(hrec, crec, tonumber(arg.fails) or 3, tonumber(arg.time) or 60)
	elseif crec.due and not crec.watched then
		local fails, time = tonumber(arg.fails) or 3, tonumber(arg.time) or 60
		automate_watch(crec, function()
			hrec.late_failure = automate_failure_counter(hrec, crec, fails, time) or hrec.late_failure
		end)
	end
	return false
end


-------------------------------------------------------------------------------------------------------------
-- Failures that no packet shows
-------------------------------------------------------------------------------------------------------------

local WATCH_MAX = 4096
local WATCH_PERIOD_MS = 500

-- Connection record -> what to call. Those that give nothing more to wait for go with the next look.
local watched, watched_count = {}, 0

local function unwatch(crec)
	watched[crec] = nil
	watched_count = watched_count - 1
	crec.watched = nil
end

-- Timer: calls what was given for the connections that are due.
function automate_watch_look()
	local now = clock_getfloattime()
	local late = {}
	for crec in pairs(watched) do
		if crec.nocheck or not crec.due or now >= crec.due then late[#late + 1] = crec end
	end
	for i = 1, #late do
		local crec = late[i]
		local on_failure = watched[crec]
		unwatch(crec)
		if not crec.nocheck and crec.due then
			crec.nocheck = true
			DLOG("automate: failure detected, nothing came in time")
			on_failure()
		end
	end
	if watched_count == 0 then timer_del("automate_watch") end
end

-- Calls on_failure when crec.due is reached, a time of clock_getfloattime(). A detector may set another time, or none (nil),
-- until then; a result (crec.nocheck) ends it. Too many at a time are not watched.
function automate_watch(crec, on_failure)
	if watched_count >= WATCH_MAX then return end
	if watched_count == 0 then timer_set("automate_watch", "automate_watch_look", WATCH_PERIOD_MS) end
	watched[crec] = on_failure
	watched_count = watched_count + 1
	crec.watched = true
end


-------------------------------------------------------------------------------------------------------------
-- Standard detectors
-------------------------------------------------------------------------------------------------------------

-- True if an HTTP redirect leads to another second level domain than that of `hostname`.
-- Relative locations are never a DPI's.
function is_dpi_redirect(hostname, location)
	local url = dissect_url(location)
	local target = url and url.domain and dissect_nld(url.domain, 2)
	return target ~= nil and target ~= dissect_nld(hostname, 2)
end

-- Returns code and location of an HTTP reply (http_dissect_reply) that is a redirect for now; else nothing.
function http_redirect(reply)
	if not reply or reply.code ~= 302 and reply.code ~= 307 then return end
	local idx = array_field_search(reply.headers, "header_low", "location")
	if idx then return reply.code, reply.headers[idx].value end
end

-- Returns the arguments of the standard detectors with defaults filled in.
-- Group detectors:
--   inseq=<rseq> (4096): incoming: success beyond, a RST up to there is a failure
--   maxseq=<rseq> (32768): outgoing: success beyond, retransmissions up to there are counted
--   retrans=<number> (3): that many retransmissions are a failure
--   udp_in=<number> (1): more incoming packets are a success
--   udp_out=<number> (4): that many outgoing packets without that success are a failure
--   no_rst: do not take a RST for a failure
--   no_http_redirect: do not take a redirect for a failure
--   reset: answer the failing retransmission with a RST, so that the client gives up at once
function standard_detector_defaults(arg)
	return {
		inseq = tonumber(arg.inseq) or 4096,
		retrans = tonumber(arg.retrans) or 3,
		maxseq = tonumber(arg.maxseq) or 32768,
		udp_in = tonumber(arg.udp_in) or 1,
		udp_out = tonumber(arg.udp_out) or 4,
		no_http_redirect = arg.no_http_redirect,
		no_rst = arg.no_rst,
		reset = arg.reset
	}
end

-- Sends a RST in the peer's name to the sender of the current packet.
local function reset_sender(desync)
	local peer = desync.track and desync.track.pos.reverse or {}
	local dis = deepcopy(desync.dis)
	dis_reverse(dis)
	dis.payload = ""
	dis.tcp.options = {}
	dis.tcp.th_flags = TH_RST
	dis.tcp.th_win = peer.tcp and peer.tcp.winsize or 64
	if dis.ip6 then dis.ip6.ip6_flow = peer.ip6_flow or 0x60000000 end
	DLOG("standard_failure_detector: sending RST to retransmitter")
	rawsend_dissect(dis, { ifout = desync.ifin })
end

-- True on failure: retransmissions, an early RST, a redirect to a foreign domain, UDP without answer.
function standard_failure_detector(desync, crec)
	local limits = standard_detector_defaults(desync.arg)
	local dis, track = desync.dis, desync.track
	if dis.tcp then
		local seq = pos_get(desync, "s")
		if desync.outgoing then
			local count = crec.retrans or 0
			if #dis.payload > 0 and seq <= limits.maxseq and limits.maxseq > 0 and count < limits.retrans
				and is_retransmission(desync)
			then
				crec.retrans = count + 1
				dlog_format("standard_failure_detector: retransmission %s/%s", crec.retrans, limits.retrans)
				if crec.retrans >= limits.retrans then
					if limits.reset then reset_sender(desync) end
					return true
				end
			end
		elseif not limits.no_rst and limits.inseq > 0 and seq >= 1 and bitand(dis.tcp.th_flags, TH_RST) ~= 0 then
			local early = seq <= limits.inseq
			dlog_format("standard_failure_detector: incoming RST s%s %s s%s", seq, early and "in range" or "not in range",
				limits.inseq)
			return early
		elseif not limits.no_http_redirect and desync.l7payload == "http_reply" and track and track.hostname then
			local code, location = http_redirect(http_dissect_reply(dis.payload))
			if location then
				local foreign = is_dpi_redirect(track.hostname, location)
				dlog_format("standard_failure_detector: http redirect %s to '%s'. %s DPI redirect.", code, location,
					foreign and "looks like" or "NOT a")
				return foreign
			end
		end
	elseif dis.udp and desync.outgoing and limits.udp_out > 0 then
		local sent, received = pos_get(desync, "n"), pos_get(desync, "n", true)
		if sent >= limits.udp_out and received <= limits.udp_in then
			dlog_format("standard_failure_detector: arg.udp_out %s>=%s arg.udp_in %s<=%s", sent, limits.udp_out, received,
				limits.udp_in)
			return true
		end
	end
	return false
end

-- True on success: enough data went through.
function standard_success_detector(desync, crec)
	local limits = standard_detector_defaults(desync.arg)
	if desync.dis.tcp then
		local limit = desync.outgoing and limits.maxseq or limits.inseq
		local seq = pos_get(desync, "s")
		if limit > 0 and seq > limit then
			dlog_format("standard_success_detector: %s s%s is beyond s%s. treating connection as successful",
				desync.outgoing and "outgoing" or "incoming", seq, limit)
			return true
		end
	elseif desync.dis.udp and not desync.outgoing then
		local received = pos_get(desync, "n")
		if limits.udp_out > 0 and received > limits.udp_in then
			dlog_format("standard_success_detector: arg.udp_in %s>%s. treating connection as successful", received,
				limits.udp_in)
			return true
		end
	end
	return false
end


-------------------------------------------------------------------------------------------------------------
-- circular
-------------------------------------------------------------------------------------------------------------

-- Looks through the plan for `strategy` numbers. Returns how many there are and the final one, if there is one.
-- name : that of the orchestrator, for messages
function automate_strategies(desync, name)
	local seen, count, final = {}, 0, nil
	for _, instance in ipairs(desync.plan) do
		local arg = instance.arg
		if arg.strategy then
			local n = tonumber(arg.strategy)
			if not n or n < 1 then
				error(name .. ": strategy number must be a number from 1, got '" .. arg.strategy .. "'")
			end
			if not seen[n] then
				seen[n] = true
				count = count + 1
			end
			if arg.final then final = n end
		end
	end
	if count == 0 then
		error(name .. ": add strategy=N arguments to the following instances. N begins with 1")
	end
	for n = 1, count do
		if not seen[n] then
			error(name .. ": strategies must be numbered from 1 without gaps, " .. n .. " is missing")
		end
	end
	return count, final
end

-- Changes over to the next strategy when the present one fails for a host.
-- Arguments: host record, host key, result check, failure check, detectors, further detectors
-- Instances carry:
--   strategy=<number>: number of the strategy the instance belongs to, from 1 without gaps. Without it it never runs
--   final: no change from this strategy on
-- Needs conntrack: without it, or without a host record, nothing runs.
-- Verdict: that of the instances of the present strategy.
function circular(ctx, desync)
	orchestrate(ctx, desync)
	if not desync.track then
		DLOG_ERR("circular: conntrack is missing but required")
		return VERDICT_PASS
	end
	local hrec = automate_host_record(desync)
	if not hrec then
		DLOG("circular: passing with no tampering")
		return VERDICT_PASS
	end
	if not hrec.ctstrategy then
		local count, final = automate_strategies(desync, "circular")
		hrec.ctstrategy, hrec.final = count, final or hrec.final
	end
	if not hrec.nstrategy then
		DLOG("circular: start from strategy 1")
		hrec.nstrategy = 1
	end
	if hrec.final ~= hrec.nstrategy and automate_failure_check(desync, hrec, automate_conn_record(desync)) then
		hrec.nstrategy = hrec.nstrategy % hrec.ctstrategy + 1
		dlog_format("circular: rotate strategy to %s", hrec.nstrategy)
		if hrec.final == hrec.nstrategy then
			dlog_format("circular: final strategy %s reached. will rotate no more.", hrec.final)
		end
	end
	local current = hrec.nstrategy
	dlog_format("circular: current strategy %s", current)
	local verdict = VERDICT_PASS
	local instance = plan_instance_pop(desync)
	while instance do
		if tonumber(instance.arg.strategy) == current then
			verdict = plan_instance_execute(desync, verdict, instance)
		end
		instance = plan_instance_pop(desync)
	end
	return verdict
end


-------------------------------------------------------------------------------------------------------------
-- Conditions: f(desync) -> bool, used as `iff` of orchestrators and `cond` of instances
-------------------------------------------------------------------------------------------------------------

-- Always true.
function cond_true(desync)
	return true
end

-- Always false.
function cond_false(desync)
	return false
end

-- True with a probability.
-- Arguments:
--   percent=<number> (50): the probability
function cond_random(desync)
	return math.random(0, 99) < (tonumber(desync.arg.percent) or 50)
end

-- True if the packet's own payload contains a text.
-- Arguments:
--   pattern=<text> (required): the text
function cond_payload_str(desync)
	local text = desync.arg.pattern
	if not text then error("cond_payload_str: missing 'pattern'") end
	return desync.dis.payload:find(text, 1, true) ~= nil
end

-- True for TCP with a timestamp option.
function cond_tcp_has_ts(desync)
	local tcp = desync.dis.tcp
	return tcp ~= nil and find_tcp_option(tcp.options, TCP_KIND_TS) ~= nil
end

-- The result of a piece of Lua, which finds the desync table in the global `desync`.
-- Arguments:
--   cond_code=<Lua source> (required): compiled once per instance
function cond_lua(desync)
	local code = desync.arg.cond_code
	if not code then error("cond_lua: missing 'cond_code'") end
	local name = desync.func_instance .. "_cond_cond_code"
	if not _G[name] then
		local compiled, syntax_error = load(code, name, "t")
		if not compiled then error(syntax_error, 0) end
		_G[name] = compiled
	end
	local outer = _G.desync
	_G.desync = desync
	local ok, result = pcall(_G[name])
	_G.desync = outer
	if not ok then error(result, 0) end
	return result
end


-------------------------------------------------------------------------------------------------------------
-- Orchestrators with conditions
-------------------------------------------------------------------------------------------------------------

-- Raises an error in the name of orchestrator `name` unless argument iff is a global function.
function require_iff(desync, name)
	local iff = desync.arg.iff
	if not iff then
		error(name .. ": missing 'iff' function")
	end
	if not global_function(iff) then
		error(name .. ": invalid 'iff' function '" .. iff .. "'")
	end
end

-- Runs the following instances if a condition holds.
-- Arguments:
--   iff=<condition> (required): the condition
--   neg: invert it
--   instances=<number> (all): if it does not hold, only that many of them are left out
-- Verdict: that of the instances run.
function condition(ctx, desync)
	require_iff(desync, "condition")
	orchestrate(ctx, desync)
	local arg = desync.arg
	if logical_xor(_G[arg.iff](desync), arg.neg) then
		DLOG("condition: true")
	else
		DLOG("condition: false")
		plan_clear(desync, tonumber(arg.instances))
	end
	return replay_execution_plan(desync)
end

-- Asks each following instance for its own condition.
-- Arguments:
--   instances=<number> (all): ask only the first ones, run the rest anyway
-- Instances carry:
--   cond=<condition>: the condition. Without it an instance that is asked does not run
--   cond_neg: invert it
-- Verdict: that of the instances run.
function per_instance_condition(ctx, desync)
	orchestrate(ctx, desync)
	local ask = tonumber(desync.arg.instances) or #desync.plan
	local verdict = VERDICT_PASS
	while ask > 0 and #desync.plan > 0 do
		ask = ask - 1
		local instance = plan_instance_pop(desync)
		local cond = instance.arg.cond
		if cond then
			local holds = global_function(cond)
			if not holds then
				error("per_instance_condition: invalid 'cond' function '" .. cond .. "'")
			end
			apply_execution_plan(desync, instance)
			if logical_xor(holds(desync), instance.arg.cond_neg) then
				verdict = plan_instance_execute_preapplied(desync, verdict, instance)
			else
				dlog_format("per_instance_condition: '%s' condition is false", instance.func_instance)
			end
		else
			dlog_format("per_instance_condition: '%s' has no 'cond', not run", instance.func_instance)
		end
	end
	return verdict_aggregate(verdict, replay_execution_plan(desync))
end

-- Stops if a condition holds. It runs nothing itself, so it is of use only below another orchestrator.
-- Arguments:
--   iff=<condition> (required): the condition
--   neg: invert it
-- Verdict: PASS.
function stopif(ctx, desync)
	require_iff(desync, "stopif")
	orchestrate(ctx, desync)
	local arg = desync.arg
	if logical_xor(_G[arg.iff](desync), arg.neg) then
		DLOG("stopif: stopping")
		plan_clear(desync)
	end
end

-- Runs the first following instances several times.
-- Arguments:
--   repeats=<number> (required): how many times
--   instances=<number> (1): how many instances to repeat
--   iff=<condition> (cond_true): asked before each round; if it does not hold, no more rounds
--   neg: invert it
--   stop: leave the instances after them to the caller
--   clear: discard the instances after them
-- Verdict: that of all runs.
function repeater(ctx, desync)
	local arg = desync.arg
	local repeats = tonumber(arg.repeats)
	if not repeats then error("repeater: missing 'repeats'") end
	local iff = arg.iff or "cond_true"
	if not global_function(iff) then
		error("repeater: invalid 'iff' function '" .. iff .. "'")
	end
	orchestrate(ctx, desync)
	if #desync.plan == 0 then return VERDICT_PASS end
	local instances = math.min(tonumber(arg.instances) or 1, #desync.plan)
	local original = deepcopy(desync.plan)
	local verdict = VERDICT_PASS
	for round = 1, repeats do
		if not logical_xor(_G[iff](desync), arg.neg) then
			DLOG("repeater: condition ends the rounds")
			break
		end
		dlog_format("repeater: round %s/%s", round, repeats)
		local rest = #desync.plan - instances
		-- a nested orchestrator may take more than one
		while #desync.plan > rest do
			verdict = plan_instance_execute(desync, verdict, plan_instance_pop(desync))
		end
		desync.plan = deepcopy(original)
	end
	plan_clear(desync, instances)
	if arg.clear then plan_clear(desync) end
	if arg.clear or arg.stop then return verdict end
	return verdict_aggregate(verdict, replay_execution_plan(desync))
end
